"""The pages' command blocks that need a cluster or a kustomize of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool
from tests.support.page_runner import run
from tests.support.pages import ROOT, pages, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.cluster.server import Cluster

pytestmark = pytest.mark.e2e
BLOCKS = {str(page.relative_to(ROOT)): read(page).blocks for page in pages()}
PAGES = sorted(name for name, blocks in BLOCKS.items() if any(b.way == "e2e" for b in blocks))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs(name: str, tmp_path: Path, cluster: Cluster) -> None:
    """All blocks of a page run in order on a real cluster, but for those that are only checked."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "kustomize").symlink_to(tool("kustomize", KUSTOMIZE_VERSIONS[-1]))
    blocks = [block for block in BLOCKS[name] if block.way != "checked"]
    environ = {"PATH": str(programs), "KUBECONFIG": str(cluster.api.kubeconfig)}
    run(blocks, tmp_path, **environ)
