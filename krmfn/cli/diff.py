"""Show which SealedSecrets differ between two places, by ciphertext and annotations alone.

  krmfn diff rendered/overlays/prod.yaml overlays/prod     # what a build would change
  krmfn diff main:rendered rendered                        # what a branch changes
  krmfn diff HEAD~1:overlays/prod overlays/prod
  krmfn diff cluster rendered/overlays/prod.yaml           # what a sync would change
  krmfn build overlays/prod | krmfn diff rendered/overlays/prod.yaml -

A and B are each one of these:

  a directory with a kustomization   built as `krmfn build` builds it
  a directory of rendered files      compared file by file with another one
  a file, or - for standard input
  REV:PATH                           read from git; the work tree stays as it is
  cluster                            every SealedSecret in the namespaces of the other side

Only a build reads values, and none is printed. Equal bytes mean an equal value. Different bytes
mean a different value if krmfn sealed both for the same certificate, namespace and name; otherwise
krmfn reports why it cannot compare them. Exit code 0: no difference; 1: differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.cli.console import say_json, say_lines
from krmfn.cli.frame import command
from krmfn.compare.compare import compare, together
from krmfn.compare.show import text
from krmfn.compare.sides import CLUSTER, Side, deployed, load
from krmfn.errors import SpecError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from krmfn.compare.compare import Comparison


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("before", metavar="A", help="the old side")
    parser.add_argument("after", metavar="B", help="the new side")
    parser.add_argument("--context", help="kubeconfig context for `cluster`")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Compare and print; print nothing if one side cannot be read."""
    names = (options.before, options.after)
    for only in (CLUSTER, "-"):
        if names == (only, only):
            raise SpecError("usage", f"{only} can be one of the two sides only")
    with command(options, "diff") as run:
        sides = {name: load(name, run.deadline) for name in names if name != CLUSTER}
        if CLUSTER in names:
            (other,) = sides.values()
            sides[CLUSTER] = Side(CLUSTER, {"": deployed(other.sealed, options.context)})
        for side in sides.values():
            run.warn(*side.warnings)
        found = together(_compared(sides[options.before], sides[options.after]))
    if options.json:
        value = {"from": options.before, "to": options.after, **found.as_json()}
        say_json(value, indent=None)
    else:
        say_lines(text(found))
    return 1 if found.differs else 0


def _compared(one: Side, other: Side) -> Iterator[Comparison]:
    random, sides = one.random | other.random, (one.name, other.name)
    if one.by_file and other.by_file:
        for file in sorted(one.files.keys() | other.files.keys()):
            pair = one.files.get(file, []), other.files.get(file, [])
            yield compare(*pair, random=random, file=file, sides=sides)
    else:
        yield compare(one.sealed, other.sealed, random=random, sides=sides)
