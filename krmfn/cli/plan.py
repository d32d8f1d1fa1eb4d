"""Show what a build would read and seal, and whether the platform's policy allows it.

  krmfn plan overlays/prod                      # also whether every value exists
  krmfn plan --offline overlays/*               # from git alone: no vault, no credential
  krmfn plan --offline --explain overlays/prod  # the rule that allows each reference, or comes nearest
  krmfn plan --offline --explain --project shop --repository https://git.example/shop.git overlays/prod
  krmfn plan --json overlays/prod | jq '.overlays[].secrets[].name'

It never prints a value or its length. Exit code 6: the policy denies something; 3: a value is
missing. The policy is the PlatformConfig in KRMFN_CONFIG; docs/plan.md describes the JSON.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn.build.one import plans
from krmfn.build.sandbox import find_kustomize
from krmfn.cli.console import console, say_json, words
from krmfn.cli.frame import command
from krmfn.errors import PolicyError, ProviderError, SpecError
from krmfn.files.read import find_root
from krmfn.sealing.dry_run import look
from krmfn.warned import Warned

if TYPE_CHECKING:
    import argparse

    from rich.tree import Tree

    from krmfn.cli.frame import Run
    from krmfn.errors import KrmfnError
    from krmfn.sealing.dry_run import Outlook, PlannedRead
    from krmfn.sealing.job import Job

FACTS = {
    "project": "ARGOCD_APP_PROJECT_NAME",
    "repository": "ARGOCD_APP_SOURCE_REPO_URL",
    "destination": "ARGOCD_APP_NAMESPACE",
}


CLAIMS_PRINTED = Warned(
    "claims-printed",
    "",
    "kustomize build prints claims here: no kustomization lists a SealedSecretTransformer",
    "build with krmfn build, or list one under transformers:",
)

_LONGEST = 1 << 20  # columns: no line is cut for a program or a file


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "directories",
        nargs="*",
        default=["."],
        metavar="DIR",
        help="a kustomization's directory; default: the working directory",
    )
    parser.add_argument("--offline", action="store_true", help="contact no server")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show which rule of the policy allows each reference, or comes nearest",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--project", metavar="NAME", help="Argo CD project for the policy")
    parser.add_argument(
        "--repository", metavar="URL", help="repository URL for the policy, as Argo CD has it"
    )
    parser.add_argument(
        "--destination", metavar="NAMESPACE", help="destination namespace for the policy"
    )


def run(options: argparse.Namespace) -> int:
    """Examine everything, then print it; report problems on standard error."""
    told = {FACTS[name]: value for name in FACTS if (value := getattr(options, name)) is not None}
    environ = {**os.environ, **told}
    overlays: list[tuple[str, bool, list[Outlook]]] = []
    with command(options, "plan") as run:
        for name in options.directories:
            directory = Path(name)
            if not directory.is_dir():
                raise SpecError("file", f"{directory} is not a directory")
            root = find_root(directory, environ)
            with run.job(directory, root, where=name, environ=environ) as job:
                governed = job.policy is not None
                overlays.append((name, governed, _overlay(directory, job, options.offline)))
        if options.json:
            value = [_json(name, governed, found) for name, governed, found in overlays]
            say_json({"overlays": value})
        else:
            _print(overlays, explain=options.explain)
        return _verdict(overlays, run)


def _overlay(directory: Path, job: Job, offline: bool) -> list[Outlook]:
    command = find_kustomize(job.access.environ, job.access.place.root)
    planned, implied = plans(directory, command, (), job)
    if implied:
        job.access.warnings.add(CLAIMS_PRINTED)
    now = datetime.now(UTC)
    found = [o for plan, inside in planned for o in look(plan, inside, now=now, offline=True)]
    # As in a build, nothing is asked for one configuration while another is denied.
    if offline or not all(verdict.allowed for o in found for verdict in o.verdicts()):
        return found
    return [o for plan, inside in planned for o in look(plan, inside, now=now, offline=False)]


def _verdict(overlays: list[tuple[str, bool, list[Outlook]]], run: Run) -> int:
    """Report denials and missing values; the exit code is for denials first, then missing values."""
    errors: list[KrmfnError] = []
    for name, _, outlooks in overlays:
        for outlook in outlooks:
            denied = [v.error() for v in outlook.verdicts() if not v.allowed]
            errors += [error.at(where=name) for error in (*denied, *outlook.problems())]
    for line in dict.fromkeys(error.line() for error in errors):
        run.error(line)
    codes = [error.exit_code for error in errors]
    for first in (PolicyError.exit_code, ProviderError.exit_code):
        if first in codes:
            return first
    return codes[0] if codes else 0


def _json(name: str, governed: bool, outlooks: list[Outlook]) -> dict[str, Any]:
    return {
        "directory": name,
        "policy": governed,
        "secrets": [
            {
                "namespace": o.target.namespace,
                "name": o.target.name,
                "scope": o.target.scope,
                "mode": o.target.mode,
                "keys": list(o.keys),
                "certificate": {
                    "sha256": o.certificate.fingerprint,
                    "expires": o.certificate.not_after.isoformat(),
                }
                if o.certificate
                else None,
                "derivationKey": o.derivation_key or None,
                "problem": o.problem.id if o.problem else None,
                "decision": _decision(o.verdict),
                "reads": [
                    {
                        "store": r.read.store,
                        "path": r.read.key,
                        "version": r.read.version,
                        "properties": list(r.properties),
                        "exists": None if not r.checked else r.problem is None,
                        "problem": r.problem.id if r.problem else None,
                        "decision": _decision(r.verdict),
                    }
                    for r in o.references
                ],
            }
            for o in outlooks
        ],
    }


def _decision(verdict: Any) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "allowed": verdict.allowed,
        "rule": verdict.decision.rule or None if verdict.allowed else None,
        "nearest": verdict.decision.nearest or None,
        "failed": list(verdict.decision.failed),
        "never": verdict.never or None,
    }


def _print(overlays: list[tuple[str, bool, list[Outlook]]], *, explain: bool) -> None:
    from rich.tree import Tree

    out = console(wide=_LONGEST)
    for name, governed, outlooks in overlays:
        tree = Tree(words(name if outlooks else f"{name}: nothing to seal"))
        for outlook in outlooks:
            branch = tree.add(words(_headline(outlook)))
            if outlook.problem is not None:
                branch.add(words(f"cannot be sealed: {outlook.problem.message}", "red"))
            if explain:
                _explain(branch, outlook.verdict, governed=governed or bool(outlook.references))
            for reference in outlook.references:
                leaf = branch.add(words(*_line(reference)))
                if explain:
                    _explain(leaf, reference.verdict, governed=governed)
        out.print(tree, soft_wrap=not sys.stdout.isatty())


def _headline(outlook: Outlook) -> str:
    target, certificate = outlook.target, outlook.certificate
    place = f"{target.namespace or '*'}/{target.name}"
    parts = [f"scope {target.scope}", target.mode]
    if certificate is None:
        parts.append("certificate not known offline")
    else:
        parts.append(
            f"certificate {certificate.fingerprint[:16]} (expires {certificate.not_after:%Y-%m-%d})"
        )
    if outlook.derivation_key:
        parts.append(f"derivation key {outlook.derivation_key}")
    keys = ", ".join(outlook.keys) or "every field stored there"
    return f"{place}: {'; '.join(parts)}; keys {keys}"


def _line(reference: PlannedRead) -> tuple[str, str]:
    """Return the line of one reference, and its colour."""
    read = reference.read
    version = f" version {read.version}" if read.version is not None else ""
    text = f"{read.store}:{read.key}{version}: {', '.join(reference.properties)}"
    if reference.verdict is not None and not reference.verdict.allowed:
        return f"{text}: denied", "red"
    if reference.problem is not None:
        return f"{text}: {reference.problem.message}", "red"
    return (f"{text}: there", "green") if reference.checked else (text, "")


def _explain(branch: Tree, verdict: Any, *, governed: bool) -> None:
    if verdict is None:
        if not governed:
            branch.add(words("no policy: KRMFN_CONFIG is not set"))
    elif verdict.allowed:
        branch.add(words(f"allowed by rule {verdict.decision.rule}", "green"))
    else:
        branch.add(words(f"denied: {verdict.reason()}", "red"))
