"""Which kustomizations a checkout has, and which of them are overlays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from krmfn.kustomize.checkout import Checkout, files_below, kustomizations, overlays

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


def test_what_a_directory_takes_in(checkout: Path) -> None:
    """By and by, lists of functions too; itself first, and nothing where no kustomization is."""
    known = Checkout(checkout)
    below = [
        path.relative_to(checkout).as_posix() for path in known.below(checkout / "overlays/prod")
    ]
    assert below[0] == "overlays/prod"
    assert sorted(below) == [
        "base",
        "base/db",
        "components/tls",
        "overlays/prod",
        "overlays/prod/secrets",
    ]
    assert known.below(checkout / ".hidden") == {}


def test_who_mentions_a_word(checkout: Path) -> None:
    """In the kustomization, or in a file that it lists; not in one that nobody lists."""
    (checkout / "base/app.yaml").write_text("name: shop-db\n")
    (checkout / "base/other.yaml").write_text("name: elsewhere\n")
    known = Checkout(checkout)

    def mentioning(*words: str) -> list[str]:
        return [one.directory.name for one in known.mentioning(set(words))]

    assert mentioning("shop-db") == ["base"]
    assert mentioning("shop-db", "Component") == ["base", "tls"]
    assert mentioning("elsewhere") == []


def test_files(checkout: Path) -> None:
    """By their endings; hidden and vendored directories are passed by."""
    (checkout / "base/app.yml").touch()
    names = [file.relative_to(checkout).as_posix() for file in files_below(checkout, (".yml",))]
    assert names == ["base/app.yml"]
    assert not any(".hidden" in str(file) for file in files_below(checkout, (".yaml",)))
