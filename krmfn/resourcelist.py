"""Reading and writing what kustomize speaks: ``kind: ResourceList`` (KRM functions specification v1).

Items are kept as YAML nodes: what krmfn did not make is never loaded and dumped. What krmfn makes
is written as JSON, which every YAML reader takes the same way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from krmfn import strictyaml
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

KIND = "ResourceList"
API_VERSIONS = ("config.kubernetes.io/v1", "config.kubernetes.io/v1beta1")


@dataclass(frozen=True)
class Item:
    """One resource, as far as krmfn looks at it.

    Attributes:
        document: the resource's nodes.
    """

    document: strictyaml.Document

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
    """What a function is given."""

    config: Any
    items: tuple[Item, ...]


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
    nodes = items.value if isinstance(items, yaml.SequenceNode) else []
    return ResourceList(
        config.value(), tuple(Item(strictyaml.Document(node, name, text_)) for node in nodes)
    )


def stream(text: str | bytes, name: str = "<stdin>") -> tuple[Item, ...]:
    """The resources of a plain multi-document stream, as legacy plugins are given."""
    return tuple(Item(document) for document in strictyaml.documents(text, name))


def write(objects: Sequence[dict[str, Any]]) -> str:
    """A ResourceList of our own objects, as JSON in one line per object.

    Characters beyond ASCII stay as they are: kustomize does not read surrogate escapes.
    """
    items = ",\n".join(json.dumps(o, ensure_ascii=False, separators=(",", ":")) for o in objects)
    return f'{{"apiVersion":"{API_VERSIONS[0]}","kind":"{KIND}","items":[\n{items}\n]}}\n'


def _not_a_list(name: str) -> SpecError:
    return SpecError(
        "input",
        "the input is no ResourceList",
        where=name,
        remedy="krmfn without a command is a function that kustomize calls; see krmfn --help",
    )
