"""Build overlays without running anything of theirs, and seal their claims.

  krmfn build overlays/prod
  krmfn build overlays/dev overlays/prod --output rendered --prune
  krmfn build --claims-only overlays/prod          # needs no credential
  krmfn build overlays/prod -- --enable-managedby-label

kustomize is KRMFN_KUSTOMIZE, else `kustomize`, else `kubectl kustomize`. It builds a copy, without
--enable-exec, charts, network and mounts: no function but krmfn's own is called, remote bases are
refused. Values are read and sealed afterwards, by this process alone.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from krmfn.atomic import replace_file
from krmfn.builds import build_all
from krmfn.deadline import Deadline
from krmfn.errors import OutputError, SpecError
from krmfn.kustomize import check_flags

if TYPE_CHECKING:
    import argparse

    from krmfn.build import Built

HEADER = "# Written by krmfn build from "


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "directories",
        nargs="+",
        metavar="DIR",
        help="a kustomization's directory; behind -- harmless flags for kustomize",
    )
    parser.add_argument(
        "--output", metavar="DIR", help="write DIR/overlays/prod.yaml for overlays/prod and so on"
    )
    parser.add_argument(
        "--prune", action="store_true", help="with --output: remove files of overlays not built now"
    )
    parser.add_argument(
        "--claims-only", action="store_true", help="leave claims as they are; read nothing"
    )


def run(options: argparse.Namespace) -> int:
    """Build everything, then print or write; nothing is when anything fails."""
    directories, flags = _split(options)
    if options.prune and not options.output:
        raise SpecError("usage", "--prune has no meaning without --output")
    if len(directories) > 1 and not options.output:
        raise SpecError(
            "usage",
            "several directories are not one stream",
            remedy="write them to files with --output DIR, or build one after the other",
        )
    flags = list(check_flags(flags))
    signal.signal(signal.SIGTERM, terminated)
    deadline = Deadline.from_environment(options.start)
    built, warnings = build_all(directories, flags, deadline, claims_only=options.claims_only)
    for warning in warnings:
        print(f"[warning] krmfn build: {warning}", file=sys.stderr)
    if options.output:
        _write(Path(options.output), built, prune=options.prune)
    else:
        sys.stdout.buffer.write(next(iter(built.values())).text.encode())
    return 0


def _split(options: argparse.Namespace) -> tuple[list[Path], list[str]]:
    """Directories, and what stood behind ``--``."""
    flags: list[str] = []
    names = list(options.directories)
    while names and names[-1].startswith("-"):
        flags.insert(0, names.pop())
    return [Path(name) for name in names], flags


def _write(output: Path, built: dict[Path, Built], *, prune: bool) -> None:
    """Each file whole or not at all; what an earlier run left is told, or removed."""
    for place, one in built.items():
        target = output / place
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _failed(target, error) from None
        source = place.with_suffix("").as_posix()
        replace_file(target, f"{HEADER}{source}; do not edit.\n{one.text}".encode())
    for file in sorted(output.rglob("*.yaml")):
        if file.relative_to(output) in built or not _is_ours(file):
            continue
        if prune:
            try:
                file.unlink()
            except OSError as error:
                raise _failed(file, error) from None
        word = "removed" if prune else "stale: --prune removes it"
        print(f"[warning] krmfn build: {file}: {word}", file=sys.stderr)


def _is_ours(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(HEADER)) == HEADER.encode()
    except OSError:
        return False


def _failed(path: Path, error: OSError) -> OutputError:
    return OutputError("output", f"{path}: {(error.strerror or 'failed').lower()}")


def terminated(number: int, _frame: object) -> NoReturn:
    """A signal's handler: leave as usual, so that private folders go."""
    sys.exit(128 + number)
