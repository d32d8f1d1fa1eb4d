"""From a secret to the bytes of one value: nothing guessed, nothing trimmed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krmfn.errors import KrmfnError, ProviderError, SealingError, SpecError
from krmfn.sealing.values import canonical_json, components, decode, inexact_number, pick, to_bytes
from krmfn.stores.content import Number


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, ()),
        ("a", ("a",)),
        ("a.b.0", ("a", "b", "0")),
        (r"a\.b", ("a.b",)),
        (r"a\\.b", ("a\\", "b")),
        (r"tls\.crt.x", ("tls.crt", "x")),
        (" a . b ", (" a ", " b ")),
    ],
)
def test_a_property_is_split_at_dots(text: str | None, parts: tuple[str, ...]) -> None:
    """A backslash makes a dot, or a backslash, literal."""
    assert components(text) == parts


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a component is empty"),
        (".a", "a component is empty"),
        ("a..b", "a component is empty"),
        ("a.", "a component is empty"),
        ("a\\", "a backslash precedes neither . nor \\"),
        ("a\\n", "a backslash precedes neither . nor \\"),
    ],
)
def test_a_malformed_property(text: str, why: str) -> None:
    """The property is quoted with what is wrong in it."""
    with pytest.raises(SpecError) as caught:
        components(text)
    assert caught.value.line() == f"property {text!r}: {why}; write \\. for a literal dot [spec]"


@given(st.lists(st.text(min_size=1), min_size=1).map(tuple))
def test_every_path_has_a_property(path: tuple[str, ...]) -> None:
    """Escaping each component gives a property that means just that path."""
    escaped = ".".join(p.replace("\\", "\\\\").replace(".", "\\.") for p in path)
    assert components(escaped) == path


SECRET: dict[str, Any] = {
    "a": {"b": ["x", {"c": "y"}], "": "e"},
    "a.b": "dotted",
    "n": None,
    "0": "zero",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), SECRET), (("a", "b", "0"), "x"),
        (("a", "b", "1", "c"), "y"), (("a.b",), "dotted"), (("0",), "zero"), (("n",), None),
    ],
)  # fmt: skip
def test_picking(path: tuple[str, ...], value: Any) -> None:
    """Objects by name, lists by number."""
    assert pick(SECRET, path) == value


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        (("b",), "b"),
        (("a", "x", "y"), "a.x"),
        (("a", "b", "2"), "a.b.2"),
        (("a", "b", "01"), "a.b.01"),
        (("a", "b", "-1"), "a.b.-1"),
        (("a", "b", "١"), "a.b.١"),  # noqa: RUF001  # a digit, and no index
        (("a.b", "c"), "a.b.c"),
        (("n", "c"), "n.c"),
    ],
)
def test_a_property_that_is_not_there(path: tuple[str, ...], missing: str) -> None:
    """The first step that fails is named; a list has one spelling for each item."""
    with pytest.raises(ProviderError) as caught:
        pick(SECRET, path)
    assert caught.value.line() == (
        f"there is no property {missing}; correct remoteRef.property, or write the value [property-missing]"
    )


def test_an_endless_index_is_only_missing() -> None:
    """A number that Python would not convert is no item."""
    with pytest.raises(ProviderError):
        pick({"a": ["x"]}, ("a", "9" * 5000))


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("é\n", b"\xc3\xa9\n"),
        ("", b""),
        (Number("1e3"), b"1e3"),
        (Number("12345678901234567890123"), b"12345678901234567890123"),
        (True, b"true"),
        (False, b"false"),
    ],
)
def test_scalars(value: Any, content: bytes) -> None:
    """Text is its UTF-8 and a number its text."""
    assert to_bytes(value) == content


@pytest.mark.parametrize(
    ("value", "id_", "message"),
    [
        (None, "value-null", "the value is null"),
        ({"canary": 1}, "value-shape", "the value is an object"),
        (["canary"], "value-shape", "the value is a list"),
        ("canary\ud800", "value", "the value holds a lone surrogate"),
    ],
)
def test_what_is_no_value(value: Any, id_: str, message: str) -> None:
    """Null, objects and lists are refused, without being shown."""
    with pytest.raises(KrmfnError) as caught:
        to_bytes(value)
    assert (caught.value.id, caught.value.message) == (id_, message)
    assert "canary" not in caught.value.line()
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_json_is_compact_sorted_and_exact() -> None:
    """`as: json` seals any value, numbers as received, nothing escaped that need not be."""
    value: Any = {"b": [Number("1e3"), Number("1.50"), None, True], "a": 'é"\n/<', "B": {}}
    assert (
        to_bytes(value, as_json=True)
        == '{"B":{},"a":"é\\"\\n/<","b":[1e3,1.50,null,true]}'.encode()
    )
    assert to_bytes(None, as_json=True) == b"null"
    with pytest.raises(SealingError):
        to_bytes(["\ud800"], as_json=True)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=15,
    )
)
def test_canonical_json_is_json(value: Any) -> None:
    """It reads back as the same value."""
    assert json.loads(canonical_json(value)) == value


@given(st.binary())
def test_decoding_undoes_encoding(value: bytes) -> None:
    """All three strategies."""
    assert decode(value, "None") == value
    assert decode(base64.b64encode(value), "Base64") == value
    assert decode(base64.urlsafe_b64encode(value), "Base64URL") == value


@pytest.mark.parametrize("strategy", ["Base64", "Base64URL"])
@pytest.mark.parametrize(
    "value", [b"canary", b"YQ", b"YQ=", b"YQ===", b" YQ==", b"YQ== ", b"\xff", b"YQ==YQ=="]
)
def test_what_is_no_base64(strategy: str, value: bytes) -> None:
    """What Go refuses is an error and not a guess."""
    with pytest.raises(SealingError) as caught:
        decode(value, strategy)
    assert caught.value.line() == f"the value is not {strategy} [value]"


@pytest.mark.parametrize("strategy", ["Base64", "Base64URL"])
def test_base64_as_go_reads_it(strategy: str) -> None:
    """Line breaks are ignored, and bits behind the end."""
    assert decode(b"Y\r\nQ=\n=\n", strategy) == decode(b"YR==", strategy) == b"a"
    assert decode(b"\n", strategy) == decode(b"", strategy) == b""


@pytest.mark.parametrize(
    ("value", "inexact"),
    [
        (Number(str(2**53)), False),
        (Number(str(2**53 + 1)), True),
        (Number(str(-(2**53) - 1)), True),
        (Number("9" * 5000), True),
        (Number("1e300"), False),
        (Number("1.5"), False),
        (str(2**60), False),
        (True, False),
        (None, False),
    ],
)
def test_numbers_that_a_server_may_have_rounded(value: Any, inexact: bool) -> None:
    """Whole numbers beyond 2^53, whatever their length; text is exact."""
    assert inexact_number(value) is inexact


@pytest.mark.parametrize(
    ("property_", "hint"),
    [
        ("tls.crt", r"tls.crt is one field, whose dots are escaped: write property: tls\.crt"),
        (
            "in.tls.key",
            r"tls.key is one field, whose dots are escaped: write property: in\.tls\.key",
        ),
        ("in.a.b.c.x", r"a.b.c is one field, whose dots are escaped: write property: in.a\.b\.c.x"),
        ("w\\\\.a.b", r"a.b is one field, whose dots are escaped: write property: w\\.a\.b"),
        ("tls.pem", "correct remoteRef.property, or write the value"),
        ("list.0.0", "correct remoteRef.property, or write the value"),
    ],
)
def test_a_field_with_dots_is_told(property_: str, hint: str) -> None:
    """Who forgets to escape the dots of a field reads how to write it, at any depth."""
    secret: dict[str, Any] = {
        "tls.crt": "x",
        "in": {"tls.key": "x", "a.b.c": {"x": "y"}},
        "w\\": {"a.b": "x"},
        "list": ["x"],
    }
    hint = hint.replace("in\\.tls", "in.tls")
    with pytest.raises(ProviderError) as caught:
        pick(secret, components(property_))
    assert (caught.value.id, caught.value.remedy) == ("property-missing", hint)
    if "write property: " in hint:
        pick(secret, components(hint.partition("write property: ")[2]))
