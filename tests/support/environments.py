"""One application in three environments, in which a Secret has every state that the matrix knows."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from tests.support import repository as repo

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.openbao import OpenBao

MAIL, TOKEN = "m4il-pa55word-0001", "t0ken-of-the-registry"
OWN = {"dev": "dev-pa55word", "staging": "staging-pa55word", "production": "prod-pa55word"}
# What stands in the vault, and must stand in no output.
VALUES = (MAIL, TOKEN, *OWN.values())


def seed(bao: OpenBao) -> None:
    """The values: the registry's token and the mail password are shared, the rest is not."""
    bao.write("secret", "krmfn/derivation", {"key": repo.DERIVATION_KEY})
    bao.write("secret", "shop/registry", {"token": TOKEN})
    bao.write("secret", "shop/mail", {"username": "shop-mailer", "password": MAIL})
    for name, value in OWN.items():
        bao.write("secret", f"shop/{name}/db", {"password": value, "url": f"postgres://{value}"})


def repository(root: Path) -> list[Path]:
    """The repository below ``root``; returns the overlays."""
    (root / ".git").mkdir(parents=True)
    repo.write(root / "base/app.yaml", _deployment(), _cluster(), _ingress())
    registry = _claim("shop-registry", {"token": ("shop/registry", "token")})
    registry["spec"]["data"].append({"secretKey": "user", "value": "no secret"})
    repo.write(root / "base/claims.yaml", registry)
    repo.write(root / "base/kustomization.yaml", {"resources": ["app.yaml", "claims.yaml"]})
    more: dict[str, list[Any]] = {
        "dev": [_db("dev"), _plain_mail(), _committed("dev")],
        "staging": [_db("staging"), _committed("staging")],
        "production": [
            _db("production", "url"),
            _claim(
                "shop-smtp",
                {k: ("shop/mail", k) for k in ("username", "password")},
            ),
            _claim("shop-backup", {"key": ("shop/production/db", "url")}),
            _job(),
        ],
    }
    return [_overlay(root, name, resources) for name, resources in more.items()]


def _overlay(root: Path, name: str, resources: list[Any]) -> Path:
    overlay = root / "overlays" / name
    repo.write(overlay / "own.yaml", *resources)
    repo.write(overlay / "krmfn.yaml", repo.transformer())
    marker = {"apiVersion": "builtin", "kind": "PatchTransformer", "metadata": {"name": "marker"}}
    repo.write(overlay / "marker.yaml", {**marker, "patch": repo.MARKER})
    assume = [{"secret": "shop-tls", "because": "the ingress team copies it"}]
    spec = {"production": {"assume": assume}, "dev": {"plainSecrets": "allow"}}.get(name, {})
    repo.write(overlay / "validator.yaml", repo.config("SealedSecretValidator", spec))
    (overlay / "certs").mkdir()
    (overlay / "certs/c.pem").write_text(repo.PEM)
    kustomization = {
        "namespace": name,
        "resources": ["../../base", "own.yaml"],
        "transformers": ["krmfn.yaml", "marker.yaml"],
        "validators": ["validator.yaml"],
    }
    prefix = {"namePrefix": "stg-"} if name == "staging" else {}
    repo.write(overlay / "kustomization.yaml", kustomization | prefix)
    return overlay


def _db(environment: str, *more: str) -> dict[str, Any]:
    keys = ("password", *more)
    return _claim("shop-db", {key: (f"shop/{environment}/db", key) for key in keys})


def _claim(name: str, data: dict[str, tuple[str, str]]) -> dict[str, Any]:
    entries = [
        {"secretKey": key, "remoteRef": {"key": path, "property": field}}
        for key, (path, field) in data.items()
    ]
    spec = {"store": "main", "data": entries}
    return {"apiVersion": repo.API, "kind": "SecretClaim", "metadata": {"name": name}, "spec": spec}


def _plain_mail() -> dict[str, Any]:
    data = {"password": base64.b64encode(MAIL.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-smtp"}, "data": data}


def _committed(environment: str) -> dict[str, Any]:
    template = {"type": "kubernetes.io/tls"}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": "shop-tls", "namespace": environment},
        "spec": {"encryptedData": {"tls.crt": "AgBy", "tls.key": "AgBy"}, "template": template},
    }


def _env(name: str, key: str, *, optional: bool = False) -> dict[str, Any]:
    ref = {"name": name, "key": key} | ({"optional": True} if optional else {})
    return {"name": f"{name}-{key}".upper().replace("-", "_"), "valueFrom": {"secretKeyRef": ref}}


def _pods(*env: dict[str, Any]) -> dict[str, Any]:
    container = {"name": "shop", "image": "registry.example/shop:1.0", "env": list(env)}
    return {"spec": {"containers": [container]}}


def _deployment() -> dict[str, Any]:
    pods = _pods(
        _env("shop-db", "password"),
        _env("shop-postgres-app", "uri"),
        _env("shop-smtp", "username"),
        _env("shop-smtp", "password"),
        _env("shop-flags", "sdk-key", optional=True),
        _env("shop-registry", "token"),
    )
    spec = {"selector": {"matchLabels": {"app": "shop"}}, "template": pods}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": spec,
    }


def _cluster() -> dict[str, Any]:
    metadata = {"name": "shop-postgres"}
    spec = {"instances": 1, "bootstrap": {"initdb": {"database": "shop", "owner": "shop"}}}
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": metadata,
        "spec": spec,
    }


def _ingress() -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop"},
        "spec": {"tls": [{"hosts": ["shop.example"], "secretName": "shop-tls"}]},
    }


def _job() -> dict[str, Any]:
    spec = {"template": _pods(_env("shop-backup", "key"), _env("shop-db", "url"))}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "backup"}, "spec": spec}
