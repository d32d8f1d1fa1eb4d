"""The small repository that the examples of `--help` and of the pages run in, and what is around it.

Rules enforced here: each block has a copy of its own, as the repository was when its command is of
use: before krmfn, with claims and no entry of krmfn's, or with all of it. Around it are a real vault,
an API server with the controller's certificate and what is deployed, and kubectl. Others' programs
are stand-ins: `kustomize` is kubectl's, `sops` and `pass` print what they would decrypt, and `jq` what
it is given.
"""

from __future__ import annotations

import contextlib
import copy
import http.server
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.support import apiserver, imports
from tests.support import repository as repo
from tests.support.https import serving
from tests.support.openbao import development
from tests.support.pages import ROOT, calls
from tests.support.platform import platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.pages import Block

# The commit that a command is for; the others are for the last one.
COMMITS = {"import": "before", "seal": "claims", "audit": "claims", "graph": "claims"}
COMMITS |= {"init": "before"}
ADDRESS = "https://sealed-secrets.example"  # of the controller, in the examples
NEWER = (ROOT / "tests/vectors/keys/current.crt").read_text()
SERVICE = "/api/v1/namespaces/kube-system/services"
OVERLAYS = {"dev": "dev", "prod": "production"}
PLAIN = {"apiVersion": "v1", "kind": "Secret", "stringData": {"password": "not-a-real-one"}}
STAND_INS = {
    "kustomize": 'shift; exec kubectl kustomize "$@"',
    "sops": "cat secrets.yaml",
    "pass": "echo not-a-real-one",
    "jq": "cat",
}


@dataclass(frozen=True)
class Prepared:
    """The repository, and the environment of its commands."""

    repository: Path
    environ: dict[str, str]
    address: str

    def run(self, block: Block, scratch: Path) -> None:
        """The block succeeds, line by line, and prints what its page says."""
        work, home = scratch / "work", scratch / "home"
        shutil.copytree(self.repository, work, symlinks=True)
        for directory in (
            ".config/krmfn",
            ".config/fish/completions",
            ".zfunc",
        ):  # that the examples take for granted
            (home / directory).mkdir(parents=True)
        commands = [call[0] for call in calls(block.text)]
        commit = next((COMMITS[name] for name in commands if name in COMMITS), "main")
        lines = block.text.splitlines()
        if "init" in commands:  # one of them leaves nothing to do for the next
            lines = [f"{line}\ngit reset -q --hard && git clean -qfd" for line in lines]
        environ = {**self.environ, "HOME": str(home)}
        if "policy" in block.words:
            file = repo.write(scratch / "platform.yaml", platform())
            environ["KRMFN_CONFIG"] = str(file)
        first = [f"git checkout -q {commit}", """trap 'echo "at: $BASH_COMMAND" >&2' ERR"""]
        text = "\n".join([*first, *lines]).replace(ADDRESS, self.address)
        terminal, stdin = os.openpty()  # `krmfn init` asks only where somebody can answer
        os.write(terminal, b"y\n" * 9)
        done = subprocess.run(
            ["bash", "-Eeuo", "pipefail", "-c", text],
            stdin=stdin,
            text=True,
            capture_output=True,
            check=False,
            timeout=300,
            cwd=work,
            env=environ,
        )
        os.close(stdin)
        os.close(terminal)
        shown = f"{block.page}:{block.line}: {done.stdout}{done.stderr}"
        assert done.returncode == 0, shown
        for piece in (piece for line in block.prints for piece in line.split("…")):
            assert piece.strip() in done.stdout, shown


@contextlib.contextmanager
def prepared(scratch: Path, krmfn: Path) -> Iterator[Prepared]:
    """The repository in ``scratch``, and its servers.

    Args:
        krmfn: the directory with the program.
    """
    bin_ = scratch / "bin"
    bin_.mkdir()
    for name, text in STAND_INS.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_ / name).chmod(0o755)
    path = (bin_, krmfn, Path(sys.executable).parent, os.environ["PATH"])
    (scratch / "tls").mkdir()
    with (
        development(scratch) as bao,
        apiserver.running(scratch) as api,
        serving(scratch / "tls", _Certificate) as (address, ca),
    ):
        repo.seed(bao)
        bao.write("secret", "build/db", {"password": "a newer one"})
        environ = {
            "PATH": os.pathsep.join(map(str, path)),
            "HOME": str(scratch),
            "PYTHONPATH": str(ROOT),
            "SSL_CERT_FILE": str(ca),
            "KRMFN_KUSTOMIZE": str(imports.KUBECTL),
            **{f"GIT_{who}_NAME": "x" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "x" for who in ("AUTHOR", "COMMITTER")},
            **bao.environ,
            **api.environ,
        }
        made = Prepared(scratch / "repository", environ, address)
        _write(made)
        _deploy(api, made.repository / "rendered")
        yield made


class _Certificate(http.server.BaseHTTPRequestHandler):
    """The controller's certificate, by https."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(NEWER.encode())

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


def _write(made: Prepared) -> None:
    """Three commits, the last one twice, and a branch of a remote."""
    root = made.repository

    def sh(text: str) -> None:
        command = ["bash", "-euo", "pipefail", "-c", text]
        done = subprocess.run(
            command, cwd=root, env=made.environ, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{text}: {done.stderr}"

    root.mkdir()
    sh("git init -q -b main .")
    _before(root)
    sh("git add -A && git commit -qm before && git tag before")
    _claims(root)
    sh("kustomize build overlays/prod > rendered.yaml")
    sh("git add -A && git commit -qm claims && git tag claims")
    _entries(root)
    sh("krmfn build overlays/dev overlays/prod --output rendered")
    sh("krmfn build overlays/prod > sealed.yaml")
    sh("git add -A && git commit -qm krmfn && git commit -q --allow-empty -m more")
    sh("git update-ref refs/remotes/origin/main main")


def _before(root: Path) -> None:
    """An application as it was before krmfn, and what else its secrets may be in."""
    repo.write(root / "base/deployment.yaml", repo.DEPLOYMENT)
    _kustomization(root / "base", resources=["deployment.yaml"])
    _kustomization(root / "overlays/dev", namespace="dev", resources=["../../base"])
    _kustomization(
        root / "overlays/prod",
        namespace="production",
        resources=["../../base", "sealed-cache.yaml", "avp.yaml"],
        secretGenerator=[{"name": "session", "literals": ["key=not-a-real-one"]}],
    )
    shop = copy.deepcopy(repo.DEPLOYMENT)
    shop["spec"]["template"]["spec"]["imagePullSecrets"] = [{"name": "pull"}]
    repo.write(root / "apps/shop/deployment.yaml", shop)
    _kustomization(root / "apps/shop", namespace="shop", resources=["deployment.yaml"])
    cache = {"name": "cache", "namespace": "production"}
    sealed = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": cache}
    spec = {"spec": {"encryptedData": {"password": "AgBy"}}}
    repo.write(root / "overlays/prod/sealed-cache.yaml", sealed | spec)
    (root / "overlays/prod/avp.yaml").write_text(imports.AVP)
    mail = {"name": "mail", "namespace": "production"}
    repo.write(root / "secrets.yaml", PLAIN | {"metadata": mail})
    shutil.copy(root / "secrets.yaml", root / "secret.enc.yaml")
    stores, rest = imports.EXTERNAL.split("---\n", 1)
    (root / "stores.yaml").write_text(stores)
    (root / "externalsecrets.yaml").write_text(rest)
    (root / "certs").mkdir()
    for name in ("production", "dev"):
        (root / f"certs/{name}.pem").write_text(repo.PEM)
    shutil.copy(repo.KEY, root / "controller.key")
    repo.write(root / "backup.json", {"access_key_id": "x", "secret_access_key": "not-a-real-one"})


def _claims(root: Path) -> None:
    """The claim in the base, and how to seal behind the build."""
    value = repo.claim()
    pinned = {**repo.DATA[0]["remoteRef"], "version": 1}  # type: ignore[dict-item]
    value["spec"]["data"] = [{**repo.DATA[0], "remoteRef": pinned}]
    repo.write(root / "base/claims.yaml", value)
    _kustomization(root / "base", resources=["deployment.yaml", "claims.yaml"])
    for name, namespace in OVERLAYS.items():
        _kustomization(root / "overlays" / name, namespace=namespace, resources=["../../base"])
    repo.write(root / "sealing.yaml", _transformer("certs/production.pem"))


def _entries(root: Path) -> None:
    """Each overlay's transformer, marker and validator, as legacy plugins."""
    marker = {"apiVersion": "builtin", "kind": "PatchTransformer", "metadata": {"name": "marker"}}
    for name, namespace in OVERLAYS.items():
        overlay = root / "overlays" / name
        repo.write(overlay / "krmfn.yaml", _transformer("../../certs/production.pem"))
        repo.write(overlay / "marker.yaml", marker | {"patch": repo.MARKER})
        repo.write(overlay / "validator.yaml", repo.config("SealedSecretValidator", {}, ""))
        _kustomization(
            overlay,
            namespace=namespace,
            resources=["../../base"],
            transformers=["krmfn.yaml", "marker.yaml"],
            validators=["validator.yaml"],
        )


def _kustomization(directory: Path, **fields: Any) -> None:
    """In block style, as people write it, so that `krmfn init` adds to it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(fields))


def _transformer(certificate: str) -> dict[str, Any]:
    sealing = repo.SEALING | {"certificate": {"file": certificate}}
    spec = {"sealing": sealing, "stores": repo.STORES}
    return repo.config("SealedSecretTransformer", spec, "")


def _deploy(api: apiserver.ApiServer, rendered: Path) -> None:
    """The controller, what is deployed, what became of it, and as much as kubectl asks."""
    api.anonymous = True
    sealed = [
        value
        for file in sorted(rendered.rglob("*.yaml"))
        for value in yaml.safe_load_all(file.read_text())
        if value["kind"] == "SealedSecret"
    ]
    api.deploy(*sealed)
    secrets = [{"name": "secrets", "namespaced": True, "kind": "Secret", "verbs": ["get", "list"]}]
    v1 = {"kind": "APIResourceList", "groupVersion": "v1", "resources": secrets}
    ours = [{**secrets[0], "name": "sealedsecrets", "kind": "SealedSecret"}]
    version = {"groupVersion": "bitnami.com/v1alpha1", "version": "v1alpha1"}
    group = {"name": "bitnami.com", "versions": [version], "preferredVersion": version}
    key = {**PLAIN, "metadata": {"name": "key", "namespace": "kube-system"}}
    api.objects |= {
        f"{SERVICE}/sealed-secrets-controller": {"spec": {"ports": [{"name": "http"}]}},
        f"{SERVICE}/http:sealed-secrets-controller:http/proxy/v1/cert.pem": NEWER,
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]},
        "/apis/bitnami.com/v1alpha1": {**v1, **version, "resources": ours},
        "/api/v1": v1,
        "/api/v1/namespaces/kube-system/secrets": {
            "kind": "SecretList",
            "apiVersion": "v1",
            "items": [key],
        },
    }
    for one in sealed:
        metadata = one["metadata"]
        place = f"namespaces/{metadata['namespace']}"
        synced = {"observedGeneration": 1, "conditions": [{"type": "Synced", "status": "True"}]}
        owner = {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": metadata["name"]}
        api.objects |= {
            f"/apis/bitnami.com/v1alpha1/{place}/sealedsecrets/{metadata['name']}": {
                "metadata": {**metadata, "generation": 1},
                "status": synced,
            },
            f"/api/v1/{place}/secrets/{metadata['name']}": {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "ownerReferences": [owner],
                },
                "data": {"password": "eA=="},
            },
        }
