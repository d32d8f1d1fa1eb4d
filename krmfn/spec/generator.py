"""`SealedSecretGenerator` and the shapes it is made of."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from krmfn.spec.base import (
    AS_LIST,
    Metadata,
    Namespace,
    SecretKey,
    SecretName,
    Text,
    either,
    repeated,
)
from krmfn.spec.declare import Field, Tag, model_validator, spec_error
from krmfn.spec.model import Model
from krmfn.spec.repository import RepositorySpec
from krmfn.spec.sealing import Mode, Scope, Sealing, stores_of_sealing
from krmfn.spec.silence import Silence  # noqa: TC001  # a declaration names it
from krmfn.spec.stores import ExtractRef, FromRef, RemoteRef, StoreName


class DataEntry(Model):
    """One key of the Secret: exactly one of `remoteRef` and `value`."""

    secret_key: SecretKey
    remote_ref: RemoteRef | None = None
    value: str | None = None
    """A literal that is no secret."""
    store: StoreName | None = None
    """The store to read from, if it is not the secret's."""

    @model_validator(mode="after")
    def _one_source(self) -> DataEntry:
        if (self.remote_ref is None) == (self.value is None):
            raise spec_error("exactly one of remoteRef, value: required")
        if self.store is not None and self.remote_ref is None:
            raise spec_error("store has no meaning beside value")
        return self


class DataFrom(Model):
    """Several keys at once."""

    extract: ExtractRef
    store: StoreName | None = None


class ItemMetadata(Model):
    """Labels and annotations; values from a store never reach them."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Template(Model):
    """The Secret's own type, metadata and composed values, rendered before sealing."""

    type: Text | None = None
    immutable: bool | None = None
    metadata: ItemMetadata = ItemMetadata.model_construct(labels={}, annotations={})
    data: dict[SecretKey, str] = {}
    """Key to template: `{{ .key | b64enc }}`."""
    merge_policy: Literal["Replace", "Merge"] = "Replace"
    """`Replace`: the Secret has the keys of `data` alone. `Merge`: those beside all others."""


From: TypeAlias = Annotated[
    Annotated[Text, Tag("<path>")] | Annotated[FromRef, Tag("<ref>")],
    either("a path, or an object with key", path=str, ref=dict),
]
Keys: TypeAlias = Annotated[
    Annotated[tuple[SecretKey, ...], Field(strict=False, min_length=1), Tag("<names>")]
    | Annotated[dict[SecretKey, Text], Field(min_length=1), Tag("<map>")],
    either("a list of names, or a map of keys to names", names=list, map=dict),
]


class SecretShape(Model):
    """One Secret without its name: the sources of its values, and its sealing."""

    from_: Annotated[From | None, Field(alias="from")] = None
    """The secret that `keys` are read from: its path, or `{key, version, decodingStrategy}`."""
    keys: Keys | None = None
    """Top-level fields of the secret at `from`: a list of names, or a map of keys of the Secret to
    names. Each means an entry of `data`."""
    store: StoreName | None = None
    """The store of `from`, and the default of `data` and `dataFrom`. Left out: the configuration's
    `defaultStore`, else its only store."""
    scope: Scope | None = None
    mode: Mode | None = None
    data: Annotated[tuple[DataEntry, ...], AS_LIST] = ()
    data_from: Annotated[tuple[DataFrom, ...], AS_LIST] = ()
    metadata: ItemMetadata = ItemMetadata.model_construct(labels={}, annotations={})
    """Of the SealedSecret; `template` has the Secret's own."""
    template: Template | None = None
    allow_empty: bool = False
    name_suffix_hash: bool = False
    """Add a keyed hash of the content to the name, so that a new value is a new Secret."""
    name_references: bool | None = None
    """`false`: no name companion for kustomize, so that references to the name are not followed.
    Left out: as the configuration says."""
    checksum_annotation: bool = False
    """Put a keyed checksum on the pod templates that use the Secret, so that they restart with it."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keys = [entry.secret_key for entry in self.data]
        if twice := repeated(keys):
            raise spec_error(f"secretKey {', '.join(twice)} appears twice")
        if (self.from_ is None) != (self.keys is None):
            here, missing = ("from", "keys") if self.keys is None else ("keys", "from")
            raise spec_error(f"{missing}: required beside {here}")
        for number, key in enumerate(self.keys or ()):
            at = key if isinstance(self.keys, dict) else number
            if key in keys:
                raise spec_error(f"{key} is in data, too", "keys", at)
            if not isinstance(self.keys, dict) and key in (self.keys or ())[:number]:
                raise spec_error(f"{key} appears twice", "keys", at)
        return self


class SecretSpec(SecretShape):
    """One Secret, by name."""

    name: SecretName


class GeneratorSpec(RepositorySpec):
    """The secrets of the generator, and their sealing.

    Every field of the `spec` of `.krmfn.yaml` may also be here, for a container, which cannot read it.
    """

    sealing: Sealing
    """Overrides `.krmfn.yaml`. Required without that file."""
    environment: Namespace | None = None
    """The environment of `.krmfn.yaml`. Default: the one whose conditions hold."""
    name_references: bool = True
    """`false`: no name companions, for many secrets whose names do not change: kustomize needs time
    by the square of the number of items."""
    secrets: Annotated[tuple[SecretSpec, ...], Field(strict=False, min_length=1)]
    silence: Silence = ()
    """Warnings that are not wanted: `id`, or `id/secret` for one Secret."""

    @model_validator(mode="after")
    def _consistent(self) -> GeneratorSpec:
        names = [secret.name for secret in self.secrets]
        if twice := repeated(names):
            raise spec_error(f"the secret {', '.join(twice)} appears twice")
        used = stores_of_sealing(self.sealing).union(*map(stores_of_secret, self.secrets))
        for name in sorted((used | {self.default_store or ""}) - {""}):
            if name not in self.stores:
                raise spec_error(f"the store {name} is used and not defined under stores")
        return self


def stores_of_secret(secret: SecretShape) -> set[str]:
    """The stores that a secret says its values come from; an empty name where it leaves one out."""
    names = {e.store or secret.store or "" for e in secret.data if e.remote_ref is not None}
    names |= {secret.store or ""} if secret.from_ is not None else set()
    return names | {e.store or secret.store or "" for e in secret.data_from}


class SealedSecretGenerator(Model):
    """Emits SealedSecrets from references: one config, any number of secrets."""

    api_version: Literal["krmfn.dev/v1alpha1"]
    kind: Literal["SealedSecretGenerator"]
    metadata: Metadata
    spec: GeneratorSpec
