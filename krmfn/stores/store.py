"""The interface that every store implements.

Rules enforced here: a store lets only `KrmfnError` out, never a foreign exception; what it returns
is the secret as received, with numbers as text; it says for each key the one canonical source that
the derivation binds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from krmfn.plaintext import Plaintext
    from krmfn.stores.access import Access
    from krmfn.stores.content import Json, Location


@dataclass(frozen=True)
class State:
    """A server's public state.

    Attributes:
        clock: its time, UTC; None when it does not say.
    """

    initialized: bool
    sealed: bool
    version: str
    clock: datetime | None


class Health(Protocol):
    """Questions about a store's server and its credential; nothing is written, no value is read."""

    def state(self) -> State:
        """Return the server's state.

        Raises:
            ProviderError: it cannot be reached, or is no server of this kind.
        """

    def seconds_left(self) -> int | None:
        """Return the token's remaining seconds; 0 without expiry, None if the server does not say.

        Raises:
            ProviderError: no credential, or the server refuses it.
        """

    def capabilities(
        self, paths: Sequence[str], namespace: str | None = None
    ) -> dict[str, frozenset[str]] | None:
        """Return the token's capabilities on each path; None if it may not ask.

        Args:
            paths: as policies have them, in one namespace.
            namespace: None for the store's own.
        """

    def may_revoke(self) -> bool | None:
        """Return whether the token of a login can revoke itself; None if unknown."""


class Store(ABC):
    """A place that holds secrets. Made for one run; methods may be called from several threads.

    Every method raises `ProviderError`, `PolicyError`, `SpecError` or `DeadlineError`, and nothing
    else; errors name the source, and leave secret and key to the caller.
    """

    @classmethod
    def check(cls, name: str, spec: Any, access: Access) -> None:
        """Refuse configurations that the store would refuse without a request: see `check_store`.

        Args:
            name: the store's, for errors.
            spec: its model, as its class takes it.
        """

    @abstractmethod
    def locate(self, key: str) -> Location:
        """The canonical location of ``key``; may ask the store about its mounts, once each."""

    @abstractmethod
    def read(self, location: Location, version: int | None) -> dict[str, Json]:
        """The secret's fields. ``version`` None is the newest."""

    def newest(self, location: Location) -> int:
        """Return the newest readable version of a secret, without its values if possible."""
        from krmfn.errors import ProviderError

        raise ProviderError(
            "version-unsupported",
            "this kind of store keeps no versions",
            source=location.text,
            remedy="remove version",
        )

    def create(
        self,
        location: Location,  # noqa: ARG002  # for those who can
        fields: Mapping[str, Plaintext],  # noqa: ARG002
    ) -> None:
        """Write a new secret; never overwrite one."""
        from krmfn.errors import SpecError

        raise SpecError("spec", "this kind of store is not written to")

    def hmac(
        self,
        mount: str,  # noqa: ARG002  # for those who can
        key: str,  # noqa: ARG002
        version: int,  # noqa: ARG002
        inputs: Sequence[bytes],  # noqa: ARG002
    ) -> list[bytes]:
        """Return HMAC-SHA-512 of each input under a key that stays in the store (transit).

        Returns:
            64 bytes for each input, in order.
        """
        from krmfn.errors import SpecError

        raise SpecError("spec", "this kind of store has no transit engine")

    def bind(self, namespace: str, recipient: str) -> None:
        """Refuse a namespace (empty: cluster-wide) or certificate that is not allowed.

        Args:
            recipient: SHA-256 of the certificate's public key, hex.
        """

    def health(self) -> Health | None:
        """Return the health requests of the store's server; None if there is no server."""
        return None

    def close(self) -> None:
        """Release the store: revoke a token that this run created. Never raises."""
