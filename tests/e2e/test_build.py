"""`krmfn build` with real kustomize of several versions."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool
from tests.support import repository as repo
from tests.support.attacks import ATTACKS, WITHOUT_CHECKS, attack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.openbao import OpenBao

pytestmark = pytest.mark.e2e


@pytest.fixture(params=KUSTOMIZE_VERSIONS)
def kustomize(request: pytest.FixtureRequest) -> Path:
    """A kustomize of each version."""
    return tool("kustomize", request.param)


@pytest.fixture
def environ(plugins: dict[str, str], openbao: OpenBao, kustomize: Path) -> dict[str, str]:
    """krmfn on PATH, a vault with the values, and the kustomize to take."""
    repo.seed(openbao)
    return plugins | openbao.environ | {"KRMFN_KUSTOMIZE": str(kustomize)}


@pytest.mark.parametrize("route", ["generator", "transformer"])
@pytest.mark.parametrize("order", ["legacy", "fifo"])
@pytest.mark.parametrize("hashed", [False, True])
def test_the_stream_is_that_of_the_exec_functions(
    *,
    route: str,
    order: str,
    hashed: bool,
    tmp_path: Path,
    kustomize: Path,
    environ: dict[str, str],
) -> None:
    """Byte for byte what this kustomize makes with --enable-exec."""
    overlay = repo.repository(tmp_path, route)
    repo.change(overlay, sortOptions={"order": order})
    if hashed:
        repo.hash_names(tmp_path, route)
    done = subprocess.run(
        [sys.executable, "-m", "krmfn", "build", overlay],
        env=environ,
        text=True,
        capture_output=True,
        check=False,
    )
    plain = subprocess.run(
        [kustomize, "build", "--enable-alpha-plugins", "--enable-exec", overlay],
        env=environ,
        text=True,
        capture_output=True,
        check=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == plain.stdout
    assert "kind: SealedSecret\n" in done.stdout


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_of_the_repository_runs(
    name: str, tmp_path: Path, kustomize: Path, environ: dict[str, str]
) -> None:
    """With --enable-exec the attack works, where it is one of functions; in a build it does not."""
    script, seen = tmp_path / "canary.sh", tmp_path / "seen"
    script.write_text(f"#!/bin/sh\ncat /proc/$PPID/environ > {seen}\n")
    script.chmod(0o755)
    overlay = repo.repository(tmp_path / "r")
    more = attack(name, overlay, script)
    env = {**environ, **more, "PATH": os.environ["PATH"]}
    if "KUSTOMIZE_PLUGIN_HOME" not in more:
        del env["KUSTOMIZE_PLUGIN_HOME"]
    for start in (["-m", "krmfn"], ["-c", WITHOUT_CHECKS]):
        subprocess.run(
            [sys.executable, *start, "build", overlay], env=env, check=False, capture_output=True
        )
        assert not seen.exists()
    subprocess.run(
        [kustomize, "build", "--enable-alpha-plugins", "--enable-exec", overlay],
        env=env,
        check=False,
        capture_output=True,
    )
    assert environ["VAULT_TOKEN"] in seen.read_text()
