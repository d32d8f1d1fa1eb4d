"""A proposal of krmfn's files for a repository."""
