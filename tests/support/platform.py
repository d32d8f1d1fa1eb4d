"""The platform's side of a build inside Argo CD: the policy that the sidecar mounts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# One rule for the repository of tests/support/repository.py as tests/support/cmp_host.py asks for it.
POLICY: dict[str, Any] = {
    "apiVersion": "krmfn.dev/v1alpha1",
    "kind": "PlatformConfig",
    "metadata": {"name": "platform"},
    "spec": {
        "rules": [
            {
                "projects": ["shop"],
                "repositories": ["https://git.example/shop.git"],
                "namespaces": ["production"],
                "scopes": ["strict"],
                "stores": ["main"],
                "paths": ["build/*"],
            }
        ]
    },
}


def policy(directory: Path) -> dict[str, str]:
    """A policy file outside of every repository, as the environment names it."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "platform.yaml"
    file.write_text(json.dumps(POLICY))
    file.chmod(0o444)
    return {"KRMFN_CONFIG": str(file)}
