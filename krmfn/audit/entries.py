"""The catalogue's entries, by kind; their conditions and templates. Pure.

Rules enforced here: ``group/Kind`` is looked up exactly, then ``group/*``, ``*/Kind`` and ``*``; a
condition or template sees one object, and ``here``, what the entry's path has found in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn import fieldpath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from krmfn.audit.name_references import FieldSpec
    from krmfn.fieldpath import Place
    from krmfn.spec.catalogue import (
        CatalogueSpec,
        Condition,
        Consumer,
        Finder,
        Producer,
        Reserved,
    )

_FIELD = re.compile(r"\{([^{}]+)\}")
_HERE = "here."
_EMPTY: tuple[Any, ...] = (None, "", [])


@dataclass
class Entries:
    """All entries, merged.

    Attributes:
        versions: operator to its version; an operator that is not in it counts as newest.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    consumers: dict[str, list[Consumer]] = field(default_factory=lambda: defaultdict(list))
    producers: dict[str, list[tuple[str, Producer]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    pod_specs: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    pod_spec_refs: list[Consumer] = field(default_factory=list)
    finders: list[Finder] = field(default_factory=list)
    reserved: list[Reserved] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)
    cluster_scoped: set[str] = field(default_factory=set)
    inert: set[str] = field(default_factory=set)
    refers: list[FieldSpec] = field(default_factory=list)
    renamed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, spec: CatalogueSpec, *, kind: str | None = None) -> None:
        """Merge a catalogue.

        Args:
            kind: of the entries that name none.
        """
        for consumer in spec.consumers:
            for name in consumer.kinds or ([kind] if kind else []):
                self.consumers[name].append(consumer)
        for producer in spec.producers:
            for name in producer.from_ or ([kind] if kind else []):
                self.producers[name].append((spec.operator or "", producer))
        for name, paths in spec.pod_specs.items():
            self.pod_specs[name].extend(paths)
        self.pod_spec_refs.extend(spec.pod_spec_refs)
        for group in spec.renamed:
            for name in group.kinds:
                self.renamed[name].extend(group.at)
        self.finders.extend(spec.finders)
        self.reserved.extend(spec.reserved)
        self.groups.update(spec.groups)
        self.cluster_scoped.update(spec.cluster_scoped)
        self.inert.update(spec.inert)

    def consumers_of(self, group_kind: str) -> list[Consumer]:
        """The consumers among a kind's fields."""
        return [entry for name in _names(group_kind) for entry in self.consumers.get(name, ())]

    def producers_of(self, group_kind: str) -> list[tuple[str, Producer]]:
        """Return the producer entries of a kind, each with its operator."""
        return [entry for name in _names(group_kind) for entry in self.producers.get(name, ())]

    def knows(self, group_kind: str) -> bool:
        """Whether the catalogue covers the kind, so that the shape rule need not guess."""
        group, _, _ = group_kind.rpartition("/")
        return (
            group in self.groups
            or group_kind in self.pod_specs
            or any(self.consumers.get(name) for name in _names(group_kind)[:2])
        )

    def is_cluster_scoped(self, group_kind: str) -> bool:
        """Whether objects of a kind have no namespace."""
        return not self.cluster_scoped.isdisjoint(_names(group_kind)[:3])

    def may_make(self, group_kind: str) -> bool:
        """Whether objects of the kind may create Secrets, as far as the catalogue knows."""
        names = _names(group_kind)[:3]
        return not (
            self.knows(group_kind)
            or any(self.producers.get(name) for name in names)
            or not self.inert.isdisjoint(names)
        )


def _names(group_kind: str) -> tuple[str, ...]:
    group, _, kind = group_kind.rpartition("/")
    return group_kind, f"{group}/*", f"*/{kind}", "*"


@dataclass(frozen=True)
class Scope:
    """The object and values that a condition or template can use.

    Attributes:
        here: what the entry's path has found; the object itself when it has none.
        key: the name of the field that it was found in.
    """

    value: dict[str, Any]
    here: Any
    place: Place
    operator: str
    versions: Mapping[str, str]

    @property
    def key(self) -> str:
        """The last field's name on the way to ``here``."""
        return next((s for s in reversed(self.place) if isinstance(s, str)), "")

    def find(self, path: str) -> Iterator[Any]:
        """Everything at a path."""
        inside = path.startswith(_HERE)
        root = self.here if inside else self.value
        return (found for _, found in fieldpath.walk(root, path.removeprefix(_HERE)))

    def has(self, path: str) -> bool:
        """Whether ``path`` has a value that is not empty."""
        return any(found not in _EMPTY for found in self.find(path))

    def holds(self, condition: Condition | None) -> bool:
        """Whether all of a condition holds."""
        if condition is None:
            return True
        return (
            all(self._is(path, wanted) for path, wanted in condition.is_.items())
            and all(self.has(path) for path in condition.has)
            and not any(self.has(path) for path in condition.lacks)
            and (not condition.same or self._agree(condition.same))
            and (not condition.since or self._since(condition.since))
            and (not condition.before or not self._since(condition.before))
            and (not condition.any or any(self.holds(one) for one in condition.any))
            and not any(self.holds(one) for one in condition.none)
        )

    def _is(self, path: str, wanted: object) -> bool:
        accepted = wanted if isinstance(wanted, list) else [wanted]
        return any(found in accepted for found in self.find(path))

    def _agree(self, paths: Sequence[str]) -> bool:
        texts = {next((t for t in self.find(path) if isinstance(t, str)), None) for path in paths}
        return len(texts) == 1 and None not in texts

    def _since(self, versions: Sequence[str]) -> bool:
        version = self.versions.get(self.operator)
        return version is None or is_since(version, versions)

    def fill(self, template: str) -> str | None:
        """Fill the template's fields in; None if one of them is missing or not text.

        ``{a|b}`` is the first that is there, ``{a|=text}`` ends with a text, ``{key}`` is the field's
        name that ``each`` has found and ``{key:dns}`` the same with hyphens for underscores.
        """
        missing = False

        def value(match: re.Match[str]) -> str:
            nonlocal missing
            found = self._field(match[1])
            missing = missing or found is None
            return found or ""

        text = _FIELD.sub(value, template)
        return None if missing else text

    def _field(self, text: str) -> str | None:
        if text in ("key", "key:dns"):
            return self.key.replace("_", "-") if text == "key:dns" else self.key
        for path in text.split("|"):
            if path.startswith("="):
                return path[1:]
            for found in self.find(path):
                if isinstance(found, str) and found:
                    return found
        return None

    def first(self, templates: Iterable[str]) -> str | None:
        """Return the first template whose fields all exist, filled in."""
        return next((t for t in map(self.fill, templates) if t is not None), None)


def is_since(version: str, versions: Sequence[str]) -> bool:
    """Whether ``version`` equals or follows one of these releases.

    Each counts for its own minor release, and the newest of them for all releases that follow.
    """
    number = _number(version)
    known = sorted(_number(one) for one in versions)
    return number >= known[-1] or any(number[:2] == one[:2] and number >= one for one in known)


def _number(version: str) -> tuple[int, ...]:
    parts = [int(part) for part in version.split(".")]
    return (*parts, *[0] * (3 - len(parts)))
