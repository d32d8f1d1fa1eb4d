"""YAML: read strictly, and change in place."""
