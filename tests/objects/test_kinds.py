"""Lists are taken apart in one way; what an object is called is text, or an error in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from krmfn.documents.strict import load
from krmfn.errors import SpecError
from krmfn.objects.kinds import (
    NamespacedName,
    annotations_of,
    each,
    is_secret,
    kind_of,
    list_items,
    place_of,
)
from krmfn.objects.lists import taken_apart
from krmfn.objects.stream import Item, read, stream


def secret(name: str = "a") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}


def listed(*items: Any, kind: str = "List", version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "items": list(items)}


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        (secret(), [()]),
        (listed(secret(), secret("b")), [("items", 0), ("items", 1)]),
        (listed(secret(), kind="SecretList"), [("items", 0)]),
        (listed(secret(), kind="WhateverList"), [("items", 0)]),
        (
            listed(listed(secret(), listed(secret()))),
            [("items", 0, "items", 0), ("items", 0, "items", 1, "items", 0)],
        ),
        (listed("text", None, secret()), [("items", 2)]),
        (listed(), []),
        # No lists: a kind of somebody's, one without items, and one whose items are none.
        ({"apiVersion": "x/v1", "kind": "AllowList", "spec": {}}, [()]),
        ({"apiVersion": "x/v1", "kind": "AllowList", "items": {"a": 1}}, [()]),
        ({"apiVersion": "v1", "kind": "Listing", "items": [secret()]}, [()]),
        ({"kind": {"List": 1}, "items": [secret()]}, [()]),
        ([secret()], []),
        (None, []),
        ("text", []),
    ],
)
def test_each(value: Any, paths: list[tuple[Any, ...]]) -> None:
    """Each object with its path, however deep the lists."""
    assert [path for path, _ in each(value)] == paths


def test_an_entry_without_a_kind_has_its_lists() -> None:
    """So the API server answers, and a Secret there is a Secret."""
    bare = {"metadata": {"name": "a"}}
    (found,) = each(listed(bare, kind="SecretList"))
    assert found == (("items", 0), secret())
    (claim,) = each(listed(bare, kind="SecretClaimList", version="krmfn.dev/v1alpha1"))
    assert (claim[1]["apiVersion"], claim[1]["kind"]) == ("krmfn.dev/v1alpha1", "SecretClaim")
    (plain,) = each(listed(bare))
    assert plain[1] == bare
    assert list_items(secret()) is None


@pytest.mark.parametrize("field", ["kind", "apiVersion"])
def test_an_entry_with_a_null_kind_has_its_lists(field: str) -> None:
    """Null is like a field that is left out."""
    bare = {"metadata": {"name": "a"}, field: None}
    assert [one for _, one in each(listed(bare, kind="SecretList"))] == [secret()]


@pytest.mark.parametrize(
    "value",
    [
        {"<<": secret()},
        {"<<": [secret(), {}]},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"<<": {"name": "a"}}},
        {**secret(), "data": {"<<": {"a": "YQ=="}}},
        {**secret(), "stringData": {"<<": {"a": "b"}}},
        listed({"<<": secret()}),
        listed(listed({"<<": secret()}), kind="AnythingList"),
        {"apiVersion": "v1", "kind": "List", "items": {"a": secret()}},
        listed([secret()]),
        listed(listed([secret()])),
    ],
)
def test_nothing_hides_in_a_merge_key_or_a_wrong_list(value: Any) -> None:
    """What kubectl would merge, and what no reader finds, is an error without the values."""
    with pytest.raises(SpecError) as caught:
        list(each(value))
    assert caught.value.id == "object"
    assert "YQ" not in caught.value.line()


def test_what_is_called_like_a_merge_key() -> None:
    """A text under such a name is data, and so is any in another kind's data."""
    value = {**secret(), "data": {"<<": "YQ=="}}
    assert list(each(value)) == [((), value)]
    other = {"kind": "ConfigMap", "data": {"<<": {"a": "b"}}}
    assert list(each(other)) == [((), other)]


@pytest.mark.parametrize("version", ["v1", "/v1", "core/v1", " v1", "v2", None])
def test_a_secret_is_one_however_its_version_is_written(version: str | None) -> None:
    """Only another group makes another kind of it."""
    assert is_secret({"apiVersion": version, "kind": "Secret"})
    assert not is_secret({"apiVersion": version, "kind": "Secrets"})
    assert not is_secret({"apiVersion": "x.example/v1", "kind": "Secret"})


@pytest.mark.parametrize(
    "text",
    [
        "x: &k Secret\napiVersion: v1\nkind: *k\n",
        "metadata: {labels: {kind: &k Secret, version: &v v1}}\napiVersion: *v\nkind: *k\n",
        "- x: &k Secret\n  apiVersion: v1\n  kind: *k\n",
    ],
)
def test_a_kind_behind_an_alias(text: str) -> None:
    """An alias is resolved where a stream is read."""
    if text.startswith("-"):
        head = (
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {}\nitems:\n"
        )
        (item,) = read(head + text).items
    else:
        (item,) = stream(text)
    assert (item.api_version, item.kind) == ("v1", "Secret")


def test_place_and_kind() -> None:
    """Absent and null are empty."""
    assert place_of(secret()) == NamespacedName("", "a") == ("", "a")
    assert place_of({"metadata": {"name": "a", "namespace": "n"}}) == ("n", "a")
    for nothing in (None, {}, {"metadata": None}, {"metadata": []}, {"metadata": {"name": None}}):
        assert place_of(nothing) == ("", "")
    assert kind_of(None) == kind_of({"kind": None}) == ""
    assert annotations_of({"metadata": {"annotations": ["x"]}}) == {}


@pytest.mark.parametrize(
    ("field", "text", "found"),
    [
        ("name", "12", "a number"),
        ("name", "1.5", "a number"),
        ("name", "true", "true or false"),
        ("name", "{a: {b: c}}", "an object"),
        ("name", "[a]", "a list"),
        ("namespace", "5", "a number"),
        ("namespace", "[{a: b}]", "a list"),
    ],
)
def test_a_name_that_is_no_text(field: str, text: str, found: str) -> None:
    """One line, with what is there, and nothing as Python writes it."""
    value = load(f"{{kind: Secret, metadata: {{{field}: {text}}}}}", "f")
    with pytest.raises(SpecError) as error:
        place_of(value, "f:1")
    line = error.value.line()
    assert line.startswith(f"f:1: Secret: metadata.{field}: it is not text, found {found}")
    assert "{'" not in line
    assert "\n" not in line
    assert error.value.exit_code == 2


def test_a_kind_that_is_no_text() -> None:
    with pytest.raises(SpecError, match=r"f: kind: it is not text, found an object \[object\]"):
        kind_of({"kind": {"a": "b"}}, "f")


WHOLE = """\
apiVersion: v1
kind: List
# of the list
items:
- apiVersion: v1   # of the first
  kind: ConfigMap
  metadata: {name: a}
  data:
    text: |
      two
        lines

      and more
    quoted: "on
      two lines"
    number: 1.10
    word: on
- {apiVersion: v1, kind: ConfigMap, metadata: {name: flow}, data: {a: "1e3"}}
-
  kind: SecretClaim
  metadata: {name: claim}
"""


def wanted(value: dict[str, Any]) -> bool:
    return value.get("kind") == "SecretClaim"


def test_a_list_is_left_as_it_came_where_nothing_is_wanted() -> None:
    items = stream(WHOLE.replace("SecretClaim", "Other"))
    assert tuple(taken_apart(items, wanted)) == items


@pytest.mark.parametrize("margin", ["", "  ", "    "])
def test_the_objects_of_a_list_keep_their_text(margin: str) -> None:
    """At another margin, with comments and quotes; positions count in the file."""
    head, items = WHOLE.split("items:\n")
    text = f"{head}items:\n" + "".join(margin + line for line in items.splitlines(keepends=True))
    first, flow, claim = taken_apart(stream(f"---\n{text}", "f"), wanted)
    assert first.raw.startswith("apiVersion: v1   # of the first\nkind: ConfigMap\n")
    assert "    two\n" in first.raw
    whole = load(text, "f")
    for number, item in enumerate((first, flow, claim)):
        assert item.document.value() == whole["items"][number]
    assert (first.kind, claim.kind) == ("ConfigMap", "SecretClaim")
    assert (first.line, flow.line) == (5, 18)


def test_json_and_anchors() -> None:
    """What means something else alone is written as JSON."""
    one = {"apiVersion": "v1", "kind": "List", "items": [secret(), {"kind": "SecretClaim"}]}
    found = list(taken_apart(stream(json.dumps(one, indent=2)), wanted))
    assert [item.document.value() for item in found] == one["items"]
    text = (
        "kind: List\nitems:\n- kind: A\n  x: &x {y: é}\n- kind: SecretClaim\n  x: *x\n"
        "- kind: B\n  z: 'don''t'\n"
    )
    found = list(taken_apart(stream(text), wanted))
    assert found[1].raw == '{"kind":"SecretClaim","x":{"y":"é"}}\n'
    assert found[2].raw == "kind: B\nz: 'don''t'\n"


def test_in_a_resource_list() -> None:
    """The objects stand there as the list did."""
    inner = "".join(f"    {line}" if line.strip() else line for line in WHOLE.splitlines(True))
    text = (
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {}\nitems:\n"
        f"  - {inner.lstrip()}"
    )
    found = list(taken_apart(read(text).items, wanted))
    assert all(item.in_list for item in found)
    assert found[0].raw.startswith("  - apiVersion: v1   # of the first\n    kind: ConfigMap\n")
    whole = load(WHOLE, "f")
    assert [item.document.value() for item in found] == whole["items"]
    assert isinstance(found[0], Item)
