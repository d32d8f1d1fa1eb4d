"""The only type for plaintext.

Rules enforced here: no useful ``repr``, ``str`` or ``format`` (not even the length, which is a
fact about a password), no pickle, no copy, no JSON, no hash; equality in constant time; one way
out, ``reveal()``, so that ``grep 'reveal()'`` lists every place that sees a value.
"""

from __future__ import annotations

import hmac
from typing import NoReturn


class Plaintext:
    """Secret bytes that are never printed."""

    __slots__ = ("_value",)

    __hash__ = None  # type: ignore[assignment]  # a hash of a value is a fact about it

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def __repr__(self) -> str:
        return "<Plaintext>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<Plaintext>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plaintext):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Plaintext is neither copied nor pickled")
