"""The interface that every store implements.

Rules enforced here: a store lets only `KrmfnError` out, never a foreign exception; what it returns
is the secret as received, with numbers as text; it says for each key the one canonical source that
the derivation binds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from krmfn.deadline import Deadline
    from krmfn.plaintext import Plaintext
    from krmfn.policy.file import Platform
    from krmfn.spec.model import Model
    from krmfn.stores.vault.health import Health
    from krmfn.warned import Warned


class Number(str):
    """A number as the store wrote it: ``1e3`` stays ``1e3``, big integers stay exact."""

    __slots__ = ()


# A secret's content. Strings in it are plaintext: it stays between a store and `resolve`.
Json: TypeAlias = "str | Number | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True)
class Location:
    """Where a secret is, in canonical form.

    Attributes:
        source: the leading fields of the derivation's source (docs/seal-v1.md): for a vault
            ``("vault", store id, namespace, mount, path)``.
        text: the same for people: ``main:secret/logto/production``.
        kv_version: 1 or 2 for a KV mount, 0 for other stores.
    """

    source: tuple[str, ...]
    text: str
    mount: str = ""
    path: str = ""
    kv_version: int = 0


@dataclass
class Surroundings:
    """A store's surroundings: environment, paths, clock and warnings.

    Attributes:
        base: the directory that relative paths are relative to.
        root: the repository's root; paths from a configuration stay below it.
        warnings: receives warnings.
        opener: opens a store where several builds of one process share it.
        platform: the platform's policy, once `platform_of` has looked for it.
    """

    environ: Mapping[str, str]
    deadline: Deadline
    base: Path = field(default_factory=Path)
    root: Path = field(default_factory=Path)
    warnings: list[Warned] = field(default_factory=list)
    opener: Callable[[str, Model, Surroundings], Store] | None = None
    platform: Platform | None = None
    looked: bool = False

    def warn(self, one: Warned) -> None:
        """Warn once."""
        if one not in self.warnings:
            self.warnings.append(one)


class Store(ABC):
    """A place that holds secrets. Made for one run; methods may be called from several threads.

    Every method raises `ProviderError`, `PolicyError`, `SpecError` or `DeadlineError`, and nothing
    else; errors name the source, and leave secret and key to the caller.
    """

    @classmethod
    def check(cls, name: str, spec: Any, around: Surroundings) -> None:
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
