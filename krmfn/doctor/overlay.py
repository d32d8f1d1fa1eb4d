"""Checks of an overlay from its files alone: no vault, no cluster, no credential.

Rules enforced here: the overlay is built as `krmfn build` builds it, so that nothing of the
repository runs; of a SealedSecret nothing but its names and annotations is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from krmfn.audit.enforce import audit_stream
from krmfn.audit.rules import check
from krmfn.build.one import look_at, plans
from krmfn.build.validate import CLAIM_GROUP, validate
from krmfn.doctor.diagnosis import CHECKS, Diagnosis, failed
from krmfn.doctor.generate_paths import check_paths
from krmfn.documents import strict
from krmfn.errors import Failure, PolicyError
from krmfn.files.read import Place, read_file
from krmfn.kustomize.reach import reach
from krmfn.names import CLAIM
from krmfn.objects import stream
from krmfn.objects.kinds import annotations_of, each, place_of
from krmfn.objects.sealed_secret import (
    API_VERSION,
    KIND,
    SEALED_FOR,
    SKIP_MARKER,
    scope_of,
    sealed_for,
)
from krmfn.sealing.dry_run import look
from krmfn.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from krmfn.audit.judge import Audit
    from krmfn.crypto.certificate import SealingCertificate
    from krmfn.doctor.diagnosis import Patient, Status
    from krmfn.objects.stream import Item
    from krmfn.plan.make import Plan
    from krmfn.sealing.job import Job
    from krmfn.spec.validator import SealedSecretValidator

RENEWED = timedelta(days=30)
SHOWN = 3  # findings of the audit


@dataclass
class Examined:
    """Results of the overlay's checks, for the checks of vault and cluster.

    Attributes:
        sealed: SealedSecrets that are committed.
        plans: what a build would seal; empty when the policy denies any of it.
        certificates: those to seal for, each once.
    """

    now: datetime
    diagnoses: list[Diagnosis] = field(default_factory=list)
    sealed: list[dict[str, Any]] = field(default_factory=list)
    plans: list[tuple[Plan, Job]] = field(default_factory=list)
    certificates: list[SealingCertificate] = field(default_factory=list)
    audit: Audit | None = None


def examine(patient: Patient) -> Examined:
    """Run all checks of an overlay's files."""
    found = Examined(patient.now)
    tell = found.diagnoses.extend
    try:
        seen = look_at(patient.directory, patient.command, patient.job())
        items = stream.stream(seen.output, "the build")
        values = [value for item in items for _, value in each(item.document.value())]
        marker = list(_marker(patient))
    except Failure as failure:
        tell(_not_built(failure, patient))
        return found
    tell(
        [
            Diagnosis(
                "build", "ok", patient.name, f"it builds, with {counted(len(items), 'resource')}"
            )
        ]
    )
    found.sealed = [
        v for v in values if (v.get("apiVersion"), v.get("kind")) == (API_VERSION, KIND)
    ]
    if seen.implied:
        tell([_claims_printed(patient)])
    tell(marker)
    tell(_validated(items, seen.validators, patient))
    tell(_sealed_for(found.sealed))
    tell(_hand_made(found.sealed, values, patient))
    try:
        found.audit = audit_stream(
            items,
            [one.spec for one in seen.validators],
            place=Place(patient.directory, patient.root),
            refers=seen.refers,
        )
        tell([_audited(found.audit, patient)])
    except Failure as failure:
        tell(failed("audit", failure, patient.name))
    _plan(found, patient)
    tell(check_paths(patient, found.plans))
    return found


def _claims_printed(patient: Patient) -> Diagnosis:
    return Diagnosis(
        "claims-printed",
        "warning",
        patient.name,
        "kustomize build prints claims here: only krmfn build seals them",
        "no kustomization lists a SealedSecretTransformer",
        "build with krmfn build, or list one under transformers:",
    )


def _not_built(failure: Failure, patient: Patient) -> Iterator[Diagnosis]:
    """Report why the overlay does not build, with a validator's findings as their checks."""
    for error in failure.errors:
        if error.id not in CHECKS or not error.where:
            yield from failed("build", error, patient.name)
            continue
        cause = error.message
        evidence = (
            f"expected {error.expected}, found {error.found}" if error.found else error.line()
        )
        if error.id == "sealed-for":
            cause, evidence = differing(error.found, error.expected.removeprefix("sealed for "))
        yield Diagnosis(error.id, "error", error.where, cause, evidence, error.remedy)


def _marker(patient: Patient) -> Iterator[Diagnosis]:
    """Check that something deletes the skip marker, if a function emits one."""
    root = patient.root
    tree = reach(Place(patient.directory.resolve(), root))
    values = [one.value for one in tree.kustomizations.values()]
    makes = any(value.get("generators") or value.get("transformers") for value in values)
    files = (one.file for one in tree.kustomizations.values())
    own = (read_file(file, name=file.name, key="", root=root) for file in files)
    texts = (*tree.contents.values(), *own)
    if makes and not any(SKIP_MARKER.encode() in text for text in texts):
        yield Diagnosis(
            "marker",
            "warning",
            patient.name,
            "nothing deletes the skip marker: a build that leaves krmfn out would go unseen",
            f"no file of the overlay names {SKIP_MARKER}",
            "add the patch of docs/skip-marker.md",
        )


def _validated(
    items: Sequence[Item], validators: Sequence[SealedSecretValidator], patient: Patient
) -> Iterator[Diagnosis]:
    """Check that a validator exists, and report its findings."""
    plain = validators[0].spec.plain_secrets if validators else "warn"
    verdict = validate(items, plain_secrets=plain)
    for finding in verdict.findings:
        # A claim is left on purpose here; the next check reports which name differs.
        if finding.id not in ("claim-left", "sealed-for"):
            yield Diagnosis(
                finding.id, "error", finding.where, finding.message, finding.line(), finding.remedy
            )
    for warning in verdict.warnings:
        yield Diagnosis(
            "sealed-for" if warning.id == "kubesealed-elsewhere" else warning.id,
            "warning",
            warning.subject,
            warning.text,
            fix=warning.remedy,
        )
    if validators:
        names = ", ".join(str(one.metadata.name) for one in validators)
        yield Diagnosis("validator", "ok", patient.name, f"it lists the validator {names}")
    elif any(item.kind in (KIND, CLAIM) for item in items):
        yield Diagnosis(
            "validator",
            "warning",
            patient.name,
            "no SealedSecretValidator sees the final names",
            "none is under validators: of this kustomization",
            "run krmfn init, or list one under validators:",
        )


def mismatch(value: dict[str, Any]) -> tuple[str, str] | None:
    """Return the mismatch of a krmfn SealedSecret and the evidence; None if it fits."""
    annotations = annotations_of(value)
    if SEALED_FOR not in annotations:
        return None
    sealed = str(annotations[SEALED_FOR])
    final = sealed_for(scope_of(annotations), *place_of(value))
    return None if sealed == final else differing(sealed, final)


def differing(sealed: str, final: str) -> tuple[str, str]:
    """Return the difference of two places, as ``namespace/name``, and the evidence."""
    was, now = sealed.partition("/"), final.partition("/")
    if [part == "*" for part in was] != [part == "*" for part in now]:
        what = "scope"
    else:
        differs = {"namespace": was[0] != now[0], "name": was[2] != now[2]}
        what = " and ".join(part for part, wrong in differs.items() if wrong)
    return f"{what} mismatch: no key will open it", f"sealed for {sealed}, and it is {final}"


def _sealed_for(sealed: Sequence[dict[str, Any]]) -> Iterator[Diagnosis]:
    for value in sealed:
        if wrong := mismatch(value):
            fix = "seal in the outermost kustomization that sets namespace, prefix or suffix"
            yield Diagnosis("sealed-for", "error", title(value), *wrong, fix)


def title(value: dict[str, Any]) -> str:
    """``SealedSecret/namespace/name``."""
    return "/".join([KIND, *(part for part in place_of(value) if part)])


def _hand_made(
    sealed: Sequence[dict[str, Any]], values: Sequence[dict[str, Any]], patient: Patient
) -> Iterator[Diagnosis]:
    """Report SealedSecrets from other tools, and those that krmfn also produces."""
    claims = {
        place_of(v)
        for v in values
        if v.get("kind") == CLAIM and str(v.get("apiVersion")).startswith(CLAIM_GROUP)
    }
    for value in sealed:
        twice = place_of(value) in claims
        if not twice and SEALED_FOR in annotations_of(value):
            continue
        file = _file_of(value, patient)
        evidence = f"it is in {file}" if file else "it is in the build's output"
        if twice:
            cause = "it is committed, and krmfn creates one of the same name"
            fix = f"git rm {file or 'its file'}, and take it out of resources:"
            yield Diagnosis("hand-made", "error", title(value), cause, evidence, fix)
        else:
            cause = "krmfn did not create it, so the target that it was sealed for is unknown"
            fix = f"krmfn import sealedsecret {file or 'FILE'}"
            yield Diagnosis("hand-made", "warning", title(value), cause, evidence, fix)


def _file_of(value: dict[str, Any], patient: Patient) -> str:
    """Return the file of a SealedSecret; empty if it was renamed or is not found."""
    root = patient.root
    for path, text in sorted(reach(Place(patient.directory.resolve(), root)).contents.items()):
        try:
            if KIND.encode() not in text:
                continue
            for document in strict.documents(text, str(path)):
                for _, one in each(document.value()):
                    if one.get("kind") == KIND and place_of(one)[1] == place_of(value)[1]:
                        return path.relative_to(root).as_posix()
        except Failure:
            continue
    return ""


def _audited(found: Audit, patient: Patient) -> Diagnosis:
    findings = check(found)
    errors = [finding for finding in findings if finding.severity == "error"]
    warnings = [finding for finding in findings if finding.severity == "warning"]
    told = f"{counted(len(errors), 'error')}, {counted(len(warnings), 'warning')}"
    told += f" in {counted(len(found.judged), 'reference')}"
    if not (errors or warnings):
        return Diagnosis("audit", "ok", patient.name, told)
    evidence = "; ".join(finding.line() for finding in (errors or warnings)[:SHOWN])
    status: Status = "error" if errors else "warning"
    fix = f"krmfn audit {patient.name}"
    if any(finding.rule == "unmet-reference" for finding in errors):
        fix = f"krmfn init {patient.name} proposes what is missing; {fix} shows all of it"
    return Diagnosis("audit", status, patient.name, told, evidence, fix)


def _plan(found: Examined, patient: Patient) -> None:
    """Plan the overlay: targets, certificates and the policy's rulings; contacts no server."""
    tell = found.diagnoses.extend
    try:
        planned, _ = plans(patient.directory, patient.command, (), patient.job())
    except Failure as failure:
        tell(failed("build", failure, patient.name))
        return
    certificates: dict[str, SealingCertificate] = {}
    allowed = True
    for plan, job in planned:
        try:
            outlooks = look(plan, job, now=patient.now, offline=True)
        except Failure as failure:
            for error in failure.errors:
                is_policy = isinstance(error, PolicyError)
                tell(failed("policy" if is_policy else "certificate", error, patient.name))
            allowed = False
            continue
        denied = [v for one in outlooks for v in one.verdicts() if not v.allowed]
        for verdict in denied:
            tell(failed("policy", verdict.error(), patient.name))
        allowed = allowed and not denied
        certificates |= {c.fingerprint: c for one in outlooks if (c := one.certificate)}
    found.certificates = list(certificates.values())
    tell(judge_certificate(one, patient.now) for one in found.certificates)
    if allowed:
        found.plans = planned


def judge_certificate(certificate: SealingCertificate, now: datetime) -> Diagnosis:
    """Judge a valid certificate: its end, and whether the controller has a newer one. Pure."""
    subject = certificate.fingerprint[:16]
    until = f"valid from {certificate.not_before:%Y-%m-%d} until {certificate.not_after:%Y-%m-%d}"
    fix = "krmfn cert fetch -o FILE, review the diff, commit"
    if certificate.not_after - now < RENEWED:
        cause = f"the certificate expires on {certificate.not_after:%Y-%m-%d}"
        return Diagnosis("certificate", "warning", subject, cause, until, fix)
    if now - certificate.not_before > RENEWED:
        cause = "the certificate is older than 30 days: the controller has a newer one by default"
        evidence = f"{until}; it goes on working as long as the controller keeps its key"
        return Diagnosis("certificate", "warning", subject, cause, evidence, fix)
    return Diagnosis("certificate", "ok", subject, until)
