"""Strict YAML: one document, one meaning (YAML 1.2 core schema, no surprises).

Rules enforced here:
- Plain scalars follow YAML 1.2: only ``true``/``false``, ``null``/``~``, decimal, ``0o`` and ``0x``
  integers and dotted floats are not strings. ``on``, ``1e3``, ``12:30`` and dates stay strings, and
  there are no merge keys.
- A repeated key in a mapping, a key that is not a scalar, an unknown tag: errors.
- Aliases may not multiply a document (`MAX_EXPANSION`), nor contain themselves.
- Every node keeps its line and column, so that an error can say where.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# libyaml's parser where the wheel carries it: 7 to 14 times faster.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

MAX_DEPTH = 100
MAX_EXPANSION = 10  # an expanded document may have this many times the nodes that it has in text
_FREE_NODES = 10_000
SAFE_DEPTH = 4_000  # libyaml's composer recurses in C: far deeper and the process dies

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_PREFIXED_INT = re.compile(r"0(o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+\Z")
_PROPERTY = re.compile(r"(&\S+\s+)?!")
_QUOTED = re.compile(r" '\w[^']+'")
_MARKERS = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))
_MERGE = "tag:yaml.org,2002:merge"  # with which kustomize writes the string "<<" for a function


@dataclass(frozen=True)
class Position:
    """Line and column, both from 1."""

    line: int
    column: int


def number(text: str) -> Any:
    """Return the integer or float that ``text``, a number by the rules above, represents."""
    if _FLOAT.match(text):
        return float(text)
    # Python refuses to read or write integers of over 4300 digits; nobody needs them.
    if len(text) >= 100:  # noqa: PLR2004
        return text
    return int(text, 0 if _PREFIXED_INT.match(text) else 10)


class Document:
    """One YAML document: its node tree, and its values.

    Attributes:
        text: what the nodes' marks count in.
        first_line: the number of lines of the file before ``text``.
    """

    def __init__(self, node: yaml.Node, name: str, text: str, first_line: int = 0) -> None:
        self.node = node
        self.name = name
        self.text = text
        self.first_line = first_line

    def value(self, number: Callable[[str], Any] = number) -> Any:
        """The document as dicts, lists, strings, integers, floats, booleans and None.

        Args:
            number: makes the value of a number from its text, where the text must not be lost.

        Raises:
            SpecError: a duplicate or non-scalar key, an unknown tag, an alias bomb.
        """
        return _Constructor(self, number).construct(self.node, 0)

    def position(self, path: Sequence[str | int]) -> Position:
        """Return the position of the node at ``path``, or of its nearest existing parent."""
        node: yaml.Node = self.node
        mark = node.start_mark
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return Position(self.first_line + mark.line + 1, mark.column + 1)


def documents(text: str | bytes, name: str, first_line: int = 0) -> Iterator[Document]:
    """Every document of a stream, in order; empty ones are left out.

    Args:
        text: YAML or JSON, UTF-8 when it is bytes.
        name: what to call the stream in an error: a file name, or ``<stdin>``.
        first_line: the number of lines of ``name`` before ``text``.

    Raises:
        SpecError: not YAML, or not UTF-8; the message names line and column and quotes nothing.
    """
    text = decoded(text, name)
    with _told(name, first_line):
        _check_depth(text, name)
        loader = _Loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                # "---" alone composes to an empty plain scalar.
                if not (isinstance(node, yaml.ScalarNode) and node.value == "" and not node.style):
                    yield Document(node, name, text, first_line)
        finally:
            loader.dispose()


@contextmanager
def events(text: str, name: str) -> Iterator[Callable[[], Any]]:
    """Yield a function that returns the stream's next event: little memory, no recursion.

    Raises:
        SpecError: not YAML, as soon as the stream is read so far.
    """
    with _told(name):
        loader = _Loader(text)
        try:
            yield loader.get_event
        finally:
            loader.dispose()


def decoded(text: str | bytes, name: str) -> str:
    """``text`` without a byte order mark.

    Raises:
        SpecError: not UTF-8.
    """
    with _told(name):
        return (text.decode() if isinstance(text, bytes) else text).removeprefix("\ufeff")


@contextmanager
def _told(name: str, first_line: int = 0) -> Iterator[None]:
    """PyYAML's errors as ours."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{first_line + mark.line + 1}:{mark.column + 1}" if mark else name
        # PyYAML's own parser, unlike libyaml, quotes the names of anchors.
        problem = _QUOTED.sub("", error.problem or "not YAML")
        raise SpecError("yaml", problem, where=place) from None
    except (yaml.YAMLError, UnicodeError):
        raise SpecError("yaml", "not YAML in UTF-8", where=name) from None
    except RecursionError:
        raise SpecError("yaml", "nested too deeply", where=name) from None


def document(text: str | bytes, name: str) -> Document:
    """Return the only document of ``text``; an empty first document counts too.

    Raises:
        SpecError: as `documents`, when there is none, or more behind it.
    """
    found = list(documents(text, name))
    # A reader that takes the first document only would see one that is empty.
    before = found[0].text[: found[0].node.start_mark.index] if found else ""
    if len(found) != 1 or len(_MARKERS.findall(before)) > 1:
        count = "several documents where one is" if found else "no document where one is"
        raise SpecError("yaml", f"{count} expected", where=name)
    return found[0]


def load(text: str | bytes, name: str) -> Any:
    """Return the value of the only document of ``text``; None if there is none.

    Raises:
        SpecError: as `documents`, and when there are several documents.
    """
    found = list(documents(text, name))
    if len(found) > 1:
        raise SpecError("yaml", "several documents where one is expected", where=name)
    return found[0].value() if found else None


def _check_depth(text: str, name: str) -> None:
    """Refuse nesting that would overflow the C stack, before composing.

    Block levels each need another column and flow levels a bracket, so most texts are cleared by
    counting; the others get one pass over their events, which does not recurse.
    """
    longest = max(map(len, text.split("\n")), default=0)
    if longest + text.count("[") + text.count("{") < SAFE_DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > SAFE_DEPTH:
                raise SpecError("yaml", "nested too deeply", where=name)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Constructor:
    """Builds values from nodes, and counts nodes multiplied by aliases."""

    def __init__(self, document: Document, number: Callable[[str], Any]) -> None:
        self.number = number
        self.name = document.name
        self.text = document.text
        self.first_line = document.first_line
        self.budget = _FREE_NODES + MAX_EXPANSION * _count(document.node)

    def construct(self, node: yaml.Node, depth: int) -> Any:
        self.budget -= 1
        if self.budget < 0:
            raise self.error(node, "aliases multiply the document too often")
        if depth > MAX_DEPTH:
            raise self.error(node, "nested too deeply, or an alias contains itself")
        if node.tag not in TAGS and (node.tag, node.value) != (_MERGE, "<<"):
            raise self.error(node, "tags are not understood here")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.construct(item, depth + 1) for item in node.value]
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101  # there are no other nodes
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.error(key_node, "a key is not a scalar")
            key = key_node.value
            if key in result:
                raise self.error(key_node, f"the key {key} appears twice")
            result[key] = self.construct(value_node, depth + 1)
        return result

    def scalar(self, node: yaml.ScalarNode) -> Any:
        # Quoted, literal and folded scalars are strings as they stand, and so is "!!str 12", which
        # composes like "12": only the text tells them apart.
        if node.style or _PROPERTY.match(self.text, node.start_mark.index):
            return node.value
        return plain(node.value, self.number)

    def error(self, node: yaml.Node, message: str) -> SpecError:
        line, column = self.first_line + node.start_mark.line + 1, node.start_mark.column + 1
        return SpecError("yaml", message, where=f"{self.name}:{line}:{column}")


def mapping(value: Any) -> dict[str, Any]:
    """Return a field's mapping; an empty one if the value has another type."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """Return a field's list; an empty one if the value has another type."""
    return value if isinstance(value, list) else []


def plain(text: str, number: Callable[[str], Any] = number) -> Any:
    """Return the value of a plain scalar (YAML 1.2 core schema, without exponents)."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text) or _PREFIXED_INT.match(text) or _FLOAT.match(text):
        return number(text)
    return text


def _count(root: yaml.Node) -> int:
    """Distinct nodes below ``root``: an alias shares its node, so a bomb counts as small."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for pair in node.value:
                stack.extend(pair)
        elif isinstance(node, yaml.SequenceNode):
            stack.extend(node.value)
    return len(seen)


def _child(node: yaml.Node, step: str | int) -> tuple[Any, yaml.Node] | None:
    """Return mark and node one step down: a key's mark for a mapping, the item's for a list."""
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == step:
                return key_node.start_mark, value_node
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item.start_mark, item
    return None
