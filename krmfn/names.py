"""Names of krmfn's API: group, version and kinds, without importing pydantic."""

from __future__ import annotations

from typing import Final

API_VERSION: Final = "krmfn.dev/v1alpha1"

GENERATOR: Final = "SealedSecretGenerator"
TRANSFORMER: Final = "SealedSecretTransformer"
VALIDATOR: Final = "SealedSecretValidator"
CLAIM: Final = "SecretClaim"
PLATFORM: Final = "PlatformConfig"

# The variable that names the environment of `.krmfn.yaml`.
ENVIRONMENT: Final = "KRMFN_ENVIRONMENT"
