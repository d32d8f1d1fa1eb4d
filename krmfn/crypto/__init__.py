"""The cryptography of a SealedSecret: derive, seal, unseal, certificates."""
