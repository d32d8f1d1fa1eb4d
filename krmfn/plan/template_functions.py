"""The functions of the template language, named and behaving as Go's and sprig's.

Every function is total on the arguments it accepts, or raises `FunctionError` with a fixed text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from krmfn.documents import go_base64
from krmfn.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_INDENT = 1024
MAX_BYTES = 4 * 1024 * 1024  # no Secret is that large, and no chain of functions gets beyond it
# unicode.IsSpace of Go; str.strip() would take U+001C to U+001F too.
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


class FunctionError(Exception):
    """A value that the function cannot use. The text never contains the value."""


@dataclass(frozen=True)
class TemplateFunction:
    """A function and the operands it takes, the piped value last.

    Attributes:
        kinds: ``s`` for text or bytes, ``i`` for an integer; a trailing ``*`` repeats the last.
    """

    kinds: str
    run: Callable[..., bytes]

    def __call__(self, *operands: Any) -> bytes:
        """The function's result.

        Raises:
            FunctionError: a value it cannot take, or one of over `MAX_BYTES`.
        """
        _check_size(sum(len(each) for each in operands if isinstance(each, bytes)))
        result = self.run(*operands)
        _check_size(len(result))
        return result

    def check(self, integers: Sequence[bool], operands: Sequence[Any]) -> str:
        """Return the problem with the operands; empty if there is none."""
        kinds = self.kinds.rstrip("*")
        if self.kinds.endswith("*"):
            kinds += kinds[-1] * max(0, len(integers) - len(kinds))
        if len(integers) != len(kinds):
            return f"takes {counted(len(kinds), 'operand')}, not {len(integers)}"
        for operand, integer, kind in zip(operands, integers, kinds, strict=True):
            if integer != (kind == "i"):
                return "takes a number here" if kind == "i" else "takes no number here"
            if integer and operand > MAX_INDENT:
                return f"takes a number up to {MAX_INDENT} here"
        if self.run is _printf:
            return _check_format(operands)
        return ""


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise FunctionError("the value is too large")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise FunctionError("the value is not UTF-8 text") from None


def _on_text(function: Callable[[str], str]) -> Callable[[bytes], bytes]:
    return lambda value: function(_text(value)).encode()


def _b64dec(value: bytes) -> bytes:
    try:
        return go_base64.decode(value)
    except ValueError:
        raise FunctionError("the value is not base64") from None


def _quote(value: str) -> str:
    """Go's ``%q``."""
    short = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
    out = []
    for char in value:
        code = ord(char)
        if code in short:
            out.append("\\" + short[code])
        elif char.isprintable():
            out.append(char)
        elif code < 0x80:  # noqa: PLR2004  # ASCII
            out.append(f"\\x{code:02x}")
        else:
            out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")  # noqa: PLR2004
    return '"' + "".join(out) + '"'


def _to_json(value: str) -> str:
    """Return a JSON string like Go's ``json.Marshal``, safe inside HTML."""
    escaped = json.dumps(value, ensure_ascii=False)
    # json.dumps and json.Marshal differ in these; Go escapes DEL no more than Python does.
    for char in "<>&\u2028\u2029":
        escaped = escaped.replace(char, f"\\u{ord(char):04x}")
    return escaped


def _ascii(function: Callable[[str], str]) -> Callable[[bytes], bytes]:
    """Beyond ASCII, Go's and Python's ideas of case differ, and each with its version of Unicode."""

    def run(value: bytes) -> bytes:
        text = _text(value)
        if not text.isascii():
            raise FunctionError("the value is not ASCII text")
        return function(text).encode()

    return run


def _replace(old: bytes, new: bytes, value: bytes) -> bytes:
    _check_size(len(value) + value.count(old) * len(new))
    if old:
        return value.replace(old, new)
    # Go puts `new` between characters then, not between bytes.
    return _text(value).replace("", _text(new)).encode()


def _indent(spaces: int, value: bytes) -> bytes:
    _check_size(len(value) + value.count(b"\n") * spaces)
    pad = b" " * spaces
    return pad + value.replace(b"\n", b"\n" + pad)


def _check_format(operands: Sequence[Any]) -> str:
    form, *rest = operands
    if not isinstance(form, str):
        return "takes a format as a literal string"
    bare = form.replace("%%", "")
    if bare.replace("%s", "").count("%") or "\0" in form:
        return "understands %s and %% only"
    if bare.count("%s") != len(rest):
        return f"has {bare.count('%s')} %s for {len(rest)} operands"
    return ""


def _printf(form: bytes, *values: bytes) -> bytes:
    first, *rest = form.replace(b"%%", b"\0").split(b"%s")
    out = first.replace(b"\0", b"%")
    for value, piece in zip(values, rest, strict=True):
        out += value + piece.replace(b"\0", b"%")
    return out


FUNCTIONS: dict[str, TemplateFunction] = {
    "b64enc": TemplateFunction("s", base64.b64encode),
    "b64dec": TemplateFunction("s", _b64dec),
    "quote": TemplateFunction("s", _on_text(_quote)),
    "squote": TemplateFunction("s", lambda v: b"'" + v + b"'"),
    "toJson": TemplateFunction("s", _on_text(_to_json)),
    "default": TemplateFunction("ss", lambda d, v: v or d),
    "toString": TemplateFunction("s", lambda v: v),
    "trim": TemplateFunction("s", _on_text(lambda t: t.strip(_WHITE))),
    "trimAll": TemplateFunction("ss", lambda c, v: _text(v).strip(_text(c)).encode()),
    "trimPrefix": TemplateFunction("ss", lambda p, v: v.removeprefix(p)),
    "trimSuffix": TemplateFunction("ss", lambda s, v: v.removesuffix(s)),
    "upper": TemplateFunction("s", _ascii(str.upper)),
    "lower": TemplateFunction("s", _ascii(str.lower)),
    "replace": TemplateFunction("sss", _replace),
    "indent": TemplateFunction("is", _indent),
    "nindent": TemplateFunction("is", lambda n, v: b"\n" + _indent(n, v)),
    "urlquery": TemplateFunction("s", lambda v: quote_plus(v, safe="").encode()),
    "sha256sum": TemplateFunction("s", lambda v: hashlib.sha256(v).hexdigest().encode()),
    "printf": TemplateFunction("ss*", _printf),
    "print": TemplateFunction("s*", lambda *v: b"".join(v)),
}

_MAPS = "there are no lists and no objects: store the value whole and read it with as: json"
_CHOICE = "a template cannot choose: declare a claim for each environment"
_RANDOM = "two builds would differ: generate the value once, into the store"
# What people know of sprig, Go and External Secrets, and why it is not here. The page lists them.
REFUSED: dict[str, str] = {
    **dict.fromkeys(("dict", "list", "get", "set", "merge", "first", "last", "join"), _MAPS),
    **dict.fromkeys(("splitList", "split", "len", "keys", "fromJson", "fromYaml", "toYaml"), _MAPS),
    **dict.fromkeys(("ternary", "eq", "ne", "and", "or", "not", "empty", "coalesce"), _CHOICE),
    **dict.fromkeys(("contains", "hasPrefix", "hasSuffix", "fail", "required"), _CHOICE),
    **dict.fromkeys(("randAlphaNum", "randAlpha", "randAscii", "uuidv4", "now", "date"), _RANDOM),
    **dict.fromkeys(("genPrivateKey", "genSelfSignedCert", "bcrypt", "htpasswd"), _RANDOM),
    **dict.fromkeys(
        ("env", "expandenv", "lookup", "getHostByName"), "a template sees values alone"
    ),
    **dict.fromkeys(("tpl", "include"), "a template holds no other one: write it out"),
    **dict.fromkeys(("regexReplaceAll", "regexFind"), "use trimPrefix, trimSuffix or replace"),
    **dict.fromkeys(("toUpper", "toLower"), "write upper or lower"),
    **dict.fromkeys(("base64encode", "base64decode"), "write b64enc or b64dec"),
    **dict.fromkeys(("pkcs12key", "pkcs12cert", "pemToPkcs12"), "store the file as it is needed"),
    **dict.fromkeys(
        ("println", "html", "js", "substr", "trunc", "repeat"), "store the text that it produces"
    ),
}
