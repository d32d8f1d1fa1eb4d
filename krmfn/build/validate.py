"""What a built stream must hold before it leaves: the validator's checks. Pure.

Rules enforced here: a SealedSecret of krmfn's opens under the name, namespace and scope that it
finally has; its scope is said in one way, on itself and on its template; one stream is sealed for
one certificate; no claim is left; no Secret stands in clear. A SealedSecret that krmfn did not seal
says nothing of what it was sealed for and is left alone.

The annotations are information and no evidence: this proves consistency, not origin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.documents.strict import mapping
from krmfn.errors import Finding
from krmfn.names import CLAIM, GENERATOR, TRANSFORMER, VALIDATOR
from krmfn.objects.sealed_secret import (
    API_VERSION,
    CERTIFICATE,
    KIND,
    LOCAL_CONFIG,
    SCOPE_ANNOTATIONS,
    SEALED_FOR,
    SKIP_MARKER,
    scope_of,
    sealed_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from krmfn.objects.stream import Item

CLAIM_GROUP = "krmfn.dev/"
FUNCTIONS = {
    GENERATOR: "generators",
    TRANSFORMER: "transformers",
    VALIDATOR: "validators",
}


@dataclass
class Verdict:
    """Findings, which fail a build, and warnings, which do not."""

    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def validate(
    items: Iterable[Item], *, fingerprint: str | None = None, plain_secrets: str = "error"
) -> Verdict:
    """Check a stream.

    Args:
        fingerprint: the certificate that everything has to be sealed for, when it is known.
        plain_secrets: ``error``, ``warn`` or ``allow``.
    """
    verdict = Verdict()
    fingerprints: dict[str, str] = {}
    for item in items:
        header = item.header()
        kind, version = header.get("kind"), str(header.get("apiVersion", ""))
        name = str(mapping(header.get("metadata")).get("name", ""))
        if kind == KIND and version == API_VERSION:
            value = item.document.value()
            _sealed_secret(value, name, verdict)
            mark = _annotations(value).get(CERTIFICATE)
            if mark is not None:
                fingerprints.setdefault(str(mark), name)
        elif kind == CLAIM and version.startswith(CLAIM_GROUP):
            verdict.findings.append(
                Finding(
                    "claim-left",
                    "the claim was not replaced by a SealedSecret",
                    where=f"{kind}/{name}",
                    remedy="run krmfn's transformer in the outermost kustomization",
                )
            )
        elif kind in FUNCTIONS and version.startswith(CLAIM_GROUP):
            if not _is_local(header):
                verdict.findings.append(_not_run(str(kind), name))
        elif kind == "Secret" and version == "v1":
            _plain_secret(item.document.value(), name, plain_secrets, verdict)
        elif kind == "ConfigMap" and name == SKIP_MARKER:
            verdict.warnings.append(
                f"ConfigMap/{name}: the kustomization does not delete the skip marker, so a "
                "skipped krmfn would go unseen; add the patch of docs/skip-marker.md"
            )
    _certificates(fingerprints, fingerprint, verdict)
    return verdict


def _is_local(header: dict[str, Any]) -> bool:
    """Whether it is kustomize's own copy of a configuration that did run."""
    return _annotations(header).get(LOCAL_CONFIG) == "true"


def _not_run(kind: str, name: str) -> Finding:
    place = f"{FUNCTIONS[kind]}:"
    return Finding(
        "config-left",
        "it is a resource of the build, and so it was not run",
        where=f"{kind}/{name}",
        expected=f"{place} of the kustomization",
        found="resources:",
        remedy=f"move the entry to {place}",
    )


def _sealed_secret(value: dict[str, Any], name: str, verdict: Verdict) -> None:
    annotations = _annotations(value)
    if SEALED_FOR not in annotations:
        return
    scope = scope_of(annotations)
    namespace = str(mapping(value.get("metadata")).get("namespace") or "")
    final, sealed = sealed_for(scope, namespace, name), str(annotations[SEALED_FOR])
    if sealed != final:
        verdict.findings.append(
            Finding(
                "sealed-for",
                "it cannot be opened under its final name, namespace and scope",
                where=f"{KIND}/{name}",
                expected=f"sealed for {final}",
                found=sealed,
                remedy="seal in the outermost kustomization that sets namespace, prefix or suffix",
            )
        )
    template = _annotations(mapping(mapping(value.get("spec")).get("template")))
    for place, said in (("its own", annotations), ("its template's", template)):
        marks = {a: said[a] for a in SCOPE_ANNOTATIONS.values() if a in said}
        expected = {SCOPE_ANNOTATIONS[scope]: "true"} if scope in SCOPE_ANNOTATIONS else {}
        if marks != expected:
            verdict.findings.append(
                Finding(
                    "scope-annotation",
                    f"{place} annotations contradict the scope {scope}",
                    where=f"{KIND}/{name}",
                    expected=", ".join(expected) or "none of the scope annotations",
                    found=", ".join(f"{a}: {v}" for a, v in marks.items()) or "none",
                    remedy="do not patch them; set scope and build again",
                )
            )


def _plain_secret(value: dict[str, Any], name: str, policy: str, verdict: Verdict) -> None:
    if policy == "allow" or _annotations(value).get(LOCAL_CONFIG) == "true":
        return
    if not value.get("data") and not value.get("stringData"):
        return
    if policy == "warn":
        verdict.warnings.append(f"Secret/{name}: it stands in clear in the output")
        return
    verdict.findings.append(
        Finding(
            "plain-secret",
            "it stands in clear in the output",
            where=f"Secret/{name}",
            remedy="seal it, or say plainSecrets: warn or allow where it is no secret",
        )
    )


def _certificates(fingerprints: dict[str, str], wanted: str | None, verdict: Verdict) -> None:
    """``fingerprints``: each that is in the stream, with the first SealedSecret that has it."""
    if wanted is None and len(fingerprints) > 1:
        wanted = next(iter(fingerprints))
    for mark, name in fingerprints.items():
        if wanted is not None and mark != wanted:
            verdict.findings.append(
                Finding(
                    "certificate-differs",
                    "it is sealed for another certificate",
                    where=f"{KIND}/{name}",
                    expected=wanted,
                    found=mark,
                    remedy="build all of a stream with one certificate",
                )
            )


def _annotations(value: dict[str, Any]) -> dict[str, Any]:
    return mapping(mapping(value.get("metadata")).get("annotations"))
