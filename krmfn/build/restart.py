"""Checksums on the pod templates that use a Secret, so that pods restart when its values change.

Rules enforced here: only workloads of the Secret's own namespace that refer to it by a name that it
has or had; only the template's annotations change, in place, and every other byte of the item stays as
it was. Where a PodSpec sits and what refers to Secrets is data: krmfn/catalogue/pods.yaml.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from krmfn import catalogue, fieldpath
from krmfn.crypto.derive import text, tlv
from krmfn.documents.edit import Edit, edit
from krmfn.objects.kinds import annotations_of, each, group_of, may_be_list, place_of
from krmfn.objects.sealed_secret import PREFIXES, SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from krmfn.objects.kinds import Object
    from krmfn.objects.stream import Item

Affixes: TypeAlias = "tuple[tuple[str, ...], tuple[str, ...]]"  # prefixes and suffixes
ANNOTATION = "krmfn.dev/checksum"
# The location of the name in the match of a catalogue's path, by its form.
_NAMES = {"key": "name", "ref": "name", "proj": "name", "file": "secretName", "name": ""}


@dataclass(frozen=True)
class Stamp:
    """A Secret's checksum, with the names that workloads use for the Secret.

    Attributes:
        names: its names so far, before any hash suffix.
        checksum: hex.
        affixes: the prefixes and suffixes that kustomize has put on the claim's name.
    """

    namespace: str
    names: frozenset[str]
    checksum: str
    affixes: Affixes = ((), ())


def stamped(item: Item, stamps: Sequence[Stamp]) -> tuple[Item, list[str]]:
    """Return the item with checksums on pod templates that use one of the Secrets, and these Secrets."""
    if not stamps or not may_refer(item):
        return item, []
    entry = (0,) if item.in_list else ()
    changes: list[Edit] = []
    for inside, value in each(item.document.value()):
        for template, digest in _digests(value, stamps):
            steps = (*entry, *inside, *template, "metadata", "annotations", ANNOTATION)
            changes.append(Edit(0, steps, digest, deep=True))
    written = [str(change.value) for change in changes]
    return (replace(item, raw=edit(item.raw, item.name, changes)) if changes else item), written


def _digests(value: Object, stamps: Sequence[Stamp]) -> Iterator[tuple[list[str], str]]:
    """Yield the path and the checksum of each pod template that uses one of the Secrets."""
    for path in pod_specs_of(value):
        if not path.endswith(".spec"):  # a Pod has no template, and restarts nobody
            continue
        names = dict.fromkeys(references(value, path))
        used = {(min(s.names), s.checksum) for name in names for s in _meant(name, value, stamps)}
        if used:
            fields = [text(word) for pair in sorted(used) for word in pair]
            digest = hashlib.sha512(tlv(*fields)).hexdigest()[:32]
            yield path.removesuffix(".spec").split("."), digest


def _meant(name: str, workload: Any, stamps: Sequence[Stamp]) -> list[Stamp]:
    """Return the Secrets to which a reference refers.

    Where several claims have or had the name, one base is used several times: as for kustomize, the
    prefixes and suffixes that the claim and the workload were given tell which is meant.
    """
    namespace = place_of(workload).namespace
    found = [s for s in stamps if s.namespace in ("", namespace) and name in s.names]
    if len(found) < 2:  # noqa: PLR2004  # one is meant, or none
        return found
    own = affixes(annotations_of(workload))
    for loosely in (True, False):
        alike = [s for s in found if _alike(s.affixes, own, loosely=loosely)]
        if len(alike) == 1:
            return alike
        found = alike or found
    return found


def affixes(annotations: Mapping[str, Any]) -> Affixes:
    """Return the prefixes and suffixes of an object's name, from kustomize's annotations."""
    prefixes, suffixes = (
        tuple(part for part in str(annotations.get(name) or "").split(",") if part)
        for name in (PREFIXES, SUFFIXES)
    )
    return prefixes, suffixes


def _alike(one: Affixes, other: Affixes, *, loosely: bool) -> bool:
    """Whether two objects come from one use of a base (kustomize's ``PrefixesSuffixesEquals``)."""
    return all(
        (loosely and not (mine and theirs)) or _same_end(mine, theirs)
        for mine, theirs in zip(one, other, strict=True)
    )


def _same_end(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the shorter list ends the longer one; an empty one ends only an empty one."""
    size = min(len(one), len(other))
    return one[len(one) - size :] == other[len(other) - size :] if size else one == other


def references(value: Any, pod_spec: str) -> Iterator[str]:
    """Yield the names of the Secrets to which the resource's PodSpecs refer."""
    for ref in catalogue.pods()["podSpecRefs"]:
        for at in ref["at"]:
            path = ".".join(part for part in (pod_spec, at, _NAMES[ref["form"]]) if part)
            for _, name in fieldpath.walk(value, path):
                if isinstance(name, str):
                    yield name


def may_refer(item: Item) -> bool:
    """Return whether an item is a workload, or a list that may contain one."""
    return may_be_list(item.kind) or f"{group_of(item.api_version)}/{item.kind}" in pod_specs()


def pod_specs_of(value: Object) -> list[str]:
    """Return the paths of an object's PodSpecs."""
    return pod_specs().get(f"{group_of(str(value.get('apiVersion')))}/{value.get('kind')}", [])


def pod_specs() -> dict[str, list[str]]:
    """``group/Kind`` to the paths of its PodSpecs."""
    specs: dict[str, list[str]] = catalogue.pods()["podSpecs"]
    return specs
