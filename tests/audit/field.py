"""Measure the audit on a repository that others wrote; no test, and no part of the product.

    python tests/audit/field.py CHECKOUT… --output DIR [--init]

Each kustomization that `kubectl kustomize` builds offline is audited, and so is the stream without
each used Secret's makers in turn. Printed is a row of docs/audit.md for each checkout; DIR gets a file
of JSON lines for each, to be read by eye: every distinct error with what speaks against it, and every
deletion that the audit did not notice. What is a use is decided here by another rule than the audit's:
the name stands as a whole text in another object of the namespace.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import traceback
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import yaml

from krmfn import catalogue
from krmfn.audit.judge import Audit, audit
from krmfn.audit.objects import Resource, groups
from krmfn.audit.rules import check
from krmfn.errors import Failure
from krmfn.objects import stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.audit.findings import Finding
    from krmfn.objects.stream import Item

HEAD = (
    "| repository | commit | builds | references | guessed | errors | suspect | uses | missed "
    "| crashes | init |"
)
SECONDS = 60
BUG = 70
_TELLING = re.compile(
    r"(?i)secret|credential|valuesFrom|substituteFrom|certificateRefs|repository$"
)
_UNFINISHED = re.compile(r"[^-.a-z0-9]")


@dataclass
class Row:
    """What is counted of one checkout."""

    name: str
    commit: str = ""
    builds: int = 0
    not_built: int = 0
    refused: int = 0
    references: int = 0
    guessed: int = 0
    errors: int = 0
    warnings: int = 0
    suspects: int = 0
    uses: int = 0
    missed: int = 0
    crashes: list[str] = field(default_factory=list)
    init: str = ""

    def line(self) -> str:
        """A row of a Markdown table."""
        cells = (
            self.name, self.commit, self.builds, self.references, self.guessed, self.errors,
            self.suspects, self.uses, self.missed, len(self.crashes), self.init,
        )  # fmt: skip
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> int:
    """Measure every checkout that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument(
        "--init", action="store_true", help="also krmfn init --dry-run on the whole"
    )
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    print(HEAD)
    for checkout in options.checkouts:
        with (options.output / f"{checkout.name}.jsonl").open("w") as out:
            row = measure(checkout, out)
        if options.init:
            row.init = init(checkout)
        print(row.line(), flush=True)
        for crash in row.crashes:
            print(crash, file=sys.stderr)
    return 0


def measure(checkout: Path, out: TextIO) -> Row:
    """Audit every kustomization of a checkout."""
    commit = _run(["git", "-C", str(checkout), "log", "-1", "--format=%h"]).stdout.strip()
    row = Row(checkout.name.replace("+", "/"), commit)
    seen: dict[str, set[Any]] = defaultdict(set)
    for directory in kustomizations(checkout):
        built = _run(["kubectl", "kustomize", str(directory)])
        if built.returncode or not built.stdout.strip():
            row.not_built += 1
            continue
        row.builds += 1
        try:
            _one(built.stdout, directory.relative_to(checkout).as_posix(), row, seen, out)
        except Failure as failure:
            row.refused += 1
            _write(out, "refused", directory=str(directory), why=failure.errors[0].line())
        except Exception:  # a crash is what is counted
            row.crashes.append(f"{directory}\n{traceback.format_exc()}")
    return row


def kustomizations(checkout: Path) -> list[Path]:
    """The directories of a checkout with a kustomization, as its commit lists them."""
    files = _run(
        ["git", "-C", str(checkout), "ls-tree", "-rz", "--name-only", "HEAD"]
    ).stdout.split("\0")
    names = ("kustomization.yaml", "kustomization.yml", "Kustomization")
    return sorted({(checkout / file).parent for file in files if Path(file).name in names})


def init(checkout: Path) -> str:
    """Exit code of `krmfn init --dry-run` on the whole checkout."""
    done = _run([sys.executable, "-m", "krmfn", "init", "--dry-run"], cwd=checkout, seconds=1200)
    return f"exit {done.returncode}" if done.returncode != BUG else f"CRASH {done.stderr[-300:]}"


def _one(text: str, directory: str, row: Row, seen: dict[str, set[Any]], out: TextIO) -> None:
    items = stream.stream(text)
    found = _audit(items)
    findings = check(found)
    row.references += len(found.judged)
    row.guessed += sum(not one.reference.sure for one in found.judged)
    row.warnings += sum(one.severity == "warning" for one in findings)
    for finding in (one for one in findings if one.severity == "error"):
        row.errors += 1
        against = list(_against(finding, found))
        row.suspects += bool(against)
        key = finding.rule, finding.where, finding.at, finding.secret
        if key not in seen["errors"]:
            seen["errors"].add(key)
            _write(out, "error", directory=directory, line=finding.line(), against=against)
    for names, uses in _uses(found):
        if names in seen["uses"]:
            continue
        seen["uses"].add(names)
        row.uses += 1
        if not _noticed(items, found, findings, names):
            row.missed += 1
            _write(out, "missed", directory=directory, secret=names, uses=uses[:5])


def _audit(items: tuple[Item, ...]) -> Audit:
    return audit(items, catalogue.packaged(groups(items)))


def _against(finding: Finding, found: Audit) -> Iterator[str]:
    """What in the stream speaks for a Secret that the audit calls missing: who else has the name."""
    for one in found.resources:
        if one is finding.resource or not finding.secret:
            continue
        if one.name == finding.secret:
            yield f"{one.group_kind} has the name"
        elif one.name and finding.secret.startswith(f"{one.name}-") and "/" in one.group_kind:
            group = one.group
            if "." in group and not group.endswith("k8s.io"):
                yield f"{one.group_kind} {one.name} begins it"
        for path, text in texts(one.value):
            if text == finding.secret and one.name != text and not path.startswith("metadata.name"):
                yield f"{one.title}: {path}"


def _uses(found: Audit) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Each Secret that one object makes and another names in a field that tells what it means."""
    by_text: dict[str, list[tuple[Resource, str]]] = defaultdict(list)
    for one in found.resources:
        if one.kind not in ("Secret", "SealedSecret", "SecretClaim"):
            for path, text in texts(one.value):
                by_text[text].append((one, path))
    for made in found.productions:
        if made.resource is None or not made.certain or _UNFINISHED.search(made.secret):
            continue
        makers = {id(p.resource) for p in found.productions if p.secret == made.secret}
        uses = [
            f"{user.title}: {path}"
            for user, path in by_text.get(made.secret, ())
            if id(user) not in makers
            and not path.startswith("metadata.")
            and _TELLING.search(path)
            and (user.namespace in (made.namespace, "") or not made.namespace)
        ]
        if uses:
            yield (made.namespace or "", made.secret), uses


def _noticed(
    items: tuple[Item, ...], found: Audit, before: list[Finding], names: tuple[str, str]
) -> bool:
    """Whether the audit says something new about a Secret when its makers are gone."""
    gone = {
        id(one.resource.item)
        for one in found.productions
        if one.resource and (one.namespace or "", one.secret) == names
    }
    left = tuple(item for item in items if id(item) not in gone)
    known = {(one.rule, one.where, one.at) for one in before if one.secret == names[1]}
    return any(
        one.secret == names[1]
        and one.severity != "info"
        and (one.rule, one.where, one.at) not in known
        for one in check(_audit(left))
    )


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value with its path, also of YAML within texts."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, f"{path}[]")
    elif isinstance(value, str):
        yield path, value
        if "\n" in value and ":" in value:
            try:
                inner = yaml.load(value, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            except (yaml.YAMLError, ValueError):
                return
            if isinstance(inner, (dict, list)):
                yield from texts(inner, path)


def _run(
    command: list[str], cwd: Path | None = None, seconds: int = SECONDS
) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "KUBECONFIG": "/dev/null"}
    try:
        return subprocess.run(
            command, cwd=cwd, env=environ, text=True, capture_output=True, check=False,
            timeout=seconds, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", "")


def _write(out: TextIO, what: str, **facts: Any) -> None:
    out.write(json.dumps({"what": what, **facts}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
