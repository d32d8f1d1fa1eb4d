"""Text for people: counted nouns, and printable foreign names. Pure."""

from __future__ import annotations

import re


def counted(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def natural(text: str) -> list[tuple[int, str]]:
    """Return a sort key that orders ``db2`` before ``db10``: digits by value, else by character."""
    parts = re.split(r"([0-9]{1,18})", text)
    return [(int(part) if i % 2 else 0, part) for i, part in enumerate(parts)]


def printable(text: str, keep: str = "") -> str:
    """Return ``text`` on one line, with a question mark for each unprintable character.

    A name is untrusted: it must neither write its own line nor colour the terminal.

    Args:
        keep: characters that are left alone.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else "?" for char in text)


def printable_lines(text: str) -> str:
    """Apply `printable` to each line of ``text``, and keep tabs."""
    return "\n".join(printable(line, keep="\t") for line in text.split("\n"))
