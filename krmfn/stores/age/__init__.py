"""An encrypted file as a store."""
