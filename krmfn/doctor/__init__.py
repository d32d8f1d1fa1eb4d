"""What may be wrong with an overlay, its vault and its cluster: one file for each area."""
