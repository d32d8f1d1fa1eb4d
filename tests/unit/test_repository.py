"""Which kustomizations a checkout has, and which of them are overlays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from krmfn.repository import kustomizations, overlays

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A base, a component, two overlays, and what is to be passed by."""
    files = {
        "base": "resources: [db, app.yaml]\n",
        "base/db": "{}\n",
        "components/tls": "kind: Component\n",
        "overlays/dev": "namespace: dev\nresources: [../../base]\n",
        "overlays/prod": "namespace: prod\nresources: [../../base/]\ngenerators: [./secrets]\n"
        "components: [../../components/tls]\n",
        "overlays/prod/secrets": "resources: [g.yaml]\n",
        "broken": "a: [\n",
        ".hidden": "namespace: x\n",
        "node_modules/x": "namespace: x\n",
    }
    for name, text in files.items():
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "kustomization.yaml").write_text(text)
    return tmp_path


def test_overlays(checkout: Path) -> None:
    """Nobody takes an overlay in, nor is it a component; broken and hidden ones are passed by."""
    found = kustomizations(checkout)
    names = [one.directory.relative_to(checkout).as_posix() for one in overlays(found)]
    assert names == ["overlays/dev", "overlays/prod"]
    assert "base/db" in {one.directory.relative_to(checkout).as_posix() for one in found}
    assert len(found) == 6


def test_one_alone(checkout: Path) -> None:
    """Looked at alone, what others take in is an overlay."""
    assert len(overlays(kustomizations(checkout / "base/db"))) == 1
