"""Changing single values of a YAML file as a careful person would: there, and nowhere else. Pure.

Rules enforced here: a value is found by its node and replaced in the text, so that comments, order,
quoting and line ends stay; it keeps its own quotes. What has an anchor, an alias or a tag is not
changed: the change would reach further than it looks. The result is read again, and is given out
only if exactly the wanted values have changed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Path: TypeAlias = tuple[str | int, ...]
Value: TypeAlias = str | int | dict[str, str | int]  # a mapping replaces a text, in braces
# Nobody's parser takes this for anything but a string, whatever version of YAML it follows.
_PLAIN = re.compile(r"(?!0[box])(?=.*[a-df-z])[a-z0-9][a-z0-9.-]*", re.IGNORECASE)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_HAND = "change it by hand"
_QUOTED = '"'
_LITERAL = re.compile(r"\|[-+]?[ \t]*(#[^\n]*)?\r?\n")


@dataclass(frozen=True)
class Edit:
    """One new value.

    Attributes:
        document: its number in the file, from 0; empty documents do not count.
        path: of the value. Its last step may be missing, where its parent is a mapping.
        deep: whether other steps before the last may be missing, too, or lead to an empty value;
            they become mappings.
    """

    document: int
    path: Path
    value: Value
    deep: bool = False


def edit(text: str, name: str, changes: Sequence[Edit]) -> str:
    """``text`` with other values, and not a byte else changed.

    Args:
        name: the file's, for errors.

    Raises:
        SpecError: not YAML; or ``in-place``, with a position, a value that cannot be replaced.
    """
    documents = list(strict.documents(text, name))
    splices = [_splice(documents[change.document], change) for change in changes]
    # A byte order mark is not part of what was read.
    mark = text[: len(text) - len(strict.decoded(text, name))]
    result = text.removeprefix(mark)
    for start, stop, new in sorted(splices, reverse=True):
        result = result[:start] + new + result[stop:]
    wanted = [document.value() for document in documents]
    for change in changes:
        _put(wanted[change.document], change.path, change.value)
    try:
        found = _comparable([d.value() for d in strict.documents(result, name)])
    except SpecError:
        found = ""
    if found != _comparable(wanted):
        raise SpecError(
            "in-place", "it is written in a way that cannot be kept", where=name, remedy=_HAND
        )
    return mark + result


def _splice(document: strict.Document, change: Edit) -> tuple[int, int, str]:
    """Return the range of the text to replace, and the new text."""
    shared = _shared(document.node)
    node: yaml.Node = document.node
    key: yaml.Node | None = None
    for number, step in enumerate(change.path):
        found = _child(node, step)
        missing = change.path[number:]
        if found is None and (len(missing) == 1 or change.deep) and isinstance(step, str):
            if change.deep and _is_empty(node):
                return _filling(document, node, missing, change)
            return _insertion(document, node, key, missing, change)
        if found is None:
            raise _refused(document, change.path, "there is no value")
        key, node = found
        if id(node) in shared:
            raise _refused(document, change.path, "an alias leads to it or away from it")
    start, stop = node.start_mark.index, node.end_mark.index
    if not isinstance(node, yaml.ScalarNode):
        raise _refused(document, change.path, "it is not a single value")
    if document.text[start : start + 1] in ("&", "!"):
        raise _refused(document, change.path, "it has an anchor or a tag")
    if node.style == "|" and "\n" in str(change.value):
        return _literal(document, start, stop, change)
    if node.style in ("|", ">") or (node.style != _QUOTED and "\n" in str(change.value)):
        raise _refused(document, change.path, "it is written in a style that cannot be kept")
    return start, stop, _scalar(change.value, node.style)


def _scalar(value: Value, style: str | None) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_scalar(one, style)}" for k, one in value.items()) + "}"
    if isinstance(value, int):
        return str(value)
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if not style and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _literal(
    document: strict.Document, start: int, stop: int, change: Edit
) -> tuple[int, int, str]:
    """The lines of a literal block, as far in as they were."""
    header = _LITERAL.match(document.text, start)
    inside = document.text[header.end() : stop] if header else ""
    margin = inside[: len(inside) - len(inside.lstrip(" "))]
    body = inside.rstrip()
    if not header or not margin or not body:
        raise _refused(document, change.path, "it is written in a style that cannot be kept")
    ending = "\r\n" if header[0].endswith("\r\n") else "\n"
    new = ending.join(margin + line for line in str(change.value).strip().split("\n"))
    return header.end(), header.end() + len(body), new


def _insertion(
    document: strict.Document,
    node: yaml.Node,
    key: yaml.Node | None,
    missing: Path,
    change: Edit,
) -> tuple[int, int, str]:
    """A new first entry of a mapping, with mappings inside for all steps but the last."""
    text = document.text
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise _refused(document, change.path, "there is no mapping to put it into")
    first = node.value[0][0]
    if node.flow_style:
        brace = text.index("{", node.start_mark.index, first.start_mark.index)
        space = text[brace + 1 : first.start_mark.index]
        if space.strip():
            raise _refused(document, change.path, "a comment precedes its first entry")
        entry = f"{_flow(missing, change, quoted=first.style == _QUOTED)},{space or ' '}"
        return first.start_mark.index, first.start_mark.index, entry
    after = key or node.value[0][1]  # an item of a list begins beside its dash
    line = text.find("\n", after.end_mark.index) + 1
    if (key and first.start_mark.line == key.end_mark.line) or not line:
        raise _refused(document, change.path, "it does not begin on its own line")
    if key is None and not isinstance(after, yaml.ScalarNode):
        raise _refused(document, change.path, "its first entry is not a single value")
    ending = "\r\n" if text[:line].endswith("\r\n") else "\n"
    margin, entry = " " * first.start_mark.column, ""
    for step in missing[:-1]:
        entry += f"{margin}{step}:{ending}"
        margin += "  "
    entry += f"{margin}{missing[-1]}: {_scalar(change.value, _QUOTED)}{ending}"
    return line, line, entry


def _filling(
    document: strict.Document, node: yaml.Node, missing: Path, change: Edit
) -> tuple[int, int, str]:
    """Return a mapping in place of an empty one or of null."""
    start, stop = node.start_mark.index, node.end_mark.index
    inside = document.text[start:stop].strip("{}").strip()
    if isinstance(node, yaml.MappingNode) and inside:
        raise _refused(document, change.path, "there is no mapping to put it into")
    quoted = document.text[:start].rstrip(" :").endswith(_QUOTED)
    space = "" if document.text[start - 1 : start].isspace() else " "
    return start, stop, f"{space}{{{_flow(missing, change, quoted=quoted)}}}"


def _flow(missing: Path, change: Edit, *, quoted: bool) -> str:
    """An entry of a mapping in braces."""
    *above, last = [json.dumps(step) if quoted else str(step) for step in missing]
    entry = f"{last}: {_scalar(change.value, _QUOTED)}"
    for step in reversed(above):
        entry = f"{step}: {{{entry}}}"
    return entry


def _is_empty(node: yaml.Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return not node.style and strict.plain(node.value) is None
    return isinstance(node, yaml.MappingNode) and not node.value


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    """Return the key and value nodes one step down."""
    if isinstance(node, yaml.MappingNode):
        return next(((k, v) for k, v in node.value if k.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None


def _shared(root: yaml.Node) -> set[int]:
    """Return the nodes that aliases put in several places."""
    seen: set[int] = set()
    shared: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            shared.add(id(node))
            continue
        seen.add(id(node))
        waiting.extend(_below(node))
    return shared


def _below(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _put(value: Any, path: Path, new: Value) -> None:
    *above, last = path
    for step in above:
        if isinstance(value, dict) and value.get(str(step)) is None:
            value[step] = {}
        value = value[step]
    value[last] = new


def _comparable(value: Any) -> str:
    """Return text that distinguishes numbers from strings, and ignores final newlines of a block."""
    return json.dumps(_stripped(value), sort_keys=True)


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_stripped(each) for each in value]
    return value.rstrip("\n") if isinstance(value, str) else value


def _refused(document: strict.Document, path: Path, why: str) -> SpecError:
    at = document.position(path)
    return SpecError(
        "in-place",
        f"{why}, so it cannot be changed in place",
        where=f"{document.name}:{at.line}:{at.column}",
        key=str(path[-1]),
        remedy=_HAND,
    )
