"""What kustomize speaks: in as nodes, out as JSON."""

from __future__ import annotations

import json

import pytest

from krmfn.errors import SpecError
from krmfn.resourcelist import Item, read, stream, write

LIST = """\
apiVersion: config.kubernetes.io/v1
kind: ResourceList
functionConfig: {kind: X, data: 1e3}
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: a, annotations: {n: on}}
  data: {x: !!binary YQ==, x: again}
- [no, mapping]
- ? [strange]
  : key
  kind: Y
"""


def test_a_list() -> None:
    """The configuration as values, items as nodes whose header alone is read."""
    found = read(LIST)
    assert found.config == {"kind": "X", "data": "1e3"}
    assert [item.header() for item in found.items] == [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "a", "annotations": {"n": "on"}},
        },
        {},
        {"kind": "Y"},
    ]


def test_a_header_with_a_field_twice() -> None:
    """Two names are one too many."""
    (item,) = stream("kind: A\nkind: B\n")
    with pytest.raises(SpecError, match="the key kind stands twice"):
        item.header()


@pytest.mark.parametrize("items", ["", "items: []", "items: null", "items: x"])
def test_no_items(items: str) -> None:
    """An absent or empty list."""
    assert read(f"kind: ResourceList\nfunctionConfig: {{}}\n{items}").items == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "[]",
        "kind: List",
        "kind: [ResourceList]",
        "a: b",
        "kind: ResourceList\n---\nkind: ResourceList",
    ],
)
def test_what_is_no_list(text: str) -> None:
    """The line says who is supposed to call."""
    with pytest.raises(SpecError) as caught:
        read(text)
    assert caught.value.line() == (
        "<stdin>: the input is no ResourceList; krmfn without a command is a function that kustomize "
        "calls; see krmfn --help [input]"
    )


def test_a_list_without_a_configuration() -> None:
    """It must be listed somewhere."""
    with pytest.raises(SpecError) as caught:
        read("kind: ResourceList\n? [strange]\n: key\n")
    assert caught.value.line() == (
        "the ResourceList has no functionConfig; list the configuration under generators: or "
        "validators: [input]"
    )


def test_a_plain_stream() -> None:
    """What a legacy plugin is given."""
    found = stream("kind: A\n---\nkind: B\n---\n")
    assert [item.header() for item in found] == [{"kind": "A"}, {"kind": "B"}]
    assert isinstance(found[0], Item)
    assert stream("") == ()


def test_writing() -> None:
    """One object a line, values quoted, nothing escaped that kustomize cannot read."""
    objects = [{"kind": "A", "v": "1e3 é 🔑"}, {"kind": "B"}]
    text = write(objects)
    assert text.splitlines()[1:3] == ['{"kind":"A","v":"1e3 é 🔑"},', '{"kind":"B"}']
    assert json.loads(text) == {
        "apiVersion": "config.kubernetes.io/v1",
        "kind": "ResourceList",
        "items": objects,
    }
