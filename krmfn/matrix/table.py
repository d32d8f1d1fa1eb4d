"""Secrets by overlays: the producer of each Secret in each environment, and differences. Pure.

Rules enforced here: a row is a Secret by the name that it had before its overlay renamed it; what an
operator makes, or an assumption says, counts where some overlay refers to it; of a value nothing is
kept but which others equal it, in letters by their place in the table; what nobody refers to and
nobody makes is not needed, and anything else has a state.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.objects.sealed_secret import said_and_final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from krmfn.audit.judge import Audit, Judged
    from krmfn.audit.productions import Production
    from krmfn.matrix.equal import Value

MISSING, PLAIN, COMMITTED, SEALED = "missing", "plain", "committed", "sealed"
OPERATOR, ELSEWHERE, OPTIONAL, NOT_NEEDED = "operator", "elsewhere", "optional", "not-needed"
# State to its words in the table and its meaning; what needs most attention first.
STATES: dict[str, tuple[str, str]] = {
    MISSING: ("missing", "something refers to it, and nothing creates it"),
    PLAIN: ("plain", "an unencrypted Secret"),
    COMMITTED: ("committed", "a SealedSecret that was sealed before and is in git"),
    SEALED: ("sealed", "sealed by krmfn"),
    OPERATOR: ("operator", "made by an operator"),
    ELSEWHERE: ("elsewhere", "made elsewhere: assumed, or where this build cannot see"),
    OPTIONAL: ("optional", "optional, and nothing creates it"),
    NOT_NEEDED: ("not needed", "nothing refers to it, and nothing creates it"),
}
_HOW = {"sealed": COMMITTED, "claim": SEALED, "plain": PLAIN, "operator": OPERATOR}
_VERDICT = {"unmet": MISSING, "absent": OPTIONAL, "external": ELSEWHERE}
_ON_DEMAND = ("operator", "assumed")


@dataclass(frozen=True)
class Column:
    """One overlay.

    Attributes:
        name: what to call it, unlike any other.
        directory: relative to the repository's root.
        base: from a resource's name to the one before the overlay renamed it.
    """

    name: str
    directory: str
    audit: Audit
    base: Callable[[str], str]


@dataclass(frozen=True)
class CellUse:
    """A field that refers to a Secret."""

    object: str
    at: str
    keys: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Placement:
    """A Secret in one namespace of one overlay.

    Attributes:
        names: what it is called there; several when reference and maker disagree.
        types: as its makers give it; none when they do not say.
        open: it may have more keys than these.
        lacks: keys that something needs and nothing produces.
        by: ``Kind/name`` of the makers.
        certain: whether it is made for sure.
        sealed_for: what a committed SealedSecret says that it was sealed for, where that is not
            what it is.
    """

    namespace: str
    state: str
    names: tuple[str, ...]
    types: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    open: bool = False
    lacks: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    certain: bool = True
    uses: tuple[CellUse, ...] = ()
    sealed_for: str = ""

    @property
    def made(self) -> bool:
        """Whether any object produces it."""
        return bool(self.by)


@dataclass(frozen=True)
class Equal:
    """A value of a cell that also occurs elsewhere."""

    namespace: str
    key: str
    group: str


@dataclass
class Cell:
    """A Secret in one overlay."""

    places: tuple[Placement, ...] = ()
    equal: list[Equal] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The state of the placement that needs most attention."""
        states = {place.state for place in self.places}
        return next((state for state in STATES if state in states), NOT_NEEDED)

    @property
    def lacks(self) -> list[str]:
        """Keys that something needs and nothing produces."""
        return sorted({key for place in self.places for key in place.lacks})


@dataclass
class Row:
    """A Secret in every overlay.

    Attributes:
        types: type to the columns that have it, when they have several.
        keys: each key that not all have to the columns that have it.
    """

    name: str
    cells: list[Cell]
    types: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether the overlays give it different shapes."""
        return bool(self.types or self.keys)


@dataclass
class SharedValue:
    """A value that occurs in several places.

    Attributes:
        values: where.
        across: whether in several overlays.
        same_source: whether all of them are read from one place.
    """

    group: str
    values: list[Value]
    across: bool
    same_source: bool


@dataclass
class Table:
    """The whole."""

    columns: list[Column]
    rows: list[Row]
    shared: list[SharedValue] | None = None

    def count(self, state: str) -> int:
        """How many cells are in a state."""
        return sum(cell.state == state for row in self.rows for cell in row.cells)


def table(columns: Sequence[Column], *, everything: bool = False) -> Table:
    """The table, without values.

    Args:
        everything: also Secrets of operators and assumptions without a reference.
    """
    found = [_places(column) for column in columns]
    wanted = {name for places in found for (name, _), one in places.items() if one.counts()}
    names = sorted({n for places in found for n, _ in places if everything or n in wanted})
    rows = []
    for name in names:
        cells = [
            Cell(tuple(one.place(ns) for (n, ns), one in sorted(places.items()) if n == name))
            for places in found
        ]
        rows.append(_compared(Row(name, cells), columns))
    return Table(list(columns), rows)


@dataclass
class _Found:
    """A column's facts about one Secret in one namespace."""

    made: list[Production] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)

    def counts(self) -> bool:
        return bool(self.judged) or any(one.how not in _ON_DEMAND for one in self.made)

    def place(self, namespace: str) -> Placement:
        uses = (_use(one) for one in self.judged)
        return Placement(
            namespace,
            self._state(),
            _sorted(
                [*(one.secret for one in self.made), *(j.reference.secret for j in self.judged)]
            ),
            _sorted(one.type for one in self.made if one.type),
            _sorted(key for one in self.made for key in one.keys),
            any(one.open for one in self.made),
            _sorted(key for one in self.judged for key in one.missing),
            _sorted(one.by for one in self.made),
            not self.made or any(one.certain for one in self.made),
            tuple(sorted(uses, key=lambda use: (use.object, use.at))),
            next((said[0] for one in self.made if (said := _moved(one))), ""),
        )

    def _state(self) -> str:
        verdicts = {one.verdict for one in self.judged}
        states = {_VERDICT[one] for one in verdicts if one in _VERDICT}
        states |= {_HOW.get(one.how, ELSEWHERE) for one in self.made}
        return next(state for state in STATES if state in states)


def _moved(made: Production) -> tuple[str, str] | None:
    resource = made.resource
    return said_and_final(resource.value) if resource and made.how == "sealed" else None


def _places(column: Column) -> dict[tuple[str, str], _Found]:
    """Group by row and namespace; an empty namespace means none, or an unknown one."""
    found: dict[tuple[str, str], _Found] = defaultdict(_Found)
    for made in column.audit.productions:
        if made.namespace is not None:
            found[_row(made, column), made.namespace].made.append(made)
    for judged in column.audit.judged:
        maker, wanted = judged.maker, judged.reference
        if maker is None:
            found[wanted.secret, wanted.namespace or ""].judged.append(judged)
            continue
        where = wanted.namespace if maker.namespace is None else maker.namespace
        one = found[_row(maker, column), where or ""]
        one.judged.append(judged)
        one.made += [made for made in judged.makers if made not in one.made]
    return found


def _row(made: Production, column: Column) -> str:
    """Return a Secret's base name; for an operator's Secret it follows from its object's name."""
    if made.resource is None:
        return made.secret
    if made.how != OPERATOR:
        return column.base(made.secret)
    own = made.resource.name
    return made.secret.replace(own, column.base(own), 1) if own else made.secret


def _use(judged: Judged) -> CellUse:
    reference = judged.reference
    return CellUse(reference.resource.title, reference.at, reference.keys, reference.optional)


def _compared(row: Row, columns: Sequence[Column]) -> Row:
    """Return the row with the differences between the columns that produce the Secret."""
    types: dict[str, list[str]] = defaultdict(list)
    keys: dict[str, list[str]] = defaultdict(list)
    closed = 0
    for column, cell in zip(columns, row.cells, strict=True):
        made = [place for place in cell.places if place.made]
        for type_ in _sorted(type_ for place in made for type_ in place.types):
            types[type_].append(column.name)
        if made and not any(place.open for place in made):
            closed += 1
            for key in _sorted(key for place in made for key in place.keys):
                keys[key].append(column.name)
    row.types = dict(sorted(types.items())) if len(types) > 1 else {}
    row.keys = {key: where for key, where in sorted(keys.items()) if len(where) != closed}
    return row


def _sorted(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


def label_columns(directories: Sequence[str]) -> list[str]:
    """Return the shortest unique end of each path."""
    parts = [directory.split("/") for directory in directories]

    def label(one: list[str]) -> str:
        ends = ([each[-length:] for each in parts] for length in range(1, len(one)))
        length = next((n for n, all_ in enumerate(ends, 1) if all_.count(one[-n:]) == 1), len(one))
        return "/".join(one[-length:])

    return [label(one) for one in parts]


def shown(found: Table) -> dict[str, Any]:
    """Return the table as plain values for ``--json``, without secret values (docs/environments.md)."""
    names = [column.name for column in found.columns]
    value: dict[str, Any] = {
        "overlays": [{"name": c.name, "directory": c.directory} for c in found.columns],
        "counts": {state: found.count(state) for state in STATES},
        "secrets": [
            {
                "name": row.name,
                "differs": {
                    name: each for name, each in (("type", row.types), ("keys", row.keys)) if each
                },
                "cells": {name: _cell(cell) for name, cell in zip(names, row.cells, strict=True)},
            }
            for row in found.rows
        ],
    }
    if found.shared is not None:
        value["shared"] = [
            {
                "group": one.group,
                "across": one.across,
                "sameSource": one.same_source,
                "values": [
                    {"overlay": v.column, "namespace": v.namespace, "secret": v.row, "key": v.key}
                    for v in one.values
                ],
            }
            for one in found.shared
        ]
    return value


def _cell(cell: Cell) -> dict[str, Any]:
    value: dict[str, Any] = {"state": cell.state}
    if cell.places:
        value["places"] = [_place(place) for place in cell.places]
    if cell.equal:
        value["equal"] = [vars(one) for one in cell.equal]
    return value


def _place(place: Placement) -> dict[str, Any]:
    value: dict[str, Any] = {
        "namespace": place.namespace,
        "state": place.state,
        "names": list(place.names),
        "types": list(place.types),
        "keys": list(place.keys),
        "by": list(place.by),
        "uses": [
            {
                "object": use.object,
                "at": use.at,
                **({"keys": list(use.keys)} if use.keys else {}),
                **({"optional": True} if use.optional else {}),
            }
            for use in place.uses
        ],
    }
    value |= {"open": True} if place.open else {}
    value |= {"certain": False} if not place.certain else {}
    value |= {"sealedFor": place.sealed_for} if place.sealed_for else {}
    return value | ({"lacks": list(place.lacks)} if place.lacks else {})
