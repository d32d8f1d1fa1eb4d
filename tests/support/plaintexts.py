"""A repository in which a value stands wherever people leave one, and a vault that holds it too."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import apiserver, environments
from tests.support import repository as repo
from tests.support.function import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.support.openbao import OpenBao

KUBECTL = Path(sys.executable).parent / "kubectl"
CONTROLLER = "/api/v1/namespaces/kube-system/services"
SERVICE = f"{CONTROLLER}/sealed-secrets-controller"

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: old}
spec:
  selector: {matchLabels: {app: old}}
  template:
    spec:
      containers:
      - name: old
        env:
        - name: PASSWORD
          valueFrom: {secretKeyRef: {name: legacy, key: password}}
        envFrom:
        - secretRef: {name: generated}
        - secretRef: {name: nobodys}
"""
CLAIM = """\
apiVersion: krmfn.dev/v1alpha1
kind: SecretClaim
metadata: {name: pinned}
spec:
  store: main
  data:
  - {secretKey: password, remoteRef: {key: shop/mail, property: password, version: 1}}
---
{apiVersion: v1, kind: Secret, metadata: {name: beside}, stringData: {password: VALUE}}
"""
EXTERNAL = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: mail, namespace: production}
spec:
  secretStoreRef: {name: main}
  dataFrom: [{extract: {key: shop/mail}}]
---
apiVersion: v1
kind: Secret
metadata: {name: beside, namespace: production}
stringData: {password: VALUE}
"""
AVP = """\
apiVersion: v1
kind: Secret
metadata: {name: mail, namespace: production}
stringData:
  password: <path:secret/data/shop/mail#password>
"""


@contextlib.contextmanager
def project(
    folders: pytest.TempPathFactory, bao: OpenBao, value: str, derivation_key: str
) -> Iterator[Project]:
    """The repository with production's build in rendered/, an age store, and a cluster."""
    directory = folders.mktemp("made")
    seed(bao, value, derivation_key)
    repository(directory, value)
    with apiserver.running(folders.mktemp("cluster")) as api:
        environ = {**bao.environ, **api.environ, "KRMFN_KUSTOMIZE": str(KUBECTL)}
        found = Project(directory, environ)
        found.write({"app": {"text": value, "list": [value]}})
        build = ("build", "overlays/production", "--output", "rendered")
        assert found.run(None, *build, stdin=b"").returncode == 0
        _deploy(api, value)
        yield found


def _deploy(api: apiserver.ApiServer, value: str) -> None:
    """A controller whose message quotes the value, and a Service that gives it for a certificate."""
    api.objects = {f"{CONTROLLER}/value": {"spec": {"ports": [{"name": "http"}]}}}
    api.objects[SERVICE] = api.objects[f"{CONTROLLER}/value"]
    for name, content in (("sealed-secrets-controller", repo.PEM), ("value", value)):
        api.objects[f"{CONTROLLER}/http:{name}:http/proxy/v1/cert.pem"] = content
    condition = {"type": "Synced", "status": "False", "message": f"template: x: {value}"}
    metadata = {"name": "shop-smtp", "namespace": "production", "generation": 1}
    place = "/apis/bitnami.com/v1alpha1/namespaces/production/sealedsecrets"
    api.objects[f"{place}/shop-smtp"] = {
        "metadata": metadata,
        "status": {"observedGeneration": 1, "conditions": [condition]},
    }
    api.deploy({"metadata": metadata, "spec": {"encryptedData": {"password": value}}})


def seed(bao: OpenBao, value: str, derivation_key: str) -> None:
    """Every path that the overlays read holds the value, each with two versions."""
    bao.renew("secret", "krmfn/derivation", {"key": derivation_key})
    fields = {"shop/registry": ("token",), "shop/mail": ("username", "password")}
    fields |= {f"shop/{name}/db": ("password", "url") for name in environments.OWN}
    for path, names in fields.items():
        old, new = (dict.fromkeys(names, f"{value}{end}") for end in ("", "-new"))
        bao.renew("secret", path, old, new)
    bao.renew("secret", "shop/list", {"password": [value]})
    bao.renew("secret", "production/legacy", {"password": value})
    for path in ("fresh/legacy", "fresh/generated", "new/legacy"):  # an import writes these
        bao.renew("secret", path)


def repository(root: Path, value: str) -> None:
    """Three environments, and beside them files and kustomizations that hold the value in clear."""
    environments.repository(root)
    quoted, encoded = json.dumps(value), base64.b64encode(value.encode()).decode()
    dev, mail = root / "overlays/dev/own.yaml", base64.b64encode(environments.MAIL.encode())
    dev.write_text(dev.read_text().replace(mail.decode(), encoded))
    secret = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: legacy}\n"
        f"stringData:\n  password: {quoted}\ndata:\n  token: {encoded}\n"
    )
    generated = "secretGenerator:\n- name: generated\n  envs: [.env]\n  literals:\n"
    generated += f"  - {json.dumps(f'a={value}')}\n"
    files = {
        "in/secret.yaml": secret,
        "in/stream.yaml": f"{secret}---\n{DEPLOYMENT}",
        "in/claims.yaml": CLAIM.replace("VALUE", quoted).replace(
            "pinned", "pinned, namespace: dev"
        ),
        "in/external.yaml": EXTERNAL.replace("VALUE", quoted),
        "in/avp.yaml": AVP,
        "in/avp-literal.yaml": AVP + f"  token: {quoted}\n",
        "in/avp-broken.yaml": AVP + f"  token: '<path:secret/data/x#y | nope>{value}'\n",
        "in/broken.yaml": secret + f"  more: x: {value}\n",
        "in/anchor.yaml": secret + f"  more: *{value[-20:]}\n",
        "in/broken.json": f'{{"kind": "Secret", "stringData": {{"password": {quoted}',
        "in/shape.yaml": secret.replace("data:\n", f"data: [{quoted}]\nmore:\n"),
        "in/value.txt": value,
        "in/not-sealed.yaml": json.dumps(_sealed({"password": value})),
        "in/sealed-shape.yaml": json.dumps(_sealed([value])),
        "in/template.yaml": json.dumps(_sealed({"password": "AgBy"}, value)),
        "in/other.yaml": json.dumps(_sealed({"password": "AgBz"}, f"{value}-new")),
        "in/object.json": json.dumps({"password": value, "more": [value]}),
        "in/wrong.yaml": json.dumps(_wrong(value)),
        "plain/kustomization.yaml": f"resources: [secret.yaml, deployment.yaml]\n{generated}",
        "plain/secret.yaml": secret,
        "plain/deployment.yaml": DEPLOYMENT,
        "plain/.env": f"B={value}\n",
        "fresh/kustomization.yaml": f"namespace: fresh\nresources:\n- app.yaml\n{generated}",
        "fresh/app.yaml": DEPLOYMENT,
        "fresh/.env": f"B={value}\n",
        "literal/kustomization.yaml": generated.replace("a=", ""),
        "literal/.env": f"B={value}\n",
        "patch/kustomization.yaml": "resources: [../plain]\npatches:\n- patch: |\n    "
        f"{{kind: Secret, stringData: {{password: {quoted}}}\n",
        "inline/kustomization.yaml": "resources: [../plain]\npatchesStrategicMerge:\n- |-\n  "
        f"{{kind: Secret, stringData: {{password: {quoted}}}}}\n",
        "malformed/kustomization.yaml": f"secretGenerator:\n- name: a\n  literals: [a: b: {value}\n",
        "installed/platform.yaml": value,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    (root / "bytes").mkdir()
    (root / "bytes/kustomization.yaml").write_text("secretGenerator: [{name: a, envs: [.env]}]\n")
    (root / "bytes/.env").write_bytes(f"B={value}".encode() + b"\xff\n")
    _overlay(root / "pinned", CLAIM.replace("VALUE", quoted), spec={"plainSecrets": "allow"})
    _overlay(root / "refused", secret)
    listed = CLAIM.partition("---")[0].replace("shop/mail", "shop/list")
    _overlay(root / "listed", listed)


def _overlay(directory: Path, text: str, *, spec: dict[str, Any] | None = None) -> None:
    """An overlay with everything of krmfn's, and one file of resources."""
    shutil.copytree(directory.parent / "overlays/staging", directory)
    repo.write(directory / "validator.yaml", repo.config("SealedSecretValidator", spec or {}))
    (directory / "own.yaml").write_text(text)
    repo.change(directory, resources=["own.yaml"], namePrefix=None, namespace="production")


def _sealed(encrypted: Any, template: str = "") -> dict[str, Any]:
    """A SealedSecret that is none, or whose template holds a value in clear."""
    data = {"template": {"data": {"x": template}}} if template else {}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": "legacy", "namespace": "production"},
        "spec": {"encryptedData": encrypted, **data},
    }


def _wrong(value: str) -> dict[str, Any]:
    """A transformer with the value in place of what belongs there."""
    found = repo.transformer("")
    found["spec"]["stores"] = {"main": {"vault": {"path": [value], "auth": {"tokenRef": value}}}}
    found["spec"]["sealing"]["epoch"] = {"value": value}
    return found
