"""Read one property of a secret that configures the sealing: a key or a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.errors import KrmfnError
from krmfn.sealing.values import components, pick, to_bytes

if TYPE_CHECKING:
    from krmfn.spec.stores import StoreProperty
    from krmfn.stores.opened import OpenedStores


def read_property(stores: OpenedStores, at: StoreProperty, field: str) -> bytes:
    """One property that configures the sealing: a key or a certificate.

    Args:
        field: the configuration's field that names it, for errors.
    """
    source = f"{at.store}:{at.key}"
    try:
        store = stores.get(at.store)
        location = store.locate(at.key)
        source = location.text
        return to_bytes(pick(store.read(location, at.version), components(at.property)))
    except KrmfnError as error:
        # The stores' own advice speaks of remoteRef.
        error.remedy = error.remedy.replace("remoteRef.", f"{field}.")
        raise error.at(key=field, source=source) from None
