"""The tests' own store keeps the rules of every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from krmfn.deadline import Deadline
from krmfn.stores.access import Access
from tests.conformance.store_conformance import StoreConformance
from tests.support.memory_store import MemoryStore

if TYPE_CHECKING:
    from tests.conformance.store_conformance import Make


class TestMemory(StoreConformance):
    """In memory."""

    @pytest.fixture
    def make(self) -> Make:
        """A store of these secrets."""
        return lambda secrets: MemoryStore("main", {"secrets": secrets}, Access({}, Deadline(30)))
