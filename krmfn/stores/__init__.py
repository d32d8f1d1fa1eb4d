"""Kinds of stores by name. The table has strings, so a store is imported only when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from krmfn.errors import ProviderError

if TYPE_CHECKING:
    from krmfn.spec.model import Model
    from krmfn.stores.access import Access
    from krmfn.stores.store import Store

# field of the spec -> (module, class, extra that installs what it needs)
PROVIDERS = {
    "vault": ("krmfn.stores.vault.store", "VaultBackend", "vault"),
    "age": ("krmfn.stores.age.store", "AgeBackend", "age"),
}


def check_store(name: str, spec: Model, access: Access) -> None:
    """Refuse configurations that `open_store` or the store would refuse without a request.

    No server is asked, and no credential is needed.

    Raises:
        KrmfnError: as a build would.
    """
    kind, store_class = _class(name, spec)
    store_class.check(name, getattr(spec, kind), access)


def open_store(name: str, spec: Model, access: Access) -> Store:
    """Return the store that ``spec`` (``{vault: …}``, ``{age: …}``) describes.

    Nothing is sent before it is asked for something.

    Raises:
        ProviderError: what it needs is not installed, or a credential is absent.
        PolicyError: a credential is not meant for that server.
    """
    kind, store_class = _class(name, spec)
    store: Store = store_class(name, getattr(spec, kind), access)
    return store


def _class(name: str, spec: Model) -> tuple[str, Any]:
    """Return the field of ``spec`` that names the kind of store, and its class."""
    kind = next(iter(type(spec).fields()))
    module, class_name, extra = PROVIDERS[kind]
    try:
        return kind, getattr(importlib.import_module(module), class_name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "krmfn":
            raise
        raise ProviderError(
            "extra-missing",
            f"the {kind} store needs {error.name}",
            source=name,
            remedy=f"pip install 'krmfn[{extra}]'",
        ) from None
