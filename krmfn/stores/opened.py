"""The stores of one plan."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from krmfn.errors import SpecError
from krmfn.stores import check_store, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.stores.store import Store, Surroundings


class OpenedStores:
    """The stores of one run, opened when first used and closed together."""

    def __init__(self, specs: Mapping[str, Any], around: Surroundings) -> None:
        self._specs = specs
        self._around = around
        self._open: dict[str, Store] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Store:
        """Return the store of that name."""
        with self._lock:
            if name not in self._open:
                opener = self._around.opener or open_store
                self._open[name] = opener(name, self._spec(name), self._around)
            return self._open[name]

    def check(self, name: str) -> None:
        """Refuse a store's configuration as `get` would; ask no server, need no credential."""
        check_store(name, self._spec(name), self._around)

    def _spec(self, name: str) -> Any:
        if name not in self._specs:
            raise SpecError("spec", f"the store {name} is not defined under stores")
        return self._specs[name]

    def close(self) -> None:
        """Close all opened stores; never raises."""
        for store in self._open.values():
            store.close()
