"""The validator's checks of a built stream. Pure.

Rules enforced here: a SealedSecret of krmfn's opens under the name, namespace and scope that it
finally has; its scope is said in one way, on itself and on its template; one stream is sealed for
one certificate; no claim is left; no Secret is unencrypted, but for what sops has encrypted;
no two objects make one Secret. The objects of a list are checked like any other. A SealedSecret of
kubeseal's says in its template what it was sealed for: a warning tells where that is not what it
finally is.

The annotations are information and no evidence: this proves consistency, not origin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.documents.strict import mapping
from krmfn.errors import CheckError
from krmfn.names import CLAIM, GENERATOR, TRANSFORMER, VALIDATOR
from krmfn.objects.ciphertext import is_sops_secret
from krmfn.objects.kinds import (
    annotations_of,
    each,
    is_secret,
    kind_of,
    may_be_list,
    place_of,
    text,
)
from krmfn.objects.makers import makers, twice
from krmfn.objects.sealed_secret import (
    API_VERSION,
    CERTIFICATE,
    KIND,
    LOCAL_CONFIG,
    SCOPE_ANNOTATIONS,
    SEALED_FOR,
    SKIP_MARKER,
    said_and_final,
    scope_of,
    sealed_for,
)
from krmfn.warned import Warned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from krmfn.objects.kinds import Object
    from krmfn.objects.makers import Maker
    from krmfn.objects.stream import Item

CLAIM_GROUP = "krmfn.dev/"
FUNCTIONS = {
    GENERATOR: "generators",
    TRANSFORMER: "transformers",
    VALIDATOR: "validators",
}


@dataclass
class Report:
    """Findings, which fail a build, and warnings, which do not."""

    findings: list[CheckError] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)


def validate(
    items: Iterable[Item], *, fingerprint: str | None = None, plain_secrets: str = "error"
) -> Report:
    """Check a stream.

    Args:
        fingerprint: the certificate that everything has to be sealed for, when it is known.
        plain_secrets: ``error``, ``warn`` or ``allow``.
    """
    verdict = Report()
    fingerprints: dict[str, str] = {}
    made: list[Maker] = []
    for item in items:
        # Of what is no list and no Secret, the header says enough.
        looked_into = item.kind in (KIND, "Secret") or may_be_list(item.kind)
        value = item.document.value() if looked_into else item.header()
        for _, one in each(value):
            _check(one, plain_secrets, verdict, fingerprints)
            made += makers(one)
    verdict.findings += twice(made, ())
    _certificates(fingerprints, fingerprint, verdict)
    return verdict


def _check(
    value: Object, plain_secrets: str, verdict: Report, fingerprints: dict[str, str]
) -> None:
    """Check one object."""
    kind, name = kind_of(value), place_of(value).name
    version = text(value.get("apiVersion"), "apiVersion")
    if kind == KIND and version == API_VERSION:
        _sealed_secret(value, name, verdict)
        mark = annotations_of(value).get(CERTIFICATE)
        if mark is not None:
            fingerprints.setdefault(str(mark), name)
    elif kind == CLAIM and version.startswith(CLAIM_GROUP):
        verdict.findings.append(
            CheckError(
                "claim-left",
                "the claim was not replaced by a SealedSecret",
                where=f"{kind}/{name}",
                remedy="run krmfn's transformer in the outermost kustomization",
            )
        )
    elif kind in FUNCTIONS and version.startswith(CLAIM_GROUP):
        if not _is_local(value):
            verdict.findings.append(_not_run(kind, name))
    elif is_secret(value):
        _plain_secret(value, name, plain_secrets, verdict)
    elif kind == "ConfigMap" and name == SKIP_MARKER:
        verdict.warnings.append(_marker(name))


def _marker(name: str) -> Warned:
    return Warned(
        "skip-marker",
        f"ConfigMap/{name}",
        "the kustomization does not delete the skip marker, so a skipped krmfn would go unseen",
        "add the patch of docs/skip-marker.md",
    )


def _is_local(header: dict[str, Any]) -> bool:
    """Whether the object is kustomize's copy of a configuration that ran."""
    return annotations_of(header).get(LOCAL_CONFIG) == "true"


def _not_run(kind: str, name: str) -> CheckError:
    place = f"{FUNCTIONS[kind]}:"
    return CheckError(
        "config-left",
        "it is a resource of the build, and so it was not run",
        where=f"{kind}/{name}",
        expected=f"{place} of the kustomization",
        found="resources:",
        remedy=f"move the entry to {place}",
    )


def _sealed_secret(value: dict[str, Any], name: str, verdict: Report) -> None:
    own = annotations_of(value)
    if SEALED_FOR not in own:
        if found := said_and_final(value):
            verdict.warnings.append(elsewhere(name, *found))
        return
    scope = scope_of(own)
    final = sealed_for(scope, place_of(value).namespace, name)
    sealed = str(own[SEALED_FOR])
    if sealed != final:
        verdict.findings.append(
            CheckError(
                "sealed-for",
                "it cannot be opened under its final name, namespace and scope",
                where=f"{KIND}/{name}",
                expected=f"sealed for {final}",
                found=sealed,
                remedy="seal in the outermost kustomization that sets namespace, prefix or suffix",
            )
        )
    template = annotations_of(mapping(mapping(value.get("spec")).get("template")))
    for place, said in (("its own", own), ("its template's", template)):
        marks = {a: said[a] for a in SCOPE_ANNOTATIONS.values() if a in said}
        expected = {SCOPE_ANNOTATIONS[scope]: "true"} if scope in SCOPE_ANNOTATIONS else {}
        if marks != expected:
            verdict.findings.append(
                CheckError(
                    "scope-annotation",
                    f"{place} annotations contradict the scope {scope}",
                    where=f"{KIND}/{name}",
                    expected=", ".join(expected) or "none of the scope annotations",
                    found=", ".join(f"{a}: {v}" for a, v in marks.items()) or "none",
                    remedy="do not patch them; set scope and build again",
                )
            )


def elsewhere(name: str, said: str, final: str) -> Warned:
    """Return the warning about a moved kubeseal SealedSecret."""
    return Warned(
        "kubesealed-elsewhere",
        f"{KIND}/{name}",
        f"kubeseal sealed it for {said}, and it is {final} now, so that the controller cannot open it",
        "seal it for that place, or declare a claim",
        secret=name,
    )


def _plain_secret(value: dict[str, Any], name: str, policy: str, verdict: Report) -> None:
    if policy == "allow" or _is_local(value) or is_sops_secret(value):
        return
    if not value.get("data") and not value.get("stringData"):
        return
    if policy == "warn":
        verdict.warnings.append(
            Warned(
                "plain-secret",
                f"Secret/{name}",
                "it is unencrypted in the output",
                "seal it, or say plainSecrets: allow if it is not confidential",
                secret=name,
            )
        )
        return
    verdict.findings.append(
        CheckError(
            "plain-secret",
            "it is unencrypted in the output",
            where=f"Secret/{name}",
            remedy="seal it, or say plainSecrets: warn or allow if it is not confidential",
        )
    )


def _certificates(fingerprints: dict[str, str], wanted: str | None, verdict: Report) -> None:
    """Return each fingerprint in the stream, with its first SealedSecret."""
    if wanted is None and len(fingerprints) > 1:
        wanted = next(iter(fingerprints))
    for mark, name in fingerprints.items():
        if wanted is not None and mark != wanted:
            verdict.findings.append(
                CheckError(
                    "certificate-differs",
                    "it is sealed for another certificate",
                    where=f"{KIND}/{name}",
                    expected=wanted,
                    found=mark,
                    remedy="build all of a stream with one certificate",
                )
            )
