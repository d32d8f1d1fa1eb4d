"""Fields that refer to Secrets according to a build's ``configurations:``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krmfn.documents.strict import mapping, sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.audit.objects import Resource
    from krmfn.fieldpath import Place

_REFERENTS = ("Secret", "SealedSecret", "SecretClaim")


@dataclass(frozen=True)
class FieldSpec:
    """One field of a kind in kustomize's notation, which does not mark lists.

    Attributes:
        kind, group: of the objects; empty for any.
        path: its steps.
    """

    kind: str
    group: str
    path: tuple[str, ...]

    def find(self, resource: Resource) -> Iterator[tuple[Place, str]]:
        """Yield the names in this field, each with its path."""
        group = "" if resource.group == "core" else resource.group
        if self.kind in ("", resource.kind) and self.group in ("", group):
            yield from _walk(resource.value, self.path, ())


def field_specs(configuration: Any) -> list[FieldSpec]:
    """Return the fields that refer to Secrets according to one configuration."""
    found = []
    for reference in sequence(mapping(configuration).get("nameReference")):
        if mapping(reference).get("kind") in _REFERENTS:
            for one in map(mapping, sequence(mapping(reference).get("fieldSpecs"))):
                steps = re.split(r"(?<!\\)/", str(one.get("path") or ""))
                path = tuple(step.replace("\\/", "/") for step in steps if step)
                found.append(
                    FieldSpec(str(one.get("kind") or ""), str(one.get("group") or ""), path)
                )
    return found


def _walk(value: Any, path: tuple[str, ...], place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(item, path, (*place, number))
    elif not path:
        name = value.get("name") if isinstance(value, dict) else value
        if isinstance(name, str) and name:
            yield place, name
    elif isinstance(value, dict) and path[0] in value:
        yield from _walk(value[path[0]], path[1:], (*place, path[0]))
