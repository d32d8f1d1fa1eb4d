"""Read a kustomization or a builtin's configuration by the tables of `krmfn.kustomize.fields`.

Rules enforced here: a field that the table does not have, in another case or with a letter beyond
ASCII, is an error; a plain scalar has the type that kustomize's own YAML gives it, and a value of
another type than the field's is an error, never converted; a character that kustomize cannot read
back is an error. What comes out means the same to every kustomize, whatever the file looked like.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.kustomize.fields import CHARTS, Texts, Use

if TYPE_CHECKING:
    from krmfn.kustomize.fields import Shape

_OLD_BOOLS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?\Z", re.DOTALL)
_WORDS = {
    "null": "nothing",
    "bool": "true or false",
    "int": "an integer",
    "float": "a number",
    "date": "a date",
    "text": "text",
}
_PROPERTY = re.compile(r"(&\S+\s+)?!")
# Line breaks of YAML 1.1 and the byte order mark are read back only when they are escaped.
_ESCAPED = {0x2028: "\\u2028", 0x2029: "\\u2029", 0xFEFF: "\\ufeff"}
_UNREADABLE = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LARGEST = 1 << 63
_SIMPLE_KEY = 1000  # characters; YAML ends the search for a key's colon after 1024


@dataclass(frozen=True)
class Mention:
    """A string that names a file or directory, or contains a patch or configuration.

    Attributes:
        text: as written; without the key for `Use.KEYED_DATA`.
        field: the field at the top.
        place: index in the list of that field, from 0.
        where: ``file:line:column: field``.
    """

    use: Use
    text: str
    field: str
    place: int
    where: str


@dataclass
class JudgedFile:
    """The judged content of a document.

    Attributes:
        value: plain values, the fields that are null left out.
        mentions: in the order of the document.
    """

    value: dict[str, Any]
    mentions: list[Mention] = field(default_factory=list)


def judge(document: strict.Document, shape: dict[str, Shape], *, old: bool) -> JudgedFile:
    """Read one document by a table.

    Args:
        old: whether plain scalars follow YAML 1.1, as in a kustomization; else, as in resources and
            configurations, ``yes``, ``on`` and their kind are text.

    Raises:
        SpecError: `spec` for an unknown field or a wrong type, `yaml` for what no reader agrees on,
            `foreign` for a chart.
    """
    found = JudgedFile({})
    reader = _Reader(document, found.mentions, old=old)
    if not isinstance(document.node, yaml.MappingNode):
        raise SpecError("file", "the file is not an object", where=document.name)
    found.value = reader.mapping(document.node, shape, "", 0)
    return found


def dump(value: Any) -> str:
    """Write a value as JSON on one line, in a form that every kustomize reads back."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)


def scalar_type(text: str, *, old: bool) -> str:
    """The type of a plain scalar to kustomize: null, bool, int, float, date or text."""
    if text in _NULLS:
        return "null"
    if text in _BOOLS or (old and text in _OLD_BOOLS):
        return "bool"
    if _SPECIAL.match(text):
        return "float"
    if text[0] in "0123456789+-":
        plain = text.replace("_", "")
        if _DATE.match(text):
            return "text" if old else "date"
        if _INTEGER.match(plain):
            return "int"
        if _FLOAT.match(plain) and abs(float(plain)) != float("inf"):
            return "float"
    elif text[0] == "." and _FLOAT.match(text):
        return "float"
    return "text"


def is_plain(document: strict.Document, node: yaml.ScalarNode) -> bool:
    """Whether a scalar has neither quotes nor a tag."""
    return not node.style and not _PROPERTY.match(document.text, node.start_mark.index)


def check_characters(text: str, where: str) -> None:
    """Refuse characters that kustomize cannot read back.

    Raises:
        SpecError: one is there.
    """
    if bad := _UNREADABLE.search(text):
        raise SpecError(
            "yaml",
            f"the character U+{ord(bad[0]):04X} cannot be written for kustomize",
            where=where,
            remedy="remove it",
        )


class _Reader:
    """Turns nodes into values; recursion goes as deep as the table."""

    def __init__(self, document: strict.Document, mentions: list[Mention], *, old: bool) -> None:
        self.document = document
        self.mentions = mentions
        self.old = old

    def value(self, node: yaml.Node, shape: Shape, name: str, place: int) -> Any:
        if isinstance(shape, dict):
            return self.mapping(node, shape, name, place)
        if isinstance(shape, Texts):
            return self.texts(node, name)
        if isinstance(shape, list):
            return self.sequence(node, shape[0], name, place)
        return self.scalar(node, shape, name, place)

    def mapping(self, node: yaml.Node, shape: dict[str, Any], name: str, place: int) -> Any:
        if self.is_null(node):
            return None
        result: dict[str, Any] = {}
        for key, child in self.pairs(node, name):
            top = name or key.value
            if key.value not in shape:
                raise self.unknown(key, shape, name)
            found = self.value(child, shape[key.value], top, place)
            if found is not None:
                result[key.value] = found
        return result

    def texts(self, node: yaml.Node, name: str) -> Any:
        if self.is_null(node):
            return None
        result: dict[str, Any] = {}
        for key, child in self.pairs(node, name):
            if is_plain(self.document, key) and scalar_type(key.value, old=self.old) != "text":
                raise self.error(key, f"a key of {name} is not text", remedy="quote it")
            result[key.value] = self.scalar(child, Use.TEXT, f"a value of {name}", 0)
        return result

    def sequence(self, node: yaml.Node, shape: Shape, name: str, place: int) -> Any:
        if self.is_null(node):
            return None
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(node, f"{name} is not what it must be", expected="a list")
        top = self.document.node
        within = any(child is node for _, child in top.value)
        return [
            self.value(item, shape, name, number if within else place)
            for number, item in enumerate(node.value)
        ]

    def scalar(self, node: yaml.Node, use: Use, name: str, place: int) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node, f"{name} is not what it must be", expected=use.value)
        self.check_tag(node)
        text = node.value
        check_characters(text, self.where(node))
        kind = scalar_type(text, old=self.old) if is_plain(self.document, node) else "text"
        if kind == "null" and use in (Use.TEXT, Use.FLAG, Use.NUMBER, Use.PATCH):
            return None
        if use is Use.FLAG and kind == "bool":
            return {**_BOOLS, **_OLD_BOOLS}[text]
        if use is Use.NUMBER and kind == "int" and abs(number := _integer(text)) < _LARGEST:
            return number
        if use not in (Use.FLAG, Use.NUMBER) and kind == "text":
            self.mention(node, use, name, place)
            return text
        raise self.error(
            node,
            f"{name} is not what it must be",
            expected=use.value,
            found=_WORDS[kind],
            remedy="quote it" if use not in (Use.FLAG, Use.NUMBER) else "",
        )

    def mention(self, node: yaml.ScalarNode, use: Use, name: str, place: int) -> None:
        if use is Use.TEXT:
            return
        text = node.value
        if use is Use.KEYED_DATA and "=" in text:
            key, _, text = text.partition("=")
            if not key or not text or "=" in text:
                raise self.error(
                    node, f"{name}: a file is named in a wrong way", expected=use.value
                )
        self.mentions.append(Mention(use, text, name, place, f"{self.where(node)}: {name}"))

    def pairs(self, node: yaml.Node, name: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{name} is not what it must be", expected="an object")
        self.check_tag(node)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(key, "a key is not a scalar")
            self.check_tag(key)
            if key.value in seen:
                raise self.error(key, f"the key {key.value} appears twice")
            if key.value == "<<":
                raise self.error(key, "merge keys are not read", remedy="write the fields")
            check_characters(key.value, self.where(key))
            if len(key.value) > _SIMPLE_KEY:
                raise self.error(key, f"a key is longer than {_SIMPLE_KEY} characters")
            seen.add(key.value)
        found: list[tuple[yaml.ScalarNode, yaml.Node]] = node.value
        return found

    def is_null(self, node: yaml.Node) -> bool:
        return (
            isinstance(node, yaml.ScalarNode)
            and is_plain(self.document, node)
            and node.value in _NULLS
        )

    def check_tag(self, node: yaml.Node) -> None:
        if node.tag not in strict.TAGS:
            raise self.error(node, "tags are not understood here")

    def unknown(self, key: yaml.ScalarNode, shape: dict[str, Any], name: str) -> SpecError:
        if not name and key.value in CHARTS:
            return SpecError(
                "foreign",
                f"{key.value}: no chart is inflated",
                where=self.where(key),
                remedy="commit what the chart renders",
            )
        word = key.value[:100]
        folded = {one.lower(): one for one in shape}
        guess = folded.get(word.casefold()) or next(
            iter(difflib.get_close_matches(word, list(shape), 1)), ""
        )
        return SpecError(
            "spec",
            f"kustomize has no field {word}" + (f" in {name}" if name else ""),
            where=self.where(key),
            remedy=f"did you mean {guess}?" if guess else "",
        )

    def where(self, node: yaml.Node) -> str:
        document, mark = self.document, node.start_mark
        return f"{document.name}:{document.first_line + mark.line + 1}:{mark.column + 1}"

    def error(self, node: yaml.Node, message: str, **facts: str) -> SpecError:
        return SpecError("spec", message, where=self.where(node), **facts)


def _integer(text: str) -> int:
    """The value of an integer: also with a leading 0 for octal."""
    plain = text.replace("_", "")
    digits = plain.lstrip("+-")
    if len(digits) > 70:  # noqa: PLR2004  # more than 64 bits in any base
        return _LARGEST
    octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
    number = int(digits, 8) if octal else int(digits, 0)
    return -number if plain.startswith("-") else number
