"""Values as YAML: what is written reads back as the same value and type, for every reader."""

from __future__ import annotations

import pytest

from krmfn.documents import strict
from krmfn.documents.dump import always_quoted, dump
from krmfn.stores.content import Number


def test_scalars() -> None:
    """A one is no true, a number's text is a number, and a text that looks like one is quoted."""
    value = {"a": 1, "b": True, "c": 0, "d": False, "e": None, "f": Number("1e3"), "g": "1e3"}
    text = dump(value, always_quoted)
    assert text == '"a": 1\n"b": true\n"c": 0\n"d": false\n"e": null\n"f": 1e3\n"g": "1e3"\n'


def test_nothing_is_an_alias() -> None:
    """One list at two places is written twice."""
    shared = ["x"]
    text = dump({"a": shared, "b": shared}, lambda _: None)
    assert text == "a:\n- x\nb:\n- x\n"


@pytest.mark.parametrize("text", ["yes", "~", "0o17", "=", "a: b", "#", "\n", "é", "1_000"])
def test_quoted_text_reads_back(text: str) -> None:
    """Whatever YAML 1.1 or 1.2 would make of it."""
    (found,) = strict.documents(dump({"k": text}, always_quoted), "")
    assert found.value() == {"k": text}
