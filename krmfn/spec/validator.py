"""`SealedSecretValidator`."""

from __future__ import annotations

from typing import Literal

from krmfn.spec.base import Metadata, Model


class ValidatorSpec(Model):
    """Nothing to set yet."""


class SealedSecretValidator(Model):
    """Fails the build when a SealedSecret is not sealed for what it finally is."""

    api_version: Literal["krmfn.dev/v1alpha1"]
    kind: Literal["SealedSecretValidator"]
    metadata: Metadata
    spec: ValidatorSpec = ValidatorSpec.model_construct()
