"""Compare Secrets across environments."""
