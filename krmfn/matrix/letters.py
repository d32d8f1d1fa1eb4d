"""Letters for values that are equal, in the order of the table. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from krmfn.matrix.table import Equal, SharedValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from krmfn.matrix.equal import Value
    from krmfn.matrix.table import Table


def share(found: Table, groups: Iterable[Sequence[Value]]) -> None:
    """Put the letters of equal values into the table, in the order of the table.

    Args:
        groups: each of values that are equal; `Value.row` and `Value.column` are places in it.
    """
    ordered = sorted((sorted(one, key=_order(found)) for one in groups), key=_first(found))
    found.shared = []
    for letter, values in zip(_letters(), ordered, strict=False):
        across = len({value.column for value in values}) > 1
        same = len({value.source for value in values}) == 1 and bool(values[0].source)
        found.shared.append(SharedValue(letter, values, across, same))
        for value in values:
            row = next(row for row in found.rows if row.name == value.row)
            cell = row.cells[_index(found, value.column)]
            cell.equal.append(Equal(value.namespace, value.key, letter))


def _index(found: Table, column: str) -> int:
    return [one.name for one in found.columns].index(column)


def _order(found: Table) -> Callable[[Value], tuple[Any, ...]]:
    return lambda value: (value.row, _index(found, value.column), value.namespace, value.key)


def _first(found: Table) -> Callable[[Sequence[Value]], tuple[Any, ...]]:
    return lambda values: _order(found)(values[0])


def _letters() -> Iterator[str]:
    """A, B, … Z, AA, AB and so on."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    words = [""]
    while True:
        words = [word + letter for word in words for letter in alphabet]
        yield from words
