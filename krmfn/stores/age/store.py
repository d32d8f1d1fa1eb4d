"""The age store: an encrypted file in the repository, without a server.

Rules enforced here: the file is decrypted once, in memory, and only where the document itself allows
its use; `krmfn.stores.age.file` says what it holds, and what an age file cannot promise.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from krmfn.errors import PolicyError, ProviderError
from krmfn.spec.store_path import canonical_path
from krmfn.stores.age.file import open_file, read_identities
from krmfn.stores.content import Location
from krmfn.stores.credential import read_credential
from krmfn.stores.store import Store

if TYPE_CHECKING:
    from krmfn.spec.stores import Age
    from krmfn.stores.access import Access
    from krmfn.stores.age.file import AgeFile
    from krmfn.stores.content import Json


class AgeBackend(Store):
    """The store that ``{age: …}`` describes."""

    def __init__(self, name: str, spec: Age, access: Access) -> None:
        self._name = name
        self._spec = spec
        self._access = access
        self._lock = threading.Lock()
        self._opened: AgeFile | None = None

    @classmethod
    def check(cls, name: str, spec: Age, access: Access) -> None:
        """Look whether the file is there and of the repository."""
        _content(name, spec, access)

    def locate(self, key: str) -> Location:
        """The place of ``key`` in the file; the file is decrypted for its `storeId`."""
        path = canonical_path(key, key="key")
        store_id = self._open().frame.store_id
        return Location(("age", store_id, path), f"{self._name}:{path}", path=path)

    def read(self, location: Location, version: int | None) -> dict[str, Json]:
        """The secret's fields; an age store has no versions."""
        if version is not None:
            raise ProviderError(
                "version-unsupported",
                "an age store keeps no versions",
                source=location.text,
                remedy="remove version; the file's history is in git",
            )
        secret = self._open().secrets.get(location.path)
        if secret is None:
            raise ProviderError(
                "not-found",
                f"{self._spec.file} holds nothing there",
                source=location.text,
                remedy=f"krmfn age set {self._spec.file} {location.path} PROPERTY",
            )
        return dict(secret)

    def bind(self, namespace: str, recipient: str) -> None:
        """Refuse targets outside the document's `boundTo`; cluster-wide is not a namespace."""
        bound = self._open().frame.bound_to
        remedy = "use a store of its own: krmfn age init"
        if bound.namespaces is not None and namespace not in bound.namespaces:
            found = f"namespace {namespace}" if namespace else "cluster-wide scope"
            raise PolicyError(
                "store-bound",
                f"{self._spec.file} is bound to other namespaces",
                source=self._name,
                found=found,
                remedy=remedy,
            )
        if bound.recipients is not None and recipient not in bound.recipients:
            raise PolicyError(
                "store-bound",
                f"{self._spec.file} is bound to other certificates",
                source=self._name,
                found=recipient,
                remedy=remedy,
            )

    def _open(self) -> AgeFile:
        with self._lock:
            if self._opened is None:
                self._opened = self._decrypted()
            return self._opened

    def _decrypted(self) -> AgeFile:
        content = _content(self._name, self._spec, self._access)
        what = f"stores.{self._name}.age.identityRef"
        identity = read_credential(self._spec.identity_ref, self._access, what=what)
        return open_file(content, read_identities(identity), name=self._spec.file)


def _content(name: str, spec: Age, access: Access) -> bytes:
    """The encrypted file."""
    return access.place.read(spec.file, key=f"stores.{name}.age.file")
