"""How much a person writes: files and lines, each row built by the tool that it names, and opened."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.command import krmfn
from tests.support.estates import MARKER, opened, workload
from tests.support.function import DERIVATION_KEY, KEYS

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

KUBECTL = Path(sys.executable).parent / "kubectl"
SETTINGS = """\
apiVersion: krmfn.dev/v1alpha1
kind: RepositoryConfig
spec:
  stores: {main: {vault: {path: secret}}}
  certificate: {file: certs/production.pem}
"""
CLAIM = """\
apiVersion: krmfn.dev/v1alpha1
kind: SecretClaim
metadata: {name: shop-db}
spec:
  from: table/db
  keys: [username, password]
"""
OVERLAY = """\
namespace: shop
resources: [claim.yaml]
"""
FOLDER = {
    "krmfn/kustomization.yaml": "resources: [transformer.yaml]\n",
    "krmfn/transformer.yaml": """\
apiVersion: krmfn.dev/v1alpha1
kind: SealedSecretTransformer
metadata: {name: krmfn}
---
"""
    + MARKER,
}


@dataclass
class Written:
    """What a person has written in a repository, and nothing else of it."""

    root: Path
    files: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> None:
        """Write or replace a file."""
        self.files[name] = text
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    @property
    def lines(self) -> int:
        """Lines of all files, separators of documents too."""
        return sum(len(text.splitlines()) for text in self.files.values())


def beside(root: Path, name: str, text: str) -> None:
    """Write a file that is there without krmfn."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


@pytest.fixture
def written(tmp_path: Path, openbao: OpenBao) -> Written:
    """An empty repository with a certificate, and a vault with keys and values."""
    (tmp_path / ".git").mkdir()
    for name in ("production", "staging", "dev", "review"):
        beside(tmp_path, f"certs/{name}.pem", (KEYS / "current.crt").read_text())
        openbao.write("secret", f"krmfn/derivation/{name}", {"key": DERIVATION_KEY})
        for number in range(9):
            openbao.write("secret", f"table/{name}/s{number}", {"password": f"{name}-{number}"})
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "table/db", {"username": "u", "password": "p"})
    return Written(tmp_path)


def sealed(text: str) -> list[dict[str, Any]]:
    """The SealedSecrets of a stream."""
    return [one for one in yaml.safe_load_all(text) if one["kind"] == "SealedSecret"]


def by_krmfn(written: Written, overlay: str, environ: dict[str, str]) -> list[dict[str, Any]]:
    """The SealedSecrets of `krmfn build`."""
    done = krmfn("build", written.root / overlay, KRMFN_KUSTOMIZE=str(KUBECTL), **environ)
    assert done.returncode == 0, done.stderr
    return sealed(done.stdout)


def by_kustomize(written: Written, overlay: str, environ: dict[str, str]) -> list[dict[str, Any]]:
    """The SealedSecrets of `kubectl kustomize`, with krmfn as a legacy plugin."""
    done = subprocess.run(
        [KUBECTL, "kustomize", "--enable-alpha-plugins", written.root / overlay],
        env=environ,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return sealed(done.stdout)


def test_the_first_overlay_for_krmfn_build(written: Written, openbao: OpenBao) -> None:
    """At most 14 lines in 3 files, the kustomization's own among them."""
    written.write(".krmfn.yaml", SETTINGS)
    written.write("shop/claim.yaml", CLAIM)
    written.write("shop/kustomization.yaml", OVERLAY)
    (found,) = by_krmfn(written, "shop", openbao.environ)
    assert sorted(found["spec"]["encryptedData"]) == ["password", "username"]
    assert written.lines <= 14
    assert len(written.files) <= 3


def test_the_first_overlay_for_plain_kustomize(
    written: Written, openbao: OpenBao, plugins: dict[str, str]
) -> None:
    """At most 28 lines in 5 files with marker and validation, and one line for each further one."""
    written.write(".krmfn.yaml", SETTINGS)
    written.write("shop/claim.yaml", CLAIM)
    written.write("shop/kustomization.yaml", OVERLAY + "transformers: [../krmfn]\n")
    for name, text in FOLDER.items():
        written.write(name, text)
    (found,) = by_kustomize(written, "shop", plugins | openbao.environ)
    assert sorted(found["spec"]["encryptedData"]) == ["password", "username"]
    skipped = subprocess.run(
        [KUBECTL, "kustomize", written.root / "shop"], capture_output=True, check=False
    )
    assert skipped.returncode != 0
    assert written.lines <= 28
    assert len(written.files) <= 5


def environments(*names: str) -> str:
    """`.krmfn.yaml` with these environments."""
    text = "apiVersion: krmfn.dev/v1alpha1\nkind: RepositoryConfig\nspec:\n"
    text += "  stores: {main: {vault: {path: secret}}}\n  environments:\n"
    for name in names:
        text += environment(name)
    return text


def environment(name: str) -> str:
    """An environment's lines."""
    return (
        f"  - name: {name}\n    paths: [overlays/{name}]\n"
        f"    certificate: {{file: certs/{name}.pem}}\n"
    )


def claim(number: int) -> str:
    """A claim of all environments."""
    return (
        "apiVersion: krmfn.dev/v1alpha1\nkind: SecretClaim\n"
        f"metadata: {{name: s{number}}}\n"
        f'spec: {{from: "table/{{environment}}/s{number}", keys: [password]}}\n'
    )


def overlay(written: Written, name: str) -> None:
    """An overlay that is there, with its one line."""
    text = f"namespace: {name}\nresources: [../../base]\n"
    beside(
        written.root, f"overlays/{name}/kustomization.yaml", text + "transformers: [../../krmfn]\n"
    )


def estate(written: Written) -> None:
    """Three overlays and seven secrets."""
    written.write(".krmfn.yaml", environments("dev", "staging", "production"))
    written.write("base/claims.yaml", "---\n".join(map(claim, range(7))))
    for name, text in FOLDER.items():
        written.write(name, text)
    beside(written.root, "base/deployment.yaml", json.dumps(workload("shop", "s0")))
    beside(written.root, "base/kustomization.yaml", "resources: [deployment.yaml, claims.yaml]\n")
    for name in ("dev", "staging", "production"):
        overlay(written, name)


def test_three_overlays_and_seven_secrets(
    written: Written, openbao: OpenBao, plugins: dict[str, str]
) -> None:
    """At most 90 lines in 6 files, and one line per overlay."""
    estate(written)
    for name in ("dev", "staging", "production"):
        found = by_kustomize(written, f"overlays/{name}", plugins | openbao.environ)
        values = [opened(one, "current") for one in found]
        assert values == [f"{name}-{number}" for number in range(7)]
    assert written.lines + 3 <= 90
    assert len(written.files) <= 6


def test_one_more_secret(written: Written, openbao: OpenBao, plugins: dict[str, str]) -> None:
    """At most 6 lines for all overlays."""
    estate(written)
    before = written.lines
    written.write("base/claims.yaml", written.files["base/claims.yaml"] + "---\n" + claim(7))
    assert written.lines - before <= 6
    found = by_kustomize(written, "overlays/dev", plugins | openbao.environ)
    assert opened(found[-1], "current") == "dev-7"


def test_one_more_environment(written: Written, openbao: OpenBao, plugins: dict[str, str]) -> None:
    """At most 4 lines, beside a certificate and a key in the vault."""
    estate(written)
    before = written.lines
    written.write(".krmfn.yaml", written.files[".krmfn.yaml"] + environment("review"))
    overlay(written, "review")
    assert written.lines - before + 1 <= 4
    found = by_kustomize(written, "overlays/review", plugins | openbao.environ)
    assert [opened(one, "current") for one in found] == [f"review-{n}" for n in range(7)]


def test_one_function(written: Written, openbao: OpenBao, plugins: dict[str, str]) -> None:
    """kustomize starts one process of krmfn's for an overlay, which seals and validates."""
    estate(written)
    log = written.root / "calls"
    home = written.root / "plugins"
    for kind in ("SealedSecretTransformer", "SealedSecretValidator"):
        program = home / "krmfn.dev/v1alpha1" / kind.lower() / kind
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\necho {kind} >> {log}\nexec krmfn "$@"\n')
        program.chmod(0o755)
    environ = plugins | openbao.environ | {"KUSTOMIZE_PLUGIN_HOME": str(home)}
    assert len(by_kustomize(written, "overlays/dev", environ)) == 7
    assert log.read_text().split() == ["SealedSecretTransformer"]


def test_init_writes_no_more(written: Written, openbao: OpenBao) -> None:
    """For three overlays and seven secrets: at most 90 lines, 6 files, and one line per overlay."""
    root, names = written.root, ("dev", "staging", "production")
    for number in range(7):
        value = workload(f"w{number}", f"s{number}")
        container = value["spec"]["template"]["spec"]["containers"][0]
        reference = {"name": f"s{number}", "key": "password"}
        container["env"] = [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": reference}}]
        del container["envFrom"]
        beside(root, f"base/w{number}.yaml", json.dumps(value) + "\n")
    beside(
        root,
        "base/kustomization.yaml",
        "resources:\n" + "".join(f"- w{n}.yaml\n" for n in range(7)),
    )
    for name in names:
        beside(
            root,
            f"overlays/{name}/kustomization.yaml",
            f"namespace: {name}\nresources: [../../base]\n",
        )
    before = {file: file.read_text() for file in root.rglob("*.yaml")}
    program = {"KRMFN_KUSTOMIZE": str(KUBECTL)}
    path = "table/{environment}/{name}"
    done = krmfn("init", "--yes", "--path", path, root, cwd=root, **program)
    assert done.returncode == 0, done.stdout + done.stderr
    after = {file: file.read_text() for file in root.rglob("*.yaml")}
    after[root / ".krmfn.yaml"] = (root / ".krmfn.yaml").read_text()
    new = {file: text for file, text in after.items() if file not in before}
    grown = {
        file: len(text.splitlines()) - len(before.get(file, "").splitlines())
        for file, text in after.items()
    }
    assert len(new) <= 6
    assert sum(grown.values()) <= 90
    for name in names:
        added = grown[root / f"overlays/{name}/kustomization.yaml"]
        assert added == 1
        found = by_krmfn(written, f"overlays/{name}", openbao.environ)
        assert {opened(one, "current") for one in found} == {f"{name}-{n}" for n in range(7)}
