"""`krmfn init`: from a repository without krmfn to one that builds."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
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
    assert "+- claims.yaml" in done.stdout
    assert "+transformers: [../../krmfn]" in done.stdout
    assert "Nothing was written." in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "resources: [app.yaml]\n",
        "resources: [app.yaml,]\n",
        "resources: [\n  app.yaml  # why\n]\n",
        '{"resources": ["app.yaml"]}\n',
        "resources: &all ['app.yaml']\n",
        "resources:\r\n- app.yaml\r\n",
    ],
)
def test_lists_in_every_style(checkout: Path, text: str) -> None:
    """A list in flow style gets its entry inside the brackets, and the rest stays."""
    file = checkout / "base/kustomization.yaml"
    file.write_bytes(text.encode())
    done = krmfn("init", "--yes", cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(file.read_text()) == {"resources": ["app.yaml", "claims.yaml"]}
    assert "Nothing to propose." in krmfn("init", "--yes", cwd=checkout).stdout


def test_nobody_is_asked_where_nobody_is(checkout: Path) -> None:
    """Without a terminal it needs --yes."""
    before = tree(checkout)
    done = krmfn("init", cwd=checkout, stdin="")
    assert done.returncode == 2
    assert (
        "there is no terminal to ask; say --yes to write, or --dry-run to look [usage]"
        in done.stderr
    )
    assert tree(checkout) == before


def test_what_is_written_builds(checkout: Path, openbao: OpenBao) -> None:
    """Claims, settings and the shared folder: with values in the vault, everything is sealed."""
    shutil.copy(KEYS / "current.crt", checkout / "controller.pem")
    done = krmfn("init", "--yes", "--certificate", "controller.pem", cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")
    text = (checkout / "overlays/prod/kustomization.yaml").read_text()
    assert text == KUSTOMIZATION + "transformers: [../../krmfn]\n"
    assert (checkout / "base/kustomization.yaml").read_text() == (
        "resources:\n- app.yaml\n- claims.yaml\n"
    )
    summary = done.stdout[done.stdout.index("Written: ") :].splitlines()
    assert len(summary) <= 10
    assert "  vault kv put secret/prod/db pass.word=@FILE" in summary
    assert summary[-1] == "  krmfn plan overlays/prod && krmfn build overlays/prod"

    before = tree(checkout)
    again = krmfn("init", "--yes", cwd=checkout)
    assert (again.returncode, again.stderr) == (0, "")
    assert "Nothing to propose." in again.stdout
    assert tree(checkout) == before
    audited = krmfn("audit", "overlays/prod", cwd=checkout)
    assert audited.returncode == 0, audited.stdout

    openbao.write("secret", "krmfn/derivation/prod", {"key": DERIVATION_KEY})
    values = {
        "settings": {"A": "one", "B": "two"},
        "db": {"pass.word": "three"},
        "owner": {"username": "app", "password": "four"},
        "pull": {".dockerconfigjson": '{"auths": {}}'},
    }
    for name, value in values.items():
        openbao.write("secret", f"prod/{name}", value)
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
        (
            "overlays/prod/kustomization.yaml",
            "namespace: production\n",
            "",
            "set namespace: in the",
        ),
        ("overlays/prod/kustomization.yaml", "../../base ", "https://example.test/x ", "[foreign]"),
    ],
)
def test_why_nothing_is_proposed(checkout: Path, file: str, old: str, new: str, note: str) -> None:
    """One line says it, nothing is written, and the exit code tells it."""
    path = checkout / file
    path.write_text(path.read_text().replace(old, new))
    before = tree(checkout)
    done = krmfn("init", "--yes", cwd=checkout)
    assert done.returncode == 1
    assert note in done.stdout
    assert "Nothing to propose." in done.stdout
    assert tree(checkout) == before


@pytest.mark.parametrize(
    ("name", "text", "message", "code"),
    [
        ("krmfn/transformer.yaml", "x: y\n", "krmfn/transformer.yaml exists and is never overw", 5),
        ("krmfn/kustomization.yaml", "resources: [x.yaml]\n", "krmfn/ is a kustomization with", 2),
        (".krmfn.yaml", "kind: X\n", ".krmfn.yaml", 2),
        ("krmfn-claims.yaml", "x\n", "base/krmfn-claims.yaml exists and is never overwritten", 5),
    ],
)
def test_a_taken_name(checkout: Path, name: str, text: str, message: str, code: int) -> None:
    """Nothing that exists is written over, and nothing is written at all."""
    if "claims" in name:
        (checkout / "base/claims.yaml").write_text("x\n")
        (checkout / "base" / name).write_text("x\n")
    else:
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text(text)
    before = tree(checkout)
    done = krmfn("init", "--yes", cwd=checkout)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert tree(checkout) == before


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("../outside.pem", "outside the repository; copy it into the repository"),
        ("absent.pem", "absent.pem: no such file"),
        ("base/app.yaml", "there is no PEM certificate in it"),
        ("prod=x=y.pem", "--certificate is [ENVIRONMENT=]FILE"),
        ("staging=controller.pem", "staging is not a new environment, expected one of prod"),
    ],
)
def test_a_certificate_that_a_build_would_refuse(checkout: Path, file: str, message: str) -> None:
    """It is refused before anything is written."""
    shutil.copy(KEYS / "current.crt", checkout.parent / "outside.pem")
    shutil.copy(KEYS / "current.crt", checkout / "controller.pem")
    before = tree(checkout)
    done = krmfn("init", "--yes", "--certificate", file, cwd=checkout)
    assert done.returncode in (2, 4)
    assert message in done.stderr
    assert tree(checkout) == before


def test_a_certificate_for_each_environment(checkout: Path) -> None:
    """One for an environment, another for all others."""
    (checkout / "overlays/dev").mkdir()
    text = KUSTOMIZATION.replace("production", "dev")
    (checkout / "overlays/dev/kustomization.yaml").write_text(text)
    for name in ("a", "b"):
        shutil.copy(KEYS / "current.crt", checkout / f"{name}.pem")
    arguments = ("--certificate", "a.pem", "--certificate", "prod=b.pem")
    done = krmfn("init", "--yes", *arguments, cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")
    spec = yaml.safe_load((checkout / ".krmfn.yaml").read_text())["spec"]
    assert spec["certificate"] == {"file": "a.pem"}
    assert spec["environments"] == [
        {"name": "dev", "paths": ["overlays/dev"]},
        {"name": "prod", "paths": ["overlays/prod"], "certificate": {"file": "b.pem"}},
    ]


def test_a_container_has_the_settings(checkout: Path) -> None:
    """They are in the transformer, by namespace, with the certificate's text; and there again."""
    shutil.copy(KEYS / "current.crt", checkout / "controller.pem")
    arguments = ("--container", "--certificate", "controller.pem")
    done = krmfn("init", "--yes", *arguments, cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (checkout / ".krmfn.yaml").exists()
    transformer = next(yaml.safe_load_all((checkout / "krmfn/transformer.yaml").read_text()))
    function = transformer["metadata"]["annotations"]["config.kubernetes.io/function"]
    assert yaml.safe_load(function)["container"]["network"] is True
    spec = transformer["spec"]
    assert spec["certificate"]["pem"].startswith("-----BEGIN CERTIFICATE-----\n")
    assert spec["environments"] == [{"name": "prod", "namespaces": ["production"]}]
    assert "Nothing to propose." in krmfn("init", "--yes", cwd=checkout).stdout


def test_yes_and_no(checkout: Path) -> None:
    """A refusal of the user's is exit code 1."""
    main, terminal = os.openpty()
    try:
        os.write(main, b"n\n")
        done = subprocess.run(
            [sys.executable, "-m", "krmfn", "init"],
            cwd=checkout,
            stdin=terminal,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(main)
        os.close(terminal)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.endswith("Nothing was written.\n")


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
    assert "+  validate: {plainSecrets: warn}" in done.stdout


def test_nothing_there(tmp_path: Path) -> None:
    """No kustomization is an error, and so is a template of paths with other fields."""
    done = krmfn("init", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no kustomization below . [file]" in done.stderr
    done = krmfn("init", "--path", "{tenant}/{name}", cwd=tmp_path)
    assert "--path knows {namespace}, {name} and {environment} only, found {tenant}/" in done.stderr
