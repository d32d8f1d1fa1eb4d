"""Find two objects of one stream that create the same Secret. Pure.

Rules enforced here: a claim, a SealedSecret and a Secret of one namespace and name are makers of one
Secret: whichever is applied last wins, and the keys of the others are lost. A Secret that asks the
controller to take it over, or to merge into it, is no second maker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from krmfn.errors import CheckError
from krmfn.objects.kinds import (
    NamespacedName,
    annotations_of,
    each,
    is_secret,
    kind_of,
    may_be_list,
    place_of,
)
from krmfn.objects.sealed_secret import API_VERSION, KIND, LOCAL_CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from krmfn.objects.kinds import Object
    from krmfn.objects.stream import Item

_TAKEN_OVER = ("sealedsecrets.bitnami.com/managed", "sealedsecrets.bitnami.com/patch")
DELETE = "delete the one that is not wanted by a patch ($patch: delete), or rename it"


class Maker(NamedTuple):
    """An object that is, or will be, a Secret.

    Attributes:
        place: of the Secret; the namespace is empty where nothing names one.
    """

    kind: str
    place: NamespacedName

    @property
    def title(self) -> str:
        """``Kind/name``."""
        return f"{self.kind}/{self.place.name}"


def standing(items: Iterable[Item]) -> Iterator[Maker]:
    """Yield the Secrets and SealedSecrets of a stream that reach a cluster."""
    for item in items:
        if item.kind in ("Secret", KIND):
            yield from makers(item.header())
        elif may_be_list(item.kind):
            for _, value in each(item.document.value()):
                yield from makers(value)


def makers(value: Object) -> Iterator[Maker]:
    """Yield the object as a maker, if it creates a Secret."""
    kind, own = kind_of(value), annotations_of(value)
    sealed = (value.get("apiVersion"), kind) == (API_VERSION, KIND)
    if not (sealed or is_secret(value)) or own.get(LOCAL_CONFIG) == "true":
        return
    if kind == "Secret" and any(own.get(name) == "true" for name in _TAKEN_OVER):
        return
    yield Maker(kind, place_of(value))


def twice(wanted: Sequence[Maker], others: Sequence[Maker]) -> list[CheckError]:
    """Return an error for each Secret that a wanted maker and another one create.

    Args:
        others: a namespace that is not named is that of the wanted one.
    """
    found: list[CheckError] = []
    for number, one in enumerate(wanted):
        same = [other for other in (*wanted[:number], *others) if _meets(one.place, other.place)]
        if same:
            found.append(_error(one, same[0]))
    return found


def _meets(one: NamespacedName, other: NamespacedName) -> bool:
    return one.name == other.name and (one.namespace == other.namespace or not other.namespace)


def _error(one: Maker, other: Maker) -> CheckError:
    both = f"{other.title} and this {one.kind}" if other.kind != one.kind else f"two {one.kind}s"
    place = "/".join(part for part in one.place if part)
    return CheckError(
        "ambiguous-producer",
        f"{both} make one Secret, {place}",
        where=one.title,
        remedy=DELETE,
    )
