"""The kustomizations of a repository, read only."""
