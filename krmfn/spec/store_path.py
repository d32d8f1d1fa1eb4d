"""The canonical form of a path inside a store, used by policy, source and request.

Rules enforced here: segments joined by single slashes, none of them empty, ``.`` or ``..``, no
slash at either end; no percent sign, question mark, hash, backslash or control character; nothing
that is not UTF-8. A path is refused, never repaired: two spellings of one secret would be two
sources.
"""

from __future__ import annotations

import unicodedata

from krmfn.errors import SpecError

_REFUSED = frozenset("%?#\\")
_CATEGORIES = {"Cc": "a control character", "Cs": "a lone surrogate"}


def canonical_path(text: str, *, key: str) -> str:
    """Return ``text`` if it is a canonical path; refuse any other text.

    Args:
        text: the path as written, such as ``logto/production/backup``.
        key: the field that holds it, for errors.

    Raises:
        SpecError: ``path``, it is not; the message says why and does not quote it.
    """
    if problem := _problem(text):
        raise SpecError(
            "path",
            f"the path {problem}",
            key=key,
            expected="segments joined by single slashes, like logto/production/backup",
        )
    return text


def _problem(text: str) -> str:
    """Return the problem with ``text``; empty if there is none."""
    for character in text:
        if character in _REFUSED:
            return f"contains {character}"
        if kind := _CATEGORIES.get(unicodedata.category(character)):
            return f"contains {kind}"
    if text.startswith("/") or text.endswith("/"):
        return "begins or ends with a slash"
    segments = text.split("/")
    if "" in segments:
        return "is empty or has an empty segment"
    return "has a segment . or .." if {".", ".."} & set(segments) else ""
