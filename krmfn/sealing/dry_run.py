"""Find what a build would read and seal, and whether it could, without sealing or values.

Rules enforced here: the plan, the policy and the stores are those of a build. Nothing is sent before
the policy has allowed all of a configuration. A value that was read to see that it is there goes no
further than this module, and nothing of it but that: no length, no content, no type.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from krmfn.errors import KrmfnError, raise_all
from krmfn.parallel import at_once
from krmfn.plan.make import read_of
from krmfn.sealing.derivation import key_of
from krmfn.sealing.recipient import load_certificate
from krmfn.sealing.values import components, pick, to_bytes
from krmfn.spec.sealing import TransitKey, UrlCertificate
from krmfn.spec.store_path import canonical_path
from krmfn.spec.stores import StoreProperty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from krmfn.crypto.certificate import SealingCertificate
    from krmfn.plan.make import Plan, Read, SealTarget
    from krmfn.policy.judge import Ruling
    from krmfn.sealing.job import Job
    from krmfn.stores.opened import OpenedStores

EVERYTHING = "*"


@dataclass(frozen=True)
class PlannedRead:
    """One secret of a store, as one target uses it.

    Attributes:
        properties: what of it is used, as written; `EVERYTHING` for a plan secret.
        verdict: what the policy says; None without one.
        problem: why it could not be read; None if it could, or was not checked.
        checked: whether it was checked.
    """

    read: Read
    properties: tuple[str, ...]
    verdict: Ruling | None = None
    problem: KrmfnError | None = None
    checked: bool = False


@dataclass(frozen=True)
class Outlook:
    """One planned SealedSecret.

    Attributes:
        keys: the data keys that are known before anything is read.
        certificate: None when only a server knows it and none is asked.
        derivation_key: where it is, or what the platform calls it; empty for random sealing.
        references: what it reads.
        verdict: what the policy says of a secret that reads nothing; None otherwise.
        problem: another reason why it cannot be sealed; None if none is known.
    """

    target: SealTarget
    keys: tuple[str, ...]
    certificate: SealingCertificate | None
    derivation_key: str
    references: tuple[PlannedRead, ...]
    verdict: Ruling | None = None
    problem: KrmfnError | None = None

    def verdicts(self) -> list[Ruling]:
        """The policy's rulings on this SealedSecret and each of its reads."""
        found = [self.verdict, *(reference.verdict for reference in self.references)]
        return [verdict for verdict in found if verdict is not None]

    def problems(self) -> list[KrmfnError]:
        """All missing values and other problems."""
        found = [self.problem, *(reference.problem for reference in self.references)]
        return [problem for problem in found if problem is not None]


def look(wanted: Plan, job: Job, *, now: datetime, offline: bool) -> list[Outlook]:
    """Return the outlook of a plan, in its order.

    Args:
        offline: ask no server, and need no credential.

    Raises:
        KrmfnError: the certificate cannot be had or sealed with; the configuration defines what is
            the platform's.
    """
    with job.open(wanted) as (plan, stores):
        if offline:
            _check_configuration(plan, stores)
        certificate = None
        verdicts: list[Ruling] = []
        if not (offline and isinstance(plan.sealing.certificate, UrlCertificate | StoreProperty)):
            certificate = load_certificate(plan.sealing.certificate, stores, now)
            verdicts = job.rulings(plan, certificate.fingerprint)
            if offline:  # the first look, at which everything is counted once
                job.count_plan(plan, certificate.fingerprint)
        outlooks = [_outlook(target, plan, certificate, verdicts) for target in plan.targets]
        if offline or not all(verdict.allowed for verdict in verdicts):
            return outlooks
        return _checked(outlooks, plan, stores)


def _outlook(
    target: SealTarget,
    plan: Plan,
    certificate: SealingCertificate | None,
    verdicts: Iterable[Ruling],
) -> Outlook:
    own = {v.read: v for v in verdicts if v.target is target}
    used: dict[Read, list[str]] = {read: [] for read in target.reads()}
    secret = target.secret
    for entry in secret.data:
        if entry.remote_ref is not None:
            used[read_of(secret, entry)].append(entry.remote_ref.property or EVERYTHING)
    for source in secret.data_from:
        used[read_of(secret, source)].append(source.extract.property or EVERYTHING)
    references = tuple(
        PlannedRead(read, tuple(dict.fromkeys(properties)), own.get(read))
        for read, properties in used.items()
    )
    key = _key_text(plan) if target.mode == "deterministic" else ""
    return Outlook(target, target.keys, certificate, key, references, verdict=own.get(None))


def _key_text(plan: Plan) -> str:
    key = plan.derivation_key
    if plan.key_name or key is None:
        return plan.key_name
    if isinstance(key, TransitKey):
        return f"{key.transit.store}:{key.transit.mount}/{key.transit.key}"
    return f"{key.store}:{key.key}"


def _check_configuration(plan: Plan, stores: OpenedStores) -> None:
    """Refuse the configurations that a build refuses before its first request.

    Raises:
        KrmfnError, ErrorList: all of that.
    """
    problems: list[KrmfnError | None] = []
    used: dict[str, None] = {}
    for target in plan.targets:
        secret = target.name
        for read, key in target.reads().items():
            used[read.store] = None
            path = partial(canonical_path, read.key, key="remoteRef.key")
            problems.append(_try(path, secret=secret, key=key, source=read.store))
        named = [
            (target.field_of(entry.secret_key), entry.remote_ref.property)
            for entry in target.secret.data
            if entry.remote_ref
        ]
        named += [("", source.extract.property) for source in target.secret.data_from]
        problems += [_try(partial(components, p), secret=secret, key=key) for key, p in named]
    own = plan.derivation_key if plan.deterministic else None
    if own is not None:
        used[own.transit.store if isinstance(own, TransitKey) else own.store] = None
    problems += [_try(partial(stores.check, name)) for name in used]
    raise_all([problem for problem in problems if problem is not None])


def _checked(outlooks: list[Outlook], plan: Plan, stores: OpenedStores) -> list[Outlook]:
    """Return the outlook with its failed reads."""
    key_problem = _try(partial(_ask_key, plan, stores))
    places = [(o, r) for o in outlooks for r in o.references]
    tasks = [partial(_try, partial(_look_up, outlook, r, stores)) for outlook, r in places]
    problems = at_once(tasks, stores.access.deadline)
    found = dict(zip(map(id, (r for _, r in places)), problems, strict=True))
    return [
        replace(
            outlook,
            references=tuple(
                replace(r, problem=found[id(r)], checked=True) for r in outlook.references
            ),
            problem=key_problem if outlook.target.mode == "deterministic" else None,
        )
        for outlook in outlooks
    ]


def _try(task: Callable[[], object], **place: str) -> KrmfnError | None:
    try:
        task()
    except KrmfnError as error:
        return error.at(**place)
    return None


def _ask_key(plan: Plan, stores: OpenedStores) -> None:
    """Check that the derivation key exists and is usable."""
    if (key := key_of(plan, stores)) is not None:
        key.ask(())


def _look_up(outlook: Outlook, reference: PlannedRead, stores: OpenedStores) -> None:
    """Read one secret, and check that its used properties are usable."""
    target, read = outlook.target, reference.read
    key = ""
    try:
        store = stores.get(read.store)
        if outlook.certificate is not None:
            store.bind(target.bound_namespace, outlook.certificate.fingerprint)
        secret = store.read(store.locate(read.key), read.version)
        for source in target.secret.data_from:
            if read_of(target.secret, source) == read:
                pick(secret, components(source.extract.property))
        for entry in target.secret.data:
            ref = entry.remote_ref
            if ref is not None and read_of(target.secret, entry) == read:
                key = entry.secret_key
                to_bytes(pick(secret, components(ref.property)), as_json=ref.as_ == "json")
    except KrmfnError as error:
        source_text = f"{read.store}:{read.key}"
        raise target.at(error, key, source_text) from None
