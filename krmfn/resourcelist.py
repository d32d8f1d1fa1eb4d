"""Reading and writing what kustomize speaks: ``kind: ResourceList`` (KRM functions specification v1).

Items are kept as YAML nodes: what krmfn did not make is never loaded and dumped. What krmfn makes
is written as JSON, which every YAML reader takes the same way.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from krmfn import strictyaml
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

KIND = "ResourceList"
_END_OF_DOCUMENT = re.compile(r"^(?:---|\.\.\.)(?:[ \t\r].*)?$", re.MULTILINE)
API_VERSIONS = ("config.kubernetes.io/v1", "config.kubernetes.io/v1beta1")


@dataclass(frozen=True)
class Item:
    """One resource, as far as krmfn looks at it.

    Attributes:
        document: the resource's nodes.
        raw: its own text, with what it takes to stand in the list or stream it came in.
    """

    document: strictyaml.Document
    raw: str

    def header(self) -> dict[str, Any]:
        """Its ``apiVersion``, ``kind`` and ``metadata`` as values; other fields are not read."""
        node = self.document.node
        if not isinstance(node, yaml.MappingNode):
            return {}
        wanted = ("apiVersion", "kind", "metadata")
        pairs = [pair for pair in node.value if pair[0].value in wanted]
        header = yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
        value: dict[str, Any] = strictyaml.Document(
            header, self.document.name, self.document.text
        ).value()
        return value


@dataclass(frozen=True)
class ResourceList:
    """What a function is given.

    Attributes:
        indent: how far the dashes of the items stand from the margin.
    """

    config: Any
    items: tuple[Item, ...]
    indent: int = 0


def read(text: str | bytes, name: str = "<stdin>") -> ResourceList:
    """A ResourceList from standard input.

    Raises:
        SpecError: not one ResourceList with a functionConfig.
    """
    found = list(strictyaml.documents(text, name))
    if len(found) != 1 or not isinstance(found[0].node, yaml.MappingNode):
        raise _not_a_list(name)
    # A key that is no scalar has a list for its value.
    fields = {str(key.value): node for key, node in found[0].node.value}
    text_ = found[0].text

    def field(key: str) -> strictyaml.Document | None:
        return strictyaml.Document(fields[key], name, text_) if key in fields else None

    kind = field("kind")
    if kind is None or kind.value() != KIND:
        raise _not_a_list(name)
    config = field("functionConfig")
    if config is None:
        raise SpecError(
            "input",
            "the ResourceList has no functionConfig",
            remedy="list the configuration under generators: or validators:",
        )
    items = fields.get("items")
    if not isinstance(items, yaml.SequenceNode):
        return ResourceList(config.value(), ())
    raws = _raw_flow(items) if items.flow_style else _raw_block(items, text_)
    return ResourceList(
        config.value(),
        tuple(
            Item(strictyaml.Document(node, name, text_), raw)
            for node, raw in zip(items.value, raws, strict=True)
        ),
        0 if items.flow_style else items.start_mark.column,
    )


def _raw_block(items: yaml.SequenceNode, text: str) -> list[str]:
    """The text of each item of a block sequence, from its dash to the next one's."""
    starts = [_line_start(text, node.start_mark.index) for node in items.value]
    end = items.end_mark.index
    stops = [*starts[1:], len(text) if end >= len(text) else _line_start(text, end)]
    return [_ended(text[start:stop]) for start, stop in zip(starts, stops, strict=True)]


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _raw_flow(items: yaml.SequenceNode) -> list[str]:
    """The items of a flow sequence, such as JSON has, as entries of a block sequence."""
    return [f"- {_serialized(node)}" for node in items.value]


def _serialized(node: yaml.Node) -> str:
    """One node in flow style on a line of its own, every scalar in quotes as it was or plain."""
    return (
        str(yaml.serialize(node, Dumper=yaml.BaseDumper, width=2**31, allow_unicode=True)).strip()
        + "\n"
    )


def stream(text: str | bytes, name: str = "<stdin>") -> tuple[Item, ...]:
    """The resources of a plain multi-document stream, as legacy plugins are given."""
    found = list(strictyaml.documents(text, name))
    whole = found[0].text if found else ""
    starts = [_line_start(whole, document.node.start_mark.index) for document in found]
    return tuple(
        Item(document, _ended(_END_OF_DOCUMENT.split(whole[start:stop], maxsplit=1)[0]))
        for document, start, stop in zip(found, starts, [*starts[1:], len(whole)], strict=True)
    )


def write(objects: Sequence[dict[str, Any]]) -> str:
    """A ResourceList of our own objects, as JSON in one line per object.

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
    """The same as a stream of documents."""
    return "---\n".join([*(item.raw for item in kept), *(f"{_json(one)}\n" for one in made)])


def _json(one: dict[str, Any]) -> str:
    return json.dumps(one, ensure_ascii=False, separators=(",", ":"))


def _not_a_list(name: str) -> SpecError:
    return SpecError(
        "input",
        "the input is no ResourceList",
        where=name,
        remedy="krmfn without a command is a function that kustomize calls; see krmfn --help",
    )
