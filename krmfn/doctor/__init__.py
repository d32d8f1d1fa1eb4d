"""Checks of an overlay, its vault and its cluster: one module for each area."""
