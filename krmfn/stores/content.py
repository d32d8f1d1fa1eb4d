"""What a store holds and where: a secret's content, and its canonical location. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


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
