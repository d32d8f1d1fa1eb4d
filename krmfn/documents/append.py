"""Add entries to the lists of a YAML file without touching anything else. Pure.

Rules enforced here: comments, order, quotes and indentation stay to the byte; a list in flow style
gets its entry inside its brackets; nothing else is written anew, and the result is read again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# No parser takes this for anything but a string, whatever version of YAML it follows.
_PLAIN = re.compile(r"(?:[A-Za-z_/]|\.(?!inf\b|nan\b)[A-Za-z/.])[\w./-]*", re.IGNORECASE)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_BRACED = re.compile(r"[A-Za-z][\w./{}-]*")


def with_entries(text: str, added: Mapping[str, Sequence[str]], name: str) -> str:
    """Append entries to top-level lists of ``text``; create missing lists.

    Args:
        added: field to plain strings; those that the list already has are left out.
        name: the file's name, for errors.

    Raises:
        SpecError: ``in-place``, a field is no list, or is shared by an alias.
    """
    for field, entries in added.items():
        text = with_items(text, (field,), entries, name)
    return text


def with_items(text: str, path: Sequence[str | int], items: Sequence[Any], name: str) -> str:
    """Append items to the list at ``path``; create it, and mappings above it, if they are missing.

    Of several documents the first is edited.

    Args:
        items: strings, or mappings; those that the list already has are left out.

    Raises:
        SpecError: as `with_entries`.
    """
    document = _first(text, name)
    wanted = document.value()
    found = _reached(wanted, path)
    if not isinstance(found, list | None):
        raise _refused(document, path, "is not a list")
    new = [one for one in items if one not in (found or ())]
    if not new:
        return text
    _put(wanted, path, [*(found or []), *new])
    return _spliced(document, text, path, new, wanted)


def with_field(text: str, path: Sequence[str | int], value: str, name: str) -> str:
    """Set a field that is missing; create mappings above it. One that is there stays.

    Raises:
        SpecError: as `with_entries`.
    """
    document = _first(text, name)
    wanted = document.value()
    if _reached(wanted, path) is not None:
        return text
    _put(wanted, path, value)
    return _spliced(document, text, path, value, wanted)


def _first(text: str, name: str) -> strict.Document:
    """Return the first document of a file, which alone is edited."""
    return next(iter(strict.documents(text, name)), None) or strict.document(text, name)


def _spliced(
    document: strict.Document, text: str, path: Sequence[str | int], new: Any, wanted: Any
) -> str:
    mark = text[: len(text) - len(document.text)]
    result = mark + _Splice(document, path, new).text()
    rest = [one.value() for one in strict.documents(text, document.name)][1:]
    try:
        if [one.value() for one in strict.documents(result, document.name)] == [wanted, *rest]:
            return result
    except SpecError:
        pass
    raise _refused(document, path, "is written in a style that cannot be kept")


def scalar(text: str, *, flow: bool = True) -> str:
    """Return a string as YAML, quoted where a parser could take it for something else.

    Args:
        flow: whether it is inside brackets or braces.
    """
    plain = _PLAIN if flow else _BRACED
    if (_PLAIN.fullmatch(text) or plain.fullmatch(text)) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: Any) -> str:
    """Return a value in flow style, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value) if isinstance(value, str) else json.dumps(value)


def block(value: Any, margin: str) -> str:
    """Return one entry of a list in block style, its fields as `fields` has them."""
    if not isinstance(value, dict):
        return f"{margin}- {flow(value)}\n"
    return f"{margin}- " + fields(value, f"{margin}  ").removeprefix(f"{margin}  ")


def fields(value: Mapping[str, Any], margin: str) -> str:
    """Return a mapping in block style: a field per line, in flow style but for lists and PEM texts."""
    text = ""
    for key, one in value.items():
        if isinstance(one, list) and one and isinstance(one[0], dict):
            text += f"{margin}{scalar(key)}:\n" + "".join(block(each, margin) for each in one)
        elif isinstance(one, str) and "\n" in one:
            text += f"{margin}{scalar(key)}: |\n"
            text += "".join(f"{margin}  {line}\n" for line in one.splitlines())
        elif isinstance(one, dict) and any("\n" in str(each) for each in one.values()):
            text += f"{margin}{scalar(key)}:\n" + fields(one, f"{margin}  ")
        else:
            text += f"{margin}{scalar(key)}: {flow(one)}\n"
    return text


class _Splice:
    """One insertion into a document's text."""

    def __init__(
        self, document: strict.Document, path: Sequence[str | int], new: Sequence[Any] | str
    ) -> None:
        self._document = document
        self._path = path
        self._new = new
        # An ending of its own for what is inserted into a file from Windows.
        self._crlf = "\r\n" in document.text

    def text(self) -> str:
        """The whole text with the new items."""
        document, node, missing = self._document, self._document.node, list(self._path)
        seen = _shared(node)
        while missing:
            below = _child(node, missing[0])
            if below is None:
                return self._with_field(node, missing)
            key, node = below
            if id(node) in seen:
                raise _refused(document, self._path, "is shared by an alias")
            missing.pop(0)
            if isinstance(node, yaml.ScalarNode):  # null, in any spelling
                return self._filled(key, node, missing)
        if not isinstance(node, yaml.SequenceNode):
            raise _refused(document, self._path, "is not a list")
        return self._in_flow(node) if node.flow_style or not node.value else self._in_block(node)

    def _in_flow(self, node: yaml.SequenceNode) -> str:
        quoted = any(getattr(one, "style", None) == '"' for one in node.value)
        new = [json.dumps(one) if quoted else flow(one) for one in self._new]
        if node.value:
            at = node.value[-1].end_mark.index
            return self._inserted(at, ", " + ", ".join(new))
        return self._inserted(node.end_mark.index - 1, ", ".join(new))

    def _in_block(self, node: yaml.SequenceNode) -> str:
        text = _ending(self._document.text)
        lines = text.splitlines(keepends=True)
        at = _behind(lines, node)
        margin = " " * node.start_mark.column
        entries = "".join(self._line(block(one, margin)) for one in self._new)
        return "".join([*lines[:at], entries, *lines[at:]])

    def _with_field(self, node: yaml.Node, missing: list[str | int]) -> str:
        """Add the missing fields at the end of a mapping."""
        text = self._document.text
        if not isinstance(node, yaml.MappingNode) or not all(isinstance(m, str) for m in missing):
            raise _refused(self._document, self._path, "is not in a mapping")
        if node.flow_style:
            quoted = bool(node.value) and node.value[0][0].style == '"'
            field = self._fields(missing, quoted=quoted)[1:-1]
            if node.value:
                return self._inserted(node.value[-1][1].end_mark.index, f", {field}")
            return self._inserted(node.end_mark.index - 1, field)
        margin = " " * (node.value[0][0].start_mark.column if node.value else 0)
        lines = _ending(text).splitlines(keepends=True)
        # At the end of the file, behind comments; inside of a mapping, before what follows it.
        whole = not margin and node.end_mark.index >= len(text.rstrip())
        at = len(lines) if whole else _behind(lines, node)
        entry = "".join(f"{margin}{'  ' * n}{step}:\n" for n, step in enumerate(missing))
        deeper = margin + "  " * (len(missing) - 1)
        if isinstance(self._new, str) or [type(one) for one in self._new] == [str]:
            entry = f"{entry[:-1]} {flow(self._new)}\n"
        else:
            entry += "".join(block(one, deeper) for one in self._new)
        return "".join([*lines[:at], self._line(entry), *lines[at:]])

    def _filled(self, key: yaml.Node, node: yaml.ScalarNode, missing: list[str | int]) -> str:
        """Put a list in the place of an empty value."""
        value = self._fields(missing, quoted=getattr(key, "style", None) == '"')
        start, stop = node.start_mark.index, node.end_mark.index
        text = self._document.text
        space = "" if text[start - 1 : start].isspace() else " "
        return text[:start] + space + value + text[stop:]

    def _fields(self, missing: list[str | int], *, quoted: bool) -> str:
        value: Any = self._new
        for step in reversed(missing):
            value = {step: value}
        return json.dumps(value) if quoted else flow(value)

    def _inserted(self, at: int, new: str) -> str:
        return self._document.text[:at] + new + self._document.text[at:]

    def _line(self, text: str) -> str:
        return text.replace("\n", "\r\n") if self._crlf else text


def _behind(lines: Sequence[str], node: yaml.SequenceNode | yaml.MappingNode) -> int:
    """The line behind a collection's last entry.

    A collection's end mark is where the next node begins, after blank lines and comments; a
    scalar's is at its own end, and text like a comment in a block scalar is not a comment.
    """
    last = node.value[-1]
    last = last[1] if isinstance(last, tuple) else last
    least = last.start_mark.line + 1
    if isinstance(last, yaml.ScalarNode) or last.flow_style:
        least = max(least, last.end_mark.line + bool(last.end_mark.column))
    at = min(node.end_mark.line + bool(node.end_mark.column), len(lines))
    while at > least and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#")):
        at -= 1
    return int(max(at, least))


def _ending(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((k, v) for k, v in node.value if k.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _reached(value: Any, path: Sequence[str | int]) -> Any:
    """Return the value at ``path``: None if a step is missing or null, text if it leads nowhere."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None if value is None else ""
    return value


def _put(value: Any, path: Sequence[str | int], new: Any) -> None:
    *above, last = path
    for step in above:
        if isinstance(value, dict) and value.get(step) is None:
            value[step] = {}
        value = value[step]
    value[last] = new


def _shared(root: yaml.Node) -> set[int]:
    """Return the nodes that aliases put in several places, and what is inside of them."""
    seen: set[int] = set()
    shared: set[int] = set()
    waiting = [(root, False)]
    while waiting:
        node, inside = waiting.pop()
        if inside or id(node) in seen:
            if id(node) in shared:
                continue
            shared.add(id(node))
            inside = True
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            waiting += [(one, inside) for pair in node.value for one in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(one, inside) for one in node.value]
    return shared


def _refused(document: strict.Document, path: Sequence[str | int], why: str) -> SpecError:
    at = document.position(path)
    return SpecError(
        "in-place",
        f"{path[-1]}: {why}, so nothing can be added to it",
        where=f"{document.name}:{at.line}",
        remedy="write one entry to a line",
    )
