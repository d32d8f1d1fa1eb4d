"""Match references with producers. Pure.

Rules enforced here: Secrets are told apart by namespace and name; an object without a namespace will
stand in one that nobody knows yet, and so it meets any; several makers of one Secret give the union
of their keys; an object of unknown kind that only bears the Secret's name counts where nothing else
makes it; what is optional may be absent; what the object's own namespace does not decide is reported
and not judged. While kustomize is at work, a name that it will rename counts by its former names too
(facts of ``internal.config.kubernetes.io/previousNames``).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from krmfn import fieldpath
from krmfn.audit.annotation import CRD, annotated, crd_kind
from krmfn.audit.entries import Entries
from krmfn.audit.mentions import Mentions
from krmfn.audit.objects import companions, resources
from krmfn.audit.productions import CHART, assumed, guesses, named, productions
from krmfn.audit.references import chart_certificates, references
from krmfn.audit.replication import copies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from krmfn.audit.name_references import FieldSpec
    from krmfn.audit.objects import Resource
    from krmfn.audit.productions import Production
    from krmfn.audit.references import Reference
    from krmfn.objects.stream import Item
    from krmfn.spec.catalogue import SecretCatalogue
    from krmfn.spec.validator import Assumption

Verdict: TypeAlias = Literal[
    "sealed", "operator", "plain", "assumed", "absent", "unmet", "external"
]
_ORDER: dict[str, Verdict] = {
    "sealed": "sealed",
    "claim": "sealed",
    "operator": "operator",
    "plain": "plain",
    "assumed": "assumed",
}


@dataclass(frozen=True, eq=False)
class Judged:
    """A reference, with the producers of its Secret.

    Attributes:
        makers: the productions of that Secret, the one that counts first.
        missing: keys that none of them has.
    """

    reference: Reference
    verdict: Verdict
    makers: tuple[Production, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def maker(self) -> Production | None:
        """Return the decisive production."""
        return self.makers[0] if self.makers else None


@dataclass(frozen=True, eq=False)
class Audit:
    """A stream, judged.

    Attributes:
        unknown: kinds outside the catalogue with fields that look like references, by the number
            of those fields.
    """

    resources: tuple[Resource, ...]
    judged: tuple[Judged, ...]
    productions: tuple[Production, ...]
    entries: Entries
    unknown: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def index(self) -> Index:
        """The productions by name."""
        return Index(self.productions)

    @cached_property
    def mentions(self) -> Mentions:
        """Index the texts of all objects, to find names in unknown fields."""
        return Mentions(self.resources, self.entries)

    def users(self, production: Production) -> list[Judged]:
        """Return the references that a production meets."""
        return [one for one in self.judged if production in one.makers]


class Index:
    """Productions by namespace and name."""

    def __init__(self, made: Iterable[Production]) -> None:
        self._made: dict[str, list[Production]] = defaultdict(list)
        self._former: dict[str, list[Production]] = defaultdict(list)
        for one in made:
            self._made[one.secret].append(one)
            for name in {*one.former} - {one.secret}:
                self._former[name].append(one)

    def find(self, namespace: str | None, name: str, *, renamed: bool = False) -> list[Production]:
        """The makers of a Secret.

        Args:
            namespace: None for any.
            renamed: also by names that they had.
        """
        found = self._made.get(name, [])
        here = _within(namespace, found)
        if not here and renamed:
            here = _within(namespace, self._former.get(name, []))
        return here

    def named(self, name: str) -> list[Production]:
        """Return the productions of Secrets with that name, in any namespace."""
        return self._made.get(name, [])

    def names(self, namespace: str | None) -> list[str]:
        """Return the names of all Secrets that will exist in a namespace."""
        return sorted(name for name, made in self._made.items() if _within(namespace, made))


def _within(namespace: str | None, made: Iterable[Production]) -> list[Production]:
    """Return the productions in a namespace; the possible ones if none is certain."""
    made = list(made)
    if not namespace:
        return made
    here = [one for one in made if one.namespace in (namespace, None)]
    return here or [one for one in made if one.namespace == ""]


def _former(made: Production, companions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the former names that kustomize still knows; for a SealedSecret, its companion's."""
    return companions if made.how == "sealed" else (*made.former, *companions)


def audit(
    items: Sequence[Item],
    catalogues: Iterable[SecretCatalogue],
    *,
    assume: Iterable[Assumption] = (),
    versions: Mapping[str, str] | None = None,
    in_build: bool = False,
    refers: Iterable[FieldSpec] = (),
) -> Audit:
    """Judge a stream.

    Args:
        catalogues: the packaged ones for the stream's groups, and users'.
        assume: Secrets that are made elsewhere.
        versions: operator to version, where it is not the newest.
        in_build: kustomize has yet to rename references.
        refers: fields that the build's ``configurations:`` say refer to Secrets.

    Raises:
        SpecError: an item cannot be read.
    """
    entries = Entries(versions or {}, refers=list(refers))
    for catalogue in catalogues:
        entries.add(catalogue.spec)
    objects = _objects(items, entries)
    own = {one: list(productions(one, entries)) for one in objects}
    made = [p for each in own.values() for p in each]
    if in_build:
        known = companions(items)
        made = [replace(p, former=_former(p, known.get(p.secret, ()))) for p in made]
    made += assumed(assume)
    index = Index(made)
    found = [r for o in objects for r in references(o, entries, {p.secret for p in own[o]})]
    moving = _renamed_places(objects, entries) if in_build else frozenset()
    judged = [_judge(one, index, renamed=(one.resource, one.place) in moving) for one in found]
    judged = _guessed(judged, objects, entries, copies(made))
    made += dict.fromkeys(p for one in judged for p in one.makers if p.entry and p.entry.guess)
    unknown: dict[str, int] = defaultdict(int)
    for one in found:
        if one.entry.level == "warning" and not entries.knows(one.resource.group_kind):
            unknown[one.resource.group_kind] += 1
    return Audit(objects, tuple(judged), tuple(made), entries, dict(sorted(unknown.items())))


def _objects(items: Sequence[Item], entries: Entries) -> tuple[Resource, ...]:
    """Apply the entries of CRDs, and return the objects; cluster-scoped ones have no namespace."""
    objects = tuple(resources(items))
    for resource in objects:
        if resource.group_kind == CRD:
            kind = crd_kind(resource)
            if fieldpath.first(resource.value, "spec.scope") == "Cluster":
                entries.cluster_scoped.add(kind)
            if spec := annotated(resource):
                entries.add(spec, kind=kind)
    return tuple(
        replace(one, namespace="", cluster_scoped=True)
        if entries.is_cluster_scoped(one.group_kind)
        else one
        for one in objects
    )


def _guessed(
    judged: list[Judged],
    objects: Iterable[Resource],
    entries: Entries,
    copied: Iterable[Production],
) -> list[Judged]:
    """Give unmet references a guessed producer: an object with the Secret's name, or that names it.

    A field ``secretName`` of an unknown kind may say where the object writes to.

    Args:
        copied: Secrets that a replicator may make.
    """
    if not any(one.verdict == "unmet" for one in judged):
        return judged
    made = [*copied, *(guess for one in objects for guess in guesses(one, entries))]
    made += [
        named(one.reference.resource, one.reference.secret, one.reference.namespace)
        for one in judged
        if one.reference.writes and entries.may_make(one.reference.resource.group_kind)
    ]
    charts = (found for one in objects for found in chart_certificates(one, entries))
    made += [named(one.resource, one.secret, one.namespace, CHART) for one in charts]
    index = Index(made)

    def again(one: Judged) -> Judged:
        if one.verdict != "unmet":
            return one
        wanted = one.reference
        makers = index.find(wanted.namespace, wanted.secret)
        makers = [made for made in makers if made.resource is not wanted.resource]
        return Judged(wanted, "operator", tuple(makers)) if makers else one

    return [again(one) for one in judged]


def _judge(reference: Reference, index: Index, *, renamed: bool) -> Judged:
    made = index.find(reference.namespace, reference.secret, renamed=renamed)
    if reference.namespace is None and not made:
        return Judged(reference, "external")
    makers = tuple(sorted(made, key=lambda p: [*_ORDER].index(p.how)))
    if not makers:
        return Judged(reference, "absent" if reference.optional else "unmet")
    missing = lacking(reference, makers)
    return Judged(reference, _ORDER[makers[0].how], makers, missing)


def lacking(reference: Reference, makers: Sequence[Production]) -> tuple[str, ...]:
    """Return the keys that a reference needs and no producer has."""
    if reference.optional or any(one.open for one in makers):
        return ()
    keys = {key for one in makers for key in one.keys}
    choices = reference.entry.any_of
    if choices and not any(keys.issuperset(choice) for choice in choices):
        return tuple(choices[0])
    return tuple(key for key in reference.keys if key not in keys)


def _renamed_places(
    objects: Iterable[Resource], entries: Entries
) -> frozenset[tuple[Resource, fieldpath.Place]]:
    """The fields in which kustomize renames a reference to a Secret."""

    def places() -> Iterator[tuple[Resource, fieldpath.Place]]:
        for one in objects:
            for path in entries.renamed.get(one.group_kind, ()):
                for place, _ in fieldpath.walk(one.value, path):
                    yield one, place
            for spec in entries.refers:
                for place, _, _ in spec.find(one):
                    yield one, place

    return frozenset(places())
