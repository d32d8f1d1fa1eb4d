"""Paths into plain values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krmfn.fieldpath import compiled, dotted, first, walk

NAMES = st.text(st.sampled_from("abc-_/ é"), min_size=1).filter(str.strip)
DOTTED = st.text(st.sampled_from("ab./-"), min_size=1)
# One step: how a path writes it, what it is put into, and where it then stands.
STEPS = st.one_of(
    NAMES.map(lambda name: (name, lambda inner: {name: inner, "zz": 1}, (name,))),
    DOTTED.map(lambda name: (f"'{name}'", lambda inner: {name: inner}, (name,))),
    NAMES.map(lambda name: (f"{name}[]", lambda inner: {name: [0, inner]}, (name, 1))),
    st.tuples(NAMES, DOTTED).map(
        lambda both: (
            f"{both[0]}{{}}",
            lambda inner: {both[0]: {both[1]: inner}},
            (both[0], both[1]),
        )
    ),
)


@settings(deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_walk_finds_what_was_put_there(steps: list[Any]) -> None:
    """A value is found at its path, once, and with its exact place."""
    value: Any = "found"
    for _, put, _ in reversed(steps):
        value = put(value)
    place = tuple(step for _, _, places in steps for step in places)
    found = [
        one for one in walk(value, ".".join(text for text, _, _ in steps)) if one[1] == "found"
    ]
    assert found == [(place, "found")]


@settings(deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=4), NAMES)
def test_any_depth_finds_it_too(steps: list[Any], name: str) -> None:
    """`**` reaches a field at any depth."""
    value: Any = {f"{name}Mark": "found"}
    for _, put, _ in reversed(steps):
        value = put(value)
    place = (*(step for _, _, places in steps for step in places), f"{name}Mark")
    assert (place, "found") in list(walk(value, "**Mark"))
    assert (place, "found") in list(walk(value, f"**.{name}Mark"))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", [("a.b", 1)]),
        ("a.none", []),
        ("a.null", []),
        ("a.b.c", []),
        ("a[].b", []),
        ("list[].n", [("list[0].n", 1), ("list[2].n", 3)]),
        ("a{}", [("a.b", 1), ("a.list", [])]),
        ("**Ref.name", [("spec.tokenRef.name", "x"), ("spec.deep[0].otherRef.name", "y")]),
        ("'dotted.key/x'", [("dotted.key/x", "z")]),
    ],
)
def test_what_is_there_and_what_is_not(path: str, found: list[Any]) -> None:
    """What is missing, null or of another shape is not found."""
    value = {
        "a": {"b": 1, "null": None, "list": []},
        "list": [{"n": 1}, "text", {"n": 3}],
        "spec": {"tokenRef": {"name": "x"}, "deep": [{"otherRef": {"name": "y"}}], "Ref": 1},
        "dotted.key/x": "z",
    }
    assert [(dotted(place), one) for place, one in walk(value, path)] == found
    assert first(value, path) == (found[0][1] if found else None)


@pytest.mark.parametrize(
    "path", ["a.", ".a", "a..b", "a[0]", "a[", "a b]", "'a", "a'b'", "***", "a*"]
)
def test_what_is_no_path(path: str) -> None:
    """A path that cannot be read is refused rather than matching nothing."""
    with pytest.raises(ValueError, match="not a path"):
        compiled(path)
