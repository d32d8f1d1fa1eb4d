"""The whole program on one screen: config → plan → resolve → render → seal → emit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn.certificate_source import load_certificate
from krmfn.derive import ItemContext, second_step
from krmfn.errors import Failure, KrmfnError, raise_all
from krmfn.lint import check_size
from krmfn.render import Rendered, known_sources, render
from krmfn.resolve import Derivation, Stores, derivation, locate, read_all, refuse_key
from krmfn.seal import RANDOM_BYTES, hybrid_encrypt
from krmfn.sealedsecret import sealed_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from krmfn.certificate import SealingCertificate
    from krmfn.plan import Plan, Read, SealTarget
    from krmfn.providers.base import Json, Location, Surroundings
    from krmfn.sealedsecret import Object


@dataclass(frozen=True)
class Sealer:
    """What sealing depends on besides the items.

    Attributes:
        derivation: F by digest; None when every target is random.
        entropy: n random bytes, for random mode.
    """

    certificate: SealingCertificate
    epoch: str
    derivation: Derivation | None
    entropy: Callable[[int], bytes]


def generate(
    plan: Plan, around: Surroundings, *, now: datetime, entropy: Callable[[int], bytes]
) -> list[Object]:
    """The SealedSecrets of a plan, in its order.

    Raises:
        KrmfnError, ErrorList: any failure; nothing is returned then.
    """
    stores = Stores(plan.stores, around)
    try:
        certificate = load_certificate(plan.sealing.certificate, stores, around, now)
        locations = locate(plan, stores, certificate.fingerprint, around.deadline)
        key = plan.sealing.derivation_key
        prf = derivation(key, stores) if key is not None and plan.deterministic else None
        sealer = Sealer(certificate, plan.sealing.epoch, prf, entropy)

        def ask_ahead() -> None:
            if prf is not None:
                prf.ask(_digests(plan.targets, sealer, lambda t: known_sources(t, locations)))

        secrets = read_all(plan, stores, locations, around.deadline, beside=ask_ahead)
        if prf is not None:
            refuse_key(prf, secrets, locations)
        rendered = _render_all(plan, secrets, locations)
        if prf is not None:
            sources = {r.target.name: {k: i.source for k, i in r.items.items()} for r in rendered}
            prf.ask(_digests(plan.targets, sealer, lambda t: sources[t.name]))
    finally:
        stores.close()
    for one in rendered:
        for warning in one.warnings:
            around.warn(warning)
    sealed = [seal(one, sealer) for one in rendered]
    for each in sealed:
        if warning := check_size(each):
            around.warn(warning)
    return sealed


def _render_all(
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


def context_of(target: SealTarget, key: str, source: bytes, sealer: Sealer) -> ItemContext:
    """The whole context of one item."""
    return ItemContext(
        spki_sha256=sealer.certificate.spki_sha256,
        scope=target.scope,
        label=target.label,
        namespace=target.bound_namespace,
        name=target.name,
        key=key,
        source=source,
        epoch=sealer.epoch,
    )


def _digests(
    targets: Iterable[SealTarget],
    sealer: Sealer,
    sources: Callable[[SealTarget], dict[str, bytes]],
) -> list[bytes]:
    """What the derivation will be asked about."""
    return [
        context_of(target, key, source, sealer).digest()
        for target in targets
        if target.mode == "deterministic"
        for key, source in sources(target).items()
    ]


def seal(rendered: Rendered, sealer: Sealer) -> Object:
    """One SealedSecret. The only place that takes plaintext to ciphertext."""
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
            context = context_of(target, key, item.source, sealer)
            random = second_step(sealer.derivation(context.digest()), context, plaintext)
        items[key] = hybrid_encrypt(
            certificate.modulus, certificate.exponent, random, plaintext, label
        )
    secret, template = target.secret, target.secret.template
    return sealed_secret(
        name=target.name,
        namespace=target.namespace,
        scope=target.scope,
        items=items,
        fingerprint=certificate.fingerprint,
        labels=secret.metadata.labels,
        annotations=secret.metadata.annotations,
        template_labels=template.metadata.labels if template else {},
        template_annotations=template.metadata.annotations if template else {},
        type=template.type if template else None,
        immutable=template.immutable if template else None,
    )
