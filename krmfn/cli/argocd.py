"""Answer Argo CD's questions to its plugin besides `krmfn build`; see docs/argocd.md.

  krmfn argocd discover              # prints which krmfn kinds the directory uses, or nothing
  krmfn argocd discover overlays/prod
  krmfn argocd parameters            # parameters for this directory, besides those of plugin.yaml

`discover` always exits with 0: Argo CD treats another exit code as a failure of the application, and
empty output as "not for this plugin". It reports on standard error why it skipped something.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.cli.console import say, say_json

if TYPE_CHECKING:
    import argparse


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="discover|parameters")
    discover = actions.add_parser("discover", help="report whether a directory uses krmfn")
    discover.add_argument(
        "directory", nargs="?", default=".", metavar="DIR", help="default: the working directory"
    )
    actions.add_parser("parameters", help="print the directory's parameters as JSON")


def run(options: argparse.Namespace) -> int:
    """Answer one question."""
    if options.action == "discover":
        return _discover(Path(options.directory))
    _parameters()
    return 0


def _discover(directory: Path) -> int:
    from krmfn.argocd.discover import Search
    from krmfn.files.read import find_root

    search = Search(find_root(directory, os.environ))
    found = search.first_use(directory)
    for note in search.notes:
        say(f"[note] krmfn argocd discover: {note}", stderr=True)
    if found:
        say(found)
    return 0


def _parameters() -> None:
    from krmfn.argocd.parameters import announcement
    from krmfn.files.read import find_root

    here = Path()
    say_json(announcement(here, find_root(here, os.environ)), indent=None)
