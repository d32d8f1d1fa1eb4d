"""From values that were read to the items of a Secret."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.crypto.derive import LITERAL, composed_source, remote_source
from krmfn.errors import ErrorList, KrmfnError
from krmfn.kustomize.overlay import Kustomization
from krmfn.plan.make import SealTarget, make_plan
from krmfn.sealing.render import Rendered, known_sources, render
from krmfn.spec.parse import parse
from krmfn.stores.content import Location, Number
from tests.support.function import config, secret

HELD: dict[str, dict[str, Any]] = {
    "app": {
        "user": "ann", "pass": "c4nary", "list": ["x"], "port": Number("5432"), "big": Number(str(2**60)),
        "b64": "YWJj", "null": None, "nested": {"a": "1", "b.c": "2"},
    },
    "odd": {"a b": "c4nary"},
    "long": {"k" * 254: "c4nary"},
}  # fmt: skip


def planned(*data: dict[str, Any], **more: Any) -> SealTarget:
    value: Any = parse(config(secret(*data, **more)))
    (target,) = make_plan(value, namespace="prod", overlay=Kustomization()).targets
    return target


def place(key: str) -> Location:
    return Location(("vault", "main", "", "secret", key), f"main:secret/{key}")


def rendered(*data: dict[str, Any], **more: Any) -> Rendered:
    target = planned(*data, **more)
    return render(
        target, {r: HELD[r.key] for r in target.reads()}, {r: place(r.key) for r in target.reads()}
    )


def values(*data: dict[str, Any], **more: Any) -> dict[str, bytes]:
    return {key: item.content.reveal() for key, item in rendered(*data, **more).items.items()}


def lines(*data: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises((KrmfnError, ErrorList)) as caught:
        rendered(*data, **more)
    found = [e.line() for e in caught.value.errors]
    assert "c4nary" not in "".join(found)
    return found


def ref(key: str, property_: str | None, path: str = "app", **more: Any) -> dict[str, Any]:
    return {
        "secretKey": key,
        "remoteRef": {"key": path} | ({"property": property_} if property_ else {}) | more,
    }


def literal(key: str, value: str) -> dict[str, Any]:
    return {"secretKey": key, "value": value}


def extract(**fields: Any) -> dict[str, Any]:
    return {"dataFrom": [{"extract": fields}]}


def test_values_come_in_key_order() -> None:
    """References and literals, sorted."""
    found = values(ref("z", "user"), literal("a", ""), ref("m", "port"), ref("n", "nested.b\\.c"))
    assert list(found.items()) == [("a", b""), ("m", b"5432"), ("n", b"2"), ("z", b"ann")]


def test_json_and_decoding() -> None:
    """As asked."""
    whole = values(ref("w", "nested", **{"as": "json"}), ref("d", "b64", decodingStrategy="Base64"))
    assert whole == {"w": b'{"a":"1","b.c":"2"}', "d": b"abc"}


def test_extract() -> None:
    """Every field becomes a key; data of one's own wins."""
    assert values(literal("a", "mine"), **extract(key="app", property="nested")) == {
        "a": b"mine",
        "b.c": b"2",
    }


def test_extract_refuses() -> None:
    """What is no object, no key, null inside, or there twice: with its place."""
    start = "db: spec.secrets[0].dataFrom[0]: main:secret"
    assert lines(**extract(key="app", property="user")) == [
        f"{start}/app: what should be extracted is not an object [value-shape]"
    ]
    assert lines(**extract(key="odd")) == [
        f"{start}/odd: a field's name is not a valid key of a Secret [value]"
    ]
    assert len(lines(**extract(key="long"))) == 1
    assert lines(**extract(key="app")) == [
        f"{start}/app: list: the value is a list; name a property inside it, or seal it whole "
        "with as: json "
        "[value-shape]"
    ]
    twice = {"extract": {"key": "app", "property": "nested"}}
    assert lines(dataFrom=[twice, twice]) == [
        "db: spec.secrets[0].dataFrom[1]: main:secret/app: the key a comes from two extracts [value]"
    ]


def test_all_mistakes_of_a_secret_together() -> None:
    """Each with secret, key and source."""
    data = (ref("a", "gone"), ref("b", "null"), ref("c", "user"))
    assert lines(*data, ref("d", "user", decodingStrategy="Base64")) == [
        "db: a: main:secret/app: there is no property gone; correct remoteRef.property, or write "
        "the value "
        "[property-missing]",
        "db: b: main:secret/app: the value is null [value-null]",
        "db: d: main:secret/app: the value is not Base64 [value]",
    ]  # fmt: skip


def test_templates() -> None:
    """Alone by default, beside the values when merged."""
    data = (ref("u", "user"), ref("p", "pass"))
    made = {"data": {"url": "pg://{{ .u }}:{{ .p | urlquery }}@h", "p": "x{{ .p }}"}}
    assert values(*data, template=made) == {"url": b"pg://ann:c4nary@h", "p": b"xc4nary"}
    merged = values(*data, template={**made, "mergePolicy": "Merge"})
    assert merged == {"url": b"pg://ann:c4nary@h", "p": b"xc4nary", "u": b"ann"}
    assert values(*data, template={"type": "Opaque"}) == {"u": b"ann", "p": b"c4nary"}


def test_a_template_that_cannot_be_filled() -> None:
    """After an extract a variable is only known when it is read."""
    assert lines(
        **extract(key="app", property="nested"), template={"data": {"t": "{{ .gone }}"}}
    ) == ["db: template 1:4: there is no gone; add gone to data [value]"]


def test_an_empty_secret() -> None:
    """Only when it is meant."""
    assert lines() == ["db: the secret would have no data; set allowEmpty if that is meant [empty]"]
    assert values(allowEmpty=True) == {}


def test_types() -> None:
    """The Secret's type is held against what it will hold."""
    assert lines(literal("tls.crt", "c4nary"), template={"type": "kubernetes.io/tls"}) == [
        "db: type kubernetes.io/tls needs the key tls.key [secret-type]"
    ]


def test_warnings() -> None:
    """A trailing newline of one line, a NUL, a number that may have been rounded."""
    found = rendered(
        literal("nl", "x\n"),
        literal("file", "a\nb\n"),
        literal("nul", "a\0b"),
        ref("big", "big"),
        ref("port", "port"),
    )
    assert [str(warning) for warning in found.warnings] == [
        "db: big: a number over 2^53 may have been rounded; store it as a string [inexact-number]",
        "db: nl: the value ends with a newline; store it without one [trailing-newline]",
        "db: nul: the value holds a NUL byte; no environment variable can hold one [nul-byte]",
    ]


def test_sources() -> None:
    """What the derivation binds: where a value is, how it was decoded, all that a template sees."""
    app = ("vault", "main", "", "secret", "app")
    data = (
        ref("u", "user"),
        ref("n", "nested.b\\.c"),
        literal("l", "x"),
        ref("d", "b64", decodingStrategy="Base64"),
    )
    expected = {
        "u": remote_source(app, ["user"]),
        "n": remote_source(app, ["nested", "b.c"]),
        "l": LITERAL,
        "d": composed_source("", ("decode", "Base64"), [remote_source(app, ["b64"])]),
    }
    assert {k: i.source for k, i in rendered(*data).items.items()} == expected
    made = {"data": {"t": "{{ .u }}"}, "mergePolicy": "Merge"}
    merged = {**expected, "t": composed_source("{{ .u }}", (), expected.values())}
    assert {k: i.source for k, i in rendered(*data, template=made).items.items()} == merged


def test_sources_are_known_before_values_are_read() -> None:
    """The same as afterwards, and none at all when the keys depend on what is read."""
    data = (ref("u", "user"), literal("l", "x"))
    for more in ({}, {"template": {"data": {"t": "{{ .u | b64dec }}"}}}):
        target = planned(*data, **more)
        places = {r: place(r.key) for r in target.reads()}
        known = known_sources(target, places)
        if not more:
            assert known == {k: i.source for k, i in rendered(*data).items.items()}
        assert set(known) == ({"t"} if more else {"u", "l"})
    target = planned(**extract(key="app"))
    assert known_sources(target, {r: place(r.key) for r in target.reads()}) == {}


def test_an_extracted_field_is_the_same_field() -> None:
    """Its source is that of a reference with the property."""
    one = rendered(**extract(key="app", property="nested")).items["b.c"].source
    assert one == rendered(ref("k", "nested.b\\.c")).items["k"].source
