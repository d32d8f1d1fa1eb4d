"""Split lists in a stream into their resources, each with its own text. Pure.

Rules enforced here: a list is taken apart only where one of its objects has to be replaced; the text
of the others is moved to another margin, and is kept only where it means the same there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.objects.kinds import each, may_be_list
from krmfn.objects.stream import Item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import yaml

    from krmfn.objects.kinds import Object, Path


def taken_apart(items: Iterable[Item], wanted: Callable[[Object], bool]) -> Iterator[Item]:
    """Yield the items; replace each list that contains a wanted object by its objects, in order.

    Raises:
        SpecError: a list is no YAML as krmfn reads it.
    """
    for item in items:
        if not may_be_list(item.kind):
            yield item
            continue
        document = item.document
        objects = list(each(document.value()))
        if not any(wanted(value) for _, value in objects):
            yield item
            continue
        for path, value in objects:
            yield _item(item, document, path, value) if path else item


def _item(whole: Item, document: strict.Document, path: Path, value: Object) -> Item:
    """Return one object of a list as a separate item, at the list's position."""
    at = document.position(path)
    found = Item(
        _own_text(document, path, value),
        str(value.get("apiVersion") or ""),
        str(value.get("kind") or ""),
        whole.name,
        at.line - 1,
        in_list=False,
    )
    return (
        replace(found, raw=as_entry(found.raw, whole.raw), in_list=True) if whole.in_list else found
    )


def as_entry(raw: str, like: str) -> str:
    """A document as an entry of a list, as far in as another entry."""
    margin = " " * (len(like) - len(like.lstrip(" ")))
    first, *rest = raw.splitlines(keepends=True)
    lines = (f"{margin}  {line}" if line.strip() else line for line in rest)
    return f"{margin}- {first}{''.join(lines)}"


def _own_text(document: strict.Document, path: Path, value: Object) -> str:
    """The object's text at the left margin; as JSON where the text would mean something else."""
    node: Any = document.node
    for step in path:
        node = _child(node, step)
    start, end = node.start_mark, node.end_mark
    first, *rest = document.text[start.index : end.index].split("\n")
    margin = " " * start.column
    text = "\n".join([first, *(line.removeprefix(margin) for line in rest)]).rstrip() + "\n"
    try:
        (found,) = strict.documents(text, document.name)
        same = _leaves(found.node) == _leaves(node) and found.value() == value
    except (SpecError, ValueError):
        same = False
    return text if same else json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _child(node: yaml.Node, step: str | int) -> yaml.Node:
    found: yaml.Node
    if isinstance(step, int):
        found = node.value[step]
        return found
    found = next(value for key, value in node.value if key.value == step)
    return found


def _leaves(node: yaml.Node) -> list[tuple[str, str | None]]:
    """Text and style of each scalar, in order."""
    if isinstance(node.value, str):
        return [(node.value, getattr(node, "style", None))]
    below = (one for pair in node.value for one in (pair if isinstance(pair, tuple) else (pair,)))
    return [leaf for one in below for leaf in _leaves(one)]
