"""Replace claims with SealedSecrets, in a stream with final names and namespaces.

Rules enforced here: a claim is sealed for the namespace and name that it has by now; everything else
is kept as it came; what kustomize remembers of a claim's former names goes on to what replaces it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn.audit.enforce import refuse_owned
from krmfn.build.namespace import choose_namespace
from krmfn.build.restart import Stamp, affixes, stamped
from krmfn.errors import raise_all
from krmfn.names import API_VERSION, CLAIM
from krmfn.objects.kinds import NamespacedName, kind_of, metadata_of
from krmfn.objects.lists import taken_apart
from krmfn.objects.makers import Maker, standing, twice
from krmfn.objects.sealed_secret import IDENTITY, PREVIOUS_NAMES, claim_companion
from krmfn.plan.make import plan_claims
from krmfn.spec.parse import parse
from krmfn.spec.transformer import SecretClaim

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from krmfn.kustomize.overlay import Kustomization
    from krmfn.objects.sealed_secret import Object
    from krmfn.objects.stream import Item
    from krmfn.plan.make import Plan
    from krmfn.sealing.job import Job
    from krmfn.sealing.pipeline import Sealed
    from krmfn.spec.transformer import SealedSecretTransformer


@dataclass(frozen=True)
class Transformed:
    """A stream with its claims sealed.

    Attributes:
        kept: what is no claim and no configuration of ours, in its order; with checksums where
            claims ask for them, else as it came.
        sealed: the SealedSecrets, in the order of their claims.
        companions: the name companions, which only kustomize may be given.
        digests: what was written as checksums, in the order of the items.
    """

    kept: tuple[Item, ...]
    sealed: tuple[Object, ...]
    companions: tuple[Object, ...]
    digests: tuple[str, ...] = ()


def transform(
    items: Sequence[Item],
    config: SealedSecretTransformer,
    overlay: Kustomization,
    job: Job,
    seal: Callable[[Plan, Job], list[Sealed]],
) -> Transformed:
    """Seal every claim among ``items``.

    Args:
        overlay: the kustomization in the working directory, or an empty one.
        seal: makes the SealedSecrets of a plan, in its order.

    Raises:
        Failure: any; nothing is returned then.
    """
    kept, claims = claims_of(items, config, overlay, job)
    if not claims:
        return Transformed(tuple(kept), (), ())
    refuse_twice(claims, kept)
    refuse_owned(items)
    plan = plan_claims(config, claims)
    sealed = seal(plan, job)
    companions, stamps = [], []
    for (claim, namespace), target, one in zip(claims, plan.targets, sealed, strict=True):
        history = {k: v for k, v in claim.metadata.annotations.items() if k in IDENTITY}
        bare = not claim.metadata.namespace and not _names(namespace, kept)
        if target.referenced:
            companions.append(claim_companion(one.object, history, one.base_name, bare=bare))
        one.object["metadata"]["annotations"] |= history
        if one.checksum:
            former = history.get(PREVIOUS_NAMES, "").split(",")
            names = frozenset({*former, one.base_name} - {""})
            stamps.append(Stamp(namespace, names, one.checksum, affixes(history)))
    objects = tuple(one.object for one in sealed)
    found = [stamped(item, stamps) for item in kept]
    digests = tuple(digest for _, written in found for digest in written)
    return Transformed(tuple(item for item, _ in found), objects, tuple(companions), digests)


def refuse_twice(claims: Iterable[tuple[SecretClaim, str]], others: Iterable[Item]) -> None:
    """Refuse claims for Secrets that another object creates, before anything is read.

    Args:
        claims: each claim, and its final namespace.

    Raises:
        ErrorList, errors.Finding: there are such claims.
    """
    wanted = [Maker(CLAIM, NamespacedName(space, claim.metadata.name)) for claim, space in claims]
    raise_all(twice(wanted, list(standing(others))))


def _names(namespace: str, items: Iterable[Item]) -> bool:
    """Whether any item sets ``metadata.namespace`` to this namespace."""
    return any(metadata_of(one.header()).get("namespace") == namespace for one in items)


def claims_of(
    items: Sequence[Item],
    config: SealedSecretTransformer,
    overlay: Kustomization,
    job: Job,
) -> tuple[list[Item], list[tuple[SecretClaim, str]]]:
    """Return the other items, and each claim with its final namespace.

    Raises:
        SpecError: a claim is malformed, or its namespace contradicts another's.
    """
    claims: list[tuple[SecretClaim, str]] = []
    kept: list[Item] = []
    ours = {CLAIM, config.kind}
    for item in taken_apart(items, lambda value: _is_ours(value, ours)):
        if item.api_version != API_VERSION:
            kept.append(item)
        elif item.kind == CLAIM:
            claim = parse(item.document.value())
            if not isinstance(claim, SecretClaim):
                raise AssertionError("a claim has another model")
            claims.append((claim, _namespace(claim, config, overlay, job)))
        elif item.kind != config.kind:
            kept.append(item)
    return kept, claims


def _is_ours(value: Object, kinds: Collection[str]) -> bool:
    return value.get("apiVersion") == API_VERSION and kind_of(value) in kinds


def _namespace(
    claim: SecretClaim,
    config: SealedSecretTransformer,
    overlay: Kustomization,
    job: Job,
) -> str:
    namespace, note = choose_namespace(
        explicit=config.metadata.namespace,
        item=claim.metadata.namespace,
        overlay=overlay,
        environ=job.access.environ,
    )
    if note:
        job.access.warnings.add(note)
    return namespace
