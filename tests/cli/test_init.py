"""`krmfn init`: from a repository without krmfn to one that builds."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.command import krmfn

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
KEYS = ROOT / "tests/vectors/keys"
DERIVATION_KEY = "6b1f0a7c94d2e8350f1b6d2c7a8e9f40316275a4b3c2d1e0f9e8d7c6b5a49382"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      imagePullSecrets: [{name: pull}]
      containers:
      - name: shop
        envFrom: [{secretRef: {name: settings}}]
        env:
        - name: PASSWORD
          valueFrom: {secretKeyRef: {name: db, key: pass.word}}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: pg}
spec:
  bootstrap: {initdb: {secret: {name: owner}}}
"""
KUSTOMIZATION = """\
# The first line stays.
namespace: production
resources:
- ../../base      # everything
patches:
- patch: '{}'
  target: {kind: None}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """An application with an overlay, which refers to Secrets that nobody makes."""
    (tmp_path / ".git").mkdir()
    for name in ("base", "overlays/prod"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "base/kustomization.yaml").write_text("resources:\n- app.yaml\n")
    (tmp_path / "base/app.yaml").write_text(DEPLOYMENT)
    (tmp_path / "overlays/prod/kustomization.yaml").write_text(KUSTOMIZATION)
    return tmp_path


def tree(top: Path) -> dict[str, str]:
    """All files."""
    return {str(f.relative_to(top)): f.read_text() for f in sorted(top.rglob("*")) if f.is_file()}


def test_a_dry_run_writes_nothing(checkout: Path) -> None:
    """It shows what it found and the whole diff."""
    before = tree(checkout)
    done = krmfn("init", "--dry-run", cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(checkout) == before
    assert "overlays/prod/kustomization.yaml: 4 Secrets to claim" in done.stdout
    assert "  owner (kubernetes.io/basic-auth: username, password), for Cluster/pg" in done.stdout
    assert "+- krmfn-claims.yaml" in done.stdout
    assert "Nothing was written." in done.stdout


def test_nobody_is_asked_where_nobody_is(checkout: Path) -> None:
    """Without a terminal it needs --yes."""
    before = tree(checkout)
    done = krmfn("init", cwd=checkout, stdin="")
    assert done.returncode == 2
    assert "nobody is there to ask; say --yes to write, or --dry-run to look [usage]" in done.stderr
    assert tree(checkout) == before


def test_what_is_written_builds(checkout: Path, openbao: OpenBao) -> None:
    """Claims, transformer, marker and validator: with values in the vault, everything is sealed."""
    shutil.copy(KEYS / "current.crt", checkout / "controller.pem")
    done = krmfn("init", "--yes", "--certificate", "controller.pem", cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")
    text = (checkout / "overlays/prod/kustomization.yaml").read_text()
    assert text.startswith("# The first line stays.\n")
    assert "- ../../base      # everything\n- krmfn-claims.yaml\n" in text

    again = krmfn("init", "--yes", cwd=checkout)
    assert "uses krmfn already" in again.stdout
    audited = krmfn("audit", "overlays/prod", cwd=checkout)
    assert audited.returncode == 0, audited.stdout

    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    values = {
        "settings": {"A": "one", "B": "two"},
        "db": {"pass.word": "three"},
        "owner": {"username": "app", "password": "four"},
        "pull": {".dockerconfigjson": '{"auths": {}}'},
    }
    for name, value in values.items():
        openbao.write("secret", f"production/{name}", value)
    built = krmfn("build", "overlays/prod", cwd=checkout, **openbao.environ)
    assert (built.returncode, built.stderr) == (0, "")
    opened = krmfn("unseal", "--key", KEYS / "current.key", stdin=built.stdout)
    secrets = {
        s["metadata"]["name"]: {k: base64.b64decode(v).decode() for k, v in s["data"].items()}
        for s in yaml.safe_load_all(opened.stdout)
        if s["kind"] == "Secret"
    }
    assert secrets == values
    owner = next(o for o in yaml.safe_load_all(built.stdout) if o["metadata"]["name"] == "owner")
    assert owner["spec"]["template"]["metadata"]["labels"] == {"cnpg.io/reload": "true"}


@pytest.mark.parametrize(
    ("file", "old", "new", "note"),
    [
        ("overlays/prod/kustomization.yaml", "namespace: production\n", "", "set namespace: in the"),
        ("overlays/prod/kustomization.yaml", "../../base ", "https://example.test/x ", "[foreign]"),
        ("overlays/prod/kustomization.yaml", "\n- ../../base ", " [../../base] ", "block style"),
        ("base/app.yaml", "", "", "krmfn-validator.yaml exists"),
    ],
)  # fmt: skip
def test_why_nothing_is_proposed(checkout: Path, file: str, old: str, new: str, note: str) -> None:
    """One line says it, and nothing is written."""
    path = checkout / file
    path.write_text(path.read_text().replace(old, new) if old else path.read_text())
    if "exists" in note:
        (checkout / "overlays/prod/krmfn-validator.yaml").write_text("mine\n")
    before = tree(checkout)
    done = krmfn("init", "--yes", cwd=checkout)
    assert done.returncode == 0
    assert note in done.stdout
    assert "Nothing to propose." in done.stdout
    assert tree(checkout) == before


def test_what_stands_in_git_already(checkout: Path) -> None:
    """Secrets in clear and hand-made SealedSecrets are named with the command that converts them."""
    objects = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"pass.word": "eA=="}},
        {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "settings"}},
    ]  # fmt: skip
    with (checkout / "base/app.yaml").open("a") as file:
        file.writelines(f"---\n{json.dumps(one)}\n" for one in objects)
    done = krmfn("init", "--dry-run", cwd=checkout)
    assert "2 Secrets to claim" in done.stdout
    command = "krmfn import {} base/app.yaml --output base/claims.yaml --path-template '{{name}}'"
    sealed, clear = command.format("sealedsecret"), f"{command.format('secret')} --write-values"
    then = "list claims.yaml in their place, and init again"
    assert (
        f"sealed by hand: SealedSecret/settings; to claim instead, run `{sealed}`, {then}"
        in done.stdout
    )
    assert f"unencrypted: Secret/db; to claim instead, run `{clear}`, {then}" in done.stdout
    assert "+  plainSecrets: warn" in done.stdout


def test_nothing_there(tmp_path: Path) -> None:
    """No kustomization is an error, and so is a template of paths with other fields."""
    done = krmfn("init", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no kustomization below . [file]" in done.stderr
    done = krmfn("init", "--path", "{tenant}/{name}", cwd=tmp_path)
    assert "--path knows {namespace} and {name} only, found {tenant}/{name} [usage]" in done.stderr
