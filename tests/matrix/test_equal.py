"""Groups of equal values, and nothing else about them."""

from __future__ import annotations

import base64
import os

from hypothesis import given
from hypothesis import strategies as st

from krmfn.matrix.equal import KEY_LENGTH, Value, equal, plain_values
from krmfn.plaintext import Plaintext
from tests.support.audits import audited


def places(values: list[bytes]) -> list[tuple[Value, Plaintext]]:
    """Each value in a place of its own."""
    return [(Value("o", "s", "n", str(i)), Plaintext(v)) for i, v in enumerate(values)]


@given(st.lists(st.binary(max_size=3), max_size=12))
def test_groups_are_those_of_equality(values: list[bytes]) -> None:
    """Exactly the values that stand more than once are grouped, in the order they came in."""
    expected: dict[bytes, list[str]] = {}
    for number, value in enumerate(values):
        expected.setdefault(value, []).append(str(number))
    found = equal(places(values), os.urandom(KEY_LENGTH))
    wanted = [group for group in expected.values() if len(group) > 1]
    assert [[value.key for value in group] for group in found] == wanted


def test_the_key_changes_nothing_that_is_seen() -> None:
    """Under any key the groups and their order are the same: no digest decides it."""
    values = places([b"x", b"y", b"x", b"z", b"y"])
    first = equal(values, bytes(KEY_LENGTH))
    assert all(equal(values, os.urandom(KEY_LENGTH)) == first for _ in range(20))


def test_values_in_clear() -> None:
    """A Secret in clear has its data decoded; stringData wins; what is not base64 is left out."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "stg-s", "namespace": "n"},
        "data": {"a": base64.b64encode(b"1").decode(), "b": "???", "c": "é", "d": "MQ=="},
        "stringData": {"d": "2", "e": "3"},
    }
    found = plain_values("o", lambda name: name.removeprefix("stg-"), audited(secret))
    assert [(v.row, v.namespace, v.key, c.reveal()) for v, c in found] == [
        ("s", "n", "a", b"1"),
        ("s", "n", "d", b"2"),
        ("s", "n", "e", b"3"),
    ]
