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
        kind, group, version: of the objects; empty for any.
        path: its steps.
    """

    kind: str
    group: str
    version: str
    path: tuple[str, ...]

    def find(self, resource: Resource) -> Iterator[tuple[Place, str, str]]:
        """Yield the references in this field: path, name, and namespace or empty."""
        group, _, version = str(resource.value.get("apiVersion")).rpartition("/")
        asked = (self.kind, self.group, self.version)
        own = (resource.kind, group, version)
        if all(one in ("", other) for one, other in zip(asked, own, strict=True)):
            yield from _walk(resource.value, self.path, ())


def field_specs(configuration: Any) -> list[FieldSpec]:
    """Return the fields that refer to Secrets according to one configuration.

    What is not written as kustomize has it is left out: kustomize itself refuses it.
    """
    found = []
    for reference in map(mapping, sequence(mapping(configuration).get("nameReference"))):
        if reference.get("kind") in _REFERENTS:
            for one in map(mapping, sequence(reference.get("fieldSpecs"))):
                path = _steps(_text(one.get("path")))
                if path:
                    kind, group, version = (_text(one.get(k)) for k in ("kind", "group", "version"))
                    found.append(FieldSpec(kind, group, version, path))
    return found


def _steps(path: str) -> tuple[str, ...]:
    r"""Split a path at its slashes. An escaped slash is part of a step; a final ``[]`` is dropped."""
    steps = re.split(r"(?<!\\)/", path)
    return tuple(step.replace("\\/", "/").removesuffix("[]") for step in steps if step)


def _walk(value: Any, path: tuple[str, ...], place: Place) -> Iterator[tuple[Place, str, str]]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(item, path, (*place, number))
    elif not path:
        name = value.get("name") if isinstance(value, dict) else value
        if isinstance(name, str) and name:
            yield place, name, _text(mapping(value).get("namespace"))
    elif isinstance(value, dict) and path[0] in value:
        yield from _walk(value[path[0]], path[1:], (*place, path[0]))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
