"""Prove that every Secret that a build refers to will exist, with its keys.

  krmfn audit overlays/prod                      # builds it; needs no credential
  kustomize build overlays/prod | krmfn audit -
  krmfn audit rendered.yaml --sarif > audit.sarif
  krmfn audit --explain operator-owned

krmfn's catalogue lists the fields that refer to Secrets and the operators that create them. List a
Secret from elsewhere under assume: in the kustomization's SealedSecretValidator, or in that of
--config. Exit code 1: there are errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.audit.enforce import audit_stream
from krmfn.audit.findings import Finding, place_of
from krmfn.audit.inventory import inventory
from krmfn.audit.rules import RULES, check
from krmfn.build.validate import validate
from krmfn.cli.console import say, say_json, say_lines
from krmfn.cli.frame import command
from krmfn.cli.inputs import add_source, read_source
from krmfn.errors import SpecError
from krmfn.text import counted
from krmfn.warned import is_silenced, lines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from krmfn.audit.judge import Audit
    from krmfn.cli.inputs import StreamSource
    from krmfn.objects.stream import Item

_WORDS = {
    "sealed": "sealed",
    "operator": "by operators",
    "plain": "unencrypted",
    "assumed": "assumed",
    "absent": "optional and absent",
    "external": "elsewhere, not judged",
    "unmet": "unmet",
}


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_source(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print references, Secrets and findings as JSON"
    )
    form.add_argument("--sarif", action="store_true", help="print findings as SARIF 2.1.0")
    form.add_argument("--explain", metavar="RULE", help="explain a rule")


def run(options: argparse.Namespace) -> int:
    """Audit, print, and return exit code 1 if there are errors."""
    if options.explain:
        return _explain(options.explain)
    with command(options, "audit") as run:
        source = read_source(options, run)
    found = audit_stream(source.items, source.specs, place=source.place, refers=source.refers)
    findings = sorted([*check(found), *_inconsistent(source.items, found)], key=place_of)
    findings = [one for one in findings if not _silenced(one, source)]
    if options.sarif:
        from krmfn.audit.sarif import sarif

        say_json(sarif(findings, source.file, lines=source.lines))
    elif options.json:
        say_json(inventory(found, findings))
    else:
        say_lines("".join(f"{line}\n" for line in _lines(findings, options.verbose)))
        say(_summary(found, findings))
    return int(any(finding.severity == "error" for finding in findings))


def _lines(findings: Sequence[Finding], verbose: bool) -> Iterator[str]:
    """A line for each error, and for each kind of warning; with ``verbose`` for each finding."""
    for finding in findings:
        if finding.severity == "error" or verbose:
            yield f"[{finding.severity}] {finding.line()}"
    if not verbose:
        for line in lines(one.warned() for one in findings if one.severity == "warning"):
            yield f"[warning] {line}"


def _silenced(finding: Finding, source: StreamSource) -> bool:
    """Whether a validator does not want a warning."""
    silence = [text for spec in source.specs for text in spec.silence]
    return finding.severity != "error" and is_silenced(finding.warned(), silence)


def _inconsistent(items: Sequence[Item], found: Audit) -> list[Finding]:
    """Return the validator's findings about the SealedSecrets themselves."""
    objects = {one.title: one for one in found.resources}
    verdict = validate(items, plain_secrets="allow")
    moved = [
        Finding(
            one.id,
            "warning",
            one.text,
            resource=objects.get(one.subject),
            secret=one.secret,
            remedy=one.remedy,
        )
        for one in verdict.warnings
        if one.id == "kubesealed-elsewhere"
    ]
    return moved + [
        Finding(
            error.id,
            "error",
            error.message + (f", {error.found}" if error.found else ""),
            resource=objects.get(error.where),
            remedy=error.remedy,
        )
        for error in verdict.findings
        if error.id in ("sealed-for", "scope-annotation", "config-left", "certificate-differs")
    ]


def _summary(found: Audit, findings: Sequence[Finding]) -> str:
    verdicts = [one.verdict for one in found.judged]
    counts = [f"{verdicts.count(v)} {words}" for v, words in _WORDS.items() if v in verdicts]
    total = counted(len(verdicts), "reference") + (f": {', '.join(counts)}" if counts else "")
    levels = [finding.severity for finding in findings]
    told = [counted(levels.count(level), level) for level in ("error", "warning")]
    told += [f"{counted(len(found.unknown), 'unknown kind')} (-v)"] if found.unknown else []
    return f"{total}; {', '.join(told)}"


def _explain(name: str) -> int:
    if name not in RULES:
        raise SpecError("usage", f"no rule {name}", expected=", ".join(RULES))
    rule = RULES[name]
    say_lines(f"{rule.id} ({rule.severity}): {rule.title}\n\n{rule.explanation}\n")
    return 0
