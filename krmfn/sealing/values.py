"""Turn a secret's content into the bytes of one value. Pure.

Rules enforced here: a string is its UTF-8, a number its text as received, ``true`` and ``false``
themselves; null is an error; an object or a list only with ``as: json``, then compact, sorted and
unescaped. Nothing is guessed and nothing is trimmed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from krmfn.documents import go_base64
from krmfn.errors import ProviderError, SealingError, SpecError
from krmfn.stores.content import Number

if TYPE_CHECKING:
    from krmfn.stores.content import Json

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")  # one spelling for each item
# Integers above this are exact in krmfn, and not in every server on the way.
EXACT_INTEGER = 2**53


def components(property_: str | None) -> tuple[str, ...]:
    r"""A property's components: split at dots, ``\\.`` a literal dot and ``\\\\`` a backslash.

    Raises:
        SpecError: an empty component, or a backslash before anything else.
    """
    if property_ is None:
        return ()
    found = [""]
    rest = iter(property_)
    for char in rest:
        if char == "\\":
            escaped = next(rest, "")
            if escaped not in (".", "\\"):
                raise _bad_property(property_, "a backslash precedes neither . nor \\")
            found[-1] += escaped
        elif char == ".":
            found.append("")
        else:
            found[-1] += char
    if "" in found:
        raise _bad_property(property_, "a component is empty")
    return tuple(found)


def _bad_property(property_: str, message: str) -> SpecError:
    return SpecError(
        "spec", f"property {property_!r}: {message}", remedy="write \\. for a literal dot"
    )


def pick(secret: dict[str, Json], path: tuple[str, ...]) -> Json:
    """The value at ``path`` inside a secret; lists are walked by number.

    Raises:
        ProviderError: there is none.
    """
    current: Json = secret
    for depth, step in enumerate(path):
        if isinstance(current, dict) and step in current:
            current = current[step]
        elif isinstance(current, list) and _INDEX.fullmatch(step) and int(step) < len(current):
            current = current[int(step)]
        else:
            hint = _dotted_field(current, path, depth)
            raise ProviderError(
                "property-missing",
                f"there is no property {'.'.join(path[: depth + 1])}",
                remedy=hint or "correct remoteRef.property, or write the value",
            )
    return current


def _dotted_field(current: Json, path: tuple[str, ...], depth: int) -> str:
    """Return the remedy for components that are probably one field with dots in its name."""
    for end in range(len(path), depth + 1, -1):
        name = ".".join(path[depth:end])
        if isinstance(current, dict) and name in current:
            steps = [*path[:depth], name, *path[end:]]
            escaped = (step.replace("\\", "\\\\").replace(".", "\\.") for step in steps)
            return (
                f"{name} is one field, whose dots are escaped: write property: {'.'.join(escaped)}"
            )
    return ""


def to_bytes(value: Json, *, as_json: bool = False) -> bytes:
    """The bytes of a value.

    Raises:
        ProviderError: null, or an object or list without ``as_json``.
    """
    if value is None and not as_json:
        raise ProviderError("value-null", "the value is null")
    if as_json:
        try:
            return _utf8(canonical_json(value))
        except RecursionError:
            raise SealingError("value", "the value is nested too deeply") from None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, str):
        return _utf8(value)
    kind = "an object" if isinstance(value, dict) else "a list"
    raise ProviderError(
        "value-shape",
        f"the value is {kind}",
        remedy="name a property inside it, or seal it whole with as: json",
    )


def canonical_json(value: Json) -> str:
    """Return compact JSON: sorted keys, minimal escapes, numbers as received."""
    if isinstance(value, dict):
        fields = (f"{_json_string(k)}:{canonical_json(value[k])}" for k in sorted(value))
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    if isinstance(value, Number):
        return str(value)
    return _json_string(value)


def decode(value: bytes, strategy: str) -> bytes:
    """Return the value decoded by ``decodingStrategy``, like Go.

    Raises:
        SealingError: it is not.
    """
    if strategy == "None":
        return value
    standard = value.translate(bytes.maketrans(b"-_", b"+/")) if strategy == "Base64URL" else value
    try:
        return go_base64.decode(standard)
    except ValueError:
        raise SealingError("value", f"the value is not {strategy}") from None


def inexact_number(value: Json) -> bool:
    """Whether a number is so large that a server may have rounded it."""
    if not isinstance(value, Number):
        return False
    return value.lstrip("-").isdecimal() and (len(value) > 20 or abs(int(value)) > EXACT_INTEGER)  # noqa: PLR2004


def _utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise SealingError("value", "the value holds a lone surrogate") from None


def _json_string(value: str | bool | None) -> str:
    return json.dumps(value, ensure_ascii=False)
