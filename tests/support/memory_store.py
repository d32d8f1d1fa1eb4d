"""A store in memory: a small real implementation of the port, with versions and a transit engine."""

from __future__ import annotations

import contextlib
import hmac
import threading
from typing import TYPE_CHECKING, Any

from krmfn.errors import PolicyError, ProviderError
from krmfn.spec.model import Model
from krmfn.spec.store_path import canonical_path
from krmfn.stores import PROVIDERS
from krmfn.stores.content import Location
from krmfn.stores.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from krmfn.stores.access import Access
from krmfn.stores.content import Json


class MemorySpec(Model):
    """Shape `memory`: what the store holds, and whom it serves."""

    memory: dict[str, Any]


class MemoryStore(Store):
    """``{"secrets": {path: {field: value}}, "namespaces": […], "transit": key}``.

    Attributes:
        reads: what was read, in order, as (path, version).
        asked: how many digests the transit engine was asked about, in each call.
    """

    opened: list[MemoryStore] = []  # noqa: RUF012  # of the test that runs

    def __init__(self, name: str, spec: dict[str, Any], access: Access) -> None:
        self._name = name
        self._spec = spec
        self._lock = threading.Lock()
        self.reads: list[tuple[str, int | None]] = []
        self.asked: list[int] = []
        self.closed = 0
        self.access = access
        self.opened.append(self)

    def locate(self, key: str) -> Location:
        """The path itself."""
        path = canonical_path(key, key="key")
        return Location(("memory", self._name, path), f"{self._name}:{path}", path=path)

    def read(self, location: Location, version: int | None) -> dict[str, Json]:
        """The secret, or the version of it that ``path@version`` holds."""
        with self._lock:
            self.reads.append((location.path, version))
        found = self._spec["secrets"].get(
            location.path if version is None else f"{location.path}@{version}"
        )
        if found is None:
            raise ProviderError(
                "not-found", "nothing is there", source=location.text, remedy="write it"
            )
        if isinstance(found, BaseException):
            raise found
        return dict(found)

    def hmac(self, mount: str, key: str, version: int, inputs: Sequence[bytes]) -> list[bytes]:
        """HMAC-SHA-512 under the key ``transit``."""
        self.asked.append(len(inputs))
        return [hmac.digest(self._spec["transit"].encode(), each, "sha512") for each in inputs]

    def bind(self, namespace: str, recipient: str) -> None:
        """Only for ``namespaces``, when it names some."""
        if namespace not in self._spec.get("namespaces", [namespace]):
            raise PolicyError("store-bound", "the store is bound to other namespaces")

    def close(self) -> None:
        """Counted."""
        self.closed += 1


@contextlib.contextmanager
def registered() -> Iterator[list[MemoryStore]]:
    """While it lasts ``{memory: …}`` is a kind of store; the stores that were opened."""
    PROVIDERS["memory"] = (__name__, "MemoryStore", "")
    MemoryStore.opened.clear()
    try:
        yield MemoryStore.opened
    finally:
        del PROVIDERS["memory"]
