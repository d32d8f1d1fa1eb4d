"""The main line on one screen: a plan becomes SealedSecrets.

Rules enforced here: every route passes the platform's policy before it seals. Before it
has passed, no store is opened and no credential is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from krmfn.crypto.derive import ItemContext, second_step
from krmfn.crypto.seal import RANDOM_BYTES, hybrid_encrypt
from krmfn.errors import Failure, KrmfnError, raise_all
from krmfn.objects.kinds import NamespacedName
from krmfn.objects.sealed_secret import sealed_secret
from krmfn.objects.size import check_size
from krmfn.sealing import digest
from krmfn.sealing.derivation import key_of
from krmfn.sealing.read import locate, read_all, refuse_key
from krmfn.sealing.recipient import load_certificate
from krmfn.sealing.render import Rendered, known_sources, render
from krmfn.warned import is_silenced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from krmfn.crypto.certificate import SealingCertificate
    from krmfn.objects.sealed_secret import Object
    from krmfn.plan.make import Plan, Read, SealTarget
    from krmfn.sealing.derivation import Derivation
    from krmfn.sealing.job import Job
    from krmfn.stores.content import Json, Location


@dataclass(frozen=True)
class Sealer:
    """The inputs of sealing besides the items.

    Attributes:
        derivation: F by digest; None when every target is random.
        entropy: n random bytes, for random mode.
    """

    certificate: SealingCertificate
    epoch: str
    derivation: Derivation | None
    entropy: Callable[[int], bytes]

    def ask_ahead(self, targets: Iterable[SealTarget], places: Mapping[Read, Location]) -> None:
        """Ask for the derivation of all items whose name and source are known before a read."""
        named = [target for target in targets if not target.secret.name_suffix_hash]
        self._ask((target, known_sources(target, places)) for target in named)

    def ask(self, rendered: Iterable[Rendered]) -> None:
        """Ask for the derivation of all items that were not asked for ahead."""
        self._ask((r.target, {k: item.source for k, item in r.items.items()}) for r in rendered)

    def _ask(self, sources: Iterable[tuple[SealTarget, dict[str, bytes]]]) -> None:
        """Ask for the derivation of items.

        Args:
            sources: each target, and the source of each of its data keys.
        """
        if self.derivation is not None:
            self.derivation.ask(
                [
                    self.context(target, key, source).digest()
                    for target, own in sources
                    if target.mode == "deterministic"
                    for key, source in own.items()
                ]
            )

    def context(self, target: SealTarget, key: str, source: bytes) -> ItemContext:
        """Return the complete context of one item."""
        return ItemContext(
            spki_sha256=self.certificate.spki_sha256,
            scope=target.scope,
            label=target.label,
            namespace=target.bound_namespace,
            name=target.name,
            key=key,
            source=source,
            epoch=self.epoch,
        )


@dataclass(frozen=True)
class Sealed:
    """A SealedSecret, with the facts that references to it need.

    Attributes:
        base_name: its name before a hash of the content was added.
        checksum: of its content, for the pods that use it; empty when none was asked for.
    """

    object: Object
    base_name: str
    checksum: str


def generate(
    wanted: Plan, job: Job, *, now: datetime, entropy: Callable[[int], bytes]
) -> list[Sealed]:
    """The SealedSecrets of a plan, in its order.

    Raises:
        KrmfnError, ErrorList: any failure; nothing is returned then.
    """
    with job.open(wanted) as (plan, stores):
        certificate = load_certificate(plan.sealing.certificate, stores, now)
        job.permit(plan, certificate.fingerprint)  # nothing was sent before
        places = locate(plan, stores, certificate.fingerprint)
        sealer = Sealer(certificate, plan.sealing.epoch, key_of(plan, stores), entropy)
        ahead = partial(sealer.ask_ahead, plan.targets, places)
        secrets = read_all(plan, stores, places, beside=ahead)
        refuse_key(sealer.derivation, secrets, places)
        rendered = render_all(plan, secrets, places)
        job.count(rendered)
        rendered, checksums = with_hashes(rendered, sealer.derivation)
        sealer.ask(rendered)  # the last question to a store
    sealed = [
        Sealed(seal(one, sealer), one.target.base_name, checksums.get(one.target.place, ""))
        for one in rendered
    ]
    warn(rendered, sealed, plan, job)
    return sealed


def values(wanted: Plan, job: Job, *, now: datetime) -> list[Rendered]:
    """Return the values that a build would seal, in the plan's order; nothing is sealed.

    Returns:
        Plaintext among the rest. A hash of the content is not part of the names.

    Raises:
        KrmfnError, ErrorList: as `generate`.
    """
    with job.open(wanted) as (plan, stores):
        certificate = load_certificate(plan.sealing.certificate, stores, now)
        job.permit(plan, certificate.fingerprint)
        places = locate(plan, stores, certificate.fingerprint)
        key = key_of(plan, stores)
        ahead = partial(key.ask, ()) if key is not None else None
        secrets = read_all(plan, stores, places, beside=ahead)
        refuse_key(key, secrets, places)
        rendered = render_all(plan, secrets, places)
        job.count(rendered)
    return rendered


def refuse_denied(wanted: Plan, job: Job, *, now: datetime) -> None:
    """Raise the policy's denials of a plan, if any; nothing is sent or counted.

    Raises:
        PolicyError, ErrorList: there are denials.
    """
    if job.policy is None:
        return
    with job.open(wanted) as (plan, stores):
        certificate = load_certificate(plan.sealing.certificate, stores, now)
        job.allow(plan, certificate.fingerprint)


def warn(rendered: Iterable[Rendered], sealed: Iterable[Sealed], plan: Plan, job: Job) -> None:
    """Warn of doubtful values and large objects, unless the plan silences it."""
    warnings = [warning for one in rendered for warning in one.warnings]
    warnings += [large for one in sealed if (large := check_size(one.object))]
    for warning in warnings:
        if not is_silenced(warning, plan.silence):
            job.access.warnings.add(warning)


def with_hashes(
    rendered: list[Rendered], prf: Derivation | None
) -> tuple[list[Rendered], dict[NamespacedName, str]]:
    """Return the targets under their final names, and the requested checksums by place."""
    if prf is None:
        return rendered, {}
    wanted = [
        (purpose, one)
        for one in rendered
        for purpose, asked in (
            (digest.NAME, one.target.secret.name_suffix_hash),
            (digest.CHECKSUM, one.target.secret.checksum_annotation),
        )
        if asked
    ]
    prf.ask(d for purpose, one in wanted for d in digest.inputs(purpose, one).values())
    names: dict[NamespacedName, str] = {}
    checksums: dict[NamespacedName, str] = {}
    for purpose, one in wanted:
        found = digest.digest(purpose, one, prf)
        if purpose == digest.NAME:
            names[one.target.place] = f"{one.target.name}-{digest.suffix(found)}"
        else:
            checksums[one.target.place] = digest.checksum(found)
    final = [
        replace(r, target=replace(r.target, name=names[r.target.place], unhashed=r.target.name))
        if r.target.place in names
        else r
        for r in rendered
    ]
    renamed = {NamespacedName(p.namespace, names.get(p, p.name)): c for p, c in checksums.items()}
    return final, renamed


def render_all(
    plan: Plan, secrets: Mapping[Read, dict[str, Json]], locations: Mapping[Read, Location]
) -> list[Rendered]:
    """All targets, or all of their errors."""
    rendered: list[Rendered] = []
    errors: list[KrmfnError] = []
    for target in plan.targets:
        try:
            rendered.append(render(target, secrets, locations))
        except Failure as failure:
            errors.extend(failure.errors)
    raise_all(errors)
    return rendered


def seal(rendered: Rendered, sealer: Sealer) -> Object:
    """Return one SealedSecret. Only this function turns plaintext into ciphertext."""
    target, certificate = rendered.target, sealer.certificate
    label = target.label.encode()
    items: dict[str, bytes] = {}
    for key, item in rendered.items.items():
        plaintext = item.content.reveal()
        if target.mode == "random":
            random = sealer.entropy(RANDOM_BYTES)
        else:
            if sealer.derivation is None:  # random is never a substitute
                raise AssertionError("a deterministic target without a derivation")
            context = sealer.context(target, key, item.source)
            random = second_step(sealer.derivation(context.digest()), context, plaintext)
        items[key] = hybrid_encrypt(
            certificate.modulus, certificate.exponent, random, plaintext, label
        )
    return object_of(target, target.name, items, certificate.fingerprint)


def object_of(target: SealTarget, name: str, items: dict[str, bytes], fingerprint: str) -> Object:
    """The SealedSecret of a target with these items.

    Args:
        items: data key to sealed bytes.
    """
    secret, template = target.secret, target.secret.template
    return sealed_secret(
        name=name,
        namespace=target.namespace,
        scope=target.scope,
        items=items,
        fingerprint=fingerprint,
        labels=secret.metadata.labels,
        annotations=secret.metadata.annotations,
        template_labels=template.metadata.labels if template else {},
        template_annotations=template.metadata.annotations if template else {},
        type=template.type if template else None,
        immutable=template.immutable if template else None,
    )
