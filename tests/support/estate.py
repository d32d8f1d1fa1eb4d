"""examples/estate: its values, its builds, and what was written down about it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
ESTATE = ROOT / "examples/estate"
KEY = ROOT / "examples/logto/demo-controller.key"  # the certificate is the same
KUBECTL = Path(sys.executable).parent / "kubectl"
NAMESPACES = {"dev": "dev", "prod": "production", "prod-barman-plugin": "production"}
OVERLAYS = tuple(NAMESPACES)
# Made up, and fixed: the golden builds depend on every one of them.
DERIVATION_KEY = "6b1f0a7c94d2e8350f1b6d2c7a8e9f40316275a4b3c2d1e0f9e8d7c6b5a49382"
PROPERTIES = {
    "courier/env": ("session_key", "webhook_hmac"),
    "courier/signing": ("private_key", "key_id"),
    "courier/smtp": ("username", "password"),
    "courier/redis": ("password",),
    "courier/postgres": ("owner_password", "reporter_password"),
    "courier/registry": ("user", "token"),
    "courier/deploy-key": ("private_key", "known_hosts"),
    "courier/htpasswd": ("auth",),
    "courier/metrics": ("username", "password"),
    "courier/tls": ("certificate", "private_key"),
    "logto/backup": ("access_key_id", "secret_access_key"),
}
# What dev's vault does not hold, because dev does not need it.
PRODUCTION = ("courier/metrics", "courier/tls", "logto/backup")


def stored(namespace: str) -> dict[str, dict[str, str]]:
    """Path to property to value, for an environment; every value is another one."""
    return {
        f"estate/{namespace}/{path}": {name: f"{namespace}/{path}/{name}" for name in names}
        for path, names in PROPERTIES.items()
        if namespace == "production" or path not in PRODUCTION
    }


def seed(bao: OpenBao) -> None:
    """The values of both environments, and the derivation key."""
    bao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    for namespace in ("dev", "production"):
        for path, fields in stored(namespace).items():
            bao.write("secret", path, fields)


def documented(overlay: str) -> Any:
    """What the audit has to find, as it was written down."""
    return yaml.safe_load((ESTATE / f"expected/audit/{overlay}.yaml").read_text())


@cache
def claimed(overlay: str) -> str:
    """The environment as plain kustomize builds it, with its claims."""
    command = [KUBECTL, "kustomize", ESTATE / f"environments/{overlay}"]
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


@cache
def plain(overlay: str) -> str:
    """The environment as it was before krmfn: the same without its claims."""
    kept = (d for d in claimed(overlay).split("---\n") if "\nkind: SecretClaim\n" not in d)
    return "---\n".join(kept)


def objects(overlay: str) -> list[Any]:
    """The objects of `claimed`, to be changed by whoever asks."""
    return list(yaml.safe_load_all(claimed(overlay)))


def find(found: list[Any], title: str) -> Any:
    """The one object ``Kind/name``."""
    kind, _, name = title.partition("/")
    (one,) = (o for o in found if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return one


def text(found: list[Any]) -> str:
    """Objects as a stream."""
    return "---\n".join(json.dumps(one) + "\n" for one in found)


def unhashed(name: str) -> str:
    """A name with a star for the hash that kustomize adds."""
    return re.sub(r"(?<=^courier-fixtures-)[a-z0-9]{10}$", "*", name)
