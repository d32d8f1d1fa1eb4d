"""Look at a repository, and propose what krmfn needs in each overlay.

  krmfn init                                    # shows everything, asks, then writes
  krmfn init overlays/prod --certificate certs/production.pem
  krmfn init --dry-run                          # shows and writes nothing
  krmfn init --yes --store age

For each overlay it builds, it claims every Secret that something refers to and nothing makes, and
lists a transformer, the skip marker and a validator. Values are yours to write into the vault.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn import proposal, resourcelist
from krmfn.atomic import create_file, replace_files
from krmfn.audit.inventory import Wanted, wanted
from krmfn.auditing import audit_stream
from krmfn.build import look_at
from krmfn.cli.console import progress
from krmfn.deadline import Deadline
from krmfn.errors import Failure, OutputError, SpecError
from krmfn.kustomize import find_kustomize
from krmfn.listedit import with_entries
from krmfn.overlay import read_overlay
from krmfn.paths import find_root
from krmfn.providers.base import Surroundings
from krmfn.repository import Kustomization, kustomizations, overlays
from krmfn.unified import unified
from krmfn.words import counted, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from krmfn.audit.judge import Audit

FETCHED = "controller.pem"


@dataclass
class Found:
    """What was found in one overlay, and what is proposed for it.

    Attributes:
        note: why nothing is proposed.
        files: path to new text.
        edited: the kustomization's new text.
        advice: what else to do there.
    """

    kustomization: Kustomization
    note: str = ""
    wanted: list[Wanted] = field(default_factory=list)
    files: dict[Path, str] = field(default_factory=dict)
    edited: str = ""
    advice: list[str] = field(default_factory=list)


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "directories", nargs="*", default=["."], metavar="DIR", help="where to look; default here"
    )
    parser.add_argument(
        "--certificate", metavar="FILE", help=f"the controller's; default {FETCHED} in each overlay"
    )
    parser.add_argument("--store", choices=list(proposal.STORES), default="vault")
    parser.add_argument(
        "--path",
        default=proposal.Settings.path,
        metavar="TEMPLATE",
        help="where each Secret's values are; default {namespace}/{name}",
    )
    parser.add_argument(
        "--legacy", action="store_true", help="as legacy plugins, which kubectl kustomize can call"
    )
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--yes", action="store_true", help="write without asking")
    answer.add_argument("--dry-run", action="store_true", help="show, and write nothing")


def run(options: argparse.Namespace) -> int:
    """Look, show, ask, write."""
    try:
        options.path.format(namespace="n", name="s")
    except (KeyError, IndexError, ValueError):
        raise SpecError(
            "usage", "--path knows {namespace} and {name} only", found=options.path
        ) from None
    settings = proposal.Settings(options.store, options.path, options.legacy)
    command = tuple(find_kustomize(os.environ))
    every = [kustomizations(Path(top)) for top in options.directories]
    known = [one for found in every for one in overlays(found)]
    if not known:
        raise SpecError("file", f"there is no kustomization below {', '.join(options.directories)}")
    founds = []
    with progress("building", len(known)) as step:
        for one in known:
            founds.append(_look(one, command, settings, options))
            step()
    for found in founds:
        _show(found)
    for one in (one for found in every for one in found if one not in known):
        if one.value.get("namespace"):
            print(
                f"\n{one.file}: another kustomization takes it in; name it where it is an overlay"
            )
    changes = [found for found in founds if found.files]
    if not changes:
        print("\nNothing to propose.")
        return 0
    if options.dry_run:
        print("\nNothing was written.")
        return 0
    if not options.yes and not _consent():
        print("Nothing was written.")
        return 0
    _write(changes)
    _next(changes, options.store)
    return 0


def _look(
    one: Kustomization,
    command: tuple[str, ...],
    settings: proposal.Settings,
    options: argparse.Namespace,
) -> Found:
    """One overlay: build, audit, propose."""
    found = Found(one)
    try:
        root = find_root(one.directory, os.environ)
        overlay = read_overlay(one.directory, root)
        if overlay.listed:
            found.note = "uses krmfn already; `krmfn audit` tells what is missing"
            return found
        # Each overlay has its own: a repository may have hundreds.
        deadline = Deadline.from_environment(time.monotonic())
        around = Surroundings(os.environ, deadline, one.directory, root)
        output = look_at(one.directory, command, around).output
        items = resourcelist.stream(output, str(one.file))
        audited = audit_stream(items, base=one.directory, root=root)
    except Failure as failure:
        found.note = failure.errors[0].line()
        return found
    found.wanted = wanted(audited)
    found.advice = _by_hand(audited)
    if not found.wanted:
        found.note = "every Secret that it refers to is there"
    elif not overlay.namespace and any(not w.namespace for w in found.wanted):
        found.note = "no namespace is known to seal for; set namespace: in the kustomization"
    else:
        plain = any(made.how == "plain" and made.has_content for made in audited.productions)
        _propose(found, overlay.namespace, settings, options.certificate, plain=plain)
    return found


def _propose(
    found: Found,
    namespace: str,
    settings: proposal.Settings,
    certificate: str | None,
    *,
    plain: bool,
) -> None:
    directory = found.kustomization.directory
    file = os.path.relpath(certificate, directory) if certificate else FETCHED
    name = directory.resolve().name.lower().replace("_", "-")
    made = proposal.files(name, namespace, file, found.wanted, settings, plain=plain)
    standing = [name for name in made if (directory / name).exists()]
    if standing:
        found.note = f"{standing[0]} exists, and is never written over"
        return
    try:
        found.edited = with_entries(
            found.kustomization.text, proposal.entries(), str(found.kustomization.file)
        )
    except Failure as failure:
        found.note = failure.errors[0].line()
        return
    found.files = {directory / name: text for name, text in made.items()}
    if not (directory / file).exists():
        found.advice.append(f"krmfn cert fetch -o {directory / file}")


def _by_hand(audited: Audit) -> list[str]:
    """Secrets that stand in git already, sealed by hand or in clear."""
    advice = []
    for made in audited.productions:
        if made.how == "sealed":
            advice.append(
                f"{made.by} is sealed by hand: `krmfn import sealedsecret` makes a claim of it"
            )
        elif made.how == "plain" and made.has_content:
            advice.append(f"{made.by} stands in clear: `krmfn import secret` makes a claim of it")
    return advice


def _show(found: Found) -> None:
    """The overlay in a line, then what would change, as a diff."""
    file = found.kustomization.file
    print(
        f"\n{file}: "
        + (printable(found.note) or f"{counted(len(found.wanted), 'Secret')} to claim")
    )
    for one in found.wanted:
        keys = ", ".join(one.keys) or "any key"
        print(f"  {one.name} ({one.type}: {keys}), for {', '.join(one.users)}")
    for advice in found.advice:
        print(f"  then: {printable(advice)}")
    if not found.files:
        return
    _diff(file, found.kustomization.text, found.edited)
    for path, text in found.files.items():
        _diff(path, "", text)


def _diff(path: Path, before: str, after: str) -> None:
    sys.stdout.write(unified(before, after, str(path) if before else "/dev/null", str(path)))


def _consent() -> bool:
    if not sys.stdin.isatty():
        raise SpecError(
            "usage", "nobody is there to ask", remedy="say --yes to write, or --dry-run to look"
        )
    try:
        return input("\nWrite this? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _write(changes: Sequence[Found]) -> None:
    """Everything, or nothing: new files are taken back when one cannot be written."""
    made: list[Path] = []
    try:
        for found in changes:
            for path, text in found.files.items():
                create_file(path, text.encode())
                made.append(path)
        replace_files({f.kustomization.file: f.edited.encode() for f in changes})
    except OutputError:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _next(changes: Sequence[Found], store: str) -> None:
    where = changes[0].kustomization.directory
    others = " and the others" if len(changes) > 1 else ""
    print(f"\nWritten. Next, for {where}{others}:")
    for advice in (a for found in changes for a in found.advice if a.startswith("krmfn cert")):
        print(f"  {advice}")
    if store == "age":
        print("  krmfn age init secrets.age …       # then `krmfn age set` for each value")
    else:
        print("  openssl rand -hex 32 | vault kv put secret/krmfn/derivation key=-")
        print("  write each value to the path that its claim names")
    print(f"  krmfn plan {where}      # what will be read and sealed")
    print(f"  krmfn build {where}")
