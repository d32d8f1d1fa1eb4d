"""Strict JSON according to RFC 8259. Pure.

Rules enforced here: ``NaN`` and ``Infinity`` are not JSON, and a repeated field in an object
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
            text.decode() if isinstance(text, bytes) else text,
            parse_int=number,
            parse_float=number,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except _Refused as refused:
        reason = str(refused)
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except ValueError:
        reason = ""
    except RecursionError:
        reason = "it is nested too deeply"
    raise ValueError("not JSON as RFC 8259 has it" + (f": {reason}" if reason else ""))


class _Refused(ValueError):
    """Input that Python's parser accepts and RFC 8259 does not."""


def _constant(_: str) -> NoReturn:
    raise _Refused("NaN and Infinity are not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("a field is repeated")
    return found
