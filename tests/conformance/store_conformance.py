"""What every store must do. A store's own test file subclasses `StoreConformance`.

    class TestMine(StoreConformance):
        @pytest.fixture
        def make(self, …):
            return lambda secrets: MyStore(…)     # a store that holds {path: {field: value}}

The values given are JSON; numbers are given as `Number` and must come back as the same text.
"""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

import pytest

from krmfn.errors import KrmfnError, ProviderError
from krmfn.stores.content import Number

if TYPE_CHECKING:
    from collections.abc import Callable

    from krmfn.stores.content import Json
    from krmfn.stores.store import Store

    Make = Callable[[dict[str, dict[str, Json]]], Store]

CANARY = "c4n4ry-9f3b"


class StoreConformance:
    """The tests; a subclass brings the fixture `make`."""

    def test_reads_what_was_written(self, make: Make) -> None:
        """Strings, nested objects, lists, booleans and null come back as they were."""
        secret: dict[str, Json] = {
            "text": "päss wörd 🔑\n",
            "empty": "",
            "nested": {"a": {"b": ["x", {"c": "d"}]}},
            "yes": True,
            "no": False,
            "nothing": None,
        }
        store = make({"app/db": secret})
        assert store.read(store.locate("app/db"), None) == secret

    def test_numbers_are_text(self, make: Make) -> None:
        """A number keeps its text and its type; nothing is rounded."""
        store = make({"n": {"port": Number("5432"), "list": [Number("1"), "1"]}})
        read = store.read(store.locate("n"), None)
        assert read == {"port": "5432", "list": ["1", "1"]}
        assert isinstance(read["port"], Number)
        assert isinstance(read["list"], list)
        assert [type(item) for item in read["list"]] == [Number, str]

    def test_nested_paths(self, make: Make) -> None:
        """A path may be deep and hold any characters that a path may."""
        path = "a/b c/d.e+f=g@h/ü"
        store = make({path: {"x": "1"}, "a": {"x": "2"}})
        assert store.read(store.locate(path), None) == {"x": "1"}
        assert store.read(store.locate("a"), None) == {"x": "2"}

    def test_the_source_is_canonical(self, make: Make) -> None:
        """One secret has one source, that ends in its path; two have two."""
        store = make({"a/b": {"x": "1"}, "a": {"x": "1"}})
        assert store.locate("a/b") == store.locate("a/b")
        assert store.locate("a/b").source != store.locate("a").source
        assert store.locate("a/b").source[-1] == "a/b"
        assert store.locate("a/b").text.endswith("a/b")

    @pytest.mark.parametrize(
        "path",
        ["", "/a", "a/", "a//b", "a/../b", "./a", "a%2fb", "a?b", "a#b", "a\\b", "a\nb", "\ud800"],
    )
    def test_other_spellings_are_refused(self, make: Make, path: str) -> None:
        """What is not canonical is refused, not repaired."""
        store = make({"a/b": {"x": "1"}})
        with pytest.raises(KrmfnError) as caught:
            store.locate(path)
        assert caught.value.id == "path"

    def test_what_is_not_there(self, make: Make) -> None:
        """A missing path is `not-found`, names its source, and has a remedy."""
        store = make({"a": {"x": CANARY}})
        with pytest.raises(ProviderError) as caught:
            store.read(store.locate("b"), None)
        error = caught.value
        assert error.id == "not-found"
        assert error.source == store.locate("b").text
        assert error.remedy

    def test_errors_hold_no_value(self, make: Make) -> None:
        """No error quotes what the store holds, its chained exceptions included."""
        store = make({"a": {"x": CANARY}, CANARY: {"x": "1"}})
        for path, version in (("b", None), ("a", 99), ("a/x", None)):
            with pytest.raises(KrmfnError) as caught:
                store.read(store.locate(path), version)
            assert CANARY not in "".join(traceback.format_exception(caught.value))

    def test_concurrent_reads(self, make: Make) -> None:
        """Many threads may ask at once."""
        secrets: dict[str, dict[str, Json]] = {f"s/{i}": {"x": str(i)} for i in range(40)}
        store = make(secrets)
        found: dict[int, object] = {}

        def read(number: int) -> None:
            found[number] = store.read(store.locate(f"s/{number}"), None)

        threads = [threading.Thread(target=read, args=(i,)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {i: {"x": str(i)} for i in range(40)}

    def test_close_is_idempotent(self, make: Make) -> None:
        """A store may be closed twice, and unused."""
        store = make({"a": {"x": "1"}})
        store.close()
        store.read(store.locate("a"), None)
        store.close()
        store.close()
