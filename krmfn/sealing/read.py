"""The one stage that reads: everything a plan needs from stores, each thing once.

Rules enforced here: one read for each (store, path, version); at most 16 at a time; everything
inside one deadline, after which nothing is waited for; the derivation key's own path never becomes
a value; the transit engine is asked beside the reads and never about a plaintext.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections import deque
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from krmfn.crypto import derive
from krmfn.errors import Failure, KrmfnError, SealingError, SpecError, raise_all
from krmfn.sealing.values import components, pick, to_bytes
from krmfn.spec.generator import StoredKey, TransitKey
from krmfn.stores import check_store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from krmfn.deadline import Deadline
    from krmfn.plan.make import Plan, Read
    from krmfn.spec.generator import DefinedKey
    from krmfn.spec.stores import StoreProperty
    from krmfn.stores.store import Json, Location, Store, Surroundings

T = TypeVar("T")
MAX_CONCURRENT = 16
REPORT_SECONDS = 0.25  # for whoever waited until the end to say for what
KEY_FIELD = "spec.sealing.derivationKey"


def at_once(tasks: Sequence[Callable[[], T]], deadline: Deadline) -> list[T]:
    """Run tasks on up to 16 threads and return their results in order.

    The threads are daemons and are not waited for once the time is up: a server that answers one
    byte a second holds nobody.

    Raises:
        DeadlineError: the time is up.
        KrmfnError, ErrorList: what the tasks raised, in order, each message once.
    """
    results: list[Any] = [None] * len(tasks)
    errors: dict[int, BaseException] = {}
    waiting = deque(enumerate(tasks))

    def work() -> None:
        while waiting:
            try:
                number, task = waiting.popleft()
            except IndexError:
                return
            try:
                results[number] = task()
            except BaseException as error:  # noqa: BLE001  # raised again below
                errors[number] = error

    count = min(MAX_CONCURRENT, len(tasks))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    end = deadline.end + REPORT_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            raise deadline.error()
    _raise_failures([errors[number] for number in sorted(errors)])
    return results


def _raise_failures(errors: Sequence[BaseException]) -> None:
    """Raise what tasks raised: a bug at once, our errors together and each message once."""
    ours: dict[str, KrmfnError] = {}
    for error in errors:
        if not isinstance(error, Failure):
            raise error
        for each in error.errors:
            ours.setdefault(each.line(), each)
    raise_all(list(ours.values()))


class Stores:
    """The stores of one run, opened when first used and closed together."""

    def __init__(self, specs: Mapping[str, Any], around: Surroundings) -> None:
        self._specs = specs
        self._around = around
        self._open: dict[str, Store] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Store:
        """The store of that name."""
        with self._lock:
            if name not in self._open:
                opener = self._around.opener or open_store
                self._open[name] = opener(name, self._spec(name), self._around)
            return self._open[name]

    def check(self, name: str) -> None:
        """Refuse a store's configuration as `get` would; ask no server, need no credential."""
        check_store(name, self._spec(name), self._around)

    def _spec(self, name: str) -> Any:
        if name not in self._specs:
            raise SpecError("spec", f"the store {name} is not defined under stores")
        return self._specs[name]

    def close(self) -> None:
        """Close what was opened; never raises."""
        for store in self._open.values():
            store.close()


class Derivation:
    """F of the contract, asked for by digest; local or of a transit engine.

    Answers are kept, so that `ask` may run ahead of the values and again for the rest.

    Args:
        answer: F for each digest.
        pin: the key's id that the first answer must show.
    """

    def __init__(self, answer: Callable[[Sequence[bytes]], list[bytes]], pin: str | None) -> None:
        self._answer = answer
        self._pin = pin
        self._known: dict[bytes, bytes] = {}

    def ask(self, digests: Iterable[bytes]) -> None:
        """Have the answers for these, in one batch.

        Raises:
            SealingError: the key is malformed, weak, or not the pinned one.
        """
        own = derive.key_id_digest()
        missing = [d for d in dict.fromkeys([own, *digests]) if d not in self._known]
        if missing:
            self._known |= zip(missing, self._answer(missing), strict=True)
        if self._pin is not None and derive.key_id(self._known[own]) != self._pin:
            raise SealingError(
                "derivation-key",
                "the derivation key is not the pinned one",
                expected=self._pin,
                found=derive.key_id(self._known[own]),
                remedy="find the right key, or change derivationKey.id on purpose",
            )

    def __call__(self, digest: bytes) -> bytes:
        """F of one digest."""
        self.ask([digest])
        return self._known[digest]


def refuse_key(
    prf: Derivation, secrets: Mapping[Read, dict[str, Json]], locations: Mapping[Read, Location]
) -> None:
    """Refuse values that are the derivation key, by whatever spelling they were reached.

    `locate` compares paths; another id, namespace or mount can lead to the same place, and a
    transit key may be exportable. A value is the key if it derives what the key derives.

    Raises:
        SpecError: one is.
    """
    digest = derive.key_id_digest()
    own = prf(digest)
    for read, secret in secrets.items():
        for value in _strings(secret):
            try:
                candidate = derive.parse_key(value.encode())
            except (SealingError, UnicodeEncodeError):
                continue
            if hmac.compare_digest(derive.first_step(candidate, digest), own):
                raise SpecError(
                    "derivation-key-read",
                    "what is read there holds the derivation key",
                    source=locations[read].text,
                    remedy="keep values and the derivation key apart",
                )


def _strings(value: Json) -> Iterator[str]:
    """Every string inside a secret."""
    waiting: list[Json] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def read_property(stores: Stores, at: StoreProperty, field: str) -> bytes:
    """One property that configures the sealing: a key or a certificate.

    Args:
        field: the configuration's field that names it, for errors.
    """
    source = f"{at.store}:{at.key}"
    try:
        store = stores.get(at.store)
        location = store.locate(at.key)
        source = location.text
        return to_bytes(pick(store.read(location, at.version), components(at.property)))
    except KrmfnError as error:
        # The stores' own advice speaks of remoteRef.
        error.remedy = error.remedy.replace("remoteRef.", f"{field}.")
        raise error.at(key=field, source=source) from None


def locate(plan: Plan, stores: Stores, recipient: str, deadline: Deadline) -> dict[Read, Location]:
    """Where everything that the plan reads is, in canonical form.

    Args:
        recipient: the certificate's fingerprint, which a store may insist on.

    Raises:
        SpecError: a reference points at the derivation key.
        PolicyError: a store may not be used for this.
    """
    key = plan.derivation_key
    for target in plan.targets:
        used = {read.store for read in target.reads()}
        if key is not None and target.mode == "deterministic":
            used.add(key.transit.store if isinstance(key, TransitKey) else key.store)
        for store in sorted(used):
            try:
                stores.get(store).bind(target.bound_namespace, recipient)
            except KrmfnError as error:
                raise error.at(secret=target.name, source=store) from None
    uses = first_uses(plan)

    def one(read: Read) -> Location:
        try:
            return stores.get(read.store).locate(read.key)
        except KrmfnError as error:
            secret, key = uses[read]
            raise error.at(secret=secret, key=key, source=read.store) from None

    found = at_once([partial(one, read) for read in uses], deadline)
    locations = dict(zip(uses, found, strict=True))
    if isinstance(key, StoredKey):
        own = stores.get(key.store).locate(key.key)
        for target in plan.targets:
            if any(locations[read].source == own.source for read in target.reads()):
                raise SpecError(
                    "derivation-key-read",
                    "a reference points at the derivation key's own path",
                    secret=target.name,
                    source=own.text,
                    remedy="keep values and the derivation key apart",
                )
    return locations


def first_uses(plan: Plan) -> dict[Read, tuple[str, str]]:
    """Every read of a plan, with the first secret and key that need it."""
    uses: dict[Read, tuple[str, str]] = {}
    for target in plan.targets:
        for read, key in target.reads().items():
            uses.setdefault(read, (target.name, key))
    return uses


def read_all(
    plan: Plan,
    stores: Stores,
    locations: dict[Read, Location],
    deadline: Deadline,
    beside: Callable[[], None] | None = None,
) -> dict[Read, dict[str, Json]]:
    """The content of every location, each read once; holds plaintext.

    Args:
        beside: something else to wait for that needs no values.
    """
    uses = first_uses(plan)
    # Two spellings of one secret are one read.
    wanted: dict[tuple[tuple[str, ...], int | None], Read] = {}
    for read, location in locations.items():
        wanted.setdefault((location.source, read.version), read)

    def one(read: Read) -> dict[str, Json]:
        location = locations[read]
        try:
            return stores.get(read.store).read(location, read.version)
        except KrmfnError as error:
            secret, key = uses[read]
            raise error.at(secret=secret, key=key, source=location.text) from None

    tasks: list[Callable[[], Any]] = [partial(one, read) for read in wanted.values()]
    if beside is not None:
        tasks.append(beside)
    found = at_once(tasks, deadline)
    by_place = dict(zip(wanted, found, strict=False))
    return {r: by_place[(location.source, r.version)] for r, location in locations.items()}


def derivation(key: DefinedKey, stores: Stores) -> Derivation:
    """The derivation key, ready to be asked; nothing is read before that."""
    if isinstance(key, TransitKey):
        transit = key.transit
        return Derivation(
            lambda digests: stores.get(transit.store).hmac(
                transit.mount, transit.key, transit.version, digests
            ),
            key.id,
        )

    @cache
    def secret() -> bytes:
        stored = read_property(stores, key, KEY_FIELD)
        try:
            return derive.parse_key(stored)
        except SealingError as error:
            raise error.at(key=KEY_FIELD, source=f"{key.store}:{key.key}") from None

    return Derivation(lambda digests: [derive.first_step(secret(), d) for d in digests], key.id)
