"""Compare two sets of SealedSecrets, by ciphertext and annotations alone. Pure.

Rules enforced here: nothing is opened and no ciphertext is quoted. Equal bytes are an equal value.
Other bytes are another value only if krmfn sealed both, for one place and one certificate, and not
at random: else it cannot be compared, and the reason is said. Items that are random by declaration
always differ, so that alone is no difference; anything else is.

Epoch and derivation key are not visible; they are assumed to be the same on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from krmfn.documents.strict import mapping
from krmfn.errors import SpecError
from krmfn.objects.kinds import NamespacedName, annotations_of, place_of
from krmfn.objects.kinds import each as each_of
from krmfn.objects.sealed_secret import (
    API_VERSION,
    CERTIFICATE,
    KIND,
    SCOPE_ANNOTATIONS,
    SEALED_FOR,
    scope_of,
    sealed_for,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from krmfn.objects.sealed_secret import Object

# Namespace and name.
State: TypeAlias = Literal["appeared", "vanished", "changed", "cannot-compare"]

CERTIFICATE_DIFFERS, PLACE_DIFFERS, RANDOM, FOREIGN = (
    "certificate",
    "sealed-for",
    "random",
    "foreign",
)
REASONS = {
    CERTIFICATE_DIFFERS: "resealed for another certificate",
    PLACE_DIFFERS: "resealed for another place or scope",
    RANDOM: "sealed at random, so that its bytes always differ",
    FOREIGN: "other bytes, and not sealed by krmfn on both sides",
}


@dataclass(frozen=True)
class Change:
    """One difference between two SealedSecrets.

    Attributes:
        field: ``data``, ``sealed-for``, ``certificate``, ``type``, ``immutable``, ``label``,
            ``annotation`` or ``template``; the last four are the Secret's.
        name: the key of the data, the label, …; empty where there is but one.
        reason: a key of `REASONS`, why it cannot be compared.
        before, after: what is public anyway: fingerprints, places, types.
    """

    field: str
    state: State
    name: str = ""
    reason: str = ""
    before: str = ""
    after: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the stable JSON shape, without empty fields."""
        names = ("field", "name", "state", "reason", "before", "after")
        return {name: value for name in names if (value := getattr(self, name))}


@dataclass(frozen=True)
class Difference:
    """One SealedSecret that differs between the sides.

    Attributes:
        file: where the two sides are compared file by file.
        state: ``cannot-compare`` when nothing differs but random items.
    """

    namespace: str
    name: str
    state: State
    changes: tuple[Change, ...]
    file: str = ""

    def as_json(self) -> dict[str, Any]:
        """The stable shape."""
        changes = [change.as_json() for change in self.changes]
        file = {"file": self.file} if self.file else {}
        place = {"namespace": self.namespace, "name": self.name}
        return {**file, **place, "state": self.state, "changes": changes}


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        same: how many SealedSecrets are the same on both sides.
        kept: how many items have the same bytes on both sides.
    """

    differences: tuple[Difference, ...] = ()
    same: int = 0
    kept: int = 0

    @property
    def differs(self) -> bool:
        """Whether there is a meaningful difference."""
        return any(one.state != "cannot-compare" for one in self.differences)

    @property
    def looks_resealed(self) -> bool:
        """Whether all of several items differ, as after a new epoch or key."""
        changes = [change for one in self.differences for change in one.changes]
        items = [c for c in changes if (c.field, c.state) == ("data", "changed")]
        return not self.kept and len(items) > 1

    def as_json(self) -> dict[str, Any]:
        """The stable shape."""
        found = [one.as_json() for one in self.differences]
        return {"differs": self.differs, "same": self.same, "differences": found}


@dataclass(frozen=True)
class Snapshot:
    """The compared fields of one SealedSecret.

    Attributes:
        opens_as: what it is sealed for: as krmfn's annotation says, else as its scope has it.
        certificate: the fingerprint; empty when krmfn did not seal it.
        items: data key to ciphertext.
        template: (field, name) to value, of the Secret it becomes.
    """

    namespace: str
    name: str
    opens_as: str
    certificate: str
    items: Mapping[str, str]
    template: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def place(self) -> NamespacedName:
        """Namespace and name."""
        return NamespacedName(self.namespace, self.name)

    @property
    def keys(self) -> list[str]:
        """The data's keys, in order."""
        return sorted(self.items)

    @property
    def facts(self) -> dict[tuple[str, str], str]:
        """Return the compared fields except the data, by field and name."""
        certificate = {("certificate", ""): self.certificate} if self.certificate else {}
        return {("sealed-for", ""): self.opens_as, **certificate, **self.template}


def sealed_secrets(objects: Iterable[Any]) -> list[Snapshot]:
    """Return the SealedSecrets among objects, including those in lists."""
    return [
        _sealed(one)
        for value in objects
        for _, one in each_of(value)
        if (one.get("apiVersion"), one.get("kind")) == (API_VERSION, KIND)
    ]


def _sealed(value: Object) -> Snapshot:
    spec, said = mapping(value.get("spec")), annotations_of(value)
    namespace, name = place_of(value)
    own = sealed_for(scope_of(said), namespace, name)
    return Snapshot(
        namespace,
        name,
        str(said.get(SEALED_FOR, own)),
        str(said.get(CERTIFICATE, "")),
        {key: str(item) for key, item in mapping(spec.get("encryptedData")).items()},
        _template(mapping(spec.get("template"))),
    )


def _template(template: Object) -> dict[tuple[str, str], str]:
    metadata = mapping(template.get("metadata"))
    # Absent is what the API server makes of it.
    found = {
        ("type", ""): str(template.get("type") or "Opaque"),
        ("immutable", ""): "true" if template.get("immutable") is True else "false",
    }
    for what, values in (
        ("label", metadata.get("labels")),
        ("annotation", metadata.get("annotations")),
        ("template", template.get("data")),
    ):
        for name, each in mapping(values).items():
            # The scope is reported once, as sealed-for.
            if name not in SCOPE_ANNOTATIONS.values():
                found[what, name] = str(each)
    return found


def compare(
    before: Iterable[Snapshot],
    after: Iterable[Snapshot],
    *,
    random: Collection[NamespacedName] = (),
    file: str = "",
    sides: tuple[str, str] = ("before", "after"),
) -> Comparison:
    """Return the changes from one side to the other, by namespace and name.

    Args:
        random: the SealedSecrets that are known to be sealed at random, on either side.
        file: as in `Difference`.
        sides: what to call the two, for errors.

    Raises:
        SpecError: one side has two of the same namespace and name.
    """
    left, right = _by_place(before, sides[0]), _by_place(after, sides[1])
    differences: list[Difference] = []
    kept = 0
    for place in sorted(left.keys() | right.keys()):
        old, new = left.get(place), right.get(place)
        state: State = "changed"
        if old is not None and new is not None:
            changes = _changes(old, new, random=place in random)
            kept += len(old.items.items() & new.items.items())
            if not changes:
                continue
            if all(change.reason == RANDOM for change in changes):
                state = "cannot-compare"
        else:
            state = "appeared" if old is None else "vanished"
            changes = [Change("data", state, key) for one in (old, new) if one for key in one.keys]
        differences.append(Difference(*place, state, tuple(changes), file))
    return Comparison(tuple(differences), len(left.keys() | right.keys()) - len(differences), kept)


def together(comparisons: Iterable[Comparison]) -> Comparison:
    """Merge several comparisons."""
    found = list(comparisons)
    return Comparison(
        tuple(one for each in found for one in each.differences),
        sum(each.same for each in found),
        sum(each.kept for each in found),
    )


def _changes(old: Snapshot, new: Snapshot, *, random: bool) -> list[Change]:
    reason = _incomparable(old, new, random=random)
    changes = []
    for key in sorted(old.items.keys() | new.items.keys()):
        one, other = old.items.get(key), new.items.get(key)
        if one != other:
            state = _state(one, other)
            unknown = reason if state == "changed" else ""
            changes.append(Change("data", "cannot-compare" if unknown else state, key, unknown))
    before, after = old.facts, new.facts
    for what, name in sorted(before.keys() | after.keys()):
        one, other = before.get((what, name)), after.get((what, name))
        if one != other:
            # Labels and annotations can hold anything: their names will do.
            told = {} if name else {"before": one or "", "after": other or ""}
            changes.append(Change(what, _state(one, other), name, **told))
    return changes


def _incomparable(old: Snapshot, new: Snapshot, *, random: bool) -> str:
    """Return the reason why different bytes show nothing; empty if they do."""
    if not (old.certificate and new.certificate):
        return FOREIGN
    if old.certificate != new.certificate:
        return CERTIFICATE_DIFFERS
    if old.opens_as != new.opens_as:
        return PLACE_DIFFERS
    return RANDOM if random else ""


def _state(one: str | None, other: str | None) -> State:
    """Return the state of two that differ."""
    return "appeared" if one is None else "vanished" if other is None else "changed"


def _by_place(sealed: Iterable[Snapshot], side: str) -> dict[NamespacedName, Snapshot]:
    found: dict[NamespacedName, Snapshot] = {}
    for one in sealed:
        if found.setdefault(one.place, one) != one:
            raise SpecError(
                "input",
                "it appears twice, with different content",
                where=side,
                secret="/".join(filter(None, one.place)),
                remedy="compare file by file",
            )
    return found
