"""A plan under the platform's policy: what is the platform's put into it, and the rest judged. Pure.

Rules enforced here: stores and derivation keys are the platform's, and a repository may name them or
say what the platform says; a certificate is one that needs no server; the paths of derivation keys
are never read as values; what adopts or patches other Secrets, and tokens of service accounts, are
never made; one build has limits. All of it is known before anything is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from krmfn.errors import KrmfnError, PolicyError, raise_all
from krmfn.plan.annotations import SEALED_SECRETS
from krmfn.policy.places import key_places, place
from krmfn.policy.rules import Decision, Request, decide
from krmfn.spec.generator import (
    FileCertificate,
    PemCertificate,
    PlatformCertificate,
    PlatformKey,
    TransitKey,
)
from krmfn.spec.platform import PlatformAgeStore
from krmfn.spec.store_path import canonical_path
from krmfn.spec.stores import Age, AgeStore, PlatformStore, VaultStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from krmfn.plan.make import Plan, Read, SealTarget
    from krmfn.policy.application import Application
    from krmfn.sealing.render import Rendered
    from krmfn.spec.generator import DefinedKey, DerivationKey
    from krmfn.spec.platform import AnyPlatformStore, Limits, PlatformSpec
    from krmfn.spec.stores import Store, Vault

TOKEN_TYPES = frozenset({"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"})
# What a repository's own definition of a store may say, if it says what the platform says.
_CONFIRMED = frozenset({"server", "path", "version", "namespace", "id"})


@dataclass
class Usage:
    """What one build has asked for so far, all of its configurations together.

    Every method raises `PolicyError` ``policy-limit`` when that is too much.
    """

    limits: Limits
    secrets: int = 0
    keys: int = 0
    value_bytes: int = 0
    reads: set[tuple[str, str, int | None]] = field(default_factory=set)
    certificates: set[str] = field(default_factory=set)

    def add_input(self, size: int) -> None:
        """Bytes that a function was given, or that a build has copied."""
        _within("inputBytes", size, self.limits.input_bytes)

    def add_plan(self, plan: Plan, recipient: str) -> None:
        """What will be read and sealed, before it is."""
        self.secrets += len(plan.targets)
        for target in plan.targets:
            self.reads |= {(read.store, read.key, read.version) for read in target.reads()}
            self.keys += _told(target)
        self.certificates.add(recipient)
        _within("secrets", self.secrets, self.limits.secrets)
        _within("reads", len(self.reads), self.limits.reads)
        _within("keys", self.keys, self.limits.keys)
        _within("certificates", len(self.certificates), self.limits.certificates)

    def add_values(self, rendered: list[Rendered]) -> None:
        """Values, and the keys that only a read could tell."""
        for one in rendered:
            self.keys += max(0, len(one.items) - _told(one.target))
            self.value_bytes += sum(len(item.content.reveal()) for item in one.items.values())
        _within("keys", self.keys, self.limits.keys)
        _within("valueBytes", self.value_bytes, self.limits.value_bytes)


def _told(target: SealTarget) -> int:
    """The keys that a configuration names."""
    return len(target.secret.data) + len(target.templates)


def _within(name: str, found: int, limit: int) -> None:
    if found > limit:
        raise PolicyError(
            "policy-limit",
            f"the build is over the platform's limit {name}",
            expected=f"at most {limit}",
            remedy="split it, or ask the platform's owners",
        )


@dataclass(frozen=True)
class Verdict:
    """What the policy says of one Secret and one of its reads.

    Attributes:
        read: None for a Secret that reads nothing.
        key: the first data key that comes from it.
        never: why no rule could allow it; else empty.
    """

    target: SealTarget
    read: Read | None
    key: str
    decision: Decision
    never: str = ""

    @property
    def allowed(self) -> bool:
        """Whether it may be read and sealed."""
        return self.decision.allowed and not self.never

    def reason(self) -> str:
        """Why it is denied, in a few words."""
        if self.never:
            return self.never
        if not self.decision.nearest:
            return "no rule of the platform is for this project"
        failed = ", ".join(self.decision.failed)
        return f"no rule allows it: {self.decision.nearest} comes nearest and fails in {failed}"

    def error(self) -> PolicyError:
        """What to raise when it is denied."""
        return PolicyError(
            "policy-denied",
            self.reason(),
            secret=self.target.name,
            key=self.key,
            source=f"{self.read.store}:{self.read.key}" if self.read else "",
            remedy="ask for less, or ask the platform's owners for a rule",
        )


def governed(plan: Plan, spec: PlatformSpec) -> tuple[Plan, str]:
    """The plan with the platform's stores, key and certificate, and the key's name there.

    Raises:
        PolicyError: ``policy-override``, the configuration defines what is the platform's;
            ``policy-denied``, it names what the platform does not have.
    """
    stores = governed_stores(plan.stores, spec)
    key, name = _key(plan.sealing.derivation_key, spec)
    if key is not None:
        store = key.transit.store if isinstance(key, TransitKey) else key.store
        stores[store] = spec.stores[store]
    sealing = plan.sealing.model_copy(
        update={"derivation_key": key, "certificate": _certificate(plan, spec)}
    )
    return replace(plan, sealing=sealing, stores=stores), name


def governed_stores(
    stores: Mapping[str, Store | AnyPlatformStore], spec: PlatformSpec
) -> dict[str, Store | AnyPlatformStore]:
    """The platform's stores for those that a configuration names.

    Raises:
        PolicyError: as `governed`.
    """
    return {name: _store(name, own, spec) for name, own in stores.items()}


def verdicts(
    plan: Plan,
    key_name: str,
    recipient: str,
    application: Application,
    spec: PlatformSpec,
    *,
    address: str = "",
) -> list[Verdict]:
    """What the policy says of everything in a governed plan, in its order.

    Args:
        address: of a store of the platform's that names no server.

    Raises:
        SpecError: a path is not canonical.
    """
    found: list[Verdict] = []
    keys = key_places(spec, address)
    for target in plan.targets:
        request = _request(target, key_name, recipient, application)
        never = _never_target(target)
        for read, key in target.reads().items():
            try:
                path = canonical_path(read.key, key="remoteRef.key")
            except KrmfnError as error:
                raise error.at(secret=target.name, source=read.store) from None
            wanted = replace(request, store=read.store, path=path, pinned=read.version is not None)
            why = never or _never_read(read, application, spec, (keys, address))
            found.append(Verdict(target, read, key, decide(spec, wanted), why))
        if not target.reads():
            found.append(Verdict(target, None, "", decide(spec, request), never))
    return found


def allow(
    plan: Plan,
    key_name: str,
    recipient: str,
    application: Application,
    spec: PlatformSpec,
    *,
    address: str = "",
) -> None:
    """Let the plan pass, or say of everything in it that is denied why.

    Args:
        address: as `verdicts` has it.

    Raises:
        PolicyError, ErrorList: something is.
    """
    judged = verdicts(plan, key_name, recipient, application, spec, address=address)
    raise_all([verdict.error() for verdict in judged if not verdict.allowed])


def _store(
    name: str, own: Store | AnyPlatformStore, spec: PlatformSpec
) -> Store | AnyPlatformStore:
    """The platform's store of that name, if the repository's entry does not contradict it."""
    platforms = spec.stores.get(name)
    if platforms is None:
        raise PolicyError(
            "policy-denied", f"the platform has no store {name}", remedy="name one of its stores"
        )
    if isinstance(platforms, PlatformAgeStore):
        if not isinstance(own, AgeStore) or own.age.model_fields_set != {"file"}:
            raise _override(f"stores.{name}", "age: {file: …} alone")
        identity = platforms.age.identity_ref
        return AgeStore(age=Age(file=own.age.file, identityRef=identity))
    if isinstance(own, PlatformStore):
        return platforms
    if not isinstance(own, VaultStore):
        raise _override(f"stores.{name}", "platform: true")
    for wire_name in _contradictions(own.vault, platforms.vault):
        raise _override(f"stores.{name}.vault.{wire_name}", "it to be left out: platform: true")
    return platforms


def _contradictions(own: Vault, platforms: Vault) -> Iterator[str]:
    """The fields that a repository sets and may not, or sets otherwise than the platform."""
    for name, info in type(own).model_fields.items():
        said, meant = getattr(own, name), getattr(platforms, name)
        if name not in own.model_fields_set or said is None:
            continue
        if isinstance(said, str) and isinstance(meant, str):
            said, meant = said.strip("/"), meant.strip("/")
        if name not in _CONFIRMED or said != meant:
            yield info.alias or name


def _key(own: DerivationKey | None, spec: PlatformSpec) -> tuple[DefinedKey | None, str]:
    """The platform's key that a configuration names or spells out, and its name."""
    if own is None:
        return None, ""
    if isinstance(own, PlatformKey):
        name = own.platform
        if name not in spec.derivation_keys:
            raise PolicyError(
                "policy-denied",
                f"the platform has no derivation key {name}",
                remedy="name one of its derivation keys",
            )
    else:
        pinless = own.model_copy(update={"id": None})
        same = (
            n
            for n, key in spec.derivation_keys.items()
            if key.model_copy(update={"id": None}) == pinless
        )
        name = next(same, "")
        if not name:
            raise _override("spec.sealing.derivationKey", "platform: NAME")
    found = spec.derivation_keys[name]
    if own.id is not None and found.id not in (None, own.id):
        raise _override("spec.sealing.derivationKey.id", "it to be left out")
    return found.model_copy(update={"id": found.id or own.id}), name


def _certificate(plan: Plan, spec: PlatformSpec) -> object:
    """The certificate to seal for, which may not need a server to be known."""
    own = plan.sealing.certificate
    if isinstance(own, PlatformCertificate):
        if own.platform not in spec.recipients:
            raise PolicyError(
                "policy-denied",
                f"the platform has no recipient {own.platform}",
                remedy="name one of its recipients",
            )
        return spec.recipients[own.platform]
    if not isinstance(own, FileCertificate | PemCertificate):
        raise _override("spec.sealing.certificate", "platform: NAME, file: or pem:")
    return own


def _override(place: str, expected: str) -> PolicyError:
    return PolicyError(
        "policy-override",
        "it is the platform's to define",
        key=place,
        expected=expected,
    )


def _request(
    target: SealTarget, key_name: str, recipient: str, application: Application
) -> Request:
    secret, template = target.secret, target.secret.template
    strategies = [e.remote_ref.decoding_strategy for e in secret.data if e.remote_ref is not None]
    strategies += [entry.extract.decoding_strategy for entry in secret.data_from]
    return Request(
        application=application,
        namespace=target.namespace,
        scope=target.scope,
        mode=target.mode,
        recipient=recipient,
        derivation_key=key_name,
        templates=bool(target.templates),
        decoding=any(strategy != "None" for strategy in strategies),
        labels=tuple(sorted(template.metadata.labels)) if template else (),
        annotations=tuple(sorted(template.metadata.annotations)) if template else (),
    )


def _never_target(target: SealTarget) -> str:
    """Why no rule could allow the Secret."""
    template = target.secret.template
    if template and template.type in TOKEN_TYPES:
        return f"a Secret of type {template.type} is a credential of the cluster's own"
    names = [*target.secret.metadata.annotations]
    names += template.metadata.annotations if template else ()
    taken = sorted(name for name in names if name.startswith(SEALED_SECRETS))
    return f"the annotation {taken[0]} takes over other Secrets" if taken else ""


def _never_read(
    read: Read,
    application: Application,
    spec: PlatformSpec,
    keys: tuple[tuple[str, ...], str],
) -> str:
    """Why no rule could allow the read.

    Args:
        keys: the places of derivation keys, and the environment's address.
    """
    store = spec.stores.get(read.store)
    if isinstance(store, PlatformAgeStore):
        if application.project != store.age.project:
            return "the store belongs to another project"
    elif store is not None:
        places, address = keys
        own = f"{place(store.vault, read.key, address)}/"
        if any(own.startswith(f"{key}/") for key in places):
            return "a reference points at a derivation key"
    return ""
