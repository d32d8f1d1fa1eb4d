"""Reading ResourceLists and streams, and writing them with items as they came."""

from __future__ import annotations

import json

import pytest

from krmfn.errors import SpecError
from krmfn.objects import stream
from krmfn.objects.stream import Item, read, write

HEAD = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {kind: X}\n"


def raws(items: str, head: str = HEAD) -> list[str]:
    return [item.raw for item in stream.read(head + items).items]


def refused(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        stream.read(text)
    return caught.value.line()


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("items:\n- a: b\n- c: d\n", ["- a: b\n", "- c: d\n"]),
        ("items:\n  - a: b\n  # none\n  - c: d\n", ["  - a: b\n  # none\n", "  - c: d\n"]),
        ("items:\n- # c - d\n  a: b\n- c: d\n", ["- # c - d\n  a: b\n", "- c: d\n"]),
        ("items:\n-\n  - b\n-\n- c\n", ["-\n  - b\n", "-\n", "- c\n"]),
        ("items: &q\n  - a: b\n", ["  - a: b\n"]),
        ("items:\n- &x\n  a: &y b\n  c: *y\n", ["- &x\n  a: &y b\n  c: *y\n"]),
        ("items:\n- a: |+\n    b\n\n\n- c: d\n", ["- a: |+\n    b\n\n\n", "- c: d\n"]),
        ('items:\n- a: "x\n- y"\n- c: d\n', ['- a: "x\n- y"\n', "- c: d\n"]),
        ("items:\n- a: b", ["- a: b\n"]),
        ("items:\n- a: b\n...\n", ["- a: b\n"]),
        ("items:\n- a: b\nother: c\n", ["- a: b\n"]),
        ("items: [{a: }, {b: !!str 12}]\n", ["- {a: }\n", "- {b: !!str 12}\n"]),
        ('items: [{"a":\n "b"}, c]\n', ['- {"a":\n "b"}\n', "- c\n"]),
        ("items: []\n", []),
        ("items:\n", []),
        ("", []),
    ],
)
def test_each_item_has_its_own_text(items: str, expected: list[str]) -> None:
    """From its dash to the next one's, comments and line ends included."""
    assert raws(items) == expected


def test_a_whole_list_may_be_indented() -> None:
    """The margin of the list does not matter, nor that of its functionConfig."""
    text = "  kind: ResourceList\n  items:\n    - a: b\n  functionConfig:\n    c: [1, x]\n"
    found = stream.read(text)
    assert (found.indent, found.items[0].raw, found.config) == (4, "    - a: b\n", {"c": [1, "x"]})


def test_what_an_item_is() -> None:
    """apiVersion and kind are known at once; other fields when they are asked for."""
    text = f"{HEAD}items:\n- {{kind: A, apiVersion: v1, metadata: {{name: on}}, x: 1e3}}\n- [kind, x]\n"
    first, second = stream.read(text).items
    assert (first.api_version, first.kind, second.kind) == ("v1", "A", "")
    assert first.header() == {"apiVersion": "v1", "kind": "A", "metadata": {"name": "on"}}
    assert second.header() == {}
    assert first.document.value()["x"] == "1e3"


def test_nested_kinds_are_not_the_items() -> None:
    """Only an item's own fields count."""
    text = f"{HEAD}items:\n- a: {{kind: B, apiVersion: c}}\n  ? [kind]\n  : D\n  kind: [E]\n"
    (item,) = stream.read(text).items
    assert (item.api_version, item.kind) == ("", "")


def test_a_mistake_in_an_item_is_where_it_stands() -> None:
    """Lines are those of the whole input, for items, documents and the functionConfig."""
    (item,) = stream.read(f"{HEAD}items:\n- a: b\n  c: d\n  a: e\n").items
    with pytest.raises(SpecError, match="the key a appears twice") as caught:
        item.document.value()
    assert caught.value.where == "<stdin>:7:3"
    (_, second) = stream.stream("a: b\n---\n# c\nd: e\nd: f\n", "f.yaml")
    with pytest.raises(SpecError, match="the key d appears twice") as caught:
        second.document.value()
    assert caught.value.where == "f.yaml:5:1"
    assert "<stdin>:4:3" in refused("kind: ResourceList\nfunctionConfig:\n  a: b\n  a: c\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "standard input is not a ResourceList"),
        ("[]", "standard input is not a ResourceList"),
        ("kind: List\nfunctionConfig: {}\n", "standard input is not a ResourceList"),
        (f"{HEAD}---\na: b\n", "standard input is not a ResourceList"),
        ("kind: ResourceList\nitems: []\n", "the ResourceList has no functionConfig"),
        (f"{HEAD}items: []\nitems: []\n", "<stdin>:5:1: the key items appears twice"),
        (f"{HEAD}? [a]\n: b\n", "<stdin>:4:3: a key is not a scalar"),
        (f"{HEAD}items:\n- &x {{a: b}}\n- *x\n", "<stdin>:6:3: an alias leads out of its item"),
        (f"{HEAD}items:\n- &x a\n- b: *x\n", "<stdin>:6:6: an alias leads out of its item"),
        (f"{HEAD}items:\n- {{a: b}}\n- {{c: *x}}\n", "an alias leads out of its item"),
        (f"{HEAD}items:\n- a: b\r- c: d\n", "two items are on one line"),
        (f"{HEAD}items:\n- a: |\n    b", "the last line is not ended"),
        (f"{HEAD}items:\n- {'[' * 5000}{']' * 5000}\n", "nested too deeply"),
        (f"{HEAD}items:\n- a: {{\n", "[yaml]"),
        ("\ufeffkind: x\n", "standard input is not a ResourceList"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    """What is not one list, or whose items cannot be taken apart."""
    assert message in refused(text)


def test_bytes_have_to_be_utf_8() -> None:
    """Other encodings are told apart from mistakes in YAML."""
    with pytest.raises(SpecError, match="not YAML in UTF-8"):
        stream.stream(b"a: \xff\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b\n---\nc: d\n", ["a: b\n", "c: d\n"]),
        ("--- {a: b}\n--- # x\nc: d\n", [" {a: b}\n", " # x\nc: d\n"]),
        ("# head\na: b\n# tail\n...\n# next\n---\nc: d", ["# head\na: b\n# tail\n", "c: d\n"]),
        ("---\n---\n\n---\na: |+\n  b\n\n---\n", ["a: |+\n  b\n\n"]),
        ("---\r\na: b\r\n---\r\nc: d\r\n", ["a: b\r\n", "c: d\r\n"]),
        ("---\n''\n", ["''\n"]),
        ("%YAML 1.1\n---\na: b\n", ["a: b\n"]),
        ("", []),
        ("# nothing\n", []),
    ],
)
def test_each_document_of_a_stream_has_its_own_text(text: str, expected: list[str]) -> None:
    """Between the markers; empty documents are left out."""
    assert [item.raw for item in stream.stream(text)] == expected


def test_a_list_is_written_with_items_as_they_came() -> None:
    """Items to the byte, then our own objects as JSON at the same margin."""
    found = stream.read(f"{HEAD}items:\n  - a: b # c\n  - d: 😀\n")
    assert stream.rewrite(found.items, [{"e": "é\u2028"}], found.indent) == (
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n"
        '  - a: b # c\n  - d: 😀\n  - {"e":"é\u2028"}\n'
    )


def test_a_stream_is_written_with_documents_as_they_came() -> None:
    """Documents to the byte, then our own objects, separated by markers."""
    found = stream.stream("a: b # c\n---\nd: e\n")
    written = stream.rewrite_stream(found, [{"f": 1}])
    assert written == 'a: b # c\n---\nd: e\n---\n{"f":1}\n'
    assert stream.rewrite_stream((), [{"f": 1}]) == '{"f":1}\n'


def test_our_own_list_is_json() -> None:
    """What a generator prints is JSON in UTF-8, a line for each object."""
    text = stream.write([{"a": "😀"}, {"b": 1}])
    assert json.loads(text)["items"] == [{"a": "😀"}, {"b": 1}]
    assert '{"a":"😀"},\n{"b":1}\n' in text


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
    (item,) = stream.stream("kind: A\nkind: B\n")
    with pytest.raises(SpecError, match="the key kind appears twice"):
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
        "<stdin>: standard input is not a ResourceList; without a command krmfn expects kustomize to "
        "start it; see krmfn --help [input]"
    )


@pytest.mark.parametrize("config", ["[]", "{}", '{"kind":"X"}', '"x"', "1"])
@pytest.mark.parametrize("space", ["", " ", "\n"])
def test_compact_json(config: str, space: str) -> None:
    """JSON without a space behind its colons is read too."""
    colon = f":{space}"
    text = f'{{"kind"{colon}"ResourceList","items"{colon}[],"functionConfig"{colon}{config}}}'
    assert read(text).config == json.loads(config)


def test_a_list_without_a_configuration() -> None:
    """It must be listed somewhere."""
    with pytest.raises(SpecError) as caught:
        read("kind: ResourceList\nitems: []\n")
    assert caught.value.line() == (
        "the ResourceList has no functionConfig; list the configuration under generators: or "
        "validators: [input]"
    )


def test_a_plain_stream() -> None:
    """What a legacy plugin is given."""
    found = stream.stream("kind: A\n---\nkind: B\n---\n")
    assert [item.header() for item in found] == [{"kind": "A"}, {"kind": "B"}]
    assert isinstance(found[0], Item)
    assert stream.stream("") == ()


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


def test_an_unended_last_line_is_read_and_not_rewritten() -> None:
    """A block without a newline at the end of a file keeps its value; nothing is put behind it."""
    items = stream.stream("a: |\n  b", "file")
    assert items[0].document.value() == {"a": "b"}
    with pytest.raises(SpecError, match="the last line is not ended"):
        stream.rewrite_stream(items, [])
