"""The stores of one configuration."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from krmfn.errors import SpecError
from krmfn.stores import check_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.stores.access import Access
    from krmfn.stores.pool import StorePool
    from krmfn.stores.store import Store


class OpenedStores:
    """The stores of one run, opened when first used and closed together.

    Attributes:
        access: what they may use.
    """

    def __init__(self, specs: Mapping[str, Any], access: Access, pool: StorePool) -> None:
        self.access = access
        self._specs = specs
        self._pool = pool
        self._open: dict[str, Store] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Store:
        """Return the store of that name."""
        with self._lock:
            if name not in self._open:
                self._open[name] = self._pool.open(name, self.spec(name), self.access)
            return self._open[name]

    def check(self, name: str) -> None:
        """Refuse a store's configuration as `get` would; ask no server, need no credential."""
        check_store(name, self.spec(name), self.access)

    def spec(self, name: str) -> Any:
        """Return the definition of the store of that name."""
        if name not in self._specs:
            raise SpecError("spec", f"the store {name} is not defined under stores")
        return self._specs[name]

    def close(self) -> None:
        """Close all opened stores, but for those that the pool shares; never raises."""
        for store in self._open.values():
            store.close()
