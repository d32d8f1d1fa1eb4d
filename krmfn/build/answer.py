"""Answer one call from kustomize, in a process that kustomize starts or inside a build.

Rules enforced here: what a configuration does depends on the call alone: its value, the items and the
directory. Who seals is handed in, so that a build can rehearse without reading anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from krmfn.audit.enforce import enforce
from krmfn.build.estate import completed
from krmfn.build.followed import followed
from krmfn.build.namespace import choose_namespace
from krmfn.build.transform import Transformed, transform
from krmfn.build.validate import validate
from krmfn.errors import SpecError, raise_all
from krmfn.objects import stream
from krmfn.objects.sealed_secret import claim_companion, name_companion, skip_marker
from krmfn.plan.make import Plan, make_plan
from krmfn.sealing.pipeline import Sealed, generate
from krmfn.sealing.recipient import load_certificate
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.transformer import SealedSecretTransformer, SecretClaim
from krmfn.spec.validator import SealedSecretValidator, ValidatorSpec
from krmfn.stores.opened import OpenedStores
from krmfn.stores.store import Surroundings
from krmfn.warned import is_silenced

if TYPE_CHECKING:
    from krmfn.audit.name_references import FieldSpec
    from krmfn.errors import Failure
    from krmfn.kustomize.kustomization import Kustomization
    from krmfn.objects.stream import Item
    from krmfn.spec.validator import Checks

GENERATOR, VALIDATOR = "SealedSecretGenerator", "SealedSecretValidator"
# Makes the SealedSecrets of a plan, in its order.
Seal: TypeAlias = Callable[[Plan, Surroundings], list[Sealed]]


@dataclass(frozen=True)
class Call:
    """One call from kustomize, by any route.

    Attributes:
        indent: of the items in the ResourceList; None for a legacy plugin, whose items are a stream.
        implied: no kustomization lists the configuration, so none deletes the skip marker.
    """

    config: Any
    items: tuple[Item, ...]
    indent: int | None = None
    implied: bool = False


@dataclass(frozen=True)
class Answer:
    """The answer to kustomize.

    Attributes:
        digests: what was written as checksums on pod templates, in the order of the items.
    """

    text: str
    digests: tuple[str, ...] = ()


def seal(plan: Plan, around: Surroundings) -> list[Sealed]:
    """Seal a plan for good."""
    return generate(plan, around, now=datetime.now(UTC), entropy=os.urandom)


def answer(
    call: Call,
    overlay: Kustomization,
    around: Surroundings,
    seal: Seal = seal,
    *,
    holds: bool = True,
) -> Answer:
    """Return the output and warnings of one call.

    Args:
        holds: run the transformer's own checks.

    Raises:
        Failure: any; nothing is to be printed then.
    """
    config = completed(call.config, call.items, overlay, around)
    if isinstance(config, SealedSecretGenerator):
        objects = _generate(planned(config, call, overlay, around), around, seal)
        return Answer(stream.write(objects))
    if isinstance(config, SealedSecretTransformer):
        done = _transform(config, call, overlay, around, seal)
        if holds and config.spec.validate_ is not None:
            written = stream.write([*done.sealed, *done.companions])
            made = stream.stream(written, "the transformer")
            hold((*done.kept, *made), config.spec.validate_, around)
        return Answer(_written(done, call), done.digests)
    if isinstance(config, SecretClaim):
        raise SpecError(
            "wrong-list",
            "a claim is not a function",
            expected="resources:",
            remedy="list it under resources:, and a SealedSecretTransformer under transformers:",
        )
    if isinstance(config, SealedSecretValidator):
        check(config, call.items, overlay, around)
    # A validator prints nothing: kustomize takes an echo for a change.
    return Answer("")


def planned(
    config: SealedSecretGenerator, call: Call, overlay: Kustomization, around: Surroundings
) -> Plan:
    """Return the plan of a generator."""
    overlay.check_list(config.kind, config.metadata.name, "generators")
    if any(item.header().get("kind") != config.kind for item in call.items):
        raise SpecError(
            "wrong-list",
            "a generator was given resources to transform",
            expected="generators:",
            remedy="move the entry to generators:",
        )
    namespace, note = choose_namespace(
        explicit=config.metadata.namespace, overlay=overlay, environ=around.environ
    )
    if note:
        around.warn(note)
    return make_plan(config, namespace=namespace, overlay=overlay)


def _generate(plan: Plan, around: Surroundings, seal: Seal) -> list[dict[str, Any]]:
    """Return SealedSecrets, their name companions unless disabled, and the skip marker."""
    sealed = seal(plan, around)
    objects = [one.object for one in sealed]
    beside = [
        name_companion(one.object)
        if one.base_name == one.object["metadata"]["name"]
        else claim_companion(one.object, {}, one.base_name)
        for target, one in zip(plan.targets, sealed, strict=True)
        if target.referenced
    ]
    return [*objects, *beside, skip_marker()]


def _transform(
    config: SealedSecretTransformer,
    call: Call,
    overlay: Kustomization,
    around: Surroundings,
    seal: Seal,
) -> Transformed:
    overlay.check_list(config.kind, config.metadata.name, "transformers")
    return transform(call.items, config, overlay, around, seal)


def _written(done: Transformed, call: Call) -> str:
    """Return every item unchanged to the byte, except that SealedSecrets replace claims."""
    made = [*done.sealed, *done.companions, *([] if call.implied else [skip_marker()])]
    if call.indent is None:
        return stream.rewrite_stream(done.kept, made)
    return stream.rewrite(done.kept, made, call.indent)


def check(
    config: SealedSecretValidator,
    items: tuple[Item, ...],
    overlay: Kustomization,
    around: Surroundings,
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
    hold(items, config.spec, around, sealed=sealed, in_build=in_build, refers=refers)


def hold(
    items: tuple[Item, ...],
    spec: Checks,
    around: Surroundings,
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
        stores = OpenedStores({}, around)
        certificate = load_certificate(spec.certificate, stores, around, datetime.now(UTC))
    verdict = validate(
        items,
        fingerprint=certificate.fingerprint if certificate else None,
        plain_secrets=spec.plain_secrets,
    )
    verdict.findings.extend(followed(items))
    raise_all([f for f in verdict.findings if sealed or f.id != "claim-left"])
    for warning in verdict.warnings:
        if not is_silenced(warning, spec.silence):
            around.warn(warning)
    if sealed:
        enforce(
            items,
            spec,
            around.warn,
            base=around.base,
            root=around.root,
            in_build=in_build,
            refers=refers,
        )


def place(name: str, overlay: Kustomization) -> str:
    """Return ``file: Kind/name`` if the kustomization names the file, else ``Kind/name``."""
    file = overlay.file_of(*name.partition("/")[::2])
    return f"{file}: {name}" if file else name


def placed(failure: Failure, where: str) -> Failure:
    """Return the failure, with the configuration's name in its errors."""
    for error in failure.errors:
        if not error.where or where.endswith(error.where):
            error.where = where
    return failure
