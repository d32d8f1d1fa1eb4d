"""examples/estate: its values, its builds, and what was written down about it."""

from __future__ import annotations

import base64
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


def contents(namespace: str) -> dict[str, dict[str, str]]:
    """Secret to key to value, as the claims ask for them."""
    vault = stored(namespace)

    def value(path: str, name: str) -> str:
        return vault[f"estate/{namespace}/{path}"][name]

    user, token = value("courier/registry", "user"), value("courier/registry", "token")
    auth = base64.b64encode(f"{user}:{token}".encode()).decode()
    docker = (
        f'{{"auths":{{"registry.example.test":{{"username":"{user}","password":"{token}", '
        f'"auth":"{auth}"}}}}}}'
    )
    found = {
        "courier-deploy-key": {
            "ssh-privatekey": value("courier/deploy-key", "private_key"),
            "known_hosts": value("courier/deploy-key", "known_hosts"),
        },
        "courier-env": {
            "SESSION_KEY": value("courier/env", "session_key"),
            "WEBHOOK_HMAC": value("courier/env", "webhook_hmac"),
        },
        "courier-htpasswd": {"auth": value("courier/htpasswd", "auth")},
        "courier-postgres-owner": {
            "username": "courier",
            "password": value("courier/postgres", "owner_password"),
        },
        "courier-postgres-reporter": {
            "username": "reporter",
            "password": value("courier/postgres", "reporter_password"),
        },
        "courier-redis": {"redis-password": value("courier/redis", "password")},
        "courier-registry": {".dockerconfigjson": docker},
        "courier-signing": {
            "jwt-private.pem": value("courier/signing", "private_key"),
            "jwt-kid": value("courier/signing", "key_id"),
        },
        "courier-smtp": {
            "username": value("courier/smtp", "username"),
            "password": value("courier/smtp", "password"),
        },
    }
    if namespace == "production":
        found |= {
            "courier-metrics": {
                "username": value("courier/metrics", "username"),
                "password": value("courier/metrics", "password"),
            },
            "courier-tls": {
                "tls.crt": value("courier/tls", "certificate"),
                "tls.key": value("courier/tls", "private_key"),
            },
            "logto-backup-storage-credentials": {
                "ACCESS_KEY_ID": value("logto/backup", "access_key_id"),
                "ACCESS_SECRET_KEY": value("logto/backup", "secret_access_key"),
            },
        }
    return found


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
