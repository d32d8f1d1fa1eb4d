"""`PlatformConfig`: what the platform, and not a repository, says of reading and sealing.

The file is named by `KRMFN_CONFIG`. Every path in it is absolute, and nothing in it can be a
credential itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from krmfn.spec.base import AS_LIST, Metadata, Sha256, Text, one_of, repeated
from krmfn.spec.declare import AfterValidator, Field, Tag, model_validator, spec_error
from krmfn.spec.model import Model
from krmfn.spec.pattern import problem
from krmfn.spec.sealing import DefinedKey, Mode, Scope, TransitKey
from krmfn.spec.stores import Credential, EnvCredential, FileCredential, StoreName, Vault

if TYPE_CHECKING:
    from collections.abc import Iterator

DESTINATION = "$destination"
# What users of Argo CD can set: `spec.source.plugin.env`, and parameters.
USERS_OWN = ("ARGOCD_ENV_", "ARGOCD_APP_PARAMETERS", "PARAM_")


def _pattern(text: str) -> str:
    if text != DESTINATION and (words := problem(text)):
        raise spec_error(f"the pattern {words}")
    return text


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise spec_error("must be an absolute path")
    return path


Pattern: TypeAlias = Annotated[Text, AfterValidator(_pattern)]
Patterns: TypeAlias = Annotated[tuple[Pattern, ...], AS_LIST]
SomePatterns: TypeAlias = Annotated[tuple[Pattern, ...], Field(strict=False, min_length=1)]
AbsolutePath: TypeAlias = Annotated[Text, AfterValidator(_absolute)]
Pins: TypeAlias = Annotated[tuple[Sha256, ...], Field(strict=False, min_length=1)]
Count: TypeAlias = Annotated[int, Field(ge=1)]


class PlatformVault(Vault):
    """A vault of the platform's; `id` is required."""

    is_platforms: ClassVar[bool] = True

    @model_validator(mode="after")
    def _platforms(self) -> PlatformVault:
        if self.id is None:
            raise spec_error("id: required, it names the vault in the derivation")
        if self.ca_file is not None:
            _absolute(self.ca_file)
        check_credentials(self)
        return self


class PlatformAge(Model):
    """An age store of one project: the platform gives the identity, the repository the file."""

    identity_ref: Credential
    project: Text
    """The one project that the identity belongs to; no pattern."""

    @model_validator(mode="after")
    def _platforms(self) -> PlatformAge:
        check_credentials(self)
        return self


class PlatformVaultStore(Model):
    """Shape `vault`."""

    vault: PlatformVault


class PlatformAgeStore(Model):
    """Shape `age`."""

    age: PlatformAge


AnyPlatformStore: TypeAlias = Annotated[
    Annotated[PlatformVaultStore, Tag("<vault>")] | Annotated[PlatformAgeStore, Tag("<age>")],
    one_of("vault", "age"),
]


class FileRecipient(Model):
    """A PEM file; the newest valid certificate with a pinned key is used."""

    file: AbsolutePath
    sha256: Pins
    """SHA-256 of the certificates' public keys, as `krmfn.dev/certificate` says them."""


class PemRecipient(Model):
    """Certificates in the configuration itself."""

    pem: Text
    sha256: Pins
    """SHA-256 of the certificates' public keys, as `krmfn.dev/certificate` says them."""


Recipient: TypeAlias = Annotated[
    Annotated[FileRecipient, Tag("<file>")] | Annotated[PemRecipient, Tag("<pem>")],
    one_of("file", "pem"),
]


class Limits(Model):
    """Limits of one build."""

    seconds: Count | None = None
    """At most this long, whatever `KRMFN_DEADLINE` says."""
    secrets: Count = 256
    reads: Count = 256
    """Different secrets and versions read from stores."""
    keys: Count = 4096
    """Data keys of all secrets together."""
    certificates: Count = 4
    value_bytes: Count = 8 * 1024 * 1024
    """Of all values together, before they are sealed."""
    input_bytes: Count = 32 * 1024 * 1024
    """Maximum size of a function input, and of the files that `krmfn build` copies."""


class RuleRead(Model):
    """Paths of one store."""

    store: StoreName
    paths: SomePatterns
    """Patterns of `remoteRef.key`: paths below the store's `path`."""


class Rule(Model):
    """Allows a request that matches every field. Lists are alternatives; an empty one allows nothing."""

    name: StoreName
    projects: SomePatterns
    repositories: SomePatterns
    namespaces: SomePatterns
    """Final namespaces; `$destination` is the one that the application is deployed to. Only `**`
    allows cluster-wide scope, which is every namespace."""
    recipients: Annotated[tuple[StoreName, ...], Field(strict=False, min_length=1)]
    scopes: Annotated[tuple[Scope, ...], AS_LIST] = ("strict",)
    modes: Annotated[tuple[Mode, ...], AS_LIST] = ("deterministic",)
    derivation_keys: Annotated[tuple[StoreName, ...], AS_LIST] = ()
    reads: Annotated[tuple[RuleRead, ...], AS_LIST] = ()
    pinned_versions: bool = False
    """Only reads that name a version."""
    templates: bool = False
    """Whether values may be composed: a template can test a value."""
    decoding: bool = False
    """Whether values may be decoded."""
    labels: Patterns = ()
    """Of the Secret (`template.metadata.labels`)."""
    annotations: Patterns = ()
    """Of the Secret (`template.metadata.annotations`): some have it copied elsewhere."""


class PlatformSpec(Model):
    """Stores, keys and recipients by name, and the rules that allow their use."""

    stores: dict[StoreName, AnyPlatformStore] = {}
    derivation_keys: dict[StoreName, DefinedKey] = {}
    recipients: dict[StoreName, Recipient] = {}
    limits: Limits = Limits.model_construct()
    sandbox: Literal["required", "best-effort"] = "required"
    """`best-effort`: build also where kustomize cannot be kept from the network by the kernel, which
    is everywhere but on Linux (x86-64, arm64)."""
    rules: Annotated[tuple[Rule, ...], AS_LIST] = ()

    @model_validator(mode="after")
    def _consistent(self) -> PlatformSpec:
        if twice := repeated([rule.name for rule in self.rules]):
            raise spec_error(f"the rule {', '.join(twice)} appears twice")
        vaults = {n for n, s in self.stores.items() if isinstance(s, PlatformVaultStore)}
        for name, key in self.derivation_keys.items():
            store = key.transit.store if isinstance(key, TransitKey) else key.store
            if store not in vaults:
                raise spec_error(f"derivationKeys.{name}: {store} is not a vault under stores")
        for rule in self.rules:
            for field, names, known in (
                ("stores", [read.store for read in rule.reads], set(self.stores)),
                ("recipients", rule.recipients, set(self.recipients)),
                ("derivationKeys", rule.derivation_keys, set(self.derivation_keys)),
            ):
                if missing := [name for name in names if name not in known]:
                    raise spec_error(f"rule {rule.name}: {missing[0]} is not defined under {field}")
        return self


class PlatformConfig(Model):
    """The platform's policy. It denies everything that no single rule allows."""

    api_version: Literal["krmfn.dev/v1alpha1"]
    kind: Literal["PlatformConfig"]
    metadata: Metadata
    spec: PlatformSpec


def check_credentials(model: Model) -> None:
    """Refuse credentials of relative files, and of variables that users of Argo CD can set."""
    for reference in _references(model):
        if isinstance(reference, FileCredential):
            _absolute(reference.file)
        elif reference.env.startswith(USERS_OWN):
            raise spec_error(f"{reference.env} is a variable that users of Argo CD can set")


def _references(model: Model) -> Iterator[FileCredential | EnvCredential]:
    for field in type(model).fields():
        value = getattr(model, field)
        if isinstance(value, FileCredential | EnvCredential):
            yield value
        elif isinstance(value, Model):
            yield from _references(value)
