"""The only stage that reads: everything that a plan needs from stores, once.

Rules enforced here: one read for each (store, path, version); at most 16 at a time; everything
inside one deadline, after which nothing is waited for; the derivation key's own path never becomes
a value; the transit engine is asked beside the reads and never about a plaintext.
"""

from __future__ import annotations

import hmac
from functools import partial
from typing import TYPE_CHECKING, Any

from krmfn.crypto import derive
from krmfn.errors import KrmfnError, SealingError, SpecError
from krmfn.parallel import at_once
from krmfn.spec.sealing import StoredKey, TransitKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from krmfn.plan.make import Plan, Read
    from krmfn.sealing.derivation import Derivation
    from krmfn.stores.content import Json, Location
    from krmfn.stores.opened import OpenedStores

MAX_CONCURRENT = 16
KEY_FIELD = "spec.sealing.derivationKey"


def refuse_key(
    prf: Derivation | None,
    secrets: Mapping[Read, dict[str, Json]],
    locations: Mapping[Read, Location],
) -> None:
    """Refuse values that are the derivation key, under any spelling of its path.

    `locate` compares paths; another id, namespace or mount can lead to the same place, and a
    transit key may be exportable. A value is the key if it derives what the key derives.

    Args:
        prf: None without a derivation key.

    Raises:
        SpecError: one is.
    """
    if prf is None:
        return
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


def locate(plan: Plan, stores: OpenedStores, recipient: str) -> dict[Read, Location]:
    """Return the canonical locations of everything that the plan reads.

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

    found = at_once([partial(one, read) for read in uses], stores.access.deadline)
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
    """Return every read of a plan, with the first secret and key that need it."""
    uses: dict[Read, tuple[str, str]] = {}
    for target in plan.targets:
        for read, key in target.reads().items():
            uses.setdefault(read, (target.name, key))
    return uses


def read_all(
    plan: Plan,
    stores: OpenedStores,
    locations: dict[Read, Location],
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
    found = at_once(tasks, stores.access.deadline)
    by_place = dict(zip(wanted, found, strict=False))
    return {r: by_place[(location.source, r.version)] for r, location in locations.items()}
