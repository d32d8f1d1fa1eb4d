"""What Argo CD is installed with: it builds, it is valid, and what it grants is enough and no more."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
import urllib.error
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support import argocd_example
from tests.support import repository as repo
from tests.support.cmp_host import Application, Host, tarball
from tests.support.command import krmfn
from tests.support.platform import policy

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
INSTALL = ROOT / "krmfn/argocd/install"
KUBECTL = Path(sys.executable).parent / "kubectl"
OURS = "krmfn-repo-server-egress"


@pytest.fixture(scope="module")
def built() -> list[dict[str, Any]]:
    """The example, by kustomize."""
    return argocd_example.built()


def one(built: list[dict[str, Any]], kind: str, name: str = "") -> Any:
    (found,) = (
        each for each in built if each["kind"] == kind and name in ("", each["metadata"]["name"])
    )
    return found


def unknown(value: Any, model: str, path: str) -> list[str]:
    """Fields of a value that Kubernetes' model does not have, and values of another type."""
    from kubernetes.client import models

    if model in ("str", "int", "bool", "float", "object"):
        kinds = {"str": str, "int": int, "bool": bool, "float": float, "object": object}
        return [] if type(value) is kinds[model] or model == "object" else [f"{path}: no {model}"]
    if match := re.fullmatch(r"([Ll]ist|[Dd]ict)(?:\[|\()(?:str, )?(\w+)(?:\]|\))", model):
        pairs = enumerate(value) if match[1].lower() == "list" else value.items()
        return [e for key, each in pairs for e in unknown(each, match[2], f"{path}.{key}")]
    class_ = getattr(models, model)
    names = {json_name: name for name, json_name in class_.attribute_map.items()}
    errors = []
    for key, each in value.items():
        if key not in names:
            errors.append(f"{path}: no field {key}")
        else:
            errors += unknown(each, class_.openapi_types[names[key]], f"{path}.{key}")
    return errors


KINDS = {
    "ClusterRole": "V1ClusterRole",
    "ClusterRoleBinding": "V1ClusterRoleBinding",
    "ConfigMap": "V1ConfigMap",
    "CronJob": "V1CronJob",
    "Deployment": "V1Deployment",
    "NetworkPolicy": "V1NetworkPolicy",
    "Role": "V1Role",
    "RoleBinding": "V1RoleBinding",
    "ServiceAccount": "V1ServiceAccount",
}


def test_every_field_is_one_of_kubernetes(built: list[dict[str, Any]]) -> None:
    """Strict: by the models of its own client, so that a misspelt field is found without a cluster."""
    kinds = {each["kind"] for each in built}
    assert kinds == KINDS.keys() | {"Application"}
    for each in built:
        if each["kind"] in KINDS:
            assert unknown(each, KINDS[each["kind"]], each["kind"]) == []
    wrong = {"metadata": {"nme": "x"}, "spec": {"replicas": "1"}}
    assert unknown(wrong, "V1Deployment", "D") == [
        "D.metadata: no field nme",
        "D.spec.replicas: no int",
    ]


def test_the_sidecar(built: list[dict[str, Any]]) -> None:
    """Argo CD's user, nothing to write but its own /tmp, the policy, a token for the vault alone."""
    pod = one(built, "Deployment")["spec"]["template"]["spec"]
    (sidecar,) = (c for c in pod["containers"] if c["name"] == "krmfn")
    assert set(sidecar["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    security = sidecar["securityContext"]
    assert (security["runAsUser"], security["readOnlyRootFilesystem"]) == (999, True)
    mounts = {m["mountPath"]: m["name"] for m in sidecar["volumeMounts"]}
    assert mounts["/tmp"] == "krmfn-tmp"
    (server,) = (c for c in pod["containers"] if c["name"] == "argocd-repo-server")
    shared = set(mounts.values()) & {m["name"] for m in server["volumeMounts"]}
    assert shared == {"var-files", "plugins"}
    assert pod["automountServiceAccountToken"] is False
    volumes = {v["name"]: v for v in pod["volumes"]}
    assert set(mounts.values()) <= set(volumes)
    (source,) = volumes["krmfn-vault-token"]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "vault"
    named = volumes["krmfn-platform"]["configMap"]["name"]
    assert named == one(built, "ConfigMap")["metadata"]["name"] != "krmfn-platform"
    environ = {e["name"]: e["value"] for e in sidecar["env"]}
    assert float(environ["KRMFN_DEADLINE"]) < 60
    assert environ["KRMFN_CONFIG"] == f"/etc/krmfn/{INSTALL.joinpath('platform.yaml').name}"


def test_every_image_is_named_by_digest(built: list[dict[str, Any]]) -> None:
    """Of what is installed here; Argo CD's own release names its image itself."""
    pods = [o["spec"]["template"]["spec"] for o in built if o["kind"] == "Deployment"]
    pods += [job(built)]
    images = {c["image"] for p in pods for c in (*p.get("initContainers", []), *p["containers"])}
    assert all("@sha256:" in image for image in images - {"argocd"})
    assert len(images) == 4


def job(built: list[dict[str, Any]]) -> Any:
    """The drift job's pod."""
    return one(built, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_the_drift_job(built: list[dict[str, Any]]) -> None:
    """What handles the repository has no token for the Kubernetes API, and every container limits."""
    pod = job(built)
    assert pod["automountServiceAccountToken"] is False
    for container in (*pod["initContainers"], *pod["containers"]):
        mounts = {m["name"] for m in container["volumeMounts"]}
        assert not {"work", "kubernetes-api"} <= mounts, container["name"]
        assert ("kubernetes-api" in mounts) == (
            container["image"].startswith("registry.example/kubectl")
        )
        assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_egress_is_named(built: list[dict[str, Any]]) -> None:
    """Both pods reach what is named and nothing else."""
    policies = [o["spec"] for o in built if o["kind"] == "NetworkPolicy"]
    labels = one(built, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    labels = [labels, one(built, "Deployment")["spec"]["template"]["metadata"]["labels"]]
    selected = [each["podSelector"]["matchLabels"] for each in policies]
    assert all(any(one.items() <= each.items() for one in selected) for each in labels)
    for each in policies:
        assert "Egress" in each["policyTypes"]
        for rule in each["egress"]:
            assert rule["to"]
            assert rule["ports"]
            assert "0.0.0.0/0" not in json.dumps(rule)


def test_the_application_names_the_plugin(built: list[dict[str, Any]]) -> None:
    """By the name in plugin.yaml; the refresher may touch it and no other."""
    application = one(built, "Application")
    plugin = yaml.safe_load((INSTALL.parent / "plugin.yaml").read_text())
    assert application["spec"]["source"]["plugin"] == {"name": plugin["metadata"]["name"]}
    (rule,) = one(built, "Role")["rules"]
    assert rule["resourceNames"] == [application["metadata"]["name"]]
    (rule,) = one(built, "ClusterRole")["rules"]
    assert (rule["resources"], rule["verbs"]) == (["sealedsecrets"], ["get", "list"])


def test_install(tmp_path: Path) -> None:
    """Printed, or written once; a file that was changed is not overwritten, and nothing else then."""
    names = sorted(file.name for file in INSTALL.glob("*.yaml"))
    printed = krmfn("install", "argocd")
    assert printed.returncode == 0
    assert len(list(yaml.safe_load_all(printed.stdout))) == len(names)
    done = krmfn("install", "argocd", "--output", tmp_path / "a")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == names
    assert krmfn("install", "argocd", "--output", tmp_path / "a").returncode == 0
    (tmp_path / "a/platform.yaml").write_text("mine: true\n")
    (tmp_path / "a/kustomization.yaml").unlink()
    done = krmfn("install", "argocd", "--output", tmp_path / "a")
    assert (done.returncode, done.stdout) == (5, "")
    assert "platform.yaml is there and differs" in done.stderr
    assert not (tmp_path / "a/kustomization.yaml").exists()


def token(key: rsa.RSAPrivateKey, **claims: Any) -> str:
    """A service account's token as a cluster signs it."""

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    account = "system:serviceaccount:argocd:argocd-repo-server"
    now = int(time.time())
    body = {
        "sub": account,
        "aud": ["vault"],
        "iat": now,
        "nbf": now - 5,
        "exp": now + 600,
        **claims,
    }
    signed = part(b'{"alg":"RS256","typ":"JWT"}') + b"." + part(json.dumps(body).encode())
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return (signed + b"." + part(signature)).decode()


def test_the_vaults_side(openbao: OpenBao, tmp_path: Path, installed: dict[str, str]) -> None:
    """As the script sets it up, the projected token is enough for a build, and for nothing else."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for _ in range(2):
        argocd_example.set_up(openbao, key.public_key(), tmp_path)
    repo.seed(openbao)
    openbao.write("secret", "shop/production/db", {"password": repo.VALUE})
    overlay = repo.repository(tmp_path / "shop")
    file = tmp_path / "token"
    transformer, claim = repo.transformer(), repo.claim()
    login = {"path": "jwt", "role": "krmfn-argocd", "secretRef": {"file": str(file)}}
    transformer["spec"]["stores"] = {"main": {"platform": True}}
    stores = {"main": {"vault": {"path": "secret", "id": "platform", "auth": {"jwt": login}}}}
    rule = {"reads": [{"store": "main", "paths": ["shop/production/*"]}]}
    where = {"key": "shop/production/db", "property": "password"}
    claim["spec"]["data"] = [{"secretKey": "password", "remoteRef": where}]
    repo.write(overlay / "krmfn.yaml", transformer)
    repo.write(tmp_path / "shop/base/claims.yaml", claim)
    sidecar = {
        "PATH": installed["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp"),
        "KRMFN_KUSTOMIZE": str(KUBECTL), "VAULT_ADDR": openbao.address,
        **policy(tmp_path / "platform", stores=stores, rule=rule),
    }  # fmt: skip
    (tmp_path / "tmp").mkdir()

    def build(text: str) -> str:
        file.write_text(text)
        host = Host(INSTALL.parent / "plugin.yaml", sidecar)
        reply = host.call(
            "generate", tarball(tmp_path / "shop"), Application("overlays/production")
        )
        assert text not in repr(reply)
        return reply.error

    assert build(token(key)) == ""
    assert "[login-failed]" in build(token(key, sub="system:serviceaccount:argocd:default"))
    assert "[login-failed]" in build(token(key, aud=["kubernetes"]))
    body = {"role": "krmfn-argocd", "jwt": token(key)}
    client = openbao.request("POST", "auth/jwt/login", body)["auth"]["client_token"]
    allowed = {"X-Vault-Token": client}
    assert openbao.request("GET", "secret/data/shop/production/db", **allowed)
    for path in ("secret/data/build/db", "secret/metadata/shop?list=true", "sys/auth"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            openbao.request("GET", path, **allowed)
        refused.value.close()
        assert refused.value.code == 403


@pytest.mark.parametrize(
    ("code", "refreshed", "result"), [(0, False, 0), (1, True, 0), (3, False, 3)]
)
def test_the_refresher(
    built: list[dict[str, Any]], tmp_path: Path, code: int, refreshed: bool, result: int
) -> None:
    """Drift stamps the Application; no drift does nothing; a failure is the job's and stamps nothing."""
    pod = one(built, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    scripts = {
        c["name"]: c["args"][0] for c in (*pod["initContainers"], *pod["containers"]) if "args" in c
    }
    bin_, work = tmp_path / "bin", tmp_path / "work"
    for place in (bin_, work / "shop"):
        place.mkdir(parents=True)
    asked = tmp_path / "asked"
    for name, exit_code in (("krmfn", code), ("kubectl", 0)):
        (bin_ / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {asked}\nexit {exit_code}\n')
        (bin_ / name).chmod(0o755)
    environ = {"PATH": f"{bin_}:/usr/bin:/bin"}

    def step(name: str) -> int:
        text = scripts[name].replace("/checkout", str(work)).replace("/verdict", str(work))
        return subprocess.run(["sh", "-c", text], env=environ, check=False).returncode

    assert step("compare") == result
    if result == 0:
        assert step("refresh") == 0
    calls = asked.read_text().splitlines()
    assert calls[0].startswith("krmfn drift ")
    stamp = (
        "kubectl annotate --namespace=argocd --overwrite applications.argoproj.io/shop-production "
        "argocd.argoproj.io/refresh=hard"
    )
    assert calls[1:] == ([stamp] if refreshed else [])
