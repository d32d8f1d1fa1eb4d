"""Resolve paths of a platform's stores, so that one place has one name. Pure.

Rules enforced here: an address without a port has its scheme's, ``localhost`` is 127.0.0.1, case does
not count in a host; a store without a server is at the environment's address; namespace, mount and
path are one path, in which ``data`` says nothing, since KV 2 puts it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from krmfn.spec.platform import PlatformVaultStore
from krmfn.spec.sealing import TransitKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.spec.platform import PlatformSpec
    from krmfn.spec.stores import Vault

_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def place(vault: Vault, path: str, address: str) -> str:
    """The canonical place of a path below a store.

    Args:
        address: the environment's, where the store names no server.
    """
    parts = [vault.namespace or "", vault.path, path]
    steps = [step for part in parts for step in part.split("/") if step not in ("", "data")]
    return "/".join([_origin(vault.server or address), *steps])


def key_places(spec: PlatformSpec, address: str) -> tuple[str, ...]:
    """Return the forbidden paths: the platform's derivation keys, and engines that contain them."""
    return tuple(_key_places(spec, address))


def same_mounts(spec: PlatformSpec, address: str) -> str:
    """Return two stores of one mount with different ids, for an error; empty if there are none."""
    found: dict[str, tuple[str, str]] = {}
    for name, store in spec.stores.items():
        if isinstance(store, PlatformVaultStore):
            mount = place(store.vault, "", address)
            other, id_ = found.setdefault(mount, (name, store.vault.id or ""))
            if id_ != (store.vault.id or ""):
                return f"{other} and {name}"
    return ""


def _key_places(spec: PlatformSpec, address: str) -> Iterator[str]:
    for key in spec.derivation_keys.values():
        store = spec.stores[key.transit.store if isinstance(key, TransitKey) else key.store]
        if not isinstance(store, PlatformVaultStore):
            continue
        if isinstance(key, TransitKey):
            engine = store.vault.model_copy(update={"path": key.transit.mount})
            yield place(engine, "", address)
        else:
            yield place(store.vault, key.key, address)


def _origin(address: str) -> str:
    """Return host and port; the text itself if it is not an address."""
    try:
        split = urlsplit(address.strip().lower())
        host, port = split.hostname or "", split.port or _PORTS.get(split.scheme, 0)
    except ValueError:
        return address
    return f"{'127.0.0.1' if host in _LOOPBACK else host}:{port}"
