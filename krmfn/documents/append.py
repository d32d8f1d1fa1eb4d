"""Adding entries to the lists of a YAML file without touching anything else. Pure.

Rules enforced here: comments, order, quotes and indentation stay to the byte; a list that is not
written in block style is refused rather than written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def with_entries(text: str, added: Mapping[str, Sequence[str]], name: str) -> str:
    """Append entries to top-level lists of ``text``; create missing lists.

    Args:
        added: field to plain strings; those that the list has already are left out.
        name: the file's name, for errors.

    Raises:
        SpecError: a list is written in a way that nothing can be added to.
    """
    for field, entries in added.items():
        text = _with(text, field, entries, name)
    return text


def _with(text: str, field: str, entries: Sequence[str], name: str) -> str:
    (document,) = strict.documents(text, name)
    pairs = document.node.value if isinstance(document.node, yaml.MappingNode) else []
    node = next((value for key, value in pairs if key.value == field), None)
    if node is None:
        return _ending(text) + f"{field}:\n" + "".join(f"- {entry}\n" for entry in entries)
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        raise SpecError(
            "in-place",
            f"{field}: is not a list in block style",
            where=f"{name}:{node.start_mark.line + 1}",
            remedy=f"write one entry to a line, or add {', '.join(entries)} by hand",
        )
    known = {item.value for item in node.value if isinstance(item, yaml.ScalarNode)}
    new = [entry for entry in entries if entry not in known]
    lines = _ending(text).splitlines(keepends=True)
    margin = " " * node.start_mark.column
    at = _behind(lines, node)
    return "".join([*lines[:at], *(f"{margin}- {entry}\n" for entry in new), *lines[at:]])


def _behind(lines: Sequence[str], node: yaml.SequenceNode) -> int:
    """The line behind a list's last entry.

    A collection's end mark is where the next node begins, after blank lines and comments; a
    scalar's is at its own end, and text like a comment in a block scalar is not a comment.
    """
    last = node.value[-1]
    least = last.start_mark.line + 1
    if isinstance(last, yaml.ScalarNode):
        least = max(least, last.end_mark.line + bool(last.end_mark.column))
    at = min(node.end_mark.line + bool(node.end_mark.column), len(lines))
    while at > least and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#")):
        at -= 1
    return int(max(at, least))


def _ending(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
