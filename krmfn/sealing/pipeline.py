"""The whole program on one screen: config → plan → policy → resolve → render → seal → emit.

Rules enforced here: every route passes the platform's policy before it seals. Before it
has passed, no store is opened and no credential is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from krmfn.crypto.derive import ItemContext, second_step
from krmfn.crypto.seal import RANDOM_BYTES, hybrid_encrypt
from krmfn.errors import Failure, KrmfnError, raise_all
from krmfn.objects.sealed_secret import sealed_secret
from krmfn.objects.size import check_size
from krmfn.plan.make import refuse_platforms, ungoverned
from krmfn.policy.file import platform_of
from krmfn.sealing import digest
from krmfn.sealing.derivation import Derivation, derivation
from krmfn.sealing.read import locate, read_all, refuse_key
from krmfn.sealing.recipient import load_certificate
from krmfn.sealing.render import Rendered, known_sources, render
from krmfn.stores.opened import OpenedStores
from krmfn.warned import is_silenced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from krmfn.crypto.certificate import SealingCertificate
    from krmfn.objects.sealed_secret import Object
    from krmfn.plan.make import Plan, Read, SealTarget
    from krmfn.policy.file import Platform
    from krmfn.spec.platform import AnyPlatformStore
    from krmfn.spec.stores import Store
    from krmfn.stores.store import Json, Location, Surroundings


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


@dataclass(frozen=True)
class _Run:
    """A running plan, completed with the platform's definitions.

    Attributes:
        key_name: of the platform's derivation key; empty without one.
    """

    plan: Plan
    key_name: str
    platform: Platform | None
    stores: OpenedStores
    around: Surroundings
    now: datetime


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
    plan: Plan, around: Surroundings, *, now: datetime, entropy: Callable[[int], bytes]
) -> list[Sealed]:
    """The SealedSecrets of a plan, in its order.

    Raises:
        KrmfnError, ErrorList: any failure; nothing is returned then.
    """
    run = _begin(plan, around, now)
    try:
        rendered, sealer = _read(run, entropy)
        prf = sealer.derivation
        checksums: dict[tuple[str, str], str] = {}
        if prf is not None:
            rendered, checksums = _digested(rendered, prf)
            sources = {r.target.place: {k: i.source for k, i in r.items.items()} for r in rendered}
            targets = [one.target for one in rendered]
            prf.ask(_digests(targets, sealer, lambda t: sources[t.place]))
    finally:
        run.stores.close()
    sealed = [
        Sealed(seal(one, sealer), one.target.base_name, checksums.get(one.target.place, ""))
        for one in rendered
    ]
    warnings = [warning for one in rendered for warning in one.warnings]
    warnings += [large for one in sealed if (large := check_size(one.object))]
    for warning in warnings:
        if not is_silenced(warning, plan.silence):
            around.warn(warning)
    return sealed


def permit(plan: Plan, around: Surroundings, *, now: datetime) -> None:
    """Raise the platform policy's denials of a plan, if any; nothing is sent.

    Raises:
        PolicyError, ErrorList: it does.
    """
    platform = platform_of(around)
    if platform is None:
        return
    from krmfn.policy.judge import allow

    plan, key_name = under(platform, plan)
    certificate = load_certificate(plan.sealing.certificate, OpenedStores({}, around), around, now)
    allow(
        plan,
        key_name,
        certificate.fingerprint,
        platform.application,
        platform.spec,
        address=platform.address,
    )


def under(platform: Platform | None, plan: Plan) -> tuple[Plan, str]:
    """Return the plan with the platform's definitions, and the platform's name for its key."""
    if platform is None:
        return ungoverned(plan), ""
    from krmfn.policy.complete import governed

    return governed(plan, platform.spec)


def stores_under_policy(
    stores: Mapping[str, Store | AnyPlatformStore], around: Surroundings
) -> dict[str, Store | AnyPlatformStore]:
    """Return complete stores, for callers that open them without a plan.

    Raises:
        PolicyError: the platform's policy does not have one, or defines it otherwise.
        SpecError: one is the platform's to define, and there is no policy.
    """
    platform = platform_of(around)
    if platform is None:
        refuse_platforms(stores)
        return dict(stores)
    from krmfn.policy.complete import governed_stores

    return governed_stores(stores, platform.spec)


def _pass(platform: Platform | None, plan: Plan, key_name: str, recipient: str) -> None:
    """Go on only if the platform's rules allow all of the plan, within its limits."""
    if platform is not None:
        from krmfn.policy.judge import allow

        allow(
            plan, key_name, recipient, platform.application, platform.spec, address=platform.address
        )
        platform.usage.add_plan(plan, recipient)


def values(plan: Plan, around: Surroundings, *, now: datetime) -> list[Rendered]:
    """Return the values that a build would seal, in the plan's order; nothing is sealed.

    Returns:
        Plaintext among the rest. A hash of the content is not part of the names.

    Raises:
        KrmfnError, ErrorList: as `generate`.
    """
    run = _begin(plan, around, now)
    try:
        return _read(run, _no_entropy)[0]
    finally:
        run.stores.close()


def _no_entropy(_count: int) -> bytes:
    raise AssertionError("nothing is sealed")


def _begin(plan: Plan, around: Surroundings, now: datetime) -> _Run:
    platform = platform_of(around)
    plan, key_name = under(platform, plan)
    return _Run(plan, key_name, platform, OpenedStores(plan.stores, around), around, now)


def _read(run: _Run, entropy: Callable[[int], bytes]) -> tuple[list[Rendered], Sealer]:
    """Read the items of each target, and the key and certificates that seal them."""
    plan, stores, deadline = run.plan, run.stores, run.around.deadline
    certificate = load_certificate(plan.sealing.certificate, stores, run.around, run.now)
    _pass(run.platform, plan, run.key_name, certificate.fingerprint)
    locations = locate(plan, stores, certificate.fingerprint, deadline)
    key = plan.derivation_key
    prf = derivation(key, stores) if key is not None and plan.deterministic else None
    sealer = Sealer(certificate, plan.sealing.epoch, prf, entropy)

    def ask_ahead() -> None:
        if prf is not None:
            named = [t for t in plan.targets if not t.secret.name_suffix_hash]
            prf.ask(_digests(named, sealer, lambda t: known_sources(t, locations)))

    secrets = read_all(plan, stores, locations, deadline, beside=ask_ahead)
    if prf is not None:
        refuse_key(prf, secrets, locations)
    rendered = _render_all(plan, secrets, locations)
    if run.platform is not None:
        run.platform.usage.add_values(rendered)
    return rendered, sealer


def _digested(
    rendered: list[Rendered], prf: Derivation
) -> tuple[list[Rendered], dict[tuple[str, str], str]]:
    """Return the targets under their final names, and the requested checksums."""
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
    names: dict[tuple[str, str], str] = {}
    checksums: dict[tuple[str, str], str] = {}
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
    renamed = {(ns, names.get((ns, name), name)): c for (ns, name), c in checksums.items()}
    return final, renamed


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
    """Return the complete context of one item."""
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
    """Return the digests for the derivation."""
    return [
        context_of(target, key, source, sealer).digest()
        for target in targets
        if target.mode == "deterministic"
        for key, source in sources(target).items()
    ]


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
            context = context_of(target, key, item.source, sealer)
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
