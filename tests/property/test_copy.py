"""What kustomize makes of the judged copy is what it makes of the repository."""

from __future__ import annotations

import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from krmfn.build.copy import copy
from krmfn.errors import SpecError
from krmfn.files.read import Place
from krmfn.kustomize.limits import TreeLimits
from krmfn.objects import stream
from tests.e2e import tools
from tests.support import trees

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from krmfn.objects.stream import Item


def loaded(_: Path) -> Sequence[Item]:
    """What the one directory of configurations holds, as far as it is judged."""
    return stream.stream(trees.FILES["overlay/more/p.yaml"], "loaded")


def same(command: list[str], seed: int, tmp_path: Path) -> bool:
    """Compare one tree; whether kustomize prints."""
    root, home = tmp_path / f"{seed}/repo", tmp_path / f"{seed}/home"
    trees.write(root, random.Random(seed))  # no secret
    home.mkdir()
    original = built(command, root / "overlay")
    text = next((root / "overlay").glob("[kK]ustomization*")).read_text()
    try:
        done = copy(Place(root / "overlay", root), home, limits=TreeLimits(), load=loaded)
    except SpecError as error:
        assert original.returncode, (seed, text, error)  # noqa: PT017  # both refuse
        return False
    copied = built(command, done.place)
    why = (seed, text, original.stderr, copied.stderr)
    assert (copied.returncode, copied.stdout) == (original.returncode, original.stdout), why
    return original.returncode == 0


def built(command: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    """Run kustomize on a directory."""
    return subprocess.run([*command, place], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_copy_builds_as_the_repository_does(tmp_path: Path) -> None:
    """By the kustomize that kubectl embeds."""
    if not (kubectl := shutil.which("kubectl")):
        pytest.skip("no kubectl")
    assert sum(same([kubectl, "kustomize"], seed, tmp_path) for seed in range(30)) > 10


@pytest.mark.e2e
@pytest.mark.parametrize("version", tools.KUSTOMIZE_VERSIONS)
def test_it_does_so_by_every_version(version: str, tmp_path: Path) -> None:
    """More trees, old and new kustomize."""
    command = [str(tools.tool("kustomize", version)), "build"]
    assert sum(same(command, seed, tmp_path) for seed in range(60)) > 20
