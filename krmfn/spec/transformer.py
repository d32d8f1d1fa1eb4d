"""`SecretClaim`, and `SealedSecretTransformer` that replaces claims by SealedSecrets."""

from __future__ import annotations

from typing import Annotated, Literal

from krmfn.spec.base import Metadata, Namespace  # noqa: TC001  # a declaration names them
from krmfn.spec.declare import Field, model_validator, spec_error
from krmfn.spec.generator import SecretShape  # noqa: TC001  # a declaration names it
from krmfn.spec.model import Model
from krmfn.spec.repository import RepositorySpec
from krmfn.spec.sealing import Sealing, stores_of_sealing
from krmfn.spec.silence import Silence  # noqa: TC001  # a declaration names it
from krmfn.spec.validator import Checks  # noqa: TC001  # a declaration names it


class SecretClaim(Model):
    """A Secret that is wanted, declared once in the base and patched by overlays.

    It names no certificate, key, store definition or epoch: those are the outermost overlay's. The
    API server knows no such kind, so that a claim that was never replaced fails loudly.
    """

    api_version: Literal["krmfn.dev/v1alpha1"]
    kind: Literal["SecretClaim"]
    metadata: Metadata
    spec: SecretShape


class TransformerSpec(RepositorySpec):
    """How claims are sealed, and the stores that they may name.

    Every field of the `spec` of `.krmfn.yaml` may also be here, for a container, which cannot read it.
    """

    sealing: Sealing | None = None
    """Overrides `.krmfn.yaml`. Without that file, required as soon as there is a claim."""
    environment: Namespace | None = None
    """The environment of `.krmfn.yaml`. Default: the one whose conditions hold."""
    name_references: bool = True
    """`false`: no name companions, for many claims whose names do not change: kustomize needs time
    by the square of the number of items."""
    validate_: Annotated[Checks | None, Field(alias="validate")] = None
    """Check the transformer's output as a SealedSecretValidator does. Default: no checks; with
    `.krmfn.yaml`, those of an empty validator, unless the kustomization lists a validator."""
    silence: Silence = ()
    """Warnings that are not wanted: `id`, or `id/secret` for one Secret."""

    @model_validator(mode="after")
    def _consistent(self) -> TransformerSpec:
        used = stores_of_sealing(self.sealing) if self.sealing else set()
        for name in sorted((used | {self.default_store or ""}) - {""}):
            if name not in self.stores:
                raise spec_error(f"the store {name} is used and not defined under stores")
        return self


class SealedSecretTransformer(Model):
    """Replaces every claim by a SealedSecret for its final namespace and name."""

    api_version: Literal["krmfn.dev/v1alpha1"]
    kind: Literal["SealedSecretTransformer"]
    metadata: Metadata
    spec: TransformerSpec = TransformerSpec.model_construct()
