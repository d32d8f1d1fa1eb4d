"""The objects of a stream as the audit sees them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krmfn.documents.strict import mapping
from krmfn.objects.kinds import (
    annotations_of,
    each,
    group_of,
    kind_of,
    may_be_list,
    metadata_of,
    place_of,
)
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
        cluster_scoped: it has no namespace, even if one is written in it.
        former: names that it had before kustomize renamed it, oldest first.
        item: its item of the stream, for positions.
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
        """Return the namespace of a Secret to which the object refers; None if it cannot be known.

        Args:
            namespace: what the reference itself says.
        """
        return namespace or (None if self.cluster_scoped else self.namespace)

    @property
    def labels(self) -> dict[str, Any]:
        """Its own labels."""
        return mapping(metadata_of(self.value).get("labels"))

    @property
    def annotations(self) -> dict[str, Any]:
        """Its own annotations."""
        return annotations_of(self.value)


def groups(items: Iterable[Item]) -> set[str]:
    """The API groups of a stream; of its items, lists alone are looked into."""
    found = set()
    for item in items:
        found.add(group_of(item.api_version))
        if may_be_list(item.kind):
            versions = [one.get("apiVersion") for _, one in each(item.document.value())]
            found |= {group_of(version) for version in versions if isinstance(version, str)}
    return found


def resources(items: Iterable[Item]) -> Iterator[Resource]:
    """Yield the objects of a stream, without local-config ones, which never reach a cluster.

    The items of a ``List`` count as objects of their own.

    Raises:
        SpecError: an item is no YAML as krmfn reads it.
    """
    for item in items:
        for inside, one in each(item.document.value()):
            if found := _resource(one, item, inside):
                yield found


def companions(items: Iterable[Item]) -> dict[str, tuple[str, ...]]:
    """Return the former names of Secrets with a name companion in the stream, by current name.

    A companion is no object of the cluster; but inside a build it says what kustomize will rename.
    """
    found: dict[str, tuple[str, ...]] = {}
    for item in items:
        header = item.header() if item.kind == "Secret" else {}
        own = annotations_of(header)
        if own.get(LOCAL_CONFIG) == "true" and PREVIOUS_NAMES in own:
            found[place_of(header).name] = tuple(str(own[PREVIOUS_NAMES]).split(","))
    return found


def _resource(value: dict[str, Any], item: Item, inside: tuple[str | int, ...]) -> Resource | None:
    where = f"{item.name}:{item.line + 1}"
    kind, version = kind_of(value, where), value.get("apiVersion")
    if not kind or not isinstance(version, str):
        return None
    if annotations_of(value).get(LOCAL_CONFIG) == "true":
        return None
    namespace, name = place_of(value, where)
    former = str(annotations_of(value).get(PREVIOUS_NAMES) or "")
    return Resource(
        group_of(version),
        kind,
        name,
        namespace,
        tuple(former.split(",")) if former else (),
        value,
        item,
        inside,
    )
