"""Build overlays without running code from the repository, and seal their claims.

  krmfn -C overlays/prod build                     # the working directory, as Argo CD calls it
  krmfn build overlays/prod
  krmfn build overlays/dev overlays/prod --output rendered --prune
  krmfn build --claims-only overlays/prod          # needs no credential
  krmfn build overlays/prod -- --enable-managedby-label

krmfn runs KRMFN_KUSTOMIZE, else `kustomize`, else `kubectl kustomize` on a copy of the overlay,
without --enable-exec, charts, network and mounts. It calls no function except krmfn and refuses
remote bases. Only this process reads and seals values. Inside Argo CD it prints one summary line on
standard error, and an Application may set two parameters (docs/argocd.md).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.argocd import parameters
from krmfn.build.many import build_all
from krmfn.build.sandbox import check_flags
from krmfn.cli.console import give
from krmfn.cli.frame import command
from krmfn.errors import SpecError
from krmfn.files.write import File, write_files
from krmfn.text import counted
from krmfn.warned import Warned

if TYPE_CHECKING:
    import argparse

    from krmfn.build.one import Built
    from krmfn.cli.frame import Run

HEADER = "# Written by krmfn build from "
ARGOCD = "ARGOCD_APP_NAME"
SHOWN = 3


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "directories",
        nargs="*",
        metavar="DIR",
        help="a kustomization's directory; default: the working directory; after --: extra kustomize "
        "flags (only safe ones are accepted)",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="write one file for each overlay: DIR/overlays/prod.yaml for overlays/prod",
    )
    parser.add_argument(
        "--prune",
        action="store_true",
        help="with --output: remove the files of overlays that are not built now",
    )
    parser.add_argument(
        "--claims-only", action="store_true", help="print claims unsealed; read no value"
    )


def run(options: argparse.Namespace) -> int:
    """Build everything, then print or write; nothing is when anything fails."""
    directories, flags = _split(options)
    asked, warnings = parameters.flags(os.environ)
    flags = list(check_flags([*asked, *flags]))
    with command(options, "build") as run:
        run.warn(*warnings)
        with run.timed():
            done = build_all(directories, flags, run.deadline, claims_only=options.claims_only)
        run.warn(*done.warnings)
        if options.output:
            _write(Path(options.output), done.built, run, prune=options.prune)
        else:
            give(next(iter(done.built.values())).text)
        if os.environ.get(ARGOCD):
            run.note(_summary(done.sealed, done.reads, time.monotonic() - options.start))
    return 0


def _summary(namespaces: list[str], reads: int, seconds: float) -> str:
    """Summarise a build for the log of Argo CD's plugin server: no path, name or value."""
    took = f"in {seconds:.1f} s"
    if not namespaces:
        return f"krmfn: nothing to seal, {took}"
    known = sorted({each for each in namespaces if each})
    more = [f"{len(known) - SHOWN} more"] if len(known) > SHOWN else []
    where = ", ".join([*known[:SHOWN], *more]) or "any namespace"
    made = counted(len(namespaces), "SealedSecret")
    return f"krmfn: {where}: {made} from {counted(reads, 'read')} {took}"


def _split(options: argparse.Namespace) -> tuple[list[Path], list[str]]:
    """Split the arguments into directories, and flags after ``--``.

    Raises:
        SpecError: options that do not go together.
    """
    flags: list[str] = []
    names = list(options.directories)
    while names and names[-1].startswith("-"):
        flags.insert(0, names.pop())
    if options.prune and not options.output:
        raise SpecError("usage", "--prune has no meaning without --output")
    if len(names) > 1 and not options.output:
        raise SpecError(
            "usage",
            "several directories are not one stream",
            remedy="write them to files with --output DIR, or build one after the other",
        )
    return [Path(name) for name in names or ["."]], flags


def _write(output: Path, built: dict[Path, Built], run: Run, *, prune: bool) -> None:
    """Write all files or none; report or remove files from earlier runs."""
    files = []
    for place, one in built.items():
        head = f"{HEADER}{place.with_suffix('').as_posix()}; do not edit.\n"
        files.append(File(output / place, f"{head}{one.text}".encode(), parents=0o777))
    stale = [
        file
        for file in sorted(output.rglob("*.yaml"))
        if file.relative_to(output) not in built and _is_ours(file)
    ]
    write_files([*files, *(File(file, None) for file in stale if prune)])
    for file in stale:
        text, remedy = (
            ("it was stale, and is gone", "") if prune else ("it is stale", "--prune removes it")
        )
        run.warn(Warned("stale-file", str(file), text, remedy))


def _is_ours(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(HEADER)) == HEADER.encode()
    except OSError:
        return False
