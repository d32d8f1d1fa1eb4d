"""The controller itself, where krmfn and its documents rely on what it does.

In the table of tests/support/table.py, like tests/e2e/test_cluster.py.
"""

from __future__ import annotations

import base64
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.cluster.examples import claim, sealed
from tests.e2e.cluster.objects import HOME, SERVICES
from tests.e2e.cluster.server import DEMO_CERTIFICATE, until
from tests.e2e.tools import tool
from tests.support.command import krmfn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.cluster.examples import Environ
    from tests.e2e.cluster.server import Cluster
    from tests.support.openbao import OpenBao

pytestmark = pytest.mark.e2e

DB = ("production", "db")
VALUES = {"user": b"shop", "password": b"p@ss/word"}
PREFIX = "sealedsecrets.bitnami.com/"
MANAGED = {f"{PREFIX}managed": "true"}


def fetched(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`krmfn cert fetch`, with this kubeconfig."""
    where = ("--controller-namespace", HOME)
    return krmfn("cert", "fetch", *where, *arguments, KUBECONFIG=str(kubeconfig))


@pytest.fixture
def anybody(cluster: Cluster, tmp_path: Path) -> Path:
    """The kubeconfig of an account that was given no right at all."""
    cluster.api.kubectl("create", "serviceaccount", "anybody", "-n", "dev")
    token = cluster.api.kubectl("create", "token", "anybody", "-n", "dev").strip()
    path = tmp_path / "kubeconfig"
    cluster.api.write_kubeconfig(path, {"token": token})
    return path


@pytest.fixture
def renewable(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster whose controller may get new keys, and forgets them afterwards."""
    yield cluster
    cluster.controller.stop()
    cluster.sweep()
    cluster.controller.start()


# --- the certificate


def test_fetch_by_anybody(cluster: Cluster, anybody: Path) -> None:
    """`krmfn cert fetch` needs no right but the controller's own manifest gives: kubeseal's bytes."""
    done = fetched(anybody)
    assert done.returncode == 0, done.stderr
    assert done.stdout == DEMO_CERTIFICATE.read_text()
    assert "sealed-secrets/sealed-secrets-controller: RSA 4096" in done.stderr
    where = ("--controller-namespace", HOME, "--kubeconfig", str(anybody))
    command = (str(tool("kubeseal", cluster.version)), "--fetch-cert", *where)
    kubeseal = subprocess.run(command, text=True, capture_output=True, check=True)
    assert done.stdout == kubeseal.stdout
    with pytest.raises(AssertionError, match="Forbidden"):
        cluster.api.kubectl("get", "secrets", "-n", HOME, kubeconfig=anybody)


@pytest.mark.parametrize("name", SERVICES)
def test_fetch_by_name(name: str, cluster: Cluster) -> None:
    """`krmfn cert fetch` reaches the plain manifest's Service and the Helm chart's."""
    done = fetched(cluster.api.kubeconfig, "--controller-name", name)
    assert (done.returncode, done.stdout) == (0, DEMO_CERTIFICATE.read_text()), done.stderr


def test_renewal(renewable: Cluster, environ: Environ, tmp_path: Path) -> None:
    """After a key renewal the older certificate still seals, the new one too; no Secret changes."""
    cluster = renewable
    (first,) = sealed(tmp_path, environ, claim(*DB))
    cluster.api.apply(first)
    assert cluster.opens(first)
    secret = cluster.secret(*DB)
    keys = f"/api/v1/namespaces/{HOME}/secrets"
    cluster.controller.renew_key()
    until(lambda: len(cluster.api.get(keys)["items"]) == 2, "the new key")
    newest = tmp_path / "newest.pem"

    def renewed() -> bool:
        done = fetched(cluster.api.kubeconfig, "-o", str(newest))
        assert done.returncode == 0, done.stderr
        return newest.read_bytes() != DEMO_CERTIFICATE.read_bytes()

    until(renewed, "the new certificate")
    for epoch in ("renewed", "restarted"):
        if epoch == "restarted":
            cluster.controller.stop()
            cluster.controller.start()
        for certificate in (newest, DEMO_CERTIFICATE):
            (one,) = sealed(tmp_path, environ, claim(*DB), certificate=certificate, epoch=epoch)
            assert one["spec"] != first["spec"]
            cluster.api.apply(one)
            assert cluster.opens(one)
            assert cluster.secret(*DB) == secret


def test_check_after_renewal(renewable: Cluster) -> None:
    """`krmfn cert check --cluster` says when the controller seals with a newer certificate."""
    where = ("--controller-namespace", HOME, "--cluster")

    def checked() -> subprocess.CompletedProcess[str]:
        kubeconfig = str(renewable.api.kubeconfig)
        return krmfn("cert", "check", DEMO_CERTIFICATE, *where, KUBECONFIG=kubeconfig)

    done = checked()
    assert (done.returncode, done.stderr) == (0, "")
    renewable.controller.renew_key()

    def differs() -> bool:
        done = checked()
        return done.returncode == 1 and "[certificate-differs]" in done.stderr

    until(differs, "the new certificate")


# --- a Secret that is there already


def existing(cluster: Cluster, annotations: dict[str, str]) -> Any:
    """Somebody's Secret of the name that is sealed."""
    metadata = {"namespace": DB[0], "name": DB[1], "annotations": annotations}
    data = {"user": base64.b64encode(b"theirs").decode(), "host": base64.b64encode(b"h").decode()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    return cluster.api.request("POST", f"/api/v1/namespaces/{DB[0]}/secrets", body)


def test_not_managed(cluster: Cluster, environ: Environ, tmp_path: Path) -> None:
    """Over a Secret that it does not own the controller fails, and leaves the Secret as it is."""
    theirs = existing(cluster, {})
    (one,) = sealed(tmp_path, environ, claim(*DB))
    cluster.api.apply(one)
    condition = cluster.condition(*DB)
    assert condition["status"] == "False"
    assert 'Resource "db" already exists and is not managed by SealedSecret' in condition["message"]
    assert cluster.secret(*DB) == theirs


def test_managed(cluster: Cluster, environ: Environ, tmp_path: Path) -> None:
    """A Secret annotated managed is taken over: its values are replaced, the others are gone."""
    existing(cluster, MANAGED)
    (one,) = sealed(tmp_path, environ, claim(*DB))
    cluster.api.apply(one)
    assert cluster.opens(one)
    metadata = cluster.secret(*DB)["metadata"]
    assert cluster.values(*DB) == VALUES
    assert [owner["kind"] for owner in metadata["ownerReferences"]] == ["SealedSecret"]
    assert MANAGED.keys().isdisjoint(metadata.get("annotations", {}))


def test_patch(cluster: Cluster, environ: Environ, tmp_path: Path) -> None:
    """A Secret annotated patch keeps its other keys and its owner; the sealed keys win."""
    existing(cluster, {f"{PREFIX}patch": "true"})
    (one,) = sealed(tmp_path, environ, claim(*DB))
    cluster.api.apply(one)
    assert cluster.opens(one)
    assert cluster.values(*DB) == {**VALUES, "host": b"h"}
    assert "ownerReferences" not in cluster.secret(*DB)["metadata"]


def test_no_owner(cluster: Cluster, environ: Environ, openbao: OpenBao, tmp_path: Path) -> None:
    """skip-set-owner-references with managed makes a Secret without owner, and still updates it."""
    annotations = {f"{PREFIX}skip-set-owner-references": "true", **MANAGED}
    ours = claim(*DB, template={"metadata": {"annotations": annotations}})
    (one,) = sealed(tmp_path, environ, ours)
    cluster.api.apply(one)
    assert cluster.opens(one)
    openbao.write("secret", "shop/staging/db", {"user": "shop", "password": "rotated"})
    (after,) = sealed(tmp_path, environ, ours)
    cluster.api.apply(after)
    assert cluster.opens(after)
    assert cluster.values(*DB) == {**VALUES, "password": b"rotated"}
    assert "ownerReferences" not in cluster.secret(*DB)["metadata"]


def test_skip_without_managed(cluster: Cluster, environ: Environ, tmp_path: Path) -> None:
    """What krmfn refuses fails for ever: skip-set-owner-references without managed."""
    annotations = {f"{PREFIX}skip-set-owner-references": "true", **MANAGED}
    ours = claim(*DB, template={"metadata": {"annotations": annotations}})
    (one,) = sealed(tmp_path, environ, ours)
    del one["spec"]["template"]["metadata"]["annotations"][f"{PREFIX}managed"]
    cluster.api.apply(one)
    condition = cluster.condition(*DB)
    assert condition["status"] == "False"
    assert "is not managed by SealedSecret" in condition["message"]


# --- rights


def test_rights(cluster: Cluster) -> None:
    """The controller has the rights of its own manifest and no others: RBAC is on."""
    who = f"system:serviceaccount:{HOME}:sealed-secrets-controller"

    def may(verb: str, group: str, resource: str, subresource: str = "") -> bool:
        asked = {
            "namespace": "production",
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
        }
        body = {"spec": {"user": who, "resourceAttributes": asked}}
        review = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        answer = cluster.api.request("POST", review, body)
        return bool(answer["status"]["allowed"])

    assert may("update", "", "secrets")
    assert may("update", "bitnami.com", "sealedsecrets", "status")
    assert not may("update", "bitnami.com", "sealedsecrets")
    assert not may("patch", "", "secrets")
    assert not may("get", "", "configmaps")
