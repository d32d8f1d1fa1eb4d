"""How plain scalars are typed, and what is written for kustomize."""

from __future__ import annotations

import json

import pytest
import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.kustomize.fields import KUSTOMIZATION
from krmfn.kustomize.judge import dump, judge, scalar_type


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("", "null", "null"),
        ("~", "null", "null"),
        ("yes", "bool", "text"),
        ("On", "bool", "text"),
        ("n", "bool", "text"),
        ("true", "bool", "bool"),
        ("tRue", "text", "text"),
        ("0644", "int", "int"),
        ("08", "float", "float"),
        ("0x1F", "int", "int"),
        ("0o17", "int", "int"),
        ("-0b1", "int", "int"),
        ("1_000", "int", "int"),
        ("+5", "int", "int"),
        ("1.", "float", "float"),
        ("1e3", "float", "float"),
        ("12e45678", "text", "text"),
        (".5", "float", "float"),
        ("./a", "text", "text"),
        ("-.inf", "float", "float"),
        ("2001-01-01", "text", "date"),
        ("2001-01-01T00:00:00Z", "text", "date"),
        ("1.2.3", "text", "text"),
        ("12:30", "text", "text"),
        ("-", "text", "text"),
    ],
)
def test_scalars(text: str, old: str, new: str) -> None:
    """As kustomize's readers have them: YAML 1.1 in kustomizations, a mixture elsewhere."""
    assert scalar_type(text, old=True) == old
    assert scalar_type(text, old=False) == new


def value(text: str) -> dict[str, object]:
    return judge(strict.document(text, "k"), KUSTOMIZATION, old=True).value


@pytest.mark.parametrize(
    ("text", "count"), [("3", 3), ("0x3", 3), ("03", 3), ("1_0", 10), ("+2", 2), ("-0b11", -3)]
)
def test_numbers(text: str, count: int) -> None:
    """In every base; the value is what kustomize makes of it."""
    assert value(f"replicas: [{{name: a, count: {text}}}]") == {
        "replicas": [{"name": "a", "count": count}]
    }


@pytest.mark.parametrize("text", ["3.0", "'3'", "yes", "9223372036854775808", "1e3", "{}"])
def test_no_numbers(text: str) -> None:
    """A wrong type is never made into another one."""
    with pytest.raises(SpecError, match="replicas is not what it must be"):
        value(f"replicas: [{{name: a, count: {text}}}]")


def test_what_is_null_is_left_out() -> None:
    """As kustomize takes it; an empty list of files names none."""
    assert value("resources:\nnamespace: ~\npatches: []\n") == {"patches": []}


def test_tags_and_anchors() -> None:
    """`!!str` says what a value is; an alias stands for its anchor."""
    text = "commonLabels: &a {x: !!str 1}\ncommonAnnotations: *a\n"
    assert value(text) == {"commonLabels": {"x": "1"}, "commonAnnotations": {"x": "1"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "vars: [{fieldref: {fieldpath: x}}]",
            "no field fieldpath in vars; did you mean fieldPath?",
        ),
        ("patches: [{path: a, patch_: b}]", "no field patch_ in patches; did you mean patch?"),
        ("resorces: [a]", "no field resorces; did you mean resources?"),
        ("xyzzy: 1", "no field xyzzy [spec]"),
        ("commonLabels: {1: a}", "a key of commonLabels is not text; quote it"),
        (
            "commonLabels: {a: {b: c}}",
            "a value of commonLabels is not what it must be, expected text",
        ),
        ("resources: a", "resources is not what it must be, expected a list"),
        ("patches: [a]", "patches is not what it must be, expected an object"),
        ("configMapGenerator: [{files: ['a=b=c']}]", "a file is named in a wrong way"),
        ("namePrefix: !!int 1", "tags are not understood here"),
        ('commonLabels: {"\\uffff": b}', "the character U+FFFF cannot be written"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    """Each with its place."""
    with pytest.raises(SpecError) as refused:
        value(text)
    line = refused.value.line()
    assert message in line
    assert line.startswith("k:1:")


def test_what_is_written_is_read_back() -> None:
    """Raw characters beyond ASCII; escapes where YAML 1.1 would see a line break."""
    text = '\u20ac\U0001f600\u2028\u2029\ufeff\t\n"\\/\x01'
    written = dump({text: [text]})
    assert "\U0001f600" in written
    assert "\u2028" not in written
    assert json.loads(written) == {text: [text]}
    assert yaml.safe_load(written) == {text: [text]}
