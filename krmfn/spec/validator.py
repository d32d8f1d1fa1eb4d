"""`SealedSecretValidator`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Tag

from krmfn.spec.base import Metadata, Model, one_of
from krmfn.spec.generator import FileCertificate, PemCertificate

LocalCertificate: TypeAlias = Annotated[
    Annotated[FileCertificate, Tag("<file>")] | Annotated[PemCertificate, Tag("<pem>")],
    one_of("file", "pem"),
]


class ValidatorSpec(Model):
    """What is checked beyond what is always wrong."""

    certificate: LocalCertificate | None = None
    """Every SealedSecret of krmfn's has to be sealed for this one. A validator reads no store."""
    plain_secrets: Literal["error", "warn", "allow"] = "error"
    """Secrets with data in the stream: whatever is built is read by whoever reads the output."""


class SealedSecretValidator(Model):
    """Fails the build when a SealedSecret is not sealed for what it finally is."""

    api_version: Literal["krmfn.dev/v1alpha1"]
    kind: Literal["SealedSecretValidator"]
    metadata: Metadata
    spec: ValidatorSpec = ValidatorSpec.model_construct(certificate=None, plain_secrets="error")
