"""The image, the clusters, and the promise that nothing is skipped where all must run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.cluster.examples import seed
from tests.e2e.cluster.server import Cluster, running
from tests.e2e.tools import CONTROLLER_VERSIONS, kustomize_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "localhost/krmfn:latest"  # as the container variant of the example names it
ARGOCD_IMAGE = "localhost/krmfn-argocd:latest"


def run(
    *command: str | Path, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end, whatever it returns."""
    return subprocess.run(
        command, input=stdin, env=env, cwd=ROOT, text=True, capture_output=True, check=False
    )


@pytest.fixture(scope="session")
def image() -> str:
    """The image, built from this checkout; tests/e2e/container-setup makes a machine able to.

    KRMFN_IMAGE_BUILD is the command that builds, where it is not `docker build`.
    """
    if not shutil.which("docker") or run("docker", "info").returncode:
        pytest.skip("no container runtime")
    build = os.environ.get("KRMFN_IMAGE_BUILD", "docker build").split()
    done = run(*build, "-t", IMAGE, ".")
    assert done.returncode == 0, done.stderr[-4000:]
    return IMAGE


@pytest.fixture(
    scope="session",
    params=[
        # One worker has all tests of one cluster.
        pytest.param(version, marks=pytest.mark.xdist_group(f"cluster-{version}"))
        for version in CONTROLLER_VERSIONS
    ],
)
def shared_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster for each version of the controller; its logs are kept when a test failed."""
    before = request.session.testsfailed
    with tempfile.TemporaryDirectory(prefix="krmfn-") as home:
        try:
            with running(Path(home), request.param) as cluster:
                yield cluster
        finally:
            if request.session.testsfailed > before:
                kept = Path(tempfile.mkdtemp(prefix=f"krmfn-cluster-{request.param}-logs-"))
                for log in Path(home).glob("*.log"):
                    shutil.copy(log, kept)
                print(f"the cluster's logs are in {kept}")


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster as it was at the start."""
    yield shared_cluster
    shared_cluster.sweep()


@pytest.fixture(scope="session")
def plugins(installed: dict[str, str]) -> dict[str, str]:
    """The real program, in place of a client of a server."""
    return installed


@pytest.fixture
def environ(plugins: dict[str, str], openbao: OpenBao) -> dict[str, str]:
    """krmfn on PATH, and a vault with the examples' values."""
    seed(openbao)
    return plugins | openbao.environ


@pytest.fixture(scope="session")
def argocd_image() -> str:
    """The plugin's image, with a kustomize that is here already."""
    if not shutil.which("docker") or run("docker", "info").returncode:
        pytest.skip("no container runtime")
    build = os.environ.get("KRMFN_IMAGE_BUILD", "docker build").split()
    argument = f"KUSTOMIZE_IMAGE={kustomize_image()}"
    done = run(*build, "--target", "argocd", "--build-arg", argument, "-t", ARGOCD_IMAGE, ".")
    assert done.returncode == 0, done.stderr[-4000:]
    return ARGOCD_IMAGE
