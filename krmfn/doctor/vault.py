"""Checks of an overlay's vaults.

Rules enforced here: a vault is asked by the store that a build would use, with the same credential
for the same address; nothing is sent where the policy denies anything. Values are read to see that
they are there, as `krmfn plan` does it, and nothing of them is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from krmfn.doctor.diagnosis import Diagnosis, failed
from krmfn.errors import Failure
from krmfn.sealing.dry_run import look
from krmfn.spec.sealing import StoredKey, TransitKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.doctor.overlay import Examined
    from krmfn.plan.make import Plan
    from krmfn.sealing.job import Job
    from krmfn.stores.opened import OpenedStores
    from krmfn.stores.store import Health, State, Store

SKEW_SECONDS = 60
SHORT_SECONDS = 300


@dataclass
class Asked:
    """A build's requests to one store.

    Attributes:
        keys: of secrets to read.
        hmacs: paths to call, in the store's own namespace.
    """

    keys: list[str] = field(default_factory=list)
    hmacs: list[str] = field(default_factory=list)


def examine(found: Examined) -> Iterator[Diagnosis]:
    """Every store of the overlay, and then every value."""
    well: dict[int, bool] = {}  # configurations share a store, and then its answers
    for plan, job in found.plans:
        denied, ill = False, False
        with job.open(plan) as (completed, stores):  # as every build does
            for name, asked in _asked(completed).items():
                told, is_well = _store(name, stores, asked, well)
                denied = denied or any(one.status == "error" for one in told)
                ill = ill or not is_well
                yield from told
        if ill:
            cause = "nothing can be read as long as the store is not well"
            yield Diagnosis("vault-value", "skipped", "values", cause)
        else:
            yield from _values(plan, job, found.now, denied=denied)


def _store(
    name: str, stores: OpenedStores, asked: Asked, well: dict[int, bool]
) -> tuple[list[Diagnosis], bool]:
    """Check one store of a plan.

    Args:
        well: by store that was checked before, whether its server and credential are well.

    Returns:
        the diagnoses, and whether values can be read from it at all.
    """
    told: list[Diagnosis] = []
    try:
        store = stores.get(name)
        if (health := store.health()) is None:
            return told, True
        if id(store) not in well:
            told += _server(name, health)
            well[id(store)] = not any(one.status == "error" for one in told)
        if well[id(store)]:
            told += _access(name, store, health, asked)
    except Failure as failure:
        return [*told, *failed("vault", failure, name)], False
    return told, well[id(store)]


def _asked(plan: Plan) -> dict[str, Asked]:
    """Return the plan's requests by store."""
    found: dict[str, Asked] = {}
    for target in plan.targets:
        for read in target.reads():
            keys = found.setdefault(read.store, Asked()).keys
            keys += [read.key] if read.key not in keys else []
    key = plan.derivation_key if plan.deterministic else None
    if isinstance(key, StoredKey):
        found.setdefault(key.store, Asked()).keys.append(key.key)
    if isinstance(key, TransitKey):
        path = f"{key.transit.mount.strip('/')}/hmac/{key.transit.key}/sha2-512"
        found.setdefault(key.transit.store, Asked()).hmacs.append(path)
    return found


def _server(name: str, health: Health) -> Iterator[Diagnosis]:
    """Whether a server can be read from at all, as the credential goes."""
    try:
        state = health.state()
    except Failure as failure:
        yield from failed("vault", failure, name)
        return
    yield from judge_state(name, state, datetime.now(UTC))
    if state.sealed or not state.initialized:
        return
    try:
        left = health.seconds_left()
    except Failure as failure:
        yield from failed("vault-login", failure, name)
        return
    yield Diagnosis("vault-login", "ok", name, "the vault takes the credential")
    yield judge_token(name, left)
    if (may := health.may_revoke()) is not None:
        yield judge_revocation(name, may=may)


def judge_state(name: str, state: State, now: datetime) -> Iterator[Diagnosis]:
    """The server's state and clock. Pure."""
    evidence = f"it says version {state.version or 'unknown'}"
    if not state.initialized or state.sealed:
        what = "sealed" if state.initialized else "not initialised"
        fix = "vault operator unseal" if state.initialized else "vault operator init"
        yield Diagnosis("vault", "error", name, f"the vault is {what}", evidence, fix)
    else:
        yield Diagnosis("vault", "ok", name, f"it answers, and is unsealed; {evidence}")
    if state.clock is None:
        yield Diagnosis("vault-clock", "skipped", name, "the vault does not tell its time")
        return
    skew = round((now - state.clock).total_seconds())
    if abs(skew) > SKEW_SECONDS:
        side = "ahead of" if skew > 0 else "behind"
        cause = f"this machine's clock is {abs(skew)} seconds {side} the vault's"
        evidence = f"here {now:%Y-%m-%dT%H:%M:%SZ}, there {state.clock:%Y-%m-%dT%H:%M:%SZ}"
        fix = "timedatectl set-ntp true, here or there: tokens and certificates go by the time"
        yield Diagnosis("vault-clock", "error", name, cause, evidence, fix)
    else:
        yield Diagnosis("vault-clock", "ok", name, "this machine's clock and the vault's agree")


def judge_token(name: str, left: int | None) -> Diagnosis:
    """How long the token lives on. Pure."""
    if left is None:
        return Diagnosis("vault-token", "skipped", name, "the token may not ask about itself")
    if left == 0:
        return Diagnosis("vault-token", "ok", name, "the token does not expire")
    if left < SHORT_SECONDS:
        cause = f"the token expires in {left} seconds, perhaps in the middle of a build"
        fix = "vault login, or vault token renew; in CI write auth: into the store"
        return Diagnosis("vault-token", "warning", name, cause, "lookup-self says so", fix)
    return Diagnosis("vault-token", "ok", name, f"the token lives for {left} seconds more")


def judge_revocation(name: str, *, may: bool) -> Diagnosis:
    """Whether the login's token can be given back in the end. Pure."""
    if may:
        return Diagnosis("vault-revoke", "ok", name, "the login's token can be revoked")
    cause = "the login's token may not be revoked by itself, and outlives every build"
    evidence = "capabilities-self says nothing of update on auth/token/revoke-self"
    fix = 'add to its policy: path "auth/token/revoke-self" { capabilities = ["update"] }'
    return Diagnosis("vault-revoke", "warning", name, cause, evidence, fix)


def _access(name: str, store: Store, health: Health, asked: Asked) -> Iterator[Diagnosis]:
    """Check the token's capabilities on each path of the build, as the vault reports them."""
    needed: dict[str | None, dict[str, str]] = {}
    for key in asked.keys:
        try:
            location = store.locate(key)
        except Failure as failure:
            yield from failed("vault-access", failure, f"{name}:{key}")
            continue
        data = "data/" if location.kv_version == 2 else ""  # noqa: PLR2004  # KV 2's API
        path = f"{location.mount}/{data}{location.path}"
        needed.setdefault(location.source[2], {})[path] = "read"
    if asked.hmacs:
        needed.setdefault(None, {}).update(dict.fromkeys(asked.hmacs, "update"))
    for namespace, paths in needed.items():
        held = health.capabilities(list(paths), namespace)
        if held is None:
            cause = "the token may not ask what it may do"
            yield Diagnosis("vault-access", "skipped", name, cause)
            continue
        yield from (_may(name, p, paths[p], held.get(p, frozenset())) for p in paths)


def _may(name: str, path: str, capability: str, held: frozenset[str]) -> Diagnosis:
    subject = f"{name}:{path}"
    if held & {capability, "root"} and "deny" not in held:
        return Diagnosis("vault-access", "ok", subject, f"the token may {capability} it")
    evidence = f"capabilities-self says {', '.join(sorted(held)) or 'nothing'}"
    fix = f'add to its policy: path "{path}" {{ capabilities = ["{capability}"] }}'
    cause = f"the token may not {capability} it"
    return Diagnosis("vault-access", "error", subject, cause, evidence, fix)


def _values(plan: Plan, job: Job, now: datetime, *, denied: bool) -> Iterator[Diagnosis]:
    """Check that every value exists and is usable.

    Args:
        denied: some paths are known to be, so that this is not told again.
    """
    try:
        outlooks = look(plan, job, now=now, offline=False)
    except Failure as failure:
        yield from failed("vault-value", failure, "the certificate")
        return
    for outlook in outlooks:
        subject = f"{outlook.target.namespace or '*'}/{outlook.target.name}"
        for problem in (problems := outlook.problems()):
            if not (denied and problem.id == "permission-denied"):
                place = ": ".join(p for p in (subject, problem.key, problem.source) if p)
                cause, fix = problem.message, problem.remedy
                yield Diagnosis("vault-value", "error", place, cause, problem.line(), fix)
        if not problems:
            count = len(outlook.references)
            told = f"all of its {count} reads succeed" if count > 1 else "its read succeeds"
            yield Diagnosis("vault-value", "ok", subject, told)
