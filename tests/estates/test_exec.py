"""The six estates as exec functions of real kustomize: what `krmfn build` gives."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool
from tests.estates.test_estates import build
from tests.support.estates import ESTATES, Estate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("version", [KUSTOMIZE_VERSIONS[0], KUSTOMIZE_VERSIONS[-1]])
@pytest.mark.parametrize("estate", ESTATES, ids=lambda estate: estate.id)
def test_exec(version: str, estate: Estate, tmp_path: Path, plugins: dict[str, str]) -> None:
    """Every overlay to the byte, with one line; without --enable-exec it fails."""
    environ = estate.write(tmp_path / "r", exec_=True)
    command = [tool("kustomize", version), "build", "--enable-alpha-plugins"]
    for overlay in estate.overlays:
        place = tmp_path / "r" / overlay.directory
        done = subprocess.run(
            [*command, "--enable-exec", place],
            env=plugins | environ,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == build(tmp_path / "r", overlay.directory, **environ).stdout
        skipped = subprocess.run(
            [*command, place], env=plugins | environ, text=True, capture_output=True, check=False
        )
        assert skipped.returncode != 0
        assert "krmfn-was-skipped-add---enable-exec" in skipped.stderr
