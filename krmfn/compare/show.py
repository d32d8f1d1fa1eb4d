"""Print the differences of two sets of SealedSecrets, for `krmfn diff` and `krmfn drift`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from krmfn.compare.compare import REASONS
from krmfn.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.compare.compare import Change, Comparison, Difference

_SINGLE = ("sealed-for", "certificate", "type", "immutable")
_HINT = "not one item is the same: a new epoch or derivation key, or mode: random, looks like this"


def text(comparison: Comparison) -> str:
    """Lines for people, stable and without values."""
    lines = [line for one in comparison.differences for line in _difference(one)]
    if comparison.looks_resealed:
        lines.append(_HINT)
    counts = Counter[str](one.state for one in comparison.differences)
    words = [
        f"{counts[state]} {word}"
        for state, word in (
            ("changed", "changed"),
            ("appeared", "appeared"),
            ("vanished", "vanished"),
            ("cannot-compare", "cannot be compared"),
        )
        if counts[state]
    ]
    lines.append(", ".join([*words, f"{comparison.same} the same"]))
    return "".join(f"{printable(line)}\n" for line in lines)


def _difference(one: Difference) -> Iterator[str]:
    place = "/".join(filter(None, (one.namespace, one.name)))
    state = one.state.replace("-", " ")
    yield ": ".join([*filter(None, [one.file]), place, state])
    for change in one.changes:
        yield f"  {_change(change)}"


def _change(change: Change) -> str:
    if change.field in _SINGLE:
        return f"{change.field}: {change.before or 'none'} -> {change.after or 'none'}"
    name = change.name if change.field == "data" else f"{change.field} {change.name}"
    if change.reason:
        return f"{name}: cannot compare: {REASONS[change.reason]}"
    return f"{name}: {change.state}"
