"""Build a stream of resources, or a whole repository, with its claims sealed."""
