"""What two SealedSecrets differ in, each case beside the one that is the same."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krmfn.compare.compare import Change, Comparison, compare, sealed_secrets, together
from krmfn.errors import SpecError
from krmfn.objects.sealed_secret import sealed_secret

F1, F2 = "a" * 64, "b" * 64
SAME = Comparison((), 1, 2)


def one(**changed: Any) -> Any:
    """A SealedSecret of krmfn's with two items."""
    usual: dict[str, Any] = {
        "name": "db",
        "namespace": "production",
        "scope": "strict",
        "items": {"password": b"1", "user": b"2"},
        "fingerprint": F1,
        "labels": {},
        "annotations": {},
        "template_labels": {"app": "shop"},
        "template_annotations": {"note": "x"},
        "type": None,
        "immutable": None,
    }
    return sealed_secret(**usual | changed)


def foreign(**changed: Any) -> Any:
    """The same as kubeseal would write it."""
    value = one(**changed)
    del value["metadata"]["annotations"]
    return value


def compared(before: Any, after: Any, **options: Any) -> Comparison:
    return compare(sealed_secrets([before]), sealed_secrets([after]), **options)


def changes(before: Any, after: Any, **options: Any) -> tuple[Change, ...]:
    """The changes of the one SealedSecret that differs."""
    (difference,) = compared(before, after, **options).differences
    assert difference.state == "changed"
    return difference.changes


def test_equal_bytes_are_the_same() -> None:
    """Also where krmfn did not seal, and where random sealing is known: equal bytes say enough."""
    assert compared(one(), one()) == SAME
    assert compared(foreign(), foreign()) == SAME
    assert compared(one(), one(), random={("production", "db")}) == SAME


def test_a_changed_value_is_told_by_its_key() -> None:
    """Other bytes under one certificate and place: changed; the item beside it is not named."""
    after = one(items={"password": b"9", "user": b"2"})
    assert changes(one(), after) == (Change("data", "changed", "password"),)


def test_keys_that_appear_and_vanish() -> None:
    """By name, whatever the bytes are comparable with."""
    for make in (one, foreign):
        assert changes(make(), make(items={"password": b"1", "token": b"3"})) == (
            Change("data", "appeared", "token"),
            Change("data", "vanished", "user"),
        )


@pytest.mark.parametrize(
    ("after", "reason", "more"),
    [
        ({"fingerprint": F2}, "certificate", Change("certificate", "changed", "", "", F1, F2)),
        (
            {"scope": "namespace-wide"},
            "sealed-for",
            Change("sealed-for", "changed", "", "", "production/db", "production/*"),
        ),
    ],
)
def test_another_certificate_or_scope_cannot_be_compared(
    after: dict[str, Any], reason: str, more: Change
) -> None:
    """Other bytes say nothing then; that they were sealed anew is the difference."""
    items = {"password": b"9", "user": b"2"}
    assert changes(one(), one(items=items, **after)) == (
        Change("data", "cannot-compare", "password", reason),
        more,
    )


@pytest.mark.parametrize(("left", "right"), [(one, foreign), (foreign, one), (foreign, foreign)])
def test_what_krmfn_did_not_seal_cannot_be_compared(left: Any, right: Any) -> None:
    """Other bytes of kubeseal's may be the same value; they differ all the same."""
    found = changes(left(), right(items={"password": b"9", "user": b"2"}))
    assert found[0] == Change("data", "cannot-compare", "password", "foreign")
    assert compared(left(), right(items={"password": b"9", "user": b"2"})).differs


def test_random_items_alone_are_no_difference() -> None:
    """Known to be random, their bytes say nothing; anything else of the same object still does."""
    random = {("production", "db")}
    found = compared(one(), one(items={"password": b"9", "user": b"8"}), random=random)
    assert (found.differs, found.same) == (False, 0)
    assert [c.reason for c in found.differences[0].changes] == ["random", "random"]
    assert found.differences[0].state == "cannot-compare"
    more = one(items={"password": b"9", "user": b"2", "token": b"3"})
    assert compared(one(), more, random=random).differs
    assert compared(one(), one(items={"password": b"9"}), random={("dev", "db")}).differs


def test_the_secrets_own_fields() -> None:
    """Type and immutable with what they were; labels and annotations by name alone."""
    after = one(
        type="kubernetes.io/basic-auth",
        immutable=True,
        template_labels={"app": "other"},
        template_annotations={"new": "s3cr3t"},
    )
    found = changes(one(), after)
    assert set(found) == {
        Change("annotation", "appeared", "new"),
        Change("annotation", "vanished", "note"),
        Change("immutable", "changed", "", "", "false", "true"),
        Change("label", "changed", "app"),
        Change("type", "changed", "", "", "Opaque", "kubernetes.io/basic-auth"),
    }
    assert "s3cr3t" not in json.dumps([change.as_json() for change in found])


def test_a_default_that_is_written_out_is_the_same() -> None:
    """The API server makes the same Secret of both."""
    assert compared(one(), one(type="Opaque", immutable=False)) == SAME


def test_a_controllers_own_template() -> None:
    """Plaintext templates for the controller are told by key."""
    after = foreign()
    after["spec"]["template"]["data"] = {"url": "postgres://{{ .user }}"}
    assert changes(foreign(), after) == (Change("template", "appeared", "url"),)


def test_secrets_that_appear_and_vanish() -> None:
    """Another name or namespace is another SealedSecret; their keys are told."""
    found = compared(one(), one(namespace="dev"))
    states = {(d.namespace, d.state, tuple(c.name for c in d.changes)) for d in found.differences}
    assert states == {
        ("dev", "appeared", ("password", "user")),
        ("production", "vanished", ("password", "user")),
    }
    assert found.differs


def test_lists_are_looked_into_and_other_kinds_are_not() -> None:
    """A List's items count, a damaged object is no object."""
    items = {"apiVersion": "v1", "kind": "List", "items": [one(), {"kind": "Secret"}, 3]}
    assert [s.place for s in sealed_secrets([items, None, "x"])] == [("production", "db")]


def test_one_place_twice() -> None:
    """Which of two is meant cannot be known, unless they are the same."""
    twice = sealed_secrets([one(), one()])
    assert compare(twice, twice) == SAME
    with pytest.raises(SpecError, match="A: production/db: it appears twice") as raised:
        compare(sealed_secrets([one(), one(fingerprint=F2)]), twice, sides=("A", "B"))
    assert raised.value.id == "input"


def test_a_new_epoch_looks_like_every_value_at_once() -> None:
    """Said when not one of several items is the same, and never when one is."""
    other = one(items={"password": b"8", "user": b"9"})
    assert compared(one(), other).looks_resealed
    assert not compared(one(), one(items={"password": b"8", "user": b"2"})).looks_resealed
    single = {"password": b"1"}
    assert not compared(one(items=single), one(items={"password": b"2"})).looks_resealed
    assert not together([compared(one(), other), compared(one(), one())]).looks_resealed


ITEMS = st.dictionaries(
    st.text("abc.", min_size=1, max_size=3), st.binary(min_size=8), min_size=1, max_size=4
)


@settings(deadline=None)
@given(ITEMS, ITEMS, st.booleans(), st.booleans())
def test_no_ciphertext_is_told_and_directions_mirror(
    left: dict[str, bytes], right: dict[str, bytes], krmfns: bool, certificate: bool
) -> None:
    """The result holds keys only; the other way round, what appeared has vanished."""
    make = one if krmfns else foreign
    pair = make(items=left), make(items=right, fingerprint=F2 if certificate else F1)
    there, back = compared(*pair), compared(*reversed(pair))
    assert there.differs == (pair[0] != pair[1]) == back.differs
    mirror = {"appeared": "vanished", "vanished": "appeared"}
    turned = [
        (c.field, c.name, mirror.get(c.state, c.state))
        for d in there.differences
        for c in d.changes
    ]
    assert turned == [(c.field, c.name, c.state) for d in back.differences for c in d.changes]
    text = json.dumps(there.as_json())
    for item in (*left.values(), *right.values()):
        encoded = base64.b64encode(item).decode()
        assert encoded not in text
