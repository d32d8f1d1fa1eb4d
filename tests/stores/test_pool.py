"""Stores that several builds share."""

from __future__ import annotations

from pathlib import Path

from krmfn.deadline import Deadline
from krmfn.files.read import Place
from krmfn.stores.access import Access
from krmfn.stores.pool import StorePool
from tests.support.memory_store import MemorySpec, registered


def test_one_store_and_one_read_for_several_builds() -> None:
    """The same specification is opened once, read once and closed once, in the end."""
    spec = MemorySpec(memory={"secrets": {"a": {"x": "1"}}})
    same = MemorySpec(memory={"secrets": {"a": {"x": "1"}}})
    other = MemorySpec(memory={"secrets": {"a": {"x": "2"}}})
    pool = StorePool()
    with registered() as opened:
        for directory, each in (("one", spec), ("two", same), ("three", other)):
            access = Access({}, Deadline(10), Place(Path(directory)))
            store = pool.open("main", each, access)
            store.read(store.locate("a"), None)
            store.close()
        assert [store.reads for store in opened] == [[("a", None)], [("a", None)]]
        assert [store.closed for store in opened] == [0, 0]
        pool.close()
        assert [store.closed for store in opened] == [1, 1]


def test_files_of_different_directories_are_different_stores() -> None:
    """A relative file means another one from another directory."""
    spec = MemorySpec(memory={"secrets": {}, "file": "token"})
    pool = StorePool()
    with registered() as opened:
        for directory in ("one", "two", "two"):
            pool.open("main", spec, Access({}, Deadline(10), Place(Path(directory))))
        assert len(opened) == 2
