"""Find references that kustomize renames to the wrong Secret, without a name companion. Pure.

kustomize follows a reference by every name that a Secret has had. It knows no SealedSecret: without
its companion, a reference to ``db`` goes to another base's ``db`` that is called ``b-db`` by now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.build.restart import affixes, pod_specs, references
from krmfn.errors import CheckError
from krmfn.objects.kinds import annotations_of, each, group_of, place_of
from krmfn.objects.sealed_secret import KIND, PREVIOUS_NAMES, SEALED_FOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from krmfn.objects.kinds import NamespacedName, Object
    from krmfn.objects.stream import Item


_SECRETS = ("Secret", KIND)


def followed(items: Iterable[Item]) -> Iterator[CheckError]:
    """Yield errors for references to a SealedSecret that kustomize will move to another Secret.

    Args:
        items: with kustomize's own annotations, before it follows references.
    """
    values = [value for item in items for _, value in each(item.document.value())]
    secrets = [value for value in values if value.get("kind") == "Secret"]
    known = {place_of(value) for value in secrets}
    sealed = [v for v in values if v.get("kind") == KIND and SEALED_FOR in annotations_of(v)]
    for one in sealed:
        if place_of(one) in known:
            continue
        for name in _names(one):
            others = [s for s in secrets if _takes(s, place_of(one).namespace, name)]
            for value in values if others else ():
                if name in _references(value, place_of(one).namespace) and all(
                    affixes(annotations_of(value)) != affixes(annotations_of(s)) for s in others
                ):
                    yield _finding(value, name, place_of(others[0]).name)


def _names(value: Object) -> set[str]:
    """Return an object's current and former names."""
    former = str(annotations_of(value).get(PREVIOUS_NAMES) or "").split(",")
    return {*former, place_of(value).name} - {""}


def _takes(secret: Object, namespace: str, name: str) -> bool:
    """Whether a Secret of another name had this one."""
    own = place_of(secret)
    return own.namespace in ("", namespace) and own.name != name and name in _names(secret)


def _references(value: Object, namespace: str) -> set[str]:
    """Return the names of Secrets to which an object's PodSpecs refer."""
    if place_of(value).namespace not in ("", namespace):
        return set()
    kind = f"{group_of(str(value.get('apiVersion')))}/{value.get('kind')}"
    return {name for path in pod_specs().get(kind, ()) for name in references(value, path)}


def _finding(value: Object, name: str, other: str) -> CheckError:
    return CheckError(
        "wrong-secret",
        f"its reference to {name} would be followed to another Secret",
        where=f"{value.get('kind')}/{place_of(value).name}",
        expected=f"{name}, which krmfn seals",
        found=other,
        remedy="leave nameReferences out, or give one of them another name",
    )


def went_elsewhere(
    items: Iterable[Item], sealed: set[NamespacedName], base: Callable[[str], str]
) -> Iterator[CheckError]:
    """Yield such errors for a finished stream, which no longer has former names.

    Args:
        sealed: what was sealed without a name companion, by namespace and name.
        base: a name without what the kustomizations on the way add to it.
    """
    values = [value for item in items for _, value in each(item.document.value())]
    secrets = {place_of(v).name for v in values if v.get("kind") in _SECRETS}
    others = {
        (place, name)
        for place in sealed
        for name in secrets
        if name != place.name and base(name) == place.name
    }
    for value in values if others else ():
        if base(place_of(value).name) != place_of(value).name:
            continue  # renamed with the Secret that it means
        for place, name in sorted(others):
            if name in _references(value, place.namespace):
                yield _finding(value, place.name, name)
