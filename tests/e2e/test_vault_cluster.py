"""Builds that log in through the standbys of a real cluster of three OpenBao nodes."""

from __future__ import annotations

import os
import sys
from subprocess import run
from typing import TYPE_CHECKING

import pytest

from tests.support import repository as repo
from tests.support.raft import balancer, cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.openbao import OpenBao
    from tests.support.raft import Cluster

pytestmark = pytest.mark.e2e
BUILDS = 8  # of each kind
PASSWORD = "pw-5a8e21"
AUTH = {"userPass": {"username": "deploy", "secretRef": {"env": "PW"}}}


def prepare(bao: OpenBao) -> None:
    """The values that a build reads, and a user who may read them."""
    bao.mount("secret", "kv", version="2")
    repo.seed(bao)
    policy = 'path "secret/data/*" { capabilities = ["read"] }'
    bao.request("PUT", "sys/policies/acl/reader", {"policy": policy})
    bao.request("POST", "sys/auth/userpass", {"type": "userpass"})
    body = {"password": PASSWORD, "token_policies": ["reader"]}
    bao.request("POST", "auth/userpass/users/deploy", body)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with values in it."""
    with cluster(tmp_path_factory.mktemp("raft")) as found:
        prepare(found.active)
        yield found


def build(overlay: Path, address: str) -> tuple[str, str]:
    """What one build writes: its output, and its errors and warnings."""
    environ = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
    environ |= {"VAULT_ADDR": address, "PW": PASSWORD}
    command = [sys.executable, "-m", "krmfn", "build", overlay]
    done = run(command, env=environ, text=True, capture_output=True, check=False)
    return done.stdout, done.stderr


def overlay_of(directory: Path) -> Path:
    """An overlay whose store logs in."""
    overlay = repo.repository(directory, "generator")
    value = repo.generator()
    value["spec"]["stores"]["main"]["vault"]["auth"] = AUTH
    repo.write(overlay / "krmfn.yaml", value)
    return overlay


def test_builds_by_way_of_a_standby(nodes: Cluster, tmp_path: Path) -> None:
    """A standby that lags behind the login fails none of them; all give the same bytes."""
    overlay = overlay_of(tmp_path)
    found = [build(overlay, nodes.standbys[n % 2].address) for n in range(BUILDS)]
    assert {errors for _, errors in found} == {""}
    assert len({output for output, _ in found}) == 1
    assert "kind: SealedSecret" in found[0][0]


def test_builds_by_way_of_a_load_balancer(nodes: Cluster, tmp_path: Path) -> None:
    """Each connection reaches another node."""
    overlay = overlay_of(tmp_path)
    with balancer(nodes.nodes) as front:
        found = [build(overlay, front.address) for _ in range(BUILDS)]
    assert {errors for _, errors in found} == {""}
    assert len({output for output, _ in found}) == 1
