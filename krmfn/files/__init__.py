"""Files of a repository: read, write, compare."""
