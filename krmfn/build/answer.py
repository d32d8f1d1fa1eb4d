"""Answer one call from kustomize, in a process that kustomize starts or inside a build.

Rules enforced here: what a configuration does depends on the call alone: its value, the items and the
directory. Who seals is handed in, so that a build can rehearse without reading anything.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from krmfn.build.estate import completed
from krmfn.build.namespace import choose_namespace
from krmfn.errors import SpecError
from krmfn.objects import stream
from krmfn.objects.sealed_secret import claim_companion, name_companion, skip_marker
from krmfn.plan.make import Plan, make_plan
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.transformer import SealedSecretTransformer, SecretClaim
from krmfn.spec.validator import SealedSecretValidator

if TYPE_CHECKING:
    from collections.abc import Callable

    from krmfn.build.transform import Transformed
    from krmfn.errors import Failure
    from krmfn.kustomize.overlay import Kustomization
    from krmfn.objects.stream import Item
    from krmfn.sealing.job import Job
    from krmfn.sealing.pipeline import Sealed

# Makes the SealedSecrets of a plan, in its order.
Seal: TypeAlias = "Callable[[Plan, Job], list[Sealed]]"


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


def seal(plan: Plan, job: Job) -> list[Sealed]:
    """Seal a plan for good."""
    from krmfn.sealing.pipeline import generate  # lazy: a validator and a rehearsal seal nothing

    return generate(plan, job, now=datetime.now(UTC), entropy=os.urandom)


def answer(
    call: Call,
    overlay: Kustomization,
    job: Job,
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
    config = completed(call.config, call.items, overlay, job)
    if isinstance(config, SealedSecretGenerator):
        objects = _generate(planned(config, call, overlay, job), job, seal)
        return Answer(stream.write(objects))
    if isinstance(config, SealedSecretTransformer):
        done = _transform(config, call, overlay, job, seal)
        if holds and config.spec.validate_ is not None:
            from krmfn.build.hold import hold  # lazy: the audit, 20 ms

            written = stream.rewrite_stream((), [*done.sealed, *done.companions])
            made = stream.stream(written, "the transformer")
            hold((*done.kept, *made), config.spec.validate_, job)
        return Answer(_written(done, call), done.digests)
    if isinstance(config, SecretClaim):
        raise SpecError(
            "wrong-list",
            "a claim is not a function",
            expected="resources:",
            remedy="list it under resources:, and a SealedSecretTransformer under transformers:",
        )
    if isinstance(config, SealedSecretValidator):
        from krmfn.build.hold import check

        check(config, call.items, overlay, job)
    # A validator prints nothing: kustomize takes an echo for a change.
    return Answer("")


def planned(config: SealedSecretGenerator, call: Call, overlay: Kustomization, job: Job) -> Plan:
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
        explicit=config.metadata.namespace, overlay=overlay, environ=job.access.environ
    )
    if note:
        job.access.warnings.add(note)
    return make_plan(config, namespace=namespace, overlay=overlay)


def _generate(plan: Plan, job: Job, seal: Seal) -> list[dict[str, Any]]:
    """Return SealedSecrets, their name companions unless disabled, and the skip marker."""
    sealed = seal(plan, job)
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
    job: Job,
    seal: Seal,
) -> Transformed:
    overlay.check_list(config.kind, config.metadata.name, "transformers")
    from krmfn.build.transform import transform  # lazy: only a transformer audits before it seals

    return transform(call.items, config, overlay, job, seal)


def _written(done: Transformed, call: Call) -> str:
    """Return every item unchanged to the byte, except that SealedSecrets replace claims."""
    made = [*done.sealed, *done.companions, *([] if call.implied else [skip_marker()])]
    if call.indent is None:
        return stream.rewrite_stream(done.kept, made)
    return stream.rewrite(done.kept, made, call.indent)


def where_of(name: str, overlay: Kustomization) -> str:
    """Return ``file: Kind/name`` if the kustomization names the file, else ``Kind/name``."""
    file = overlay.file_of(*name.partition("/")[::2])
    return f"{file}: {name}" if file else name


def placed(failure: Failure, where: str) -> Failure:
    """Return the failure, with the configuration's name in its errors."""
    for error in failure.errors:
        if not error.where or where.endswith(error.where):
            error.where = where
    return failure
