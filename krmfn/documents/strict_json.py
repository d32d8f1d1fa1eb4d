"""JSON as RFC 8259 has it. Pure.

Rules enforced here: ``NaN`` and ``Infinity`` are no JSON, and a field that stands twice in an object
is refused: Python takes both.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


def loads(text: str | bytes, number: Callable[[str], Any] | None = None) -> Any:
    """Return the value of a JSON text.

    Args:
        number: makes the value of a number from its text, where the text must not be lost.

    Raises:
        ValueError: not JSON in UTF-8, or nested too deeply. Its text quotes nothing.
    """
    try:
        return json.loads(
            text,
            parse_int=number,
            parse_float=number,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError):
        raise ValueError("not JSON as RFC 8259 has it") from None


def _constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field stands twice")
    return found
