"""`krmfn doctor --cluster` beside a real controller: its verdicts, conditions, events and limits."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.cluster.objects import HOME
from tests.e2e.cluster.server import until
from tests.support import repository as repo
from tests.support.command import krmfn

if TYPE_CHECKING:
    from tests.e2e.cluster.examples import Environ
    from tests.e2e.cluster.server import Cluster

pytestmark = pytest.mark.e2e

PLACE = ("production", "db")


def found(overlay: Path, cluster: Cluster, environ: Environ) -> dict[str, list[dict[str, str]]]:
    """The cluster's checks by id."""
    where = ("--controller-namespace", HOME, "--cluster", "--json")
    kubeconfig = str(cluster.api.kubeconfig)
    done = krmfn("doctor", overlay, *where, **environ | {"KUBECONFIG": kubeconfig})
    assert done.returncode in (0, 1), done.stderr
    assert repo.VALUE not in done.stdout + done.stderr
    result: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(done.stdout)["checks"]:
        result.setdefault(one["id"], []).append(one)
    return result


def statuses(checks: list[dict[str, str]]) -> list[str]:
    return [one["status"] for one in checks]


def built(overlay: Path, environ: Environ) -> Any:
    """The SealedSecret that a build gives."""
    done = krmfn("build", overlay, **environ)
    assert done.returncode == 0, done.stderr
    (one,) = (v for v in yaml.safe_load_all(done.stdout) if v["kind"] == "SealedSecret")
    return one


@pytest.fixture
def estate(tmp_path: Path, environ: Environ, openbao: Any) -> tuple[Path, Environ]:
    """An overlay with values in the vault, built by whatever kustomize is here."""
    repo.seed(openbao)
    return repo.repository(tmp_path / "r"), environ | {
        "KRMFN_KUSTOMIZE": str(Path(sys.executable).parent / "kubectl")
    }


def test_verdicts(cluster: Cluster, estate: tuple[Path, Environ]) -> None:
    """The doctor waits for the verdict on each of six SealedSecrets, and one of seven does not open."""
    overlay, environ = estate
    names = [f"db{number}" for number in range(5)]
    wrong = built(overlay, environ)
    wrong["metadata"]["name"] = "moved"
    more = []
    for name in names:
        claim = repo.claim()
        claim["metadata"]["name"] = name
        more.append(claim)
    repo.write(overlay.parents[1] / "base/claims.yaml", repo.claim(), *more)
    told = found(overlay, cluster, environ)
    assert statuses(told["controller"]) == ["ok"]
    assert statuses(told["cluster-certificate"]) == ["ok"]
    assert statuses(told["verify"]) == ["ok"] * 6
    del wrong["metadata"]["annotations"]
    repo.write(overlay / "moved.yaml", wrong)
    repo.change(overlay, resources=["../../base", "moved.yaml"])
    told = found(overlay, cluster, environ)
    assert sorted(statuses(told["verify"])) == ["error", *["ok"] * 6]


def test_in_the_way(cluster: Cluster, estate: tuple[Path, Environ]) -> None:
    """A hand-made Secret in the way: the commands that the doctor tells hand it to the controller."""
    overlay, environ = estate
    metadata = {"namespace": PLACE[0], "name": PLACE[1]}
    data = {"password": base64.b64encode(repo.VALUE.encode()).decode()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    cluster.api.request("POST", f"/api/v1/namespaces/{PLACE[0]}/secrets", body)
    one = built(overlay, environ)
    cluster.api.apply(one)
    assert not cluster.opens(one)
    told = found(overlay, cluster, environ)
    assert statuses(told["synced"]) == ["error"]
    condition, _, events = told["synced"][0]["evidence"].partition("; events: ")
    assert "is not managed by SealedSecret" in condition
    assert "ErrUpdateFailed" in events
    command, _, restart = told["in-the-way"][0]["fix"].partition(" && ")
    cluster.api.kubectl(*command.split()[1:])
    assert restart.startswith(f"kubectl rollout restart -n {HOME} deployment/")
    cluster.controller.stop()  # as the restart does it
    cluster.controller.start()
    until(lambda: cluster.condition(*PLACE)["status"] == "True", "the Secret to be adopted")
    told = found(overlay, cluster, environ)
    assert statuses(told["synced"]) == statuses(told["in-the-way"]) == ["ok"]
