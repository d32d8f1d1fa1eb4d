"""Say what an error, finding or warning means, its usual cause, and what to do.

  krmfn explain permission-denied
  krmfn explain                      # all ids, each with its meaning

The id is what stands in brackets at the end of a line. docs/errors.md has the same for all of them.
"""

from __future__ import annotations

import difflib
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from krmfn.audit.rules import RULES
from krmfn.cli.console import say_lines
from krmfn.documents import strict
from krmfn.errors import CATALOGUE, SpecError

if TYPE_CHECKING:
    import argparse


class Explanation(NamedTuple):
    """What people ask about an id; each a sentence without a full stop."""

    cause: str
    remedy: str


def explanations() -> dict[str, Explanation]:
    """Return each id of `krmfn.errors.CATALOGUE` with its explanation, of krmfn/errors.yaml."""
    text = resources.files("krmfn").joinpath("errors.yaml").read_text()
    found = strict.load(text, "errors.yaml")
    return {id_: Explanation(**fields) for id_, fields in found.items()}


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="such as permission-denied")


def run(options: argparse.Namespace) -> int:
    """Print one explanation, or the list."""
    if options.id is None:
        width = max(map(len, CATALOGUE))
        say_lines("".join(f"{id_:{width}}  {CATALOGUE[id_][1]}\n" for id_ in sorted(CATALOGUE)))
        return 0
    id_ = options.id.strip("[]")
    if id_ not in CATALOGUE:
        near = difflib.get_close_matches(id_, CATALOGUE, n=1)
        raise SpecError(
            "usage",
            "there is no such id",
            remedy=f"did you mean {near[0]}?" if near else "krmfn explain lists all of them",
        )
    kind, meaning = CATALOGUE[id_]
    told = explanations()[id_]
    text = f"{id_} (exit code {kind.exit_code}): {meaning}\n\n"
    text += f"Usual cause: {told.cause}.\nWhat to do:  {told.remedy}.\n"
    if id_ in RULES:
        text += f"\n{RULES[id_].explanation}\n"
    say_lines(text)
    return 0
