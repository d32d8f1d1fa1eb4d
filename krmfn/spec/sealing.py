"""Certificates, derivation keys and methods of sealing."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from krmfn.spec.base import Sha256, Text, one_of
from krmfn.spec.declare import Field, StringConstraints, Tag
from krmfn.spec.model import Model
from krmfn.spec.stores import StoreName, StoreProperty

Scope: TypeAlias = Literal["strict", "namespace-wide", "cluster-wide"]
Mode: TypeAlias = Literal["deterministic", "random"]


class FileCertificate(Model):
    """A PEM file; the newest valid certificate of a bundle is used."""

    file: Text


class PemCertificate(Model):
    """PEM text, in the configuration itself."""

    pem: Text


class UrlCertificate(Model):
    """An https address, with the pin of the public key that krmfn expects there."""

    url: Text
    sha256: Sha256
    """SHA-256 of the certificate's public key, as `krmfn.dev/certificate` says it."""


class PlatformCertificate(Model):
    """A recipient that the platform's configuration names."""

    platform: StoreName
    """The recipient's name."""


Certificate: TypeAlias = Annotated[
    Annotated[FileCertificate, Tag("<file>")]
    | Annotated[PemCertificate, Tag("<pem>")]
    | Annotated[UrlCertificate, Tag("<url>")]
    | Annotated[StoreProperty, Tag("<store>")]
    | Annotated[PlatformCertificate, Tag("<platform>")],
    one_of("file", "pem", "url", "store", "platform"),
]


class Transit(Model):
    """A key of the vault's transit engine, which never leaves it. Type `hmac`, for krmfn alone."""

    store: StoreName
    mount: Text = "transit"
    key: Text
    version: Annotated[int, Field(ge=1)]


class TransitKey(Model):
    """Shape `transit`."""

    transit: Transit
    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Pin: the first 16 hex digits of the key's own digest."""


class StoredKey(StoreProperty):
    """32 or 64 random bytes, as lower-case hex or base64, in a store."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Pin: the first 16 hex digits of the key's own digest."""


class PlatformKey(Model):
    """A derivation key that the platform's configuration defines."""

    platform: StoreName
    """The key's name."""
    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Pin: the first 16 hex digits of the key's own digest."""


DefinedKey: TypeAlias = Annotated[
    Annotated[TransitKey, Tag("<transit>")] | Annotated[StoredKey, Tag("<store>")],
    one_of("transit", "store"),
]
DerivationKey: TypeAlias = Annotated[
    Annotated[TransitKey, Tag("<transit>")]
    | Annotated[StoredKey, Tag("<store>")]
    | Annotated[PlatformKey, Tag("<platform>")],
    one_of("transit", "store", "platform"),
]


Epoch: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class Sealing(Model):
    """The recipient and the method of sealing."""

    certificate: Certificate
    scope: Scope = "strict"
    mode: Mode = "deterministic"
    derivation_key: DerivationKey | None = None
    epoch: Epoch = "1"
    """Change it to reseal every value on purpose."""


def stores_of_sealing(sealing: Sealing) -> set[str]:
    """The stores that key and certificate come from."""
    names = set()
    key, certificate = sealing.derivation_key, sealing.certificate
    if isinstance(key, TransitKey):
        names.add(key.transit.store)
    elif isinstance(key, StoredKey):
        names.add(key.store)
    if isinstance(certificate, StoreProperty):
        names.add(certificate.store)
    return names
