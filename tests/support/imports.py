"""What people have before they have krmfn, and what a build makes of it once it is imported."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support import repository as repo
from tests.support.command import krmfn

KUBECTL = Path(sys.executable).parent / "kubectl"
CANARY = "canary-7f3a"

EXTERNAL = """\
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata:
  name: main
spec:
  provider:
    vault:
      server: https://vault.example.com:8200
      path: secret
      version: v2
      auth:
        appRole:
          path: approle
          roleId: 4b9d2c1e
          secretRef: {name: vault-approle, namespace: external-secrets, key: secret-id}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: checkout
  namespace: production
  labels: {app.kubernetes.io/name: checkout}
  annotations: {argocd.argoproj.io/sync-wave: "-1"}
spec:
  refreshInterval: 1h0m0s
  secretStoreRef: {kind: ClusterSecretStore, name: main}
  target:
    name: checkout-db
    creationPolicy: Owner
    deletionPolicy: Retain
    template:
      engineVersion: v2
      mergePolicy: Merge
      type: Opaque
      metadata:
        labels: {app: checkout}
      data:
        DATABASE_URL: postgres://{{ .username | urlquery }}:{{ .password | urlquery }}@db:5432/checkout
        app.ini: |
          [db]
          user = {{ .username }}
          password = {{ .password | quote }}
  data:
  - secretKey: username
    remoteRef:
      conversionStrategy: Default
      decodingStrategy: None
      metadataPolicy: None
      key: secret/data/import/db
      property: username
  - secretKey: password
    remoteRef: {key: import/db, property: password, version: "1"}
  - secretKey: ca.crt
    remoteRef: {key: import/tls, property: 'ca\\.crt', decodingStrategy: Base64}
  - secretKey: all.json
    remoteRef: {key: import/tls}
---
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata:
  name: mail
  namespace: production
spec:
  secretStoreRef: {name: main, kind: ClusterSecretStore}
  dataFrom:
  - extract: {key: import/mail}
"""

AVP = """\
apiVersion: v1
kind: Secret
metadata:
  name: checkout
  namespace: production
  labels: {app: checkout}
  annotations:
    avp.kubernetes.io/path: secret/data/import/db
    avp.kubernetes.io/kv-version: "2"
    note: kept
type: Opaque
stringData:
  DB_USER: <username>
  DB_PASSWORD: <password>
  DATABASE_URL: postgres://<username>:<password>@db:5432/checkout?opt={{x}}
  FIRST_PASSWORD: <path:secret/data/import/db#password#1>
  digest: <password | sha256sum>
  region: <path:secret/data/import/nested#options | jsonPath {.region.name}>
data:
  ca.crt: <path:secret/data/import/tls#ca.crt>
  api-key: <password | base64encode>
  wrapped: cHJlZml4LTxwYXRoOnNlY3JldC9kYXRhL2ltcG9ydC9kYiN1c2VybmFtZT4=
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: production}
spec: {replicas: 1}
---
apiVersion: v1
kind: Secret
metadata:
  name: smtp
  namespace: production
  annotations: {avp.kubernetes.io/path: secret/data/import/mail}
stringData:
  url: smtp://<user>:<pass>@mail:25
"""

# What the two above mean when the vault holds this; the newest version last.
STORED: list[tuple[str, dict[str, Any]]] = [
    ("import/db", {"username": "app", "password": f"{CANARY}-old"}),
    ("import/db", {"username": "app", "password": f'{CANARY}"new'}),
    ("import/tls", {"ca.crt": base64.b64encode(b"\xff\x00ca").decode()}),
    ("import/mail", {"user": "m", "pass": f"{CANARY}-mail"}),
    ("import/nested", {"options": {"region": {"name": "eu-central-1"}}}),
]


def config(file: Path, **stores: Any) -> Path:
    """A transformer's configuration with these stores beside ``main``."""
    value = repo.transformer("")
    value["spec"]["stores"] = {**repo.STORES, **stores}
    return repo.write(file, value)


def built(root: Path, text: str, form: str, environ: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Imported files in a kustomization, built by `krmfn build` and opened: Secrets by name."""
    (root / ".git").mkdir(parents=True)
    (root / "imported.yaml").write_text(text)
    (root / "certs").mkdir()
    (root / "certs/c.pem").write_text(repo.PEM)
    marker = {"apiVersion": "builtin", "kind": "PatchTransformer", "metadata": {"name": "m"}}
    repo.write(root / "marker.yaml", marker | {"patch": repo.MARKER})
    if form == "claims":
        config(root / "krmfn.yaml")
        kustomization = {
            "resources": ["imported.yaml"],
            "transformers": ["krmfn.yaml", "marker.yaml"],
        }
    else:
        kustomization = {"generators": ["imported.yaml"], "patches": [{"patch": repo.MARKER}]}
    repo.write(root / "kustomization.yaml", kustomization)
    made = krmfn("build", root, KRMFN_KUSTOMIZE=str(KUBECTL), **environ)
    assert made.returncode == 0, made.stderr
    opened = krmfn("unseal", "--key", repo.KEY, stdin=made.stdout)
    assert opened.returncode == 0, opened.stderr
    return {s["metadata"]["name"]: s for s in yaml.safe_load_all(opened.stdout)}


def data(secret: dict[str, Any]) -> dict[str, bytes]:
    """A Secret's values."""
    found = {k: base64.b64decode(v) for k, v in (secret.get("data") or {}).items()}
    return found | {k: v.encode() for k, v in (secret.get("stringData") or {}).items()}


def kustomized(directory: Path) -> list[dict[str, Any]]:
    """The Secrets that a real kustomize makes, in the order of their names."""
    done = subprocess.run(
        [KUBECTL, "kustomize", "-o", "/dev/stdout", directory],
        text=True,
        capture_output=True,
        check=True,
    )
    found = [d for d in yaml.safe_load_all(done.stdout) if d["kind"] == "Secret"]
    return sorted(found, key=lambda secret: str(secret["metadata"]["name"]))


def canonical(value: Any) -> str:
    """For comparing."""
    return json.dumps(value, sort_keys=True)
