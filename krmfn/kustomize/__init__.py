"""Files of a repository as kustomize reads them. Reads only."""
