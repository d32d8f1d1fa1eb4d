"""The objects of a stream as the audit sees them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krmfn.documents.strict import mapping
from krmfn.objects.sealed_secret import LOCAL_CONFIG, PREVIOUS_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from krmfn.objects.stream import Item

ORIGIN = "config.kubernetes.io/origin"


@dataclass(frozen=True, eq=False)
class Resource:
    """One object.

    Attributes:
        group: its API group; ``core`` for the one without a name.
        namespace: its own; empty when it says none, and for what has none.
        cluster_scoped: it has none, whatever stands in it.
        former: names that it had before kustomize renamed it, oldest first.
        item: where it stands in the stream, for positions.
        inside: its place in the item, when that is a ``List``.
    """

    group: str
    kind: str
    name: str
    namespace: str
    former: tuple[str, ...]
    value: dict[str, Any]
    item: Item
    inside: tuple[str | int, ...] = ()
    cluster_scoped: bool = False

    @property
    def group_kind(self) -> str:
        """``group/Kind``."""
        return f"{self.group}/{self.kind}"

    @property
    def title(self) -> str:
        """``Kind/name``."""
        return f"{self.kind}/{self.name}"

    def beside(self, namespace: str = "") -> str | None:
        """Where a Secret has to be that the object refers to; None where that cannot be known.

        Args:
            namespace: what the reference itself says.
        """
        return namespace or (None if self.cluster_scoped else self.namespace)

    @property
    def labels(self) -> dict[str, Any]:
        """Its own labels."""
        return mapping(mapping(self.value.get("metadata")).get("labels"))

    @property
    def annotations(self) -> dict[str, Any]:
        """Its own annotations."""
        return mapping(mapping(self.value.get("metadata")).get("annotations"))


def groups(items: Iterable[Item]) -> set[str]:
    """The API groups of a stream, without looking into its items."""
    return {group_of(item.api_version) for item in items}


def group_of(api_version: str) -> str:
    """The group of an ``apiVersion``."""
    return api_version.rpartition("/")[0] or "core"


def resources(items: Iterable[Item]) -> Iterator[Resource]:
    """The objects of a stream; what is local-config never reaches a cluster and is left out.

    The items of a ``List`` count as objects of their own.

    Raises:
        SpecError: an item is no YAML as krmfn reads it.
    """
    for item in items:
        value = item.document.value()
        inner = value.get("items") if str(mapping(value).get("kind")).endswith("List") else None
        each = list(enumerate(inner)) if isinstance(inner, list) else [(None, value)]
        for number, one in each:
            inside = () if number is None else ("items", number)
            if isinstance(one, dict) and (found := _resource(one, item, inside)):
                yield found


def companions(items: Iterable[Item]) -> dict[str, tuple[str, ...]]:
    """The former names of Secrets whose name companions stand in the stream, by their name.

    A companion is no object of the cluster; but inside a build it says what kustomize will rename.
    """
    found: dict[str, tuple[str, ...]] = {}
    for item in items:
        metadata = mapping(item.header().get("metadata")) if item.kind == "Secret" else {}
        annotations = mapping(metadata.get("annotations"))
        if annotations.get(LOCAL_CONFIG) == "true" and PREVIOUS_NAMES in annotations:
            found[str(metadata.get("name"))] = tuple(str(annotations[PREVIOUS_NAMES]).split(","))
    return found


def _resource(value: dict[str, Any], item: Item, inside: tuple[str | int, ...]) -> Resource | None:
    metadata = mapping(value.get("metadata"))
    annotations = mapping(metadata.get("annotations"))
    kind, version = value.get("kind"), value.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        return None
    if annotations.get(LOCAL_CONFIG) == "true":
        return None
    former = str(annotations.get(PREVIOUS_NAMES) or "")
    return Resource(
        group_of(version),
        kind,
        str(metadata.get("name") or ""),
        str(metadata.get("namespace") or ""),
        tuple(former.split(",")) if former else (),
        value,
        item,
        inside,
    )
