"""YAML that means one thing: 1.2 scalars, no duplicates, no bombs, positions."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml

from krmfn.documents import strict
from krmfn.documents.strict import Position
from krmfn.errors import SpecError
from krmfn.stores.content import Number


def line(text: str | bytes) -> str:
    with pytest.raises(SpecError) as caught:
        strict.load(text, "f.yaml")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value.line()


def only(text: str) -> strict.Document:
    (document,) = strict.documents(text, "f.yaml")
    return document


def bomb() -> str:
    """A kilobyte that stands for 10^10 nodes."""
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    lines += [
        f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]"
        for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("y", "y"), ("n", "n"),
        ("1e3", "1e3"), ("1.5e3", "1.5e3"), ("12:30", "12:30"), ("12:30:45", "12:30:45"),
        ("2001-01-01", "2001-01-01"), ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("0777", "0777"), ("08", "08"), ("1_000", "1_000"), ("0b11", "0b11"), ("=", "="), ("<<", "<<"),
        ("1.", "1."), (".inf", ".inf"), (".nan", ".nan"), ("nUll", "nUll"), ("tRue", "tRue"),
        ("true", True), ("True", True), ("TRUE", True),
        ("false", False), ("False", False), ("FALSE", False),
        ("null", None), ("Null", None), ("NULL", None), ("~", None), ("", None),
        ("0", 0), ("-0", 0), ("12", 12), ("-12", -12), ("+12", 12), ("0o17", 15), ("0x1F", 31),
        ("1.5", 1.5), ("-0.25", -0.25), (".5", 0.5), ("+.5", 0.5),
        ('"12"', "12"), ("'true'", "true"), ('""', ""), ("'~'", "~"),
        ("!!str 12", "12"), ("! 12", "12"), ("&x !!str 12", "12"), ("!!str &x 12", "12"), ("&x 12", 12),
    ],
)  # fmt: skip
def test_plain_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    """Only what YAML 1.2 says is no string is none; quotes and !!str keep a string a string."""
    found = strict.load(f"a: {text}\n", "f")["a"]
    assert found == value
    assert type(found) is type(value)


def test_a_number_without_end_stays_text() -> None:
    """What Python refuses to convert is text; nobody means such a number."""
    for text in ("9" * 5000, "0o" + "7" * 5000, "0x" + "f" * 5000):
        assert strict.load(f"a: {text}", "f") == {"a": text}


def test_numbers_can_keep_their_text() -> None:
    """A reader may ask for the text of numbers; all else is as before."""
    value = only("{a: 1.50, b: 0x1F, c: on, d: true, e: '1', f: [12]}").value(Number)
    assert value == {"a": "1.50", "b": "0x1F", "c": "on", "d": True, "e": "1", "f": ["12"]}
    assert [type(value[k]) for k in "abce"] == [Number, Number, str, str]


def test_a_merge_key_as_a_value() -> None:
    """kustomize writes the string `<<` with a tag for a function; anything else with it is refused."""
    assert only("a: !!merge <<").value() == {"a": "<<"}
    for text in ("a: !!merge x", "a: !!merge {}", "a: !!merge [<<]"):
        with pytest.raises(SpecError, match="tags are not understood here"):
            only(text).value()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: the key a appears twice"),
        ('a: 1\n"a": 3', "f.yaml:2:1: the key a appears twice"),
        ('x:\n  1: a\n  "1": b', "f.yaml:3:3: the key 1 appears twice"),
        ("? [a]\n: b", "f.yaml:1:3: a key is not a scalar"),
        ("? {a: b}\n: c", "f.yaml:1:3: a key is not a scalar"),
        ('a: !!int "12"', "f.yaml:1:4: tags are not understood here"),
        ("a: !!binary YQ==", "f.yaml:1:4: tags are not understood here"),
        ("a: !!python/object:os.system {}", "f.yaml:1:4: tags are not understood here"),
        ("a: !!set {b, c}", "f.yaml:1:4: tags are not understood here"),
        ("a:\n  - !own [1]", "f.yaml:2:5: tags are not understood here"),
        ("a: &a [*a]", "f.yaml:1:4: nested too deeply, or an alias contains itself"),
        ("a: *c4nary", "f.yaml:1:4: found undefined alias"),
        ("a: @c4nary", "f.yaml:1:4: found character that cannot start any token"),
        ('a: "c4nary', "f.yaml:1:11: found unexpected end of stream"),
        ('a: "\\ud83d\\ude00"', "f.yaml:1:7: found invalid Unicode character escape code"),
        ("\ta: b", "f.yaml:1:1: found character that cannot start any token"),
        ("a: [c4nary", "f.yaml:2:1: did not find expected ',' or ']'"),
        ("c4nary: b: c", "f.yaml:1:10: mapping values are not allowed in this context"),
        ("a: b\n---\nc: d", "f.yaml: several documents where one is expected"),
        ("a: \x07", "f.yaml: not YAML in UTF-8"),
        ("a: \ud800", "f.yaml: not YAML in UTF-8"),
        (b"a: \xff", "f.yaml: not YAML in UTF-8"),
        ("a: b".encode("utf-16"), "f.yaml: not YAML in UTF-8"),
        ("[" * 200_000, "f.yaml: nested too deeply"),
        ("{a: " * 200_000, "f.yaml: nested too deeply"),
        ("- " * 200_000, "f.yaml: nested too deeply"),
        ("? " * 200_000, "f.yaml: nested too deeply"),
        ("[" * 101 + "]" * 101, "f.yaml:1:102: nested too deeply, or an alias contains itself"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str | bytes, message: str) -> None:
    """One line with the place, which quotes no value."""
    if text == "[" * 101 + "]" * 101:
        text = f"[{text}]"
    assert line(text) == f"{message} [yaml]"


def test_a_hundred_levels_are_enough_for_anybody() -> None:
    """The limit is on what is nested, not on what is long."""
    assert strict.load("[" * 100 + "]" * 100, "f")
    assert len(strict.load(f"[{'[],' * 5000}]", "f")) == 5000


def test_block_nesting_below_the_limit_of_the_parser_does_not_crash() -> None:
    """Deep block nesting, two levels to each column, ends with an error in its own process too."""
    program = (
        "from krmfn.documents import strict\n"
        "text = ''.join(' ' * (2 * i) + '- b:\\n' for i in range(1990))\n"
        "try:\n    strict.load(text, 'f')\nexcept Exception as error:\n    print(error.line())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "nested too deeply" in done.stdout


def test_aliases_stand_for_what_they_name() -> None:
    """Anchors expand, many small ones too; what multiplies is refused."""
    assert strict.load("a: &x {b: 1}\nc: *x", "f") == {"a": {"b": 1}, "c": {"b": 1}}
    many = "a: &a {x: 1}\n" + "".join(f"k{i}: *a\n" for i in range(5000))
    assert len(strict.load(many, "f")) == 5001
    assert "aliases multiply the document too often" in line(bomb())


def test_there_are_no_merge_keys() -> None:
    """``<<`` is a key like any other."""
    assert strict.load("<<: {a: 1}", "f") == {"<<": {"a": 1}}


@pytest.mark.parametrize("text", ["\ufeffa: !!str 12\n", b"\xef\xbb\xbfa: !!str 12\n"])
def test_a_byte_order_mark_changes_nothing(text: str | bytes) -> None:
    """A file from Windows reads the same, tags included."""
    assert strict.load(text, "f") == {"a": "12"}


def test_line_ends_of_windows() -> None:
    """CRLF ends a line and is no part of a value."""
    document = only("a: b\r\nc: |\r\n  d\r\n  e\r\nf: !!str 1\r\n")
    assert document.value() == {"a": "b", "c": "d\ne\n", "f": "1"}
    assert document.position(["f"]) == Position(5, 1)


def test_documents_of_a_stream() -> None:
    """In order, the empty ones left out, an empty string not."""
    text = "---\n---\na: 1\n---\n# only a comment\n---\n''\n---\n[2]\n...\n"
    assert [d.value() for d in strict.documents(text, "f")] == [{"a": 1}, "", [2]]
    for nothing in ("", "---", "# c", "\n\n", b""):
        assert strict.load(nothing, "f") is None


def test_positions() -> None:
    """A key's place in a mapping, an item's in a list, else the nearest parent's."""
    document = only("a:\n  b:\n  - c\n  -   d: 1\n\n  e: x\n")
    for path, expected in [
        ([], (1, 1)),
        (["a"], (1, 1)),
        (["a", "b"], (2, 3)),
        (["a", "b", 0], (3, 5)),
        (["a", "b", 1, "d"], (4, 7)),
        (["a", "b", 1, "gone"], (4, 7)),
        (["a", "b", 2], (2, 3)),
        (["a", "b", "x"], (2, 3)),
        (["a", "e", "deeper", "still"], (6, 3)),
        (["gone", "a"], (1, 1)),
    ]:
        assert document.position(path) == Position(*expected), path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: *c4nary", "f.yaml:1:4: found undefined alias"),
        ("a: &c4nary 1\nb: [*c4naryy]", "f.yaml:2:5: found undefined alias"),
        ("a: !!str 12\n---\n", None),
        ("[" * 101 + "]" * 101, "f.yaml:1:102: nested too deeply, or an alias contains itself"),
    ],
)
def test_without_libyaml(monkeypatch: pytest.MonkeyPatch, text: str, message: str | None) -> None:
    """PyYAML's own parser serves where the wheel has no libyaml, and quotes nothing either."""
    monkeypatch.setattr(strict, "_Loader", yaml.BaseLoader)
    if message is None:
        assert strict.load(text, "f.yaml") == {"a": "12"}
    else:
        text = f"[{text}]" if text.startswith("[") else text
        assert line(text) == f"{message} [yaml]"
