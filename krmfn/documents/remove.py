"""Remove entries from the lists of a YAML file without touching anything else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.documents import strict
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def without_entries(text: str, removed: Mapping[str, Collection[str]], name: str) -> str:
    """Remove entries from top-level lists in block style; a list that becomes empty goes with its key.

    Args:
        removed: field to the entries that go, each on a line of its own.
        name: the file's name, for errors.

    Raises:
        SpecError: ``in-place``, an entry is written in another style.
    """
    document = strict.document(text, name)
    wanted = document.value()
    gone: set[int] = set()
    for key, node in document.node.value:
        entries = removed.get(key.value, ())
        if not entries:
            continue
        kept = [one for one in wanted[key.value] if one not in entries]
        gone |= {one.start_mark.line for one in node.value if one.value in entries}
        wanted[key.value] = kept
        if not kept:
            gone.add(key.start_mark.line)
            del wanted[key.value]
    lines = text.splitlines(keepends=True)
    result = "".join(line for number, line in enumerate(lines) if number not in gone)
    try:
        if strict.load(result, name) == wanted:
            return result
    except SpecError:
        pass
    raise SpecError(
        "in-place",
        f"entries of {', '.join(removed)} cannot be removed in place",
        where=name,
        remedy="write one entry to a line",
    )
