"""Every command and subcommand that there is, asked of the parsers themselves."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from krmfn.cli.completion import whole_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

# Options that give an output another form.
FORMS = frozenset({"--json", "--sarif", "--mermaid", "--html", "--explain", "--check"})
# What Argo CD asks has an answer always.
NEVER_FAIL = ("argocd discover", "argocd parameters")


def options() -> dict[str, set[str]]:
    """Each command, with its subcommand where it has one, and its options."""
    return dict(_below(whole_parser(), ""))


def _below(parser: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, set[str]]]:
    actions = parser._actions
    inner = [one for one in actions if isinstance(one, argparse._SubParsersAction)]
    for action in inner:
        for name, one in action.choices.items():
            yield from _below(one, f"{words} {name}".strip())
    if not inner:
        yield words, {option for action in actions for option in action.option_strings}
