"""Makes tests/vectors/seal-v1-builds.json: from a configuration and a store to sealed items.

What each item's plaintext and source must be stands below in words of docs/seal-v1.md, written by
hand; the reference makes the bytes of it.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.support import seal_reference as reference
from tests.support.make_seal_vectors import (
    KEYS,
    VECTORS,
    Case,
    composed,
    numbers,
    recipients,
    vault,
)

# JSON text: numbers keep the text that stands here.
STORE = r"""{
 "logto/db": {
  "user": "logto", "password": "s3cr3t\n", "a.b": "dotted", "a": {"b": "nested", "c": {"d": "deep"}},
  "port": 5432, "float": 1e3, "big": 123456789012345678901234567890, "on": true, "off": false,
  "list": ["zero", {"x": "one"}], "back\\slash": "b", "empty": ""
 },
 "logto/flat": {"user": "logto", "a.b": "dotted", "port": 5432},
 "logto/tree": {"db": {"user": "logto", "password": "s3cr3t"}},
 "logto/encoded": {"std": "+/8=", "url": "-_8=", "text": "czNjcjN0"},
 "logto/json": {"b": [1, 1.0, null, "\u2028\u0001\"/"], "a": {"z": true, "\u00e9": "\ud83d\udd11", "Z": {}}}
}"""

DB = "logto/db"


def ref(key: str, property_: str | None = None, path: str = DB, **more: Any) -> Case:
    of = {"key": path, **({} if property_ is None else {"property": property_}), **more}
    return {"secretKey": key, "remoteRef": of}


def at(plaintext: str | bytes, source: Any) -> Case:
    """What an item must be made of."""
    raw = plaintext.encode() if isinstance(plaintext, str) else plaintext
    return {"plaintext": raw.hex(), "source": source}


def decoded(strategy: str, *components: str) -> Any:
    source = vault(*components, path="logto/encoded")
    return composed(source, transforms=("decode", strategy))


TREE = {"path": "logto/tree"}
FLAT = {"path": "logto/flat"}
USER, PASSWORD = vault("user"), vault("password")
LINE = "{{ .user }}:{{ .password | trim }}@{{ .host }}"
TEMPLATED = [
    ref("user", "user"),
    ref("password", "password"),
    {"secretKey": "host", "value": "db"},
]

# Secret -> its configuration, and what its items must be made of.
SECRETS: dict[str, tuple[Case, Case]] = {
    "properties": (
        {
            "data": [
                ref("user", "user"),
                ref("nested", "a.b"),
                ref("dotted", "a\\.b"),
                ref("deep", "a.c.d"),
                ref("slash", "back\\\\slash"),
                ref("index", "list.0"),
                ref("in-list", "list.1.x"),
                ref("empty", "empty"),
                ref("versioned", "user", version=3),
            ]
        },
        {
            "user": at("logto", USER),
            "nested": at("nested", vault("a", "b")),
            "dotted": at("dotted", vault("a.b")),
            "deep": at("deep", vault("a", "c", "d")),
            "slash": at("b", vault("back\\slash")),
            "index": at("zero", vault("list", "0")),
            "in-list": at("one", vault("list", "1", "x")),
            "empty": at("", vault("empty")),
            "versioned": at("logto", USER),
        },
    ),
    "values": (
        {
            "data": [
                ref("newline", "password"),
                ref("integer", "port"),
                ref("exponent", "float"),
                ref("big", "big"),
                ref("on", "on"),
                ref("off", "off"),
                ref("object", "a", **{"as": "json"}),
                ref("text-as-json", "user", **{"as": "json"}),
                ref("whole", None, "logto/json", **{"as": "json"}),
            ]
        },
        {
            "newline": at("s3cr3t\n", PASSWORD),
            "integer": at("5432", vault("port")),
            "exponent": at("1e3", vault("float")),
            "big": at("123456789012345678901234567890", vault("big")),
            "on": at("true", vault("on")),
            "off": at("false", vault("off")),
            "object": at('{"b":"nested","c":{"d":"deep"}}', vault("a")),
            "text-as-json": at('"logto"', USER),
            "whole": at(
                '{"a":{"Z":{},"z":true,"\u00e9":"\U0001f511"},"b":[1,1.0,null,"\u2028\\u0001\\"/"]}',
                vault(path="logto/json"),
            ),
        },
    ),
    "extracted": (
        {"dataFrom": [{"extract": {"key": "logto/flat"}}]},
        {
            "user": at("logto", vault("user", **FLAT)),
            "a.b": at("dotted", vault("a.b", **FLAT)),
            "port": at("5432", vault("port", **FLAT)),
        },
    ),
    "extracted-below": (
        {
            "dataFrom": [{"extract": {"key": "logto/tree", "property": "db"}}],
            "data": [ref("user", "user")],
        },
        {
            "user": at("logto", USER),
            "password": at("s3cr3t", vault("db", "password", **TREE)),
        },
    ),
    "decoded": (
        {
            "data": [
                ref("std", "std", "logto/encoded", decodingStrategy="Base64"),
                ref("url", "url", "logto/encoded", decodingStrategy="Base64URL"),
                ref("not", "text", "logto/encoded", decodingStrategy="None"),
            ],
        },
        {
            "std": at(b"\xfb\xff", decoded("Base64", "std")),
            "url": at(b"\xfb\xff", decoded("Base64URL", "url")),
            "not": at("czNjcjN0", vault("text", path="logto/encoded")),
        },
    ),
    "extracted-and-decoded": (
        {"dataFrom": [{"extract": {"key": "logto/encoded", "decodingStrategy": "Base64URL"}}]},
        {
            "std": at(b"\xfb\xff", decoded("Base64URL", "std")),
            "url": at(b"\xfb\xff", decoded("Base64URL", "url")),
            "text": at(b"s3cr3t", decoded("Base64URL", "text")),
        },
    ),
    "literals": (
        {"data": [{"secretKey": "host", "value": "db"}, {"secretKey": "none", "value": ""}]},
        {"host": at("db", "literal"), "none": at("", "literal")},
    ),
    "templated": (
        {"data": TEMPLATED, "template": {"data": {"URL": LINE, "plain": " {{ .user }}\n"}}},
        {
            "URL": at("logto:s3cr3t@db", composed(USER, PASSWORD, "literal", template=LINE)),
            "plain": at(" logto\n", composed("literal", PASSWORD, USER, template=" {{ .user }}\n")),
        },
    ),
    "merged": (
        {
            "data": [*TEMPLATED, ref("again", "user")],
            "template": {"mergePolicy": "Merge", "data": {"host": LINE, "fixed": "text"}},
        },
        {
            "user": at("logto", USER),
            "again": at("logto", USER),
            "password": at("s3cr3t\n", PASSWORD),
            "host": at("logto:s3cr3t@db", composed(USER, USER, PASSWORD, "literal", template=LINE)),
            "fixed": at("text", composed(PASSWORD, "literal", USER, template="text")),
        },
    ),
    "templated-over-all": (
        {
            "dataFrom": [{"extract": {"key": "logto/flat"}}],
            "data": [
                {"secretKey": "user", "value": "other"},
                ref("std", "std", "logto/encoded", decodingStrategy="Base64"),
            ],
            "template": {"data": {"all": '{{ .user }} {{ index . "a.b" }}'}},
        },
        {
            "all": at(
                "other dotted",
                composed(
                    vault("a.b", **FLAT),
                    vault("port", **FLAT),
                    "literal",
                    decoded("Base64", "std"),
                    template='{{ .user }} {{ index . "a.b" }}',
                ),
            )
        },
    ),
    "wide": (
        {"scope": "namespace-wide", "data": [ref("user", "user")]},
        {"user": at("logto", USER)},
    ),
    "widest": (
        {"scope": "cluster-wide", "data": [ref("user", "user")]},
        {"user": at("logto", USER)},
    ),
}

SEALING = {"recipient": "2048", "derivationKey": "k64", "namespace": "production", "epoch": "7"}


def sealed(secret: str, key: str, made_of: Case, scope: str) -> Case:
    """An item with its known answer."""
    n, e = numbers(recipients()[SEALING["recipient"]])
    item = {**SEALING, "scope": scope, "name": secret, "key": key, "source": made_of["source"]}
    c = reference.context(n, e, item)
    plaintext = bytes.fromhex(made_of["plaintext"])
    f = reference.first(bytes.fromhex(KEYS[SEALING["derivationKey"]]), c)
    label = reference.label(scope, SEALING["namespace"], secret)
    out = reference.seal(n, e, reference.second(f, c, plaintext), plaintext, label)
    return {**made_of, "item": base64.b64encode(out).decode()}


def make() -> Case:
    """The whole file."""
    secrets = {
        name: {
            "config": {"name": name, "store": "main", **config},
            "items": {
                key: sealed(name, key, made_of, config.get("scope", "strict"))
                for key, made_of in items.items()
            },
        }
        for name, (config, items) in SECRETS.items()
    }
    return {"store": STORE, "sealing": SEALING, "secrets": secrets}


def text() -> str:
    """The file's text."""
    return json.dumps(make(), indent=1) + "\n"


if __name__ == "__main__":
    (VECTORS / "seal-v1-builds.json").write_text(text())
