"""Ten trees in the layout of version 0.1: what each overlay wrote for itself."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AGE = Path(__file__).parent / "examples/age"
VERSION = "krmfn.dev/v1alpha1"
SEALING = {
    "certificate": {"file": "production.pem"},
    "derivationKey": {"store": "main", "key": "krmfn/derivation", "property": "key"},
}
STORES = {"main": {"age": {"file": "secrets.age", "identityRef": {"file": "identity.txt"}}}}
MARKER = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "krmfn-was-skipped-add---enable-exec"},
    "$patch": "delete",
}
DATA = [{"secretKey": "password", "remoteRef": {"key": "app/db", "property": "password"}}]


@dataclass(frozen=True)
class Tree:
    """A tree.

    Attributes:
        files: path to value.
        top: the overlay.
        error: the id by which it is refused by now; empty if it builds the bytes of 0.1.
        said: what the error names.
    """

    id: str
    files: dict[str, Any]
    top: str = "overlay"
    error: str = ""
    said: str = ""

    def write(self, root: Path) -> Path:
        """Write the tree, and return the overlay."""
        (root / ".git").mkdir(parents=True)
        for name, value in self.files.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(value, indent=2) + "\n")
        for place in {(root / name).parent for name in self.files}:
            shutil.copy(AGE / "certs/production.pem", place / "production.pem")
            shutil.copy(AGE / "secrets.age", place / "secrets.age")
            shutil.copy(AGE / "demo-identity.txt", place / "identity.txt")
        return root / self.top


def config(kind: str, **spec: Any) -> dict[str, Any]:
    """A configuration of the overlay's own."""
    return {"apiVersion": VERSION, "kind": kind, "metadata": {"name": "app"}, "spec": spec}


def claim(name: str = "app-db", **more: Any) -> dict[str, Any]:
    """A claim with its data written out, and its store."""
    spec = {"store": "main", "data": DATA} | more
    return {"apiVersion": VERSION, "kind": "SecretClaim", "metadata": {"name": name}, "spec": spec}


def deployment(secret: str = "app-db") -> dict[str, Any]:
    """A workload."""
    labels = {"app": "app"}
    container = {"name": "app", "image": "app", "envFrom": [{"secretRef": {"name": secret}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def base(*claims: dict[str, Any]) -> dict[str, Any]:
    """A base: the workload, and its claims beside it."""
    names = ["deployment.json", *(f"claim-{n}.json" for n in range(len(claims)))]
    return {
        "base/kustomization.yaml": {"resources": names},
        "base/deployment.json": deployment(),
        **{f"base/claim-{n}.json": one for n, one in enumerate(claims)},
    }


PATCH = {
    "apiVersion": "builtin",
    "kind": "PatchTransformer",
    "metadata": {"name": "skip-marker"},
    "patch": json.dumps(MARKER),
}
TRANSFORMER = {
    "overlay/krmfn.yaml": config("SealedSecretTransformer", sealing=SEALING, stores=STORES),
    "overlay/skip-marker.yaml": PATCH,
    "overlay/validator.yaml": config("SealedSecretValidator", certificate=SEALING["certificate"]),
}
LISTS = {"transformers": ["krmfn.yaml", "skip-marker.yaml"], "validators": ["validator.yaml"]}


def overlay(**more: Any) -> dict[str, Any]:
    """The overlay with everything of its own."""
    value = {"namespace": "production", "resources": ["../base"], **LISTS, **more}
    return {**TRANSFORMER, "overlay/kustomization.yaml": value}


def generator(directory: str, namespace: str | None, *, sealing: Any = SEALING, **more: Any) -> Any:
    """A kustomization with a generator."""
    secrets = [{"name": "app-db", "store": "main", "data": DATA}]
    value = config("SealedSecretGenerator", sealing=sealing, stores=STORES, secrets=secrets)
    own = {"namespace": namespace} if namespace else {}
    lists = {"generators": ["krmfn.yaml"], "patches": [{"patch": json.dumps(MARKER)}]}
    return {
        f"{directory}/krmfn.yaml": value,
        f"{directory}/deployment.json": deployment(),
        f"{directory}/kustomization.yaml": {
            **own,
            "resources": ["deployment.json"],
            **lists,
            **more,
        },
    }


SHARED = {
    "sealing/kustomization.yaml": {"resources": ["krmfn.yaml", "skip-marker.yaml"]},
    "sealing/krmfn.yaml": TRANSFORMER["overlay/krmfn.yaml"],
    "sealing/skip-marker.yaml": PATCH,
}
COMPONENT = {
    "component/kustomization.yaml": {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "transformers": ["krmfn.yaml", "skip-marker.yaml"],
    },
    "component/krmfn.yaml": TRANSFORMER["overlay/krmfn.yaml"],
    "component/skip-marker.yaml": PATCH,
    "middle/kustomization.yaml": {"resources": ["../base"], "components": ["../component"]},
    "overlay/kustomization.yaml": {"namespace": "production", "resources": ["../middle"]},
}
TREES = (
    Tree("transformer", {**base(claim()), **overlay()}),
    Tree("names", {**base(claim()), **overlay(namePrefix="a-", nameSuffix="-b")}),
    Tree("generator", generator("overlay", "production")),
    Tree(
        "template",
        {
            **base(
                claim(
                    template={"type": "Opaque", "data": {"url": "db://{{ .password | urlquery }}"}}
                )
            ),
            **overlay(),
        },
    ),
    Tree(
        "shared-folder",
        {
            **base(claim(scope="strict")),
            **SHARED,
            "overlay/kustomization.yaml": {
                "namespace": "production",
                "resources": ["../base"],
                "transformers": ["../sealing"],
            },
        },
    ),
    Tree(
        "patched-claim",
        {
            **base(claim(data=[{"secretKey": "password", "value": "x"}])),
            **overlay(patches=[{"patch": json.dumps(claim())}]),
        },
    ),
    Tree("hash", {**base(claim(nameSuffixHash=True)), **overlay()}),
    Tree(
        "transformer-in-a-component",
        {**base(claim()), **COMPONENT},
        error="namespace-missing",
        said="component/kustomization.yaml",
    ),
    Tree(
        "generator-beside-a-prefix",
        generator("overlay", "production", namePrefix="a-"),
        error="name-changes",
        said="krmfn.yaml",
    ),
    Tree(
        "generator-in-a-base",
        {
            **generator("base", None),
            "overlay/kustomization.yaml": {"namespace": "production", "resources": ["../base"]},
        },
        error="namespace-missing",
        said="base/kustomization.yaml",
    ),
)
