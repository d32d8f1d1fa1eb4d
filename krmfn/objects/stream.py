"""Read and write kustomize's format: ``kind: ResourceList`` (KRM functions specification v1).

Rules enforced here: an item keeps its own text, to the byte, and what krmfn did not make is never
loaded and dumped; what krmfn makes is written as JSON, which every YAML reader takes the same way.
One pass over the events finds where each item stands; nodes are made of an item only when it is
looked into, so that a list of 20 MB takes little more memory than its text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Next = Callable[[], Any]  # the next event; its marks are of PyYAML's or of libyaml's class

KIND = "ResourceList"
API_VERSIONS = ("config.kubernetes.io/v1", "config.kubernetes.io/v1beta1")
_BLANK_LINE = re.compile(r"[ \t]*\r?\n")


@dataclass(frozen=True)
class Item:
    """One resource, with the parts that krmfn reads.

    Attributes:
        raw: its own text, with what it takes to stand in the list or stream it came in.
        name: what to call its file in an error.
        line: the number of lines of the file before it.
        in_list: whether ``raw`` is an entry of a list, else a document.
    """

    raw: str
    api_version: str
    kind: str
    name: str
    line: int
    in_list: bool

    @property
    def document(self) -> strict.Document:
        """Parse the item's nodes on each call, so that long lists do not keep them in memory.

        Raises:
            SpecError: nested too deeply, or an alias for something outside of it.
        """
        (found,) = strict.documents(self.raw, self.name, self.line)
        if self.in_list:
            found.node = found.node.value[0]
        return found

    def header(self) -> dict[str, Any]:
        """Its ``apiVersion``, ``kind`` and ``metadata`` as values; other fields are not read."""
        found = self.document
        if not isinstance(found.node, yaml.MappingNode):
            return {}
        wanted = ("apiVersion", "kind", "metadata")
        found.node.value = [pair for pair in found.node.value if pair[0].value in wanted]
        value: dict[str, Any] = found.value()
        return value


@dataclass(frozen=True)
class ResourceList:
    """The input of a function.

    Attributes:
        indent: the indentation of the items' dashes.
    """

    config: Any
    items: tuple[Item, ...]
    indent: int = 0


@dataclass(frozen=True)
class _Node:
    """Facts from one pass over an item's events: its position, and two of its fields."""

    start: Any
    end: Any
    api_version: str
    kind: str


def read(text: str | bytes, name: str = "<stdin>") -> ResourceList:
    """A ResourceList from standard input.

    Raises:
        SpecError: not one ResourceList with a functionConfig.
    """
    text = strict.decoded(text, name)
    config: strict.Document | None = None
    items: list[Item] = []
    indent, kind = 0, ""
    with strict.events(text, name) as following:
        for _ in range(2):  # of the stream and of the document
            following()
        if not isinstance(whole := following(), yaml.MappingStartEvent):
            raise _not_a_list(name)
        for key, value in _fields(following, name):
            if key.value == "items" and isinstance(value, yaml.SequenceStartEvent):
                indent, items = _items(following, value, text, name)
                continue
            end = _end(following, value, name, {})
            if key.value == "kind":
                kind = getattr(value, "value", "")
            elif key.value == "functionConfig":
                config = _field(text, key.start_mark, end, name, flow=bool(whole.flow_style))
        following()
        several = isinstance(following(), yaml.DocumentStartEvent)
    if kind != KIND or several:
        raise _not_a_list(name)
    if config is None:
        raise SpecError(
            "input",
            "the ResourceList has no functionConfig",
            remedy="list the configuration under generators: or validators:",
        )
    return ResourceList(config.value(), tuple(items), indent)


def stream(text: str | bytes, name: str = "<stdin>") -> tuple[Item, ...]:
    """The resources of a plain multi-document stream, as legacy plugins are given.

    Raises:
        SpecError: not YAML.
    """
    text = strict.decoded(text, name)
    items = []
    with strict.events(text, name) as following:
        following()
        after = 0  # where the document before has ended
        while isinstance(opening := following(), yaml.DocumentStartEvent):
            first = following()
            # "---" alone is an empty plain scalar.
            empty = isinstance(first, yaml.ScalarEvent) and not first.value and not first.style
            node = _node(following, first, name)
            start = _index(opening.end_mark) if opening.explicit else after
            if blank := _BLANK_LINE.match(text, start):
                start = blank.end()
            closing = following()
            after = closing.end_mark.index
            if not empty:
                raw = _ended(text[start : closing.start_mark.index], name)
                line = _line(text, start, node)
                items.append(Item(raw, node.api_version, node.kind, name, line, in_list=False))
    return tuple(items)


def _items(following: Next, opening: Any, text: str, name: str) -> tuple[int, list[Item]]:
    """The column of the dashes, and the items up to the end of the sequence."""
    nodes = []
    while not isinstance(first := following(), yaml.SequenceEndEvent):
        nodes.append(_node(following, first, name))
    if opening.flow_style:
        # Indentation does not count between brackets: an entry of a block list may hold them.
        raws = [f"- {text[node.start.index : node.end.index]}\n" for node in nodes]
        starts = [node.start.index for node in nodes]
        indent = 0
    else:
        begin = _line_start(text, opening.end_mark.index)
        indent = len(text[begin : opening.end_mark.index].partition("-")[0])
        starts = [_dash(text, node.start, indent, name) for node in nodes]
        end = _index(first.start_mark)
        stops = [*starts[1:], end if end >= len(text) else _line_start(text, end)]
        if any(start >= stop for start, stop in zip(starts, stops, strict=True)):
            raise _wrong(name, opening.start_mark, "two items are on one line")
        raws = [_checked(_ended(text[a:b], name), name) for a, b in zip(starts, stops, strict=True)]
    return indent, [
        Item(raw, node.api_version, node.kind, name, _line(text, start, node), in_list=True)
        for raw, start, node in zip(raws, starts, nodes, strict=True)
    ]


def _node(following: Next, first: Any, name: str) -> _Node:
    """Read an item up to its end.

    Raises:
        SpecError: as `_end`.
    """
    wanted = {"apiVersion": "", "kind": ""}
    if not isinstance(first, yaml.MappingStartEvent):
        return _Node(first.start_mark, _end(following, first, name, {}), "", "")
    anchors = {first.anchor: ""}
    while not isinstance(key := following(), yaml.MappingEndEvent):
        _end(following, key, name, anchors)
        value = following()
        _end(following, value, name, anchors)
        if getattr(key, "value", None) in wanted:
            alias = isinstance(value, yaml.AliasEvent)
            wanted[key.value] = anchors[value.anchor] if alias else getattr(value, "value", "")
    return _Node(first.start_mark, key.end_mark, wanted["apiVersion"], wanted["kind"])


def _end(following: Next, event: Any, name: str, anchors: dict[str | None, str]) -> Any:
    """Read to the end of the node that begins with ``event``, and return the end.

    Args:
        anchors: those of its item so far with the texts behind them, to which it adds its own.

    Raises:
        SpecError: nested too deeply, or an alias for something outside of its item.
    """
    depth = 0
    while True:
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _wrong(name, event.start_mark, "an alias leads out of its item")
        else:
            if event.anchor:
                anchors[event.anchor] = getattr(event, "value", "")
            depth += isinstance(event, yaml.CollectionStartEvent)
            if depth > strict.SAFE_DEPTH:
                raise _wrong(name, event.start_mark, "nested too deeply")
        if not depth:
            return event.end_mark
        event = following()


def _fields(following: Next, name: str) -> Iterator[tuple[yaml.ScalarEvent, Any]]:
    """Yield each key of the list with the first event of its value; the caller reads the rest."""
    seen: set[str] = set()
    while not isinstance(key := following(), yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent):
            raise _wrong(name, key.start_mark, "a key is not a scalar")
        if key.value in seen:
            raise _wrong(name, key.start_mark, f"the key {key.value} appears twice")
        seen.add(key.value)
        yield key, following()


def _field(text: str, start: Any, end: Any, name: str, *, flow: bool) -> strict.Document:
    """Return one field of the list, from its key to its end.

    Args:
        flow: whether it is between braces, where JSON needs no space after the colon.
    """
    alone = " " * start.column + text[start.index : end.index]
    if flow:
        alone = f"{alone[: start.column - 1]}{{{alone[start.column :]}}}"
    (found,) = strict.documents(alone, name, start.line)
    found.node = found.node.value[0][1]
    return found


def _dash(text: str, start: Any, indent: int, name: str) -> int:
    """Return the start of the line with an item's dash; the item may be on a later line."""
    dash = re.compile(f" {{{indent}}}-(?:\\s|$)")
    begin = _line_start(text, start.index)
    while not dash.match(text, begin):
        if not begin:
            raise _wrong(name, start, "an item does not begin with a dash on its own line")
        begin = _line_start(text, begin - 1)
    return begin


def _index(mark: Any) -> int:
    index: int = mark.index
    return index


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line(text: str, start: int, node: _Node) -> int:
    """The number, from 0, of the line at ``start``, at or before a node."""
    line: int = node.start.line
    return line - text.count("\n", start, node.start.index)


def _ended(raw: str, name: str) -> str:
    """Return ``raw`` with a final newline, unless that changes a value."""
    if raw.endswith("\n"):
        return raw
    ended = f"{raw}\n"
    return ended if _scalars(raw, name) == _scalars(ended, name) else raw


def _checked(raw: str, name: str) -> str:
    """Return ``raw``; refuse text after which nothing can follow.

    Raises:
        SpecError: a newline at its end would change a value.
    """
    if not raw.endswith("\n"):
        raise SpecError("yaml", "the last line is not ended", where=name)
    return raw


def _scalars(text: str, name: str) -> list[str]:
    with strict.events(text, name) as following:
        events = iter(following, None)
        return [event.value for event in events if isinstance(event, yaml.ScalarEvent)]


def write(objects: Sequence[dict[str, Any]]) -> str:
    """Write a ResourceList of krmfn's objects, as JSON with one line per object.

    Characters beyond ASCII stay as they are: kustomize does not read surrogate escapes.
    """
    items = ",\n".join(map(_json, objects))
    return f'{{"apiVersion":"{API_VERSIONS[0]}","kind":"{KIND}","items":[\n{items}\n]}}\n'


def rewrite(kept: Sequence[Item], made: Sequence[dict[str, Any]], indent: int) -> str:
    """A ResourceList of items as they came, to the byte, and of our own objects behind them."""
    margin = " " * indent
    lines = [f"{margin}- {_json(one)}\n" for one in made]
    head = f"apiVersion: {API_VERSIONS[0]}\nkind: {KIND}\nitems:\n"
    return head + "".join(item.raw for item in kept) + "".join(lines)


def rewrite_stream(kept: Sequence[Item], made: Sequence[dict[str, Any]]) -> str:
    """The same as a stream of documents.

    Raises:
        SpecError: the last line of an item is not ended, and a newline would change its value.
    """
    raws = [_checked(item.raw, item.name) for item in kept]
    return "---\n".join([*raws, *(f"{_json(one)}\n" for one in made)])


def _json(one: dict[str, Any]) -> str:
    return json.dumps(one, ensure_ascii=False, separators=(",", ":"))


def _not_a_list(name: str) -> SpecError:
    return SpecError(
        "input",
        "standard input is not a ResourceList",
        where=name,
        remedy="without a command krmfn expects kustomize to start it; see krmfn --help",
    )


def _wrong(name: str, mark: Any, message: str) -> SpecError:
    return SpecError("yaml", message, where=f"{name}:{mark.line + 1}:{mark.column + 1}")
