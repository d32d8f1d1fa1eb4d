"""Change the certificate, the epoch or the pinned versions of overlays, as one reviewable diff.

  krmfn cert fetch -o new.pem && krmfn rotate cert overlays/* --to new.pem
  krmfn rotate epoch overlays/prod                # reseal every value on purpose
  krmfn rotate versions overlays/prod --dry-run   # pin the newest versions

`cert` replaces the certificate's file, or the `pem:` or `sha256:` of the configuration or of the
overlay's environment in .krmfn.yaml. `epoch` increments `spec.sealing.epoch`, or the environment's
`epoch`. `versions` sets each `version` of a reference, and pins each `from` that is a path without
{environment}, to the newest in its store, never to an older one; in KV 2 it reads metadata, not
values.

krmfn prints the changes as a diff and writes them to the files: it changes the value and keeps
comments, order and quotes; it writes all files or none. It refuses a value that a patch sets or that
has an anchor, and names its position. It builds and deploys nothing: review the diff, then build.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.cli.console import say, say_lines
from krmfn.cli.frame import command
from krmfn.cli.inputs import read_input
from krmfn.crypto.certificate import choose
from krmfn.errors import SealingError, SpecError
from krmfn.files.write import File, write_files
from krmfn.kustomize.configs import find
from krmfn.rotate import pins, rotation
from krmfn.text import counted

if TYPE_CHECKING:
    import argparse

    from krmfn.cli.frame import Run
    from krmfn.crypto.certificate import SealingCertificate
    from krmfn.kustomize.configs import OverlayConfigs

_EPOCH = re.compile(r"[A-Za-z0-9._-]{1,64}")


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="cert|epoch|versions")
    certificate = actions.add_parser("cert", help="seal for another certificate")
    certificate.add_argument(
        "--to", required=True, metavar="FILE", help="the new certificate; - is standard input"
    )
    epoch = actions.add_parser("epoch", help="reseal every value")
    epoch.add_argument("--to", metavar="EPOCH", help="the new epoch; default: the next number")
    versions = actions.add_parser("versions", help="pin references to the newest versions")
    for action in (certificate, epoch, versions):
        action.add_argument(
            "directories",
            nargs="*",
            default=["."],
            metavar="DIR",
            help="a kustomization's directory, or a file for krmfn seal --config; "
            "default: the working directory",
        )
        action.add_argument(
            "--dry-run", action="store_true", help="print the changes and write nothing"
        )


def run(options: argparse.Namespace) -> int:
    """Collect all changes, print them, then write them; write nothing if anything fails."""
    overlays = [find(Path(name), os.environ) for name in options.directories]
    changes = rotation.Rotation()
    with command(options, "rotate") as run:
        _collect(options, overlays, changes, run)
    changed = changes.result()
    if not options.dry_run:
        write_files([File(file, after) for file, (_, _, after) in changed.items()])
    say_lines(rotation.shown(changed))
    count = counted(len(changed), "file")
    verb = "would change" if options.dry_run else "changed"
    say(f"{count} {verb}" if changed else "nothing to change", stderr=True)
    return 0


def _collect(
    options: argparse.Namespace,
    overlays: list[OverlayConfigs],
    changes: rotation.Rotation,
    run: Run,
) -> None:
    if options.action == "cert":
        now = datetime.now(UTC)
        new = _certificate(options.to, now)
        for overlay in overlays:
            rotation.certificate(changes, overlay, new, now, os.environ)
    elif options.action == "epoch":
        if options.to is not None and not _EPOCH.fullmatch(options.to):
            raise SpecError(
                "usage", "--to is not an epoch", expected="1 to 64 of A-Z a-z 0-9 . _ -"
            )
        for overlay in overlays:
            rotation.epoch(changes, overlay, options.to, os.environ)
    else:
        for overlay in overlays:
            if found := pins.pins(overlay, os.environ):
                with run.job(overlay.directory, overlay.root) as job:
                    pins.versions(changes, overlay, found, job)


def _certificate(file: str, now: datetime) -> SealingCertificate:
    pem = read_input(file, "the certificate", key="--to")
    try:
        return choose(pem, now)
    except SealingError as error:
        raise error.at(source=file) from None
