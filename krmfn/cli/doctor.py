"""Diagnose a failing build, and name the command that fixes it.

  krmfn -C overlays/prod doctor      # the overlay in the working directory
  krmfn doctor overlays/prod         # tools, overlay and vault
  krmfn doctor overlays/prod --cluster   # also deployed objects and the controller's status
  krmfn doctor overlays/prod --json | jq '.checks[] | select(.status == "error")'

It reads what a build reads, seals and changes nothing, and prints no value. docs/doctor.md lists the
checks. Exit code 1: there are errors.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.build.sandbox import confinement, find_kustomize
from krmfn.cli.console import console, say_json
from krmfn.cli.frame import command
from krmfn.cli.install import plugin_home
from krmfn.cluster.api import NAMESPACE, SERVICE_NAMES
from krmfn.doctor import overlay, tools, vault
from krmfn.doctor.diagnosis import AREAS, Diagnosis, Patient, failed
from krmfn.errors import Failure, SpecError
from krmfn.files.read import find_root
from krmfn.kustomize.kustomization import kustomization_in
from krmfn.policy.file import load
from krmfn.text import counted, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from krmfn.doctor.diagnosis import Status
    from krmfn.stores.access import Access

# Where the plain manifest and most charts put the controller.
NAMESPACES = (NAMESPACE, "sealed-secrets")
SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}
SKIPPED = ("-", "dim")
STATUSES: tuple[Status, ...] = ("error", "warning", "ok", "skipped")


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "directory",
        nargs="?",
        default=".",
        metavar="DIR",
        help="a kustomization's directory; default: the working directory",
    )
    parser.add_argument("--cluster", action="store_true", help="also check the cluster")
    parser.add_argument("--context", help="kubeconfig context")
    parser.add_argument(
        "--controller-namespace",
        metavar="NS",
        help=f"namespace of the controller; default: {', then '.join(NAMESPACES)}",
    )
    parser.add_argument(
        "--controller-name",
        metavar="NAME",
        help=f"Service of the controller; default: {', then '.join(SERVICE_NAMES)}",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Run the checks, print them, and return exit code 1 if there are errors."""
    found = _examined(options)
    counts = Counter(one.status for one in found)
    if options.json:
        checks = [{"area": one.area, **asdict(one)} for one in found]
        value = {"directory": options.directory, "checks": checks, "counts": counts}
        say_json(value)
    else:
        _print(found, counts)
    return int(counts["error"] > 0)


def _examined(options: argparse.Namespace) -> list[Diagnosis]:
    directory = Path(options.directory)
    if not directory.is_dir() or kustomization_in(directory) is None:
        raise SpecError("file", f"{options.directory} holds no kustomization")
    root = find_root(directory, os.environ)
    try:
        program = find_kustomize(os.environ, root)
    except Failure as failure:
        return list(failed("kustomize", failure, "kustomize"))
    with command(options, "doctor") as run, run.access(directory, root) as access:
        now = datetime.now(UTC)
        patient = Patient(directory, options.directory, access, run.pool, program, now)
        found = [
            tools.kustomize(program),
            _sandbox(access),
            *tools.functions(patient, plugin_home()),
        ]
        examined = overlay.examine(patient)
        found += [*examined.diagnoses, *vault.examine(examined)]
        if options.cluster:
            found += _cluster(options, patient, examined)
    return sorted(dict.fromkeys(found), key=lambda one: AREAS.index(one.area))


def _sandbox(access: Access) -> Diagnosis:
    try:
        policy = load(access.environ, access.place.root)
    except Failure:
        policy = None  # why is a diagnosis of the overlay's
    required = policy is not None and policy.spec.sandbox == "required"
    return tools.sandbox(confinement(), governed=policy is not None, required=required)


def _cluster(
    options: argparse.Namespace, patient: Patient, examined: overlay.Examined
) -> Iterator[Diagnosis]:
    from krmfn.doctor import cluster

    own, name = options.controller_namespace, options.controller_name
    namespaces = (own,) if own else NAMESPACES
    names = (name,) if name else SERVICE_NAMES
    return cluster.examine(patient, examined, options.context, namespaces, names)


def _print(found: Sequence[Diagnosis], counts: Counter[Status]) -> None:
    from rich.text import Text

    out = console()
    area = ""
    for one in found:
        if one.area != area:
            area = one.area
            out.print(Text(area, "bold"), soft_wrap=True)
        sign, style = SIGNS.get(one.status, SKIPPED)
        line = printable(f"{one.id}: {one.subject}: {one.cause}")
        out.print(Text.assemble((f"  {sign} {one.status:<8}", style), line), soft_wrap=True)
    for one in found:
        if one.status not in ("warning", "error"):
            continue
        sign, style = SIGNS[one.status]
        out.print()
        head = printable(f"{one.id}: {one.subject}")
        out.print(Text.assemble((f"{sign} {one.status} ", style), head), soft_wrap=True)
        for name in ("cause", "evidence", "fix"):
            if text := getattr(one, name):
                out.print(Text(f"  {name + ':':<10}{printable(text)}"), soft_wrap=True)
    out.print()
    out.print(Text(", ".join(_number(counts[s], s) for s in STATUSES if counts[s])), soft_wrap=True)


def _number(count: int, status: Status) -> str:
    return counted(count, status) if status in ("error", "warning") else f"{count} {status}"
