"""Two states of a repository or a cluster, compared."""
