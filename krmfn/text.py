"""Words for people: counted things, and names that come from elsewhere. Pure."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def printable(text: str) -> str:
    """``text`` on one line, each character that does not print as a question mark.

    A name is anybody's: it must neither write a line of its own nor paint the terminal.
    """
    return "".join(char if char.isprintable() else "?" for char in text)
