"""Findings as SARIF 2.1.0, which code hosts show beside the line. Pure.

The file of a finding is the one that the object came from, where kustomize says it
(``buildMetadata: [originAnnotations]``), else the file or kustomization that was audited.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from krmfn import __version__
from krmfn.audit.objects import ORIGIN
from krmfn.audit.rules import RULES
from krmfn.documents import strict
from krmfn.documents.strict import mapping
from krmfn.errors import CATALOGUE, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krmfn.audit.findings import Finding

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def sarif(findings: Sequence[Finding], source: str, *, lines: bool) -> dict[str, Any]:
    """A log with one run.

    Args:
        source: the file or the directory's kustomization, relative to the repository.
        lines: whether the items come from source files, so that lines have a meaning.
    """
    ids = sorted({finding.rule for finding in findings})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "krmfn",
                        "version": __version__,
                        "rules": [_rule(one) for one in ids],
                    }
                },
                "results": [_result(f, ids.index(f.rule), source, lines=lines) for f in findings],
            }
        ],
    }


def _rule(id_: str) -> dict[str, Any]:
    value: dict[str, Any] = {"id": id_, "shortDescription": {"text": CATALOGUE[id_][1]}}
    if rule := RULES.get(id_):
        value["fullDescription"] = {"text": rule.explanation}
        value["defaultConfiguration"] = {"level": _LEVELS[rule.severity]}
    return value


def _result(finding: Finding, number: int, source: str, *, lines: bool) -> dict[str, Any]:
    physical: dict[str, Any] = {}
    if origin := _origin(finding):
        # kustomize says it relative to the kustomization.
        folder = "" if lines else posixpath.dirname(source)
        source = posixpath.normpath(posixpath.join(folder, origin))
    elif lines and finding.resource is not None:
        one = finding.resource
        at = one.item.document.position((*one.inside, *finding.place))
        source = one.item.name
        physical["region"] = {"startLine": at.line, "startColumn": at.column}
    physical = {"artifactLocation": {"uri": quote(source)}, **physical}
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.resource is not None:
        name = "/".join(p for p in (finding.resource.namespace, finding.where) if p)
        logical = {"fullyQualifiedName": f"{name}: {finding.at}" if finding.at else name}
        location["logicalLocations"] = [{**logical, "kind": "resource"}]
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.line()},
        "locations": [location],
        # What stays the same when lines move.
        "partialFingerprints": {
            "krmfn/v1": f"{finding.rule}|{finding.where}|{finding.at}|{finding.secret}|{finding.key}"
        },
    }


def _origin(finding: Finding) -> str:
    text = finding.resource.annotations.get(ORIGIN) if finding.resource else None
    try:
        origin = mapping(strict.load(str(text or ""), ORIGIN))
    except SpecError:
        return ""
    path = origin.get("path")
    return path if isinstance(path, str) and "repo" not in origin else ""
