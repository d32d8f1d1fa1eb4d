"""Make one reviewable change out of a rotation, over all overlays given.

  krmfn cert fetch -o new.pem && krmfn rotate cert overlays/* --to new.pem
  krmfn rotate epoch overlays/prod                # seal everything anew, on purpose
  krmfn rotate versions overlays/prod --dry-run   # pins to the newest versions

`cert` replaces the certificate's file, or the `pem:` or `sha256:` of the configuration. `epoch`
counts `spec.sealing.epoch` up. `versions` sets each `version` of a reference that has one to the
newest in its store, and never to an older one; of KV 2 it reads metadata, no values.

The changes are printed as a diff, and made in the files: only the value, with comments, order and
quotes as they were; all files or none. What a patch sets, or what has an anchor, is refused with
its position. Nothing is built or deployed: look at the diff, then build.
"""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.crypto.certificate import choose
from krmfn.deadline import Deadline
from krmfn.errors import SealingError, SpecError
from krmfn.files.read import read_file
from krmfn.files.write import File, write_files
from krmfn.kustomize.configs import find
from krmfn.rotate import rotation
from krmfn.stores.pool import StorePool
from krmfn.stores.store import Surroundings
from krmfn.text import counted

if TYPE_CHECKING:
    import argparse

    from krmfn.crypto.certificate import SealingCertificate
    from krmfn.kustomize.configs import Overlay

_EPOCH = re.compile(r"[A-Za-z0-9._-]{1,64}")


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="cert|epoch|versions")
    certificate = actions.add_parser("cert", help="seal for another certificate")
    certificate.add_argument(
        "--to", required=True, metavar="FILE", help="the new one; - is standard input"
    )
    epoch = actions.add_parser("epoch", help="seal everything anew")
    epoch.add_argument("--to", metavar="EPOCH", help="the new one; default: the next number")
    versions = actions.add_parser("versions", help="pin references to the newest versions")
    for action in (certificate, epoch, versions):
        action.add_argument(
            "directories",
            nargs="+",
            metavar="DIR",
            help="a kustomization's directory, or the file that krmfn seal --config is given",
        )
        action.add_argument("--dry-run", action="store_true", help="print the changes, make none")


def run(options: argparse.Namespace) -> int:
    """Collect all changes, print them, then make them; nothing is made when anything fails."""
    overlays = [find(Path(name), os.environ) for name in options.directories]
    changes = rotation.Rotation()
    warnings: list[str] = []
    if options.action == "cert":
        now = datetime.now(UTC)
        new = _certificate(options.to, now)
        for overlay in overlays:
            rotation.certificate(changes, overlay, new, now)
    elif options.action == "epoch":
        if options.to is not None and not _EPOCH.fullmatch(options.to):
            raise SpecError("usage", "--to is no epoch", expected="1 to 64 of A-Z a-z 0-9 . _ -")
        for overlay in overlays:
            rotation.epoch(changes, overlay, options.to)
    else:
        _versions(changes, overlays, Deadline.from_environment(options.start), warnings)
    changed = changes.result()
    for warning in sorted(warnings):
        print(f"[warning] krmfn rotate: {warning}", file=sys.stderr)
    if not options.dry_run:
        write_files([File(file, after) for file, (_, _, after) in changed.items()])
    sys.stdout.write(rotation.shown(changed))
    count = counted(len(changed), "file")
    verb = "would change" if options.dry_run else "changed"
    print(f"{count} {verb}" if changed else "nothing to change", file=sys.stderr)
    return 0


def _certificate(file: str, now: datetime) -> SealingCertificate:
    stdin = file == "-"
    pem = sys.stdin.buffer.read() if stdin else read_file(Path(file), name=file, key="--to")
    try:
        return choose(pem, now)
    except SealingError as error:
        raise error.at(source=file) from None


def _versions(
    changes: rotation.Rotation, overlays: list[Overlay], deadline: Deadline, warnings: list[str]
) -> None:
    pool = StorePool()
    try:
        for overlay in overlays:
            around = Surroundings(
                os.environ, deadline, overlay.directory, overlay.root, warnings, opener=pool.open
            )
            rotation.versions(changes, overlay, rotation.pins(overlay), around)
    finally:
        pool.close()
