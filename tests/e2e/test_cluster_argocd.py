"""examples/argocd in a real cluster, beside a real vault: its tokens, policy, and hourly job."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from krmfn.crypto.certificate import parse
from tests.e2e.cluster.api import KUBECTL
from tests.e2e.cluster.examples import SHOP_PRODUCTION
from tests.support import argocd_example
from tests.support import repository as repo
from tests.support.cmp_host import Application, Host, Reply, tarball
from tests.support.command import krmfn
from tests.support.platform import mounted

if TYPE_CHECKING:
    from tests.e2e.cluster.examples import Environ
    from tests.e2e.cluster.server import Cluster
    from tests.support.openbao import OpenBao

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "examples/shop"
OVERLAY = "overlays/production"
INSTALL = ROOT / "krmfn/argocd/install"
MOUNTED = "/var/run/secrets/krmfn/token"
APPLICATION = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop-production"


def token(cluster: Cluster, account: str, *, audience: str = "vault") -> str:
    """What Kubernetes would project into a pod of the account."""
    create = ("create", "token", account, "-n", "argocd")
    return cluster.api.kubectl(*create, *([f"--audience={audience}"] if audience else [])).strip()


def platform(directory: Path, token_file: Path) -> dict[str, str]:
    """The policy that `krmfn install argocd` writes, with the shop's certificate filled in."""
    pem = (SHOP / "certs/controller.pem").read_text()
    value = yaml.safe_load((INSTALL / "platform.yaml").read_text())
    value["spec"]["recipients"]["production"] = {
        "pem": pem,
        "sha256": [parse(pem.encode()).fingerprint],
    }
    text = json.dumps(value)
    assert text.count(MOUNTED) == 1
    return mounted(directory, text.replace(MOUNTED, str(token_file)))


@pytest.fixture
def sidecar(
    cluster: Cluster, openbao: OpenBao, environ: Environ, tmp_path: Path
) -> tuple[Path, dict[str, str]]:
    """The token's file and the container's environment; the vault is set up by the example's script."""
    signing = (cluster.api.home / "service-accounts.key").read_bytes()
    key = serialization.load_pem_private_key(signing, None).public_key()
    argocd_example.set_up(openbao, key, tmp_path)
    for name in ("argocd-repo-server", "krmfn-drift", "default"):
        metadata = {"name": name, "namespace": "argocd"}
        cluster.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    file = tmp_path / "token"
    (tmp_path / "tmp").mkdir()
    return file, {
        "PATH": environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path / "tmp"),
        "KRMFN_KUSTOMIZE": str(KUBECTL),
        "VAULT_ADDR": openbao.address,
        **platform(tmp_path / "platform", file),
    }


def generate(environ: dict[str, str]) -> Reply:
    """The shop, by the plugin."""
    app = Application(OVERLAY, name="shop-production")
    return Host(INSTALL.parent / "plugin.yaml", environ).call("generate", tarball(SHOP), app)


def test_a_projected_token(cluster: Cluster, sidecar: tuple[Path, dict[str, str]]) -> None:
    """Argo CD: the repo-server's projected token and the installed policy are enough for the shop."""
    file, environ = sidecar
    file.write_text(token(cluster, "argocd-repo-server"))
    reply = generate(environ)
    assert reply.error == ""
    cluster.api.apply(*(json.loads(one) for one in reply.manifests))
    for (namespace, name), (_, expected) in SHOP_PRODUCTION.secrets().items():
        assert cluster.condition(namespace, name)["status"] == "True"
        assert cluster.values(namespace, name) == {k: v.encode() for k, v in expected.items()}
    for wrong in (
        token(cluster, "default"),
        token(cluster, "argocd-repo-server", audience=""),
    ):
        file.write_text(wrong)
        assert "[login-failed]" in generate(environ).error


def test_a_reviewed_token(
    cluster: Cluster, openbao: OpenBao, environ: Environ, tmp_path: Path
) -> None:
    """Argo CD: by Kubernetes auth the vault asks the cluster who a token is, and believes no other."""
    delegator = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "vault-reviews-tokens"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:auth-delegator",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "vault", "namespace": "argocd"}],
    }
    accounts = [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": n, "namespace": "argocd"},
        }
        for n in ("vault", "builder", "other")
    ]
    cluster.api.apply(*accounts, delegator)
    mount = f"kubernetes-{cluster.version}"
    openbao.request("POST", f"sys/auth/{mount}", {"type": "kubernetes"})
    config = {
        "kubernetes_host": cluster.api.address,
        "kubernetes_ca_cert": (cluster.api.home / "ca.crt").read_text(),
        "token_reviewer_jwt": token(cluster, "vault", audience=""),
        "disable_local_ca_jwt": True,
    }
    openbao.request("POST", f"auth/{mount}/config", config)
    rule = 'path "secret/data/*" { capabilities = ["read"] }'
    openbao.request("POST", "sys/policies/acl/reads", {"policy": rule})
    role = {
        "bound_service_account_names": ["builder"],
        "bound_service_account_namespaces": ["argocd"],
        "token_policies": ["reads"],
    }
    openbao.request("POST", f"auth/{mount}/role/builder", role)
    repo.seed(openbao)
    overlay = repo.repository(tmp_path / "shop")
    file = tmp_path / "token"
    login = {"role": "builder", "mountPath": mount, "secretRef": {"file": str(file)}}
    transformer = repo.transformer()
    transformer["spec"]["stores"]["main"]["vault"]["auth"] = {"kubernetes": login}
    repo.write(overlay / "krmfn.yaml", transformer)
    around = {"VAULT_ADDR": openbao.address, "KRMFN_KUSTOMIZE": str(KUBECTL)}
    file.write_text(token(cluster, "builder", audience=""))
    done = krmfn("build", overlay, **around)
    assert (done.returncode, done.stderr) == (0, "")
    assert "kind: SealedSecret" in done.stdout
    file.write_text(token(cluster, "other", audience=""))
    done = krmfn("build", overlay, **around)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.rstrip().endswith("[login-failed]")


def test_the_hourly_job(
    cluster: Cluster, openbao: OpenBao, sidecar: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Argo CD: the CronJob, with its own rights, stamps the Application once a value has changed."""
    file, environ = sidecar
    ours = [
        o
        for o in argocd_example.built()
        if o["metadata"]["name"] in ("krmfn-drift", "shop-production")
    ]
    cluster.api.apply(*ours)
    (job,) = (o for o in ours if o["kind"] == "CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    steps = {c["name"]: c for c in (*pod["initContainers"], *pod["containers"])}
    kubeconfig = tmp_path / "kubeconfig"
    cluster.api.write_kubeconfig(kubeconfig, {"token": token(cluster, "krmfn-drift", audience="")})
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "kubectl").symlink_to(KUBECTL)
    work = tmp_path / "checkout"
    work.mkdir()
    shutil.copytree(SHOP, work / "shop", symlinks=True)
    (work / "shop/.git").mkdir()

    def step(name: str) -> None:
        """A container's script, in the environment that the job and the cluster give it."""
        container = steps[name]
        own = {e["name"]: e["value"] for e in container.get("env", [])}
        own |= {k: environ[k] for k in environ if k in own or k.startswith("KRMFN_")}
        own |= {"PATH": f"{bin_}:{environ['PATH']}", "KUBECONFIG": str(kubeconfig)}
        own |= {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
        script = container["args"][0]
        for place in ("/checkout", "/deployed", "/verdict"):
            script = script.replace(place, str(work))
        done = subprocess.run(
            [*container["command"], script], env=own, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def stamped() -> bool:
        """Whether the next run tells Argo CD to generate again."""
        (work / "changed").unlink(missing_ok=True)
        file.write_text(token(cluster, "krmfn-drift"))
        step("deployed")
        step("compare")
        step("refresh")
        annotations = cluster.api.get(APPLICATION)["metadata"].get("annotations", {})
        return "argocd.argoproj.io/refresh" in annotations

    file.write_text(token(cluster, "argocd-repo-server"))
    cluster.api.apply(*(json.loads(one) for one in generate(environ).manifests))
    assert not stamped()
    openbao.write("secret", "shop/registry", {"token": "n3w-t0k3n"})
    assert stamped()
