"""`SealedSecretValidator`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from krmfn.spec.base import (
    AS_LIST,
    Metadata,
    Namespace,
    SecretKey,
    SecretName,
    Text,
    one_of,
)
from krmfn.spec.catalogue import Version  # noqa: TC001  # a declaration names it
from krmfn.spec.declare import Tag
from krmfn.spec.model import Model
from krmfn.spec.repository import RepositorySpec
from krmfn.spec.sealing import FileCertificate, PemCertificate
from krmfn.spec.silence import Silence  # noqa: TC001  # a declaration names it

LocalCertificate: TypeAlias = Annotated[
    Annotated[FileCertificate, Tag("<file>")] | Annotated[PemCertificate, Tag("<pem>")],
    one_of("file", "pem"),
]


class Assumption(Model):
    """A Secret that is created outside the build: by hand, by Terraform, by a replicator."""

    secret: SecretName
    namespace: Namespace | None = None
    """Left out: any."""
    keys: Annotated[tuple[SecretKey, ...], AS_LIST] = ()
    """Left out: any."""
    type: Text | None = None
    because: Text
    """The reason, for reviewers of the change."""


class Checks(Model):
    """The optional checks of a build."""

    plain_secrets: Literal["error", "warn", "allow"] = "error"
    """How to report unencrypted Secrets with data in the output."""
    audit: Literal["error", "warn", "off"] = "warn"
    """How to report wrong references to Secrets; `off` skips the check. Sealing over a Secret
    that an operator creates always fails."""
    assume: Annotated[tuple[Assumption, ...], AS_LIST] = ()
    catalogue: Annotated[tuple[Text, ...], AS_LIST] = ()
    """Files of kind SecretCatalogue with additional entries."""
    silence: Silence = ()
    """Warnings that are not wanted: `id`, or `id/secret` for one Secret. Errors cannot be silenced."""
    cnpg_version: Version | None = None
    """CloudNativePG's version where it is not the newest: the keys of its Secrets depend on it."""


class ValidatorSpec(Checks, RepositorySpec):
    """The checks, and the certificate that everything must be sealed for."""

    certificate: LocalCertificate | None = None
    """Every krmfn SealedSecret must be sealed for this one. Default: the environment's, if it is a
    file or PEM text. A validator reads no store."""
    environment: Namespace | None = None
    """The environment of `.krmfn.yaml`. Default: the one whose conditions hold."""


class SealedSecretValidator(Model):
    """Fails the build if a SealedSecret is not sealed for its final name and namespace."""

    api_version: Literal["krmfn.dev/v1alpha1"]
    kind: Literal["SealedSecretValidator"]
    metadata: Metadata
    spec: ValidatorSpec = ValidatorSpec.model_construct()


def as_validator(metadata: Metadata, checks: Checks) -> SealedSecretValidator:
    """Return a validator with a transformer's own checks."""
    return SealedSecretValidator.model_construct(
        api_version="krmfn.dev/v1alpha1",
        kind="SealedSecretValidator",
        metadata=metadata,
        spec=ValidatorSpec.model_construct(**vars(checks)),
    )
