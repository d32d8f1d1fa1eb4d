"""Stores that several builds of one process share: one login, and each secret read once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from krmfn.stores import open_store
from krmfn.stores.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from krmfn.plaintext import Plaintext
    from krmfn.spec.model import Model
    from krmfn.stores.access import Access
    from krmfn.stores.content import Json, Location
    from krmfn.stores.store import Health


class StorePool:
    """Opens each distinct store once, and closes all of them in the end."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, Path | None], _Shared] = {}
        self._lock = threading.Lock()

    def open(self, name: str, spec: Model, access: Access) -> Store:
        """As `open_store`; the same store for the same name and specification."""
        text = spec.model_dump_json()
        # A file in it may be relative to the configuration.
        key = (name, text, access.place.base if "file" in text.lower() else None)
        with self._lock:
            if key not in self._open:
                self._open[key] = _Shared(open_store(name, spec, access))
            return self._open[key]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def reads(self) -> int:
        """How many secrets were read."""
        return sum(store.reads for store in self._open.values())

    def close(self) -> None:
        """Close all opened stores; never raises."""
        for store in self._open.values():
            store.really_close()


class _Read:
    """One read, made for whoever comes first and awaited by the others. Holds plaintext."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Json] | BaseException | None = None

    def result(self, store: Store, location: Location, version: int | None) -> dict[str, Json]:
        """Return what the store gives, or raise what it raises."""
        with self._lock:
            if self._found is None:
                try:
                    self._found = store.read(location, version)
                except BaseException as error:  # noqa: BLE001  # raised to everybody who waits
                    self._found = error
        if isinstance(self._found, BaseException):
            raise self._found
        return self._found


class _Shared(Store):
    """A store that reads each location and version once for all callers. Holds plaintext."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reads: dict[tuple[tuple[str, ...], int | None], _Read] = {}
        self._lock = threading.Lock()

    @property
    def reads(self) -> int:
        """How many secrets were read."""
        return len(self._reads)

    def locate(self, key: str) -> Location:
        return self._store.locate(key)

    def read(self, location: Location, version: int | None) -> dict[str, Json]:
        with self._lock:
            one = self._reads.setdefault((location.source, version), _Read())
        return one.result(self._store, location, version)

    def newest(self, location: Location) -> int:
        return self._store.newest(location)

    def create(self, location: Location, fields: Mapping[str, Plaintext]) -> None:
        self._store.create(location, fields)

    def hmac(self, mount: str, key: str, version: int, inputs: Sequence[bytes]) -> list[bytes]:
        return self._store.hmac(mount, key, version, inputs)

    def bind(self, namespace: str, recipient: str) -> None:
        self._store.bind(namespace, recipient)

    def health(self) -> Health | None:
        return self._store.health()

    def close(self) -> None:
        """Do nothing, because other builds may still read."""

    def really_close(self) -> None:
        """Close the wrapped store; only the pool calls this."""
        self._store.close()
