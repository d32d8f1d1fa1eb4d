"""The patterns of a platform's rules: exact text, with two wild cards and nothing else.

Rules enforced here: a text is compared segment by segment, split at slashes. ``*`` stands for any
characters within one segment, and alone for a segment that is not empty; ``**`` is the last segment
alone, and stands for one or more segments, whatever they are. Everything else stands for itself,
case included. An empty text matches nothing. No pattern takes more than linear time.
"""

from __future__ import annotations

REST = "**"


def problem(pattern: str) -> str:
    """Return the problem with a pattern; empty if there is none."""
    segments = pattern.split("/")
    if not pattern or not pattern.isprintable():
        return "is empty or holds characters that do not print"
    if REST in segments[:-1] or any(REST in s and s != REST for s in segments):
        return "has ** elsewhere than as its whole last segment"
    return "has a segment . or .." if {".", ".."} & set(segments) else ""


def matches(pattern: str, text: str) -> bool:
    """Whether ``text`` matches ``pattern``."""
    if not text:
        return False
    wanted, found = pattern.split("/"), text.split("/")
    if wanted[-1] == REST:
        wanted.pop()
        if len(found) <= len(wanted):
            return False
        found = found[: len(wanted)]
    return len(wanted) == len(found) and all(map(_segment, wanted, found))


def matches_any(patterns: tuple[str, ...], text: str) -> bool:
    """Whether the text matches one of the patterns."""
    return any(matches(pattern, text) for pattern in patterns)


def _segment(pattern: str, text: str) -> bool:
    """One segment; each piece between stars is taken where it is found first."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if pattern == "*":
        return text != ""
    middle, last = filter(None, rest[:-1]), rest[-1]
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    text = text[len(first) : len(text) - len(last)]
    for piece in middle:
        _, found, text = text.partition(piece)
        if not found:
            return False
    return True
