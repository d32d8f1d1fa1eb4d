"""A small repository of one application, in the layouts that people have."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
PEM = (ROOT / "examples/logto/overlays/prod/certs/production.pem").read_text()
KEY = ROOT / "examples/logto/demo-controller.key"
API = "krmfn.dev/v1alpha1"
VALUE = "s3cr3t-value-0123456789"
DERIVATION_KEY = "6b1f0a7c94d2e8350f1b6d2c7a8e9f40316275a4b3c2d1e0f9e8d7c6b5a49382"
EXEC = "exec: {path: krmfn}"
MARKER = (
    "{apiVersion: v1, kind: ConfigMap, $patch: delete, "
    "metadata: {name: krmfn-was-skipped-add---enable-exec}}"
)
DATA = [{"secretKey": "password", "remoteRef": {"key": "build/db", "property": "password"}}]
LABELS = {"team": "a"}
SEALING = {
    "certificate": {"file": "certs/c.pem"},
    "derivationKey": {"store": "main", "key": "krmfn/derivation", "property": "key"},
}
STORES = {"main": {"vault": {"path": "secret", "id": "platform"}}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "shop",
                        "image": "shop",
                        "envFrom": [{"secretRef": {"name": "db"}}],
                    }
                ]
            }
        }
    },
}


def seed(bao: OpenBao) -> None:
    """The values that every build here reads, each as its secret's only version."""
    bao.renew("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    bao.renew("secret", "build/db", {"password": VALUE})


def write(file: Path, *documents: Any) -> Path:
    """Documents as JSON, one behind the other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("---\n".join(json.dumps(d, indent=1) + "\n" for d in documents))
    return file


def config(kind: str, spec: dict[str, Any], annotation: str = EXEC) -> dict[str, Any]:
    """A function's configuration."""
    annotations = {"config.kubernetes.io/function": annotation} if annotation else {}
    metadata = {"name": "shop", "annotations": annotations}
    value = {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}
    return copy.deepcopy(value)  # tests change what they get


def claim() -> dict[str, Any]:
    """A claim for the database's password."""
    metadata = {"name": "db", "labels": dict(LABELS)}
    return {
        "apiVersion": API,
        "kind": "SecretClaim",
        "metadata": metadata,
        "spec": {"store": "main", "data": copy.deepcopy(DATA)},
    }


def transformer(annotation: str = EXEC) -> dict[str, Any]:
    """The transformer of an overlay."""
    return config("SealedSecretTransformer", {"sealing": SEALING, "stores": STORES}, annotation)


def generator(annotation: str = EXEC) -> dict[str, Any]:
    """A generator of the same Secret."""
    secret = {"name": "db", "metadata": {"labels": LABELS}, "store": "main", "data": DATA}
    spec = {"sealing": SEALING, "stores": STORES, "secrets": [secret]}
    return config("SealedSecretGenerator", spec, annotation)


def repository(root: Path, route: str = "transformer", annotation: str = EXEC) -> Path:
    """Base and production overlay below ``root``; returns the overlay.

    Args:
        route: ``transformer``, ``generator``, or ``claims`` for claims without an entry of ours.
    """
    (root / ".git").mkdir(parents=True)
    base, overlay = root / "base", root / "overlays/production"
    write(base / "deployment.yaml", DEPLOYMENT)
    write(base / "claims.yaml", claim())
    resources = ["deployment.yaml"] + ([] if route == "generator" else ["claims.yaml"])
    write(base / "kustomization.yaml", {"resources": resources})
    kustomization: dict[str, Any] = {"resources": ["../../base"], "namespace": "production"}
    if route != "claims":
        spec = {"certificate": {"file": "certs/c.pem"}}
        write(overlay / "validator.yaml", config("SealedSecretValidator", spec, annotation))
        kustomization |= {"validators": ["validator.yaml"]}
    if route == "generator":
        write(overlay / "krmfn.yaml", generator(annotation))
        kustomization |= {"generators": ["krmfn.yaml"], "patches": [{"patch": MARKER}]}
    elif route == "transformer":
        marker = {
            "apiVersion": "builtin",
            "kind": "PatchTransformer",
            "metadata": {"name": "marker"},
            "patch": MARKER,
        }
        write(overlay / "krmfn.yaml", transformer(annotation))
        write(overlay / "marker.yaml", marker)
        kustomization |= {"transformers": ["krmfn.yaml", "marker.yaml"]}
    (overlay / "certs").mkdir(parents=True)
    (overlay / "certs/c.pem").write_text(PEM)
    write(overlay / "kustomization.yaml", kustomization)
    return overlay


def change(directory: Path, **fields: Any) -> None:
    """Set fields of a kustomization; None takes one out."""
    file = directory / "kustomization.yaml"
    value = json.loads(file.read_text()) | fields
    write(file, {name: each for name, each in value.items() if each is not None})


def hash_names(root: Path, route: str) -> None:
    """Ask for names by content; with the transformer for a checksum and a prefix too."""
    overlay = root / "overlays/production"
    if route == "generator":
        value = generator()
        value["spec"]["secrets"][0]["nameSuffixHash"] = True
        write(overlay / "krmfn.yaml", value)
    else:
        value = claim()
        value["spec"] |= {"nameSuffixHash": True, "checksumAnnotation": True}
        write(root / "base/claims.yaml", value)
        change(overlay, namePrefix="eu-")
