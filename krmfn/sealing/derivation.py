"""The keyed function F of krmfn/seal/v1: local, or a vault's transit engine."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from krmfn.crypto import derive
from krmfn.errors import SealingError
from krmfn.sealing.property import read_property
from krmfn.spec.sealing import TransitKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from krmfn.plan.make import Plan
    from krmfn.spec.sealing import DefinedKey
    from krmfn.stores.opened import OpenedStores

KEY_FIELD = "spec.sealing.derivationKey"


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
        """Compute the answers for these digests in one batch.

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
        """Return F of one digest."""
        self.ask([digest])
        return self._known[digest]


def key_of(plan: Plan, stores: OpenedStores) -> Derivation | None:
    """Return the derivation key of a plan; None if none of its targets needs it."""
    key = plan.derivation_key
    return derivation(key, stores) if key is not None and plan.deterministic else None


def derivation(key: DefinedKey, stores: OpenedStores) -> Derivation:
    """Return the derivation key; it is read on first use."""
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
