"""Hold a stream against a validator, or against what a transformer checks in its own output."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from krmfn.audit.enforce import enforce
from krmfn.build.followed import followed
from krmfn.build.validate import validate
from krmfn.errors import raise_all
from krmfn.names import VALIDATOR
from krmfn.spec.validator import ValidatorSpec
from krmfn.warned import is_silenced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from krmfn.audit.name_references import FieldSpec
    from krmfn.kustomize.overlay import Kustomization
    from krmfn.objects.stream import Item
    from krmfn.sealing.job import Job
    from krmfn.spec.validator import Checks, SealedSecretValidator


def check(
    config: SealedSecretValidator,
    items: tuple[Item, ...],
    overlay: Kustomization,
    job: Job,
    *,
    sealed: bool = True,
    in_build: bool = True,
    refers: Iterable[FieldSpec] = (),
) -> None:
    """Hold a stream against a validator.

    Args:
        sealed: whether claims have been sealed by now, for real.
        in_build: kustomize has yet to rename references.
        refers: fields that refer to Secrets according to the build's ``configurations:``.

    Raises:
        Failure: what the validator finds.
    """
    overlay.check_list(VALIDATOR, config.metadata.name, "validators")
    hold(items, config.spec, job, sealed=sealed, in_build=in_build, refers=refers)


def hold(
    items: tuple[Item, ...],
    spec: Checks,
    job: Job,
    *,
    sealed: bool = True,
    in_build: bool = True,
    refers: Iterable[FieldSpec] = (),
) -> None:
    """Check a stream against a specification, as `check`.

    Raises:
        Failure: what is wrong in the stream.
    """
    certificate = None
    if isinstance(spec, ValidatorSpec) and spec.certificate is not None and sealed:
        from krmfn.sealing.recipient import load_certificate  # lazy: cryptography, 20 ms

        with job.stores({}) as stores:
            certificate = load_certificate(spec.certificate, stores, datetime.now(UTC))
    verdict = validate(
        items,
        fingerprint=certificate.fingerprint if certificate else None,
        plain_secrets=spec.plain_secrets,
    )
    verdict.findings.extend(followed(items))
    raise_all([f for f in verdict.findings if sealed or f.id != "claim-left"])
    for warning in verdict.warnings:
        if not is_silenced(warning, spec.silence):
            job.access.warnings.add(warning)
    if sealed:
        access = job.access
        enforce(
            items,
            spec,
            access.warnings.add,
            place=access.place,
            in_build=in_build,
            refers=refers,
        )
