"""The decoder takes exactly what pydantic takes, and makes the same of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from krmfn import catalogue
from krmfn.cli.schema import ALL_KINDS
from krmfn.documents import strict
from krmfn.spec import published
from krmfn.spec.declare import Mismatch
from krmfn.spec.generator import DataEntry
from krmfn.spec.model import Model, decode, to_camel
from krmfn.spec.stores import AgeDocument
from tests.support import specs

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
AGE = {
    "storeId": "team.a",
    "boundTo": {"namespaces": ["shop"], "recipients": ["0" * 64]},
    "encryptedTo": ["age1abc"],
}


def committed() -> Iterator[tuple[type[Model], Any]]:
    """Every configuration of the examples and of the catalogue, and one with every field."""
    yield ALL_KINDS["SealedSecretGenerator"], specs.generator()
    yield AgeDocument, AGE
    folders = (ROOT / "examples", catalogue.FOLDER)
    for file in sorted(file for folder in folders for file in folder.rglob("*.yaml")):
        for document in strict.documents(file.read_bytes(), file.name):
            value = document.value()
            if isinstance(value, dict) and value.get("kind") in ALL_KINDS:
                yield ALL_KINDS[value["kind"]], value


COMMITTED = list(committed())


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of all values in a document."""
    yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*path, key))


PLACES = [list(places(value)) for _, value in COMMITTED]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.just(10**30),
    st.floats(),
    st.binary(max_size=2),
    st.text(max_size=3),
    st.sampled_from(
        ["a", "a\n", "\n", "v1", "json", "strict", "\ud800", "é", "x" * 254, "0" * 64, "0" * 16]
    ),
    st.sampled_from([[], {}, ["a"], ("a",), {"a": "b"}, {1: "b"}, {None: None}]),
)


def changed(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """Return a copy with another value at a path."""
    if not path:
        return new
    value = copy.deepcopy(value)
    target = value
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = new
    return value


def without(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return a copy without the value at a path."""
    value = copy.deepcopy(value)
    target = value
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    return value


def assert_equal(model: type[Model], value: Any) -> None:
    """Both refuse, or both make the same, with the same fields given."""
    try:
        expected = published.validate(model, value)
    except ValidationError:
        with pytest.raises(Mismatch):
            decode(model, value)
        return
    made = decode(model, value)
    assert made == expected
    assert vars_of(made) == vars_of(expected)
    assert made.model_dump(mode="json", by_alias=True) == published.published(model).model_validate(
        value
    ).model_dump(mode="json", by_alias=True, warnings="none")  # of unions told apart by type


def vars_of(value: Any) -> Any:
    """Return the fields that were given, with their types."""
    if isinstance(value, Model):
        return type(value), {name: vars_of(one) for name, one in vars(value).items()}
    if isinstance(value, dict):
        return {key: vars_of(one) for key, one in value.items()}
    return tuple(map(vars_of, value)) if isinstance(value, tuple) else (type(value), value)


def test_what_is_committed_is_equal() -> None:
    """Examples and catalogue."""
    assert len(COMMITTED) > 50
    for model, value in COMMITTED:
        assert_equal(model, value)


@given(st.data())
def test_a_changed_value_is_equal(data: st.DataObject) -> None:
    """Anything in any place."""
    number = data.draw(st.integers(0, len(COMMITTED) - 1))
    model, value = COMMITTED[number]
    path = data.draw(st.sampled_from(PLACES[number]))
    assert_equal(model, changed(value, path, data.draw(LEAVES)))


@given(st.data())
def test_a_missing_moved_or_unknown_value_is_equal(data: st.DataObject) -> None:
    """A field less, a field of another place, or one field more."""
    number = data.draw(st.integers(0, len(COMMITTED) - 1))
    model, value = COMMITTED[number]
    path = data.draw(st.sampled_from(PLACES[number][1:]))
    assert_equal(model, without(value, path))
    other = data.draw(st.sampled_from(PLACES[number]))
    moved = value
    for step in other:
        moved = moved[step]
    assert_equal(model, changed(value, path, moved))
    if isinstance(path[-1], str):
        assert_equal(model, changed(value, (*path[:-1], "unknown"), 1))


def test_an_instance_stays_itself() -> None:
    """A model inside a document is taken as it is, as with pydantic."""
    inner = DataEntry.model_validate({"secretKey": "a", "remoteRef": {"key": "k"}}).remote_ref
    assert DataEntry.model_validate({"secretKey": "b", "remoteRef": inner}).remote_ref is inner
    with pytest.raises(ValidationError):
        DataEntry.model_validate({"secretKey": "..", "remoteRef": inner})


def test_names_on_the_wire() -> None:
    """Each field is called as pydantic would call it."""
    from pydantic.alias_generators import to_camel as pydantics

    for name in ("secret_key", "sha256", "ca_file", "from", "role_id", "name_suffix_hash"):
        assert to_camel(name) == pydantics(name)
