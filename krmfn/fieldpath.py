"""Paths into plain values: ``spec.users[].name``, as the catalogue of Secret references writes them.

Rules enforced here: a step is a field's name, quoted with ``'`` where it holds dots; ``[]`` behind it
walks over a list, ``{}`` over a mapping's values; ``**`` stands for any depth, ``**Ref`` for a field
at any depth whose name ends so. What is not there, or of another shape, is simply not found. Pure.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Steps: TypeAlias = tuple[tuple[Literal["field", "items", "values", "any", "ending"], str], ...]
Place: TypeAlias = tuple[str | int, ...]

_STEP = re.compile(
    r"(?:'(?P<quoted>[^']+)'|(?P<plain>[^.'\[\]{}*]+)|\*\*(?P<ending>\w*))(?P<each>\[\]|\{\}|)"
)


@cache
def compiled(path: str) -> Steps:
    """The steps of a path.

    Raises:
        ValueError: it is not one.
    """
    steps: list[tuple[Any, str]] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (match.end() < len(path) and path[match.end()] != "."):
            raise ValueError(f"not a path: {path}")
        if match["ending"] is not None:
            steps.append(("ending", match["ending"]) if match["ending"] else ("any", ""))
        else:
            steps.append(("field", match["quoted"] or match["plain"]))
        if match["each"]:
            steps.append(("items" if match["each"] == "[]" else "values", ""))
        at = match.end() + 1
    if at == len(path):  # it ends with a dot
        raise ValueError(f"not a path: {path}")
    return tuple(steps)


def walk(value: Any, path: str) -> Iterator[tuple[Place, Any]]:
    """Return every value at ``path`` that is not null, with its exact location."""
    return _walk(value, compiled(path), ())


def first(value: Any, path: str) -> Any:
    """The first value at ``path``; None when there is none."""
    return next((found for _, found in walk(value, path)), None)


def _walk(value: Any, steps: Steps, place: Place) -> Iterator[tuple[Place, Any]]:
    if not steps:
        if value is not None:
            yield place, value
        return
    (kind, name), rest = steps[0], steps[1:]
    if kind in ("any", "ending"):
        yield from _deep(value, kind, name, rest, place)
        return
    for step, item in _step(value, kind, name):
        yield from _walk(item, rest, (*place, step))


def _step(value: Any, kind: str, name: str) -> Iterator[tuple[str | int, Any]]:
    if kind == "field":
        if isinstance(value, dict) and name in value:
            yield name, value[name]
    elif isinstance(value, list if kind == "items" else dict):
        yield from children(value)


def _deep(
    value: Any, kind: str, name: str, rest: Steps, place: Place
) -> Iterator[tuple[Place, Any]]:
    if kind == "any":
        yield from _walk(value, rest, place)
    for step, item in children(value):
        if kind == "ending" and isinstance(step, str) and step.endswith(name):
            yield from _walk(item, rest, (*place, step))
        yield from _deep(item, kind, name, rest, (*place, step))


def children(value: Any) -> Iterator[tuple[str | int, Any]]:
    """Yield the values of a mapping or list, each with its key or index."""
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def dotted(place: Sequence[str | int]) -> str:
    """``spec.secrets[2].name``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")
