"""Print a shell completion script for krmfn's commands, options and files.

  eval "$(krmfn completion bash)"                         # in ~/.bashrc
  krmfn completion zsh > ~/.zfunc/_krmfn                  # if fpath contains ~/.zfunc
  krmfn completion fish > ~/.config/fish/completions/krmfn.fish
  krmfn completion tcsh > ~/.krmfn.tcsh                   # source it in ~/.tcshrc

The script lists the commands of this version: write the file again after an upgrade.
"""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING

from krmfn import __version__
from krmfn.cli import COMMANDS, Parser, add_arguments
from krmfn.cli.console import give

if TYPE_CHECKING:
    from collections.abc import Mapping

SHELLS = ("bash", "zsh", "fish", "tcsh")
FILES = frozenset({"FILE", "PEM_FILE", "IDENTITY_FILE"})


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads the script")


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    import shtab  # lazy: 10 ms

    parser = whole_parser()
    _complete_files(parser, {"DIR": shtab.DIRECTORY} | dict.fromkeys(FILES, shtab.FILE))
    give(f"{shtab.complete(parser, options.shell)}\n")
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """Return one parser with the arguments of every command, only for completion."""
    parser = Parser(prog="krmfn")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("-C", dest="directory", metavar="DIR", help="work in this directory")
    commands = parser.add_subparsers(dest="command")
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.summary)
        add_arguments(one, importlib.import_module(command.module))
    shown = commands.add_parser("help", help="show a command's options and examples")
    shown.add_argument("about", choices=list(COMMANDS))
    return parser


def _complete_files(parser: argparse.ArgumentParser, kinds: Mapping[str, object]) -> None:
    """Mark the arguments that are files or directories for shtab, by their metavar."""
    for action in parser._actions:  # noqa: SLF001  # argparse shows them in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for inner in action.choices.values():
                _complete_files(inner, kinds)
        elif (kind := kinds.get(str(action.metavar))) is not None:
            action.complete = kind  # type: ignore[attr-defined]  # shtab's own
