"""Limits of one build's input, counted before kustomize starts.

A parser needs memory for each node, and an alias stands for all the nodes of its anchor: 500 bytes
can stand for gigabytes. Counting reads events; it neither recurses nor keeps them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

# At most so many nodes come with each of these characters.
_NODES = {b":": 2, b"?": 2, b"-": 1, b",": 2, b"[": 2, b"{": 3}
_ALIAS = re.compile(rb"(?:^|[\s,\[{:?-])\*[^\s,\[\]{}*]")
_ANCHOR = re.compile(rb"(?:^|[\s,\[{:?-])&[^\s,\[\]{}&]")


# Each limit of a whole build: the error's id, what is too much, and what to do.
_TOO_MUCH = {
    "input_bytes": (
        "file",
        "the build reads more than {} bytes of files",
        "name fewer or smaller files",
    ),
    "named_bytes": (
        "file",
        "kustomize would read more than {} bytes of files",
        "name fewer or smaller files; each counts as often as it is named",
    ),
    "files": ("file", "the build needs more than {} files", ""),
    "depth": ("file", "kustomizations include each other {} deep or deeper", ""),
    "nodes": ("yaml", "the build reads more than {} YAML nodes", ""),
}


@dataclass(frozen=True)
class TreeLimits:
    """The limits of one build's input.

    Attributes:
        input_bytes: of all different files, which krmfn keeps and copies.
        named_bytes: of all files, each counted as often as it is named: kustomize reads it each time.
        files: different files.
        depth: of kustomizations that include each other.
        nodes: of YAML in one text, aliases multiplied, and in all of them.
        own_nodes: of YAML in one kustomization or configuration, which krmfn itself reads.
        add_input: judges the bytes instead of ``input_bytes``, by a policy.
    """

    input_bytes: int = 16 * 1024 * 1024
    named_bytes: int = 128 * 1024 * 1024
    files: int = 20_000
    depth: int = 100
    nodes: int = 2_000_000
    own_nodes: int = 200_000
    add_input: Callable[[int], None] | None = None

    def check(self, name: str, found: int) -> None:
        """Refuse more of something than its limit.

        Args:
            name: of the limit.

        Raises:
            SpecError: there is more.
            Failure: the policy's error, for bytes of input.
        """
        limit: int = getattr(self, name)
        if name == "input_bytes" and self.add_input is not None:
            self.add_input(found)
        elif found > limit:
            error, message, remedy = _TOO_MUCH[name]
            raise SpecError(error, message.format(limit), remedy=remedy)


def count_nodes(text: bytes, name: str, most: int) -> int:
    """The nodes of every document, aliases multiplied; for a text without aliases at least them.

    Args:
        most: the limit.

    Raises:
        SpecError: more nodes, an alias within its own anchor, or not YAML.
    """
    if _ALIAS.search(text) and _ANCHOR.search(text):
        return _exact(strict.decoded(text, name), name, most)
    rough = 1 + sum(text.count(one) * nodes for one, nodes in _NODES.items())
    if rough > most:
        raise SpecError("yaml", f"more than {most} YAML nodes", where=name)
    return rough


def _exact(text: str, name: str, most: int) -> int:
    sizes: dict[str, int] = {}  # nodes behind each anchor; an open one is not there yet
    opened: list[tuple[str, int]] = []  # anchor of each collection, and nodes before it
    total = 0
    with strict.events(text, name) as following:
        while (event := following()) is not None:
            if isinstance(event, yaml.CollectionEndEvent):
                anchor, before = opened.pop()
                sizes[anchor] = total - before
            elif isinstance(event, yaml.NodeEvent):
                total += _nodes(event, sizes, opened, total, name)
                if total > most or len(opened) > strict.SAFE_DEPTH:
                    what = f"more than {most} YAML nodes, aliases multiplied"
                    raise _wrong(name, event, what if total > most else "nested too deeply")
    return total


def _nodes(
    event: Any, sizes: dict[str, int], opened: list[tuple[str, int]], total: int, name: str
) -> int:
    """Return the number of nodes that one event adds; push collections on ``opened``."""
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in sizes:
            raise _wrong(name, event, "an alias contains itself, or has no anchor")
        return sizes[event.anchor]
    if event.anchor:
        sizes.pop(event.anchor, None)
    if isinstance(event, yaml.ScalarEvent):
        sizes[event.anchor or ""] = 1
    else:
        opened.append((event.anchor or "", total))
    return 1


def _wrong(name: str, event: Any, message: str) -> SpecError:
    mark = event.start_mark
    return SpecError("yaml", message, where=f"{name}:{mark.line + 1}:{mark.column + 1}")
