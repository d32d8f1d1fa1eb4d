"""JSON is YAML: what json.dumps writes comes back; nothing else than our errors comes out."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from krmfn.documents import strict
from krmfn.errors import SpecError

# What YAML 1.1's parsers take for line ends or refuse, and json.dumps does not escape.
TEXT = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"
    )
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**90), 10**90) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20
)


def same(left: Any, right: Any) -> bool:
    return json.dumps(left) == json.dumps(right)


@given(VALUES, st.sampled_from([None, 1, 2]))
def test_json_comes_back(value: Any, indent: int | None) -> None:
    """Compact or indented JSON reads as the value that it was written from."""
    assert same(strict.load(json.dumps(value, ensure_ascii=False, indent=indent), "f"), value)


@given(st.recursive(TEXT, lambda i: st.lists(i) | st.dictionaries(TEXT, i), max_leaves=20))
def test_block_style_comes_back(value: Any) -> None:
    """Quoted strings in block style read as the tree that they were written from."""
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True, sort_keys=False)
    assert same(strict.load(text, "f"), value)


@given(st.text() | st.binary() | st.text("[]{}:,-?&*!|>'\"%@`#\n ab1.~", max_size=60))
def test_any_input_is_a_value_or_our_error(text: str | bytes) -> None:
    """No other exception comes out."""
    with contextlib.suppress(SpecError):
        for document in strict.documents(text, "f"):
            document.value()
            document.position(["a", 0, "b"])
