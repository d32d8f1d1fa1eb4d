"""A plan becomes SealedSecrets."""
