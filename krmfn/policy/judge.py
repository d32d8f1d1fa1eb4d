"""The platform's verdicts on everything in a completed plan. Pure.

Rules enforced here: the paths of derivation keys are never read as values; what adopts or patches
other Secrets, and tokens of service accounts, are never made. All of it is known before anything is
sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from krmfn.errors import KrmfnError, PolicyError, raise_all
from krmfn.plan.annotations import SEALED_SECRETS
from krmfn.policy.places import key_places, place
from krmfn.policy.rules import Decision, Request, decide
from krmfn.spec.platform import PlatformAgeStore
from krmfn.spec.store_path import canonical_path

if TYPE_CHECKING:
    from krmfn.plan.make import Plan, Read, SealTarget
    from krmfn.policy.application import Application, Policy

TOKEN_TYPES = frozenset({"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"})


@dataclass(frozen=True)
class Ruling:
    """The policy's ruling on one Secret and one of its reads.

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
        """Whether the read and the Secret are allowed."""
        return self.decision.allowed and not self.never

    def reason(self) -> str:
        """The reason for the denial, in a few words."""
        if self.never:
            return self.never
        if not self.decision.nearest:
            return "no rule of the platform is for this project"
        failed = ", ".join(self.decision.failed)
        return f"no rule allows it: {self.decision.nearest} comes nearest and fails in {failed}"

    def error(self) -> PolicyError:
        """Return the error for the denial."""
        return PolicyError(
            "policy-denied",
            self.reason(),
            secret=self.target.name,
            key=self.key,
            source=f"{self.read.store}:{self.read.key}" if self.read else "",
            remedy="ask for less, or ask the platform's owners for a rule",
        )


def verdicts(plan: Plan, recipient: str, policy: Policy) -> list[Ruling]:
    """Return the policy's rulings on a completed plan, in its order.

    Args:
        recipient: the certificate's fingerprint.

    Raises:
        SpecError: a path is not canonical.
    """
    found: list[Ruling] = []
    keys = key_places(policy.spec, policy.address)
    for target in plan.targets:
        request = _request(target, plan.key_name, recipient, policy.application)
        never = _never_target(target)
        for read, key in target.reads().items():
            try:
                path = canonical_path(read.key, key="remoteRef.key")
            except KrmfnError as error:
                raise error.at(secret=target.name, source=read.store) from None
            wanted = replace(request, store=read.store, path=path, pinned=read.version is not None)
            why = never or _never_read(read, policy, keys)
            found.append(Ruling(target, read, key, decide(policy.spec, wanted), why))
        if not target.reads():
            found.append(Ruling(target, None, "", decide(policy.spec, request), never))
    return found


def allow(plan: Plan, recipient: str, policy: Policy) -> None:
    """Raise an error with the reason for everything in the plan that is denied.

    Raises:
        PolicyError, ErrorList: something is.
    """
    judged = verdicts(plan, recipient, policy)
    raise_all([verdict.error() for verdict in judged if not verdict.allowed])


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


def _never_read(read: Read, policy: Policy, keys: tuple[str, ...]) -> str:
    """Why no rule could allow the read.

    Args:
        keys: the places of derivation keys.
    """
    store = policy.spec.stores.get(read.store)
    if isinstance(store, PlatformAgeStore):
        if policy.application.project != store.age.project:
            return "the store belongs to another project"
    elif store is not None:
        own = f"{place(store.vault, read.key, policy.address)}/"
        if any(own.startswith(f"{key}/") for key in keys):
            return "a reference points at a derivation key"
    return ""
