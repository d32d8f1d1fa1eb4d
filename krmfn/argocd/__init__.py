"""krmfn inside Argo CD: a config management plugin, beside the repo-server."""
