"""The image for the container tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "localhost/krmfn:latest"  # as the container variant of the example names it


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
