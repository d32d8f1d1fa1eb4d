"""Report whether the deployed or committed SealedSecrets still have the vault's values.

  krmfn drift overlays/prod                            # against the cluster
  krmfn drift overlays/dev overlays/prod --against rendered
  krmfn drift overlays/prod --against origin/main:rendered --json
  kubectl get sealedsecrets -n production -o yaml > now.yaml && krmfn drift overlays/prod --against now.yaml

krmfn builds the overlays as `krmfn build` does, under the same rules, and compares the result with
the deployed SealedSecrets (`cluster`, the default, or a file that contains them) or with the files
that `krmfn build --output DIR` wrote (DIR, or REV:DIR in git). A key that `appeared` is in the build
and not deployed yet.

No value is printed. Randomly sealed values cannot be compared; krmfn reports them, and they are not
drift. A changed certificate is drift, and hides whether values changed. krmfn ignores SealedSecrets
that none of the given overlays creates. Exit code 0: no drift; 1: drift.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.build.many import build_all
from krmfn.cli.console import say_json, say_lines
from krmfn.cli.frame import command
from krmfn.compare.compare import compare, together
from krmfn.compare.show import text
from krmfn.compare.sides import CLUSTER, deployed, rendered, sealed_of
from krmfn.files.read import read_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from krmfn.compare.compare import Comparison, Snapshot


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "directories",
        nargs="*",
        default=["."],
        metavar="DIR",
        help="a kustomization's directory; default: the working directory",
    )
    parser.add_argument(
        "--against",
        default=CLUSTER,
        metavar="DIR",
        help="a directory written by krmfn build --output, REV:DIR, a file of deployed SealedSecrets, "
        "or cluster; default: cluster",
    )
    parser.add_argument("--context", help="kubeconfig context")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Build, compare and print; nothing is printed when anything fails."""
    directories = [Path(name) for name in options.directories]
    with command(options, "drift") as run:
        done = build_all(directories, [], run.deadline)
        run.warn(*done.warnings)
        now = {place: sealed_of(one.text, str(place)) for place, one in done.built.items()}
        if options.against == CLUSTER:
            there = deployed((one for sealed in now.values() for one in sealed), options.context)
            then = _of_each(now, there)
        elif (file := Path(options.against)).is_file():
            content = read_file(file, name=options.against, key="")
            then = _of_each(now, sealed_of(content, options.against, empty=True))
        else:
            then = {place: rendered(options.against, place, run.deadline) for place in now}
    found = together(
        compare(
            then[place],
            sealed,
            random=done.built[place].random,
            file=place.with_suffix("").as_posix(),
            sides=(options.against, str(place)),
        )
        for place, sealed in now.items()
    )
    _print(found, options)
    return 1 if found.differs else 0


def _print(found: Comparison, options: argparse.Namespace) -> None:
    if not options.json:
        say_lines(text(found))
        return
    differences = [{"overlay": one.pop("file"), **one} for one in found.as_json()["differences"]]
    value = {"against": options.against, **found.as_json(), "differences": differences}
    say_json(value, indent=None)


def _of_each(
    now: Mapping[Path, list[Snapshot]], there: Iterable[Snapshot]
) -> dict[Path, list[Snapshot]]:
    """Return the deployed SealedSecrets of each overlay."""
    found = {one.place: one for one in there}
    return {
        place: [found[one.place] for one in sealed if one.place in found]
        for place, sealed in now.items()
    }
