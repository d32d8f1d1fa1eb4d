"""Judge the configurations of functions: krmfn's, and those of kustomize's builtins.

Rules enforced here: no other function is run; krmfn's are listed where kustomize can use them, and
have four fields; a value that kustomize would hand to krmfn as another one is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.kustomize.fields import BUILTINS, CHART_KIND, METADATA
from krmfn.kustomize.judge import is_plain, judge, scalar_type
from krmfn.names import API_VERSION, GENERATOR, TRANSFORMER, VALIDATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.kustomize.judge import Mention

FUNCTION_ANNOTATIONS = ("config.kubernetes.io/function", "config.k8s.io/function")
_OURS = {
    GENERATOR: "generators",
    TRANSFORMER: "transformers",
    VALIDATOR: "validators",
}
_TYPES = {"NoneType": "null", "bool": "bool", "int": "int", "float": "float", "str": "text"}
_OUR_FIELDS = ("apiVersion", "kind", "metadata", "spec")


@dataclass(frozen=True)
class Function:
    """One judged configuration of a function.

    Attributes:
        value: without its function annotation.
        mentions: what a builtin names, by its own fields.
        where: file, line and column.
    """

    value: dict[str, Any]
    mentions: tuple[Mention, ...]
    where: str

    @property
    def is_ours(self) -> bool:
        """Whether krmfn is the function."""
        return bool(self.value["apiVersion"] == API_VERSION)


def functions(document: strict.Document, name: str) -> Iterator[Function]:
    """Judge the configurations in one document, including those inside a ``List``.

    Args:
        name: the list that has them.

    Raises:
        SpecError: neither krmfn's nor a builtin's, or not as those are.
    """
    ahead = [document.node]
    while ahead:
        node = ahead.pop(0)
        one = strict.Document(node, document.name, document.text, document.first_line)
        fields = _scalars(node)
        items = _child(node, "items")
        if fields.get("kind", "").endswith("List") and isinstance(items, yaml.SequenceNode):
            ahead += items.value
        else:
            yield _function(one, fields, name)


def _function(document: strict.Document, fields: dict[str, str], name: str) -> Function:
    """Judge one configuration."""
    position = document.position(())
    where = f"{document.name}:{position.line}:{position.column}"
    node, kind = document.node, fields.get("kind", "")
    metadata = _child(node, "metadata")
    if not isinstance(metadata, yaml.MappingNode):
        raise SpecError("spec", "a function config needs metadata", where=where)
    told = f"{kind}/{_scalars(metadata).get('name')}"
    marked = set(_scalars(_child(metadata, "annotations"))) & set(FUNCTION_ANNOTATIONS)
    if fields.get("apiVersion") == API_VERSION:
        return Function(_ours(document, kind, told, where, name), (), where)
    if fields.get("apiVersion") != "builtin" or marked or kind not in BUILTINS:
        chart = kind == CHART_KIND
        raise SpecError(
            "foreign",
            f"{told}: no chart is inflated"
            if chart
            else f"{told}: no function but krmfn's own is run",
            where=where,
            remedy="commit what the chart renders"
            if chart
            else "use plain `kustomize build` where its author is trusted",
        )
    judged = judge(document, BUILTINS[kind], old=False)
    return Function(judged.value, tuple(judged.mentions), where)


def _ours(document: strict.Document, kind: str, told: str, where: str, name: str) -> dict[str, Any]:
    """Return the value of a krmfn configuration."""
    if kind not in _OURS:
        raise SpecError("wrong-list", f"{told} is not a function", where=where)
    if name and _OURS[kind] != name:
        raise SpecError(
            "wrong-list",
            f"{told} is listed under {name}:",
            where=where,
            expected=f"{_OURS[kind]}:",
            remedy=f"move the entry to {_OURS[kind]}:",
        )
    for key, _ in document.node.value:
        if getattr(key, "value", "") not in _OUR_FIELDS:
            raise SpecError("spec", f"{told} has no field {key.value}", where=where)
    _agree(document)
    value: dict[str, Any] = document.value()
    metadata = _child(document.node, "metadata")
    inner = strict.Document(metadata, document.name, document.text, document.first_line)
    value["metadata"] = judge(inner, METADATA, old=False).value
    annotations = value["metadata"].get("annotations") or {}
    for one in FUNCTION_ANNOTATIONS:
        annotations.pop(one, None)
    if not annotations:
        value["metadata"].pop("annotations", None)
    return value


def _agree(document: strict.Document) -> None:
    """Refuse a plain scalar that kustomize would pass to krmfn as another value."""
    ahead = [document.node]
    while ahead:
        node = ahead.pop()
        if isinstance(node, yaml.MappingNode):
            ahead += [one for pair in node.value for one in pair]
        elif isinstance(node, yaml.SequenceNode):
            ahead += node.value
        elif isinstance(node, yaml.ScalarNode) and is_plain(document, node):
            own = type(strict.plain(node.value)).__name__
            if _TYPES[own] != scalar_type(node.value, old=False):
                at = document.first_line + node.start_mark.line + 1, node.start_mark.column + 1
                raise SpecError(
                    "yaml",
                    "kustomize reads this value in another way",
                    where=f"{document.name}:{at[0]}:{at[1]}",
                    remedy="quote it",
                )


def _child(node: Any, name: str) -> Any:
    """The node of a mapping's field, or None."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((child for key, child in node.value if getattr(key, "value", None) == name), None)


def _scalars(node: Any) -> dict[str, str]:
    """Return the scalar fields of a mapping, as text."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {
        key.value: child.value
        for key, child in node.value
        if isinstance(key, yaml.ScalarNode) and isinstance(child, yaml.ScalarNode)
    }
