"""An estate under a platform's policy: what nothing names comes from the one rule that matches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.estates import application, document, layer, put, shared
from tests.support.platform import SPEC, write_platform

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

KUBECTL = Path(sys.executable).parent / "kubectl"
ENVIRONMENTS = [{"name": "db", "paths": ["overlays/production"]}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository that names environments, and nothing of the platform's."""
    root = tmp_path / "r"
    (root / ".git").mkdir(parents=True)
    shared(root / "krmfn", exec_=True)
    settings(root)
    files = application("base", "shop", "build/{environment}")
    files |= layer("overlays/production", "production", "../../base")
    for name, value in files.items():
        put(root / name, value)
    return root


def settings(root: Path, **more: Any) -> None:
    """Write `.krmfn.yaml`."""
    put(
        root / ".krmfn.yaml",
        document("RepositoryConfig", "", {"environments": ENVIRONMENTS, **more}),
    )


@pytest.fixture
def environ(openbao: OpenBao, tmp_path: Path) -> dict[str, str]:
    """The policy of one rule, an Application that it allows, and the vault."""
    repo.seed(openbao)
    policy = write_platform(tmp_path / "p/platform.yaml")
    return {**policy, **openbao.environ, "KRMFN_KUSTOMIZE": str(KUBECTL)}


@pytest.mark.parametrize("line", [True, False])
def test_the_rule_says_the_rest(line: bool, root: Path, environ: dict[str, str]) -> None:
    """Certificate, key and store; with the line and without."""
    if line:
        value = {"namespace": "production", "resources": ["../../base"]}
        put(
            root / "overlays/production/kustomization.yaml",
            value | {"transformers": ["../../krmfn"]},
        )
    done = krmfn("build", root / "overlays/production", **environ)
    assert done.returncode == 0, done.stderr
    assert "sealed-for: production/shop-db" in done.stdout


def test_another_namespace(root: Path, environ: dict[str, str]) -> None:
    """No rule matches it, so that nothing is read."""
    for name, value in layer("overlays/production", "other", "../../base").items():
        put(root / name, value)
    done = krmfn("build", root / "overlays/production", **environ)
    assert (done.returncode, done.stdout) == (6, "")
    assert "the policy has none for it" in done.stderr


def test_several(root: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    """Of a rule with two recipients the error lists both, and a file that names one is enough."""
    recipients = dict.fromkeys(("production", "b"), SPEC["recipients"]["production"])
    rule = {"recipients": ["production", "b"]}
    environ |= write_platform(tmp_path / "p/platform.yaml", rule=rule, recipients=recipients)
    done = krmfn("build", root / "overlays/production", **environ)
    assert (done.returncode, done.stdout) == (6, "")
    assert "expected one of b, production" in done.stderr
    settings(root, certificate={"platform": "b"})
    done = krmfn("build", root / "overlays/production", **environ)
    assert done.returncode == 0, done.stderr


def test_what_the_file_says_is_judged(root: Path, environ: dict[str, str]) -> None:
    """A store of the repository's own is refused, as in a configuration."""
    settings(root, stores={"main": {"vault": {"path": "other"}}})
    done = krmfn("build", root / "overlays/production", **environ)
    assert (done.returncode, done.stdout) == (6, "")
