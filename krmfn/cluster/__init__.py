"""Questions to a cluster's API server."""
