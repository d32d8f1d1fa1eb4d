"""Compare Secrets across environments: who creates each one, and where they differ.

  krmfn matrix overlays/dev overlays/prod            # builds them; needs no credential
  krmfn matrix overlays/* --html secrets.html        # one file that loads nothing else
  krmfn matrix overlays/* --json
  krmfn matrix overlays/* --equal-values             # reads the values that a build reads

krmfn removes an overlay's prefix and suffix from names, so that stg-db and db share a row.
--equal-values warns of values that environments share, and shows them as letters; it prints no
value, digest or length.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.audit.enforce import audit_stream
from krmfn.build.one import look_at, values_of
from krmfn.build.sandbox import find_kustomize
from krmfn.cli.console import console, progress, say_json, words
from krmfn.cli.frame import command
from krmfn.errors import SpecError
from krmfn.files.read import Place, find_root
from krmfn.files.write import replace_file
from krmfn.matrix.equal import KEY_LENGTH, equal, plain_values, sealed_values
from krmfn.matrix.letters import share
from krmfn.matrix.table import (
    MISSING,
    NOT_NEEDED,
    STATES,
    Column,
    label_columns,
    shown,
    table,
)
from krmfn.objects import stream
from krmfn.text import counted, printable
from krmfn.warned import Warned

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rich.text import Text

    from krmfn.build.one import Look
    from krmfn.cli.frame import Run
    from krmfn.matrix.equal import Value
    from krmfn.matrix.table import Cell, Placement, Row, SharedValue, Table
    from krmfn.plaintext import Plaintext

_STYLES = {
    "missing": "bold red",
    "plain": "yellow",
    "committed": "cyan",
    "sealed": "green",
    "operator": "blue",
    "elsewhere": "magenta",
    "optional": "dim",
    "not-needed": "dim",
}


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "directories",
        nargs="*",
        default=["."],
        metavar="DIR",
        help="a kustomization's directory; each is a column; default: the working directory",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the table as JSON")
    form.add_argument("--html", metavar="FILE", help="write the table as one HTML page")
    parser.add_argument(
        "--all",
        action="store_true",
        help="also list Secrets that nothing refers to: those of operators and of assumptions",
    )
    parser.add_argument(
        "--equal-values",
        action="store_true",
        help="compare the values in memory; reads the stores",
    )


def run(options: argparse.Namespace) -> int:
    """Build every overlay, then print or write the table; nothing when anything fails."""
    with command(options, "matrix") as run:
        return _shown(_table(options, run), options, run)


def _shown(found: Table, options: argparse.Namespace, run: Run) -> int:
    for one in found.shared or ():
        if one.across:
            run.warn(_warning(one))
    if options.html:
        from krmfn.matrix.page import page

        replace_file(Path(options.html), page(found).encode())
        run.note(f"wrote {options.html}")
    elif options.json:
        say_json(shown(found))
    else:
        _print(found)
    return 0


def _table(options: argparse.Namespace, run: Run) -> Table:
    """Every overlay looked at, and compared."""
    directories = _directories(options.directories)
    columns: list[Column] = []
    values: list[tuple[Value, Plaintext]] = []
    with progress("building", len(directories)) as step:
        for directory, name in directories.items():
            root = find_root(directory, os.environ)
            with run.job(directory, root, where=str(directory)) as job:
                seen = look_at(directory, find_kustomize(os.environ, root), job)
                columns.append(_column(seen, name, Place(directory.resolve(), root)))
                if options.equal_values:
                    values += _values(seen, columns[-1])
            step()
    found = table(columns, everything=options.all)
    if options.equal_values:
        share(found, equal(values, os.urandom(KEY_LENGTH)))
    return found


def _directories(names: list[str]) -> dict[Path, str]:
    """Return each directory with its label."""
    found: dict[Path, Path] = {}
    for directory in map(Path, names):
        if not directory.is_dir():
            raise SpecError("file", f"{directory} is not a directory")
        if directory.resolve() in found:
            raise SpecError("usage", f"{directory} is named twice")
        found[directory.resolve()] = directory
    return dict(zip(found.values(), label_columns([str(one) for one in found]), strict=True))


def _column(seen: Look, name: str, place: Place) -> Column:
    items = stream.stream(seen.output, "the build")
    specs = [validator.spec for validator in seen.validators]
    audit = audit_stream(items, specs, place=place, refers=seen.refers)
    directory = place.base.relative_to(place.root).as_posix()
    return Column(name, directory, audit, seen.names.base)


def _values(seen: Look, column: Column) -> Iterator[tuple[Value, Plaintext]]:
    """Yield each value of an overlay with its location."""
    rendered = values_of(seen)
    yield from sealed_values(column.name, column.base, rendered)
    yield from plain_values(column.name, column.base, column.audit)


def _warning(one: SharedValue) -> Warned:
    places = ", ".join(f"{v.column}: {v.row}.{v.key}" for v in one.values)
    text = (
        "one value, read from one place" if one.same_source else "one value in several environments"
    )
    return Warned("equal-value", f"{places} ({one.group})", text, "give each its own")


def _print(found: Table) -> None:
    """Print the table, differences, shared values and counts."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Grid
    from rich.text import Text

    screen = console()
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False)
    grid.add_column("Secret", overflow="fold")
    for column in found.columns:
        grid.add_column(Text(printable(column.name)), overflow="fold")
    for row in found.rows:
        grid.add_row(Text(printable(row.name)), *(_words(row, cell) for cell in row.cells))
    if found.rows:
        with screen.capture() as drawn:
            screen.print(grid)
        # Without the empty first line, and without what pads the last column.
        _, *lines = (line.rstrip() for line in drawn.get().splitlines())
        for line in lines:
            sys.stdout.write(f"{line}\n")
    for line in [line for row in found.rows for line in notes(row, found)]:
        screen.print(words(line), soft_wrap=True)
    screen.print(words(_summary(found)), soft_wrap=True)


def _words(row: Row, cell: Cell) -> Text:
    """Return the text of a cell."""
    from rich.text import Text

    text = Text(STATES[cell.state][0], style=_STYLES[cell.state])
    if cell.lacks:
        text.append(f", lacks {printable(', '.join(cell.lacks))}", style=_STYLES["missing"])
    for moved in (place.sealed_for for place in cell.places if place.sealed_for):
        text.append(f", sealed for {printable(moved)}", style=_STYLES["missing"])
    if row.differs and any(place.made for place in cell.places):
        text.append(" ≠", style="bold")
    for one in cell.equal:
        text.append(f" {printable(one.key)}={one.group}")
    return text


def notes(row: Row, found: Table) -> list[str]:
    """Return the notes below the table: different shapes, and users of missing Secrets."""
    lines = []
    types = [f"{type_} in {', '.join(where)}" for type_, where in row.types.items()]
    keys = [f"{key} only in {', '.join(where)}" for key, where in row.keys.items()]
    if row.differs:
        parts = [f"type {'; '.join(types)}"] if types else []
        parts += [f"key {'; '.join(keys)}"] if keys else []
        lines.append(f"{row.name} differs in shape: {'; '.join(parts)}")
    missing: dict[str, list[str]] = defaultdict(list)
    for column, cell in zip(found.columns, row.cells, strict=True):
        for place in cell.places:
            if place.state == MISSING:
                missing[_asking(row, place)].append(column.name)
    return lines + [f"{row.name} is missing in {', '.join(w)}{for_}" for for_, w in missing.items()]


def _asking(row: Row, place: Placement) -> str:
    """Suffix of a "missing" line: its users, and its maker under another name."""
    users = ", ".join(dict.fromkeys(use.object for use in place.uses))
    other = " and ".join(name for name in place.names if name != row.name)
    return f", for {users}" + (f"; {', '.join(place.by)} creates {other}" if place.by else "")


def _summary(found: Table) -> str:
    counts = [
        f"{found.count(state)} {words}"
        for state, (words, _) in STATES.items()
        if state != NOT_NEEDED and found.count(state)
    ]
    differing = sum(row.differs for row in found.rows)
    total = f"{counted(len(found.rows), 'Secret')} in {counted(len(found.columns), 'overlay')}"
    differ = "differs" if differing == 1 else "differ"
    parts = [f"{total}: {', '.join(counts)}" if counts else total, f"{differing} {differ} in shape"]
    if found.shared is not None:
        across = sum(one.across for one in found.shared)
        parts.append(f"{counted(across, 'value')} shared by environments")
    return "; ".join(parts)
