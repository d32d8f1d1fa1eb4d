"""The image for the container tests, and the promise that nothing is skipped where all must run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "localhost/krmfn:latest"  # as the container variant of the example names it
ARGOCD_IMAGE = "localhost/krmfn-argocd:latest"
KUSTOMIZE_IMAGE = "localhost/krmfn-test-kustomize:latest"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under KRMFN_REQUIRE_ALL=1 a skipped test has failed: a layer that did not run proves nothing."""
    report = yield
    if report.skipped and os.environ.get("KRMFN_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, and KRMFN_REQUIRE_ALL is set: {report.longrepr}"
    return report


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


@pytest.fixture(scope="session")
def argocd_image() -> str:
    """The plugin's image, with a kustomize that is here already."""
    if not shutil.which("docker") or run("docker", "info").returncode:
        pytest.skip("no container runtime")
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name) / "kustomize.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(tool("kustomize", KUSTOMIZE_VERSIONS[-1]), arcname="app/kustomize")
        done = run("docker", "import", archive, KUSTOMIZE_IMAGE)
        assert done.returncode == 0, done.stderr
    build = os.environ.get("KRMFN_IMAGE_BUILD", "docker build").split()
    argument = f"KUSTOMIZE_IMAGE={KUSTOMIZE_IMAGE}"
    done = run(*build, "--target", "argocd", "--build-arg", argument, "-t", ARGOCD_IMAGE, ".")
    assert done.returncode == 0, done.stderr[-4000:]
    return ARGOCD_IMAGE
