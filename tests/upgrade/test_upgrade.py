"""What builds with version 0.1 builds the same bytes, or fails with the line to change.

`examples` is a copy of commit 74c59dd's, and `expected` is what its krmfn built of `trees`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import estate
from tests.support.command import krmfn
from tests.upgrade.trees import TREES, Tree

if TYPE_CHECKING:
    import subprocess

    from tests.support.openbao import OpenBao

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
EXAMPLES = HERE / "examples"
KUBECTL = Path(sys.executable).parent / "kubectl"
# Overlay of the examples to what that commit expected of it.
GOLDEN = {
    "age": "age/expected/output.yaml",
    "logto/overlays/dev": "logto/expected/dev.yaml",
    "logto/overlays/prod": "logto/expected/prod.yaml",
    "logto/overlays/prod-legacy": "logto/expected/prod.yaml",
    "logto/overlays/prod-container": "logto/expected/prod.yaml",
    "shop/overlays/transformer/staging": "shop/expected/staging.yaml",
    "shop/overlays/transformer/production": "shop/expected/production.yaml",
    "shop/overlays/generator/production": "shop/expected/production.yaml",
    "estate/overlays/dev": "estate/expected/dev.yaml",
    "estate/overlays/dev-legacy": "estate/expected/dev.yaml",
    "estate/overlays/prod": "estate/expected/prod.yaml",
    "estate/overlays/prod-legacy": "estate/expected/prod.yaml",
    "estate/overlays/prod-barman-plugin": "estate/expected/prod-barman-plugin.yaml",
    "estate/overlays/prod-barman-plugin-legacy": "estate/expected/prod-barman-plugin.yaml",
}


def build(directory: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return krmfn("build", directory, KRMFN_KUSTOMIZE=str(KUBECTL), **environ)


@pytest.fixture
def environ(openbao: OpenBao) -> dict[str, str]:
    """A vault with the values of the examples, and the identity of the age store."""
    estate.seed(openbao)
    openbao.request("DELETE", "secret/metadata/shop/production/db")
    openbao.write("secret", "shop/db", {"user": "shop", "password": "p@ss/word"})
    openbao.write("secret", "shop/production/db", {"user": "shop_prod", "password": "s3cr3t"})
    openbao.write("secret", "shop/production/db", {"user": "newer", "password": "not-yet"})
    openbao.write("secret", "shop/registry", {"token": "t0k3n"})
    values = {
        "access_key_id": "AKIAEXAMPLE00000001",
        "secret_access_key": "9Gv+notarealsecret/0123456789abcdefghijkl",
    }
    openbao.write("secret", "logto/production/backup", values)
    identity = (EXAMPLES / "age/demo-identity.txt").read_text()
    return openbao.environ | {"KRMFN_AGE_IDENTITY": identity}


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A repository of the examples."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", symlinks=True)
    (tmp_path / ".git").mkdir()
    return tmp_path / "examples"


@pytest.mark.parametrize("name", GOLDEN)
def test_an_example_builds_the_same_bytes(
    name: str, examples: Path, environ: dict[str, str]
) -> None:
    """As that commit's golden file has them."""
    done = build(examples / name, **environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (examples / GOLDEN[name]).read_text()


def test_every_overlay_is_built() -> None:
    """Each that stands in the examples is in the table, or is built by another test here."""
    others = {"shop/overlays/generator/staging", "shop/overlays/seal/staging"}
    others |= {"shop/overlays/seal/production"}
    found = {
        file.parent.relative_to(EXAMPLES).as_posix() for file in EXAMPLES.rglob("overlays/**/k*.yaml")
        if file.name == "kustomization.yaml"
        and "transformers" not in file.parts
        and not {"generator", "validator", "validators"} & {file.parent.name}
    }  # fmt: skip
    assert found == {*GOLDEN, *others} - {"age"}


def test_a_claims_stream_is_sealed(examples: Path, environ: dict[str, str]) -> None:
    """`krmfn seal --config` gives what the transformer gives."""
    claims = krmfn(
        "build", "--claims-only", examples / "shop/overlays/seal/production",
        KRMFN_KUSTOMIZE=str(KUBECTL),
    )  # fmt: skip
    assert claims.returncode == 0, claims.stderr
    config = examples / "shop/sealing.yaml"
    done = krmfn("seal", "--config", config, stdin=claims.stdout, **environ)
    assert done.returncode == 0, done.stderr
    assert "name: shop-db" in done.stdout


def test_the_generator_under_a_prefix(examples: Path, environ: dict[str, str]) -> None:
    """It is namespace-wide, and so it builds."""
    done = build(examples / "shop/overlays/generator/staging", **environ)
    assert done.returncode == 0, done.stderr
    assert "name: stg-shop-db" in done.stdout


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.id)
def test_a_tree(tree: Tree, tmp_path: Path) -> None:
    """The bytes of 0.1, or the line to change."""
    done = build(tree.write(tmp_path / "r"))
    if tree.error:
        assert done.returncode == 2
        assert f"[{tree.error}]" in done.stderr
        assert tree.said in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout == (HERE / f"expected/{tree.id}.yaml").read_text()
