"""Kubernetes objects, as text and as values."""
