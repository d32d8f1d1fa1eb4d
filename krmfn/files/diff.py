"""A file's change as a unified diff, for people and for `git apply`. Pure.

Rules enforced here: no value beside the change is shown. Of a file that may hold a Secret
in clear, only the lines that change are printed, which `git apply --unidiff-zero` takes, below the
key that they stand under; and of those a line that may hold the Secret too is not.
"""

from __future__ import annotations

import difflib
import re

_IN_CLEAR = re.compile(
    r"""\bSecret\b|secretGenerator|stringData|\bpatch["']?:|patchesStrategicMerge"""
)
_CONTEXT = 3
_HUNK = re.compile(r"@@ -(\d+)")
_KEY = re.compile(r"\s*([\w.-]+:)\s*")


def unified(before: str, after: str, old: str, new: str) -> str:
    """The lines between two texts of a file; nothing where they are the same.

    Args:
        old: what the file is called before the change.
        new: what it is called after it.
    """
    lines = _lines(before)
    if _IN_CLEAR.search(before):
        found = difflib.unified_diff(lines, _lines(after), old, new, n=0)
        shown = [line if n < 2 else _careful(line, lines) for n, line in enumerate(found)]  # noqa: PLR2004
    else:
        shown = list(difflib.unified_diff(lines, _lines(after), old, new, n=_CONTEXT))
    ending = "\n\\ No newline at end of file\n"
    return "".join(line if line.endswith("\n") else line + ending for line in shown)


def _careful(line: str, before: list[str]) -> str:
    """Return a hunk's head with its enclosing key, or a changed line without a Secret."""
    if hunk := _HUNK.match(line):
        above = (_KEY.fullmatch(one) for one in reversed(before[: int(hunk[1])]))
        key = next((found[1] for found in above if found), "")
        return f"{line.rstrip()} {key}".rstrip() + "\n"
    if _IN_CLEAR.search(line):
        return f"{line[0]}(not shown: this line may contain a Secret in plaintext)\n"
    return line


def _lines(text: str) -> list[str]:
    """Split text into lines with their newlines; no other character ends a line."""
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([last] if last else [])]
