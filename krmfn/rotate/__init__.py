"""New certificates, epochs and versions in a repository's files."""
