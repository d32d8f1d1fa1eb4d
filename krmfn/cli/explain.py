"""Explain an error, a finding or a warning: its meaning, its usual cause and the remedy.

  krmfn explain permission-denied
  krmfn explain                      # all ids, each with its meaning

The id is in brackets at the end of each message. docs/errors.md explains all of them.
"""

from __future__ import annotations

import difflib
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from krmfn.audit.rules import RULES
from krmfn.cli.console import say_lines
from krmfn.documents import strict
from krmfn.errors import CATALOGUE, SpecError
from krmfn.warned import WARNINGS

if TYPE_CHECKING:
    import argparse


class Explanation(NamedTuple):
    """Meaning, cause and remedy of an id; each a sentence without a full stop."""

    cause: str
    remedy: str


def explanations() -> dict[str, Explanation]:
    """Return the explanation in krmfn/errors.yaml for each id of an error or warning."""
    text = resources.files("krmfn").joinpath("errors.yaml").read_text()
    found = strict.load(text, "errors.yaml")
    return {id_: Explanation(**fields) for id_, fields in found.items()}


def meanings() -> dict[str, str]:
    """Return the meaning of each id of an error, finding or warning."""
    return {**WARNINGS, **{id_: meaning for id_, (_, meaning) in CATALOGUE.items()}}


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "id", nargs="?", metavar="ID", help="an id, such as permission-denied; default: list all"
    )


def run(options: argparse.Namespace) -> int:
    """Print one explanation, or the list."""
    known = meanings()
    if options.id is None:
        width = max(map(len, known))
        say_lines("".join(f"{id_:{width}}  {known[id_]}\n" for id_ in sorted(known)))
        return 0
    id_ = options.id.strip("[]")
    if id_ not in known:
        near = difflib.get_close_matches(id_, known, n=1)
        raise SpecError(
            "usage",
            "there is no such id",
            remedy=f"did you mean {near[0]}?" if near else "krmfn explain lists all of them",
        )
    told = explanations()[id_]
    code = f"exit code {CATALOGUE[id_][0].exit_code}" if id_ in CATALOGUE else "warning"
    text = f"{id_} ({code}): {known[id_]}\n\n"
    text += f"Usual cause: {told.cause}.\nWhat to do:  {told.remedy}.\n"
    if id_ in RULES:
        text += f"\n{RULES[id_].explanation}\n"
    say_lines(text)
    return 0
