"""Every example is a golden test: built by a real kustomize, with values from a real vault.

`examples/*/expected/*.yaml` is what each overlay gives for the values below; KRMFN_UPDATE=1 rewrites
them. kubectl's kustomize builds the overlays that it can; the others are built in tests/e2e.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.command import krmfn

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[1]
LOGTO = ROOT / "examples/logto"
# Made up, and fixed: the expected files depend on every one of them.
DERIVATION_KEY = "6b1f0a7c94d2e8350f1b6d2c7a8e9f40316275a4b3c2d1e0f9e8d7c6b5a49382"
VALUES = {
    "access_key_id": "AKIAEXAMPLE00000001",
    "secret_access_key": "9Gv+notarealsecret/0123456789abcdefghijkl",
}
NAME = "logto-backup-storage-credentials"


@pytest.fixture
def seeded(openbao: OpenBao) -> OpenBao:
    """A vault that holds the example's values."""
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "logto/production/backup", VALUES)
    return openbao


def kubectl(overlay: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`kubectl kustomize` of the wheel."""
    return subprocess.run(
        [Path(sys.executable).parent / "kubectl", "kustomize", "--enable-alpha-plugins", overlay],
        env=environ,
        text=True,
        capture_output=True,
        check=False,
    )


def hold(file: Path, output: str) -> None:
    """The output is the golden file's."""
    if os.environ.get("KRMFN_UPDATE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(output)
    assert output == file.read_text()


def sealed_secret(output: str) -> Any:
    """The one SealedSecret of a build."""
    (found,) = (d for d in yaml.safe_load_all(output) if d["kind"] == "SealedSecret")
    return found


def test_dev_seals_nothing_and_needs_no_vault(plugins: dict[str, str]) -> None:
    """Development has no secret of ours: no krmfn, no vault, no SealedSecret."""
    done = kubectl(LOGTO / "overlays/dev", plugins)
    assert (done.returncode, done.stderr) == (0, "")
    hold(LOGTO / "expected/dev.yaml", done.stdout)
    assert "SealedSecret" not in done.stdout


def test_prod_is_golden(plugins: dict[str, str], seeded: OpenBao) -> None:
    """Production's bytes are fixed by values, key, certificate and place."""
    done = kubectl(LOGTO / "overlays/prod-legacy", plugins | seeded.environ)
    assert (done.returncode, done.stderr) == (0, "")
    hold(LOGTO / "expected/prod.yaml", done.stdout)


def test_prod_opens_to_the_vault_values(plugins: dict[str, str], seeded: OpenBao) -> None:
    """The controller's key opens the SealedSecret to exactly what the vault holds."""
    done = kubectl(LOGTO / "overlays/prod-legacy", plugins | seeded.environ)
    given = json.dumps(sealed_secret(done.stdout))
    opened = krmfn("unseal", "--key", LOGTO / "demo-controller.key", stdin=given, cwd=ROOT)
    assert opened.returncode == 0, opened.stderr
    data = json.loads(opened.stdout.removeprefix("---"))["data"]
    assert {key: base64.b64decode(value).decode() for key, value in data.items()} == {
        "ACCESS_KEY_ID": VALUES["access_key_id"],
        "ACCESS_SECRET_KEY": VALUES["secret_access_key"],
    }


def test_one_changed_value_changes_one_item(plugins: dict[str, str], seeded: OpenBao) -> None:
    """Only the item whose value changed gets other bytes, and the old value gives the old ones."""
    before = sealed_secret((LOGTO / "expected/prod.yaml").read_text())["spec"]["encryptedData"]
    seeded.write("secret", "logto/production/backup", VALUES | {"access_key_id": "AKIAOTHER"})
    done = kubectl(LOGTO / "overlays/prod-legacy", plugins | seeded.environ)
    after = sealed_secret(done.stdout)["spec"]["encryptedData"]
    assert [key for key in before if before[key] != after[key]] == ["ACCESS_KEY_ID"]
    seeded.write("secret", "logto/production/backup", VALUES)
    again = kubectl(LOGTO / "overlays/prod-legacy", plugins | seeded.environ)
    hold(LOGTO / "expected/prod.yaml", again.stdout)


def test_the_exec_variant_fails_where_it_would_be_skipped(plugins: dict[str, str]) -> None:
    """kubectl skips exec functions in silence; the skip marker makes that an error that names the flag."""
    done = kubectl(LOGTO / "overlays/prod", plugins)
    assert (done.returncode, done.stdout) == (1, "")
    assert "krmfn-was-skipped-add---enable-exec" in done.stderr


def test_a_failure_reaches_the_user(plugins: dict[str, str], seeded: OpenBao) -> None:
    """kustomize shows krmfn's one line and its exit code."""
    seeded.write("secret", "logto/production/backup", {"access_key_id": "x"})
    done = kubectl(LOGTO / "overlays/prod-legacy", plugins | seeded.environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "[error] ../prod/generator/secrets.yaml: SealedSecretGenerator/logto: "
        "logto-backup-storage-credentials: "
        "ACCESS_SECRET_KEY: main:secret/logto/production/backup: there is no property "
        "secret_access_key; correct remoteRef.property, or write the value [property-missing]"
    ) in done.stderr
    assert "exit status 3" in done.stderr


# --- shop


@pytest.fixture
def shop(openbao: OpenBao) -> dict[str, str]:
    """The values of both environments, and the root of the example's own repository."""
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "shop/staging/db", {"user": "shop", "password": "p@ss/word"})
    openbao.write("secret", "shop/production/db", {"user": "shop_prod", "password": "s3cr3t"})
    openbao.write("secret", "shop/registry", {"token": "t0k3n"})
    return openbao.environ | {"KRMFN_ROOT": str(ROOT / "examples/shop")}


@pytest.mark.parametrize("name", ["staging", "production"])
def test_shop_is_golden(
    name: str, plugins: dict[str, str], shop: dict[str, str], tmp_path: Path
) -> None:
    """`krmfn build`, with the line and without, and kubectl give fixed bytes."""
    program = {"KRMFN_KUSTOMIZE": str(Path(sys.executable).parent / "kubectl")}
    done = krmfn("build", ROOT / f"examples/shop/overlays/{name}", **program, **shop)
    assert (done.returncode, done.stderr) == (0, "")
    hold(ROOT / f"examples/shop/expected/{name}.yaml", done.stdout)
    copy = tmp_path / "shop"
    shutil.copytree(ROOT / "examples/shop", copy)
    shop["KRMFN_ROOT"] = str(copy)
    transformer = copy / "krmfn/transformer.yaml"
    transformer.write_text(transformer.read_text().partition("  annotations:")[0])
    plain = kubectl(copy / f"overlays/{name}", plugins | shop)
    assert (plain.returncode, plain.stdout) == (0, done.stdout), plain.stderr
    file = copy / f"overlays/{name}/kustomization.yaml"
    file.write_text(file.read_text().partition("transformers:")[0])
    short = krmfn("build", file.parent, **program, **shop)
    assert (short.returncode, short.stdout) == (0, done.stdout), short.stderr


# --- age


def test_age_is_golden(plugins: dict[str, str]) -> None:
    """The store in the repository gives fixed bytes, by kubectl alone."""
    age = ROOT / "examples/age"
    identity = (age / "demo-identity.txt").read_text()
    done = kubectl(age, plugins | {"KRMFN_AGE_IDENTITY": identity})
    assert (done.returncode, done.stderr) == (0, "")
    hold(age / "expected/output.yaml", done.stdout)


def test_age_refuses_another_namespace(plugins: dict[str, str], tmp_path: Path) -> None:
    """The store is bound: an overlay for another namespace gets nothing."""
    shutil.copytree(ROOT / "examples/age", tmp_path / "age")
    for file in ("kustomization.yaml", "generator.yaml"):
        path = tmp_path / "age" / file
        path.write_text(path.read_text().replace("production\n", "dev\n"))
    identity = (tmp_path / "age/demo-identity.txt").read_text()
    done = kubectl(tmp_path / "age", plugins | {"KRMFN_AGE_IDENTITY": identity})
    assert (done.returncode, done.stdout) == (1, "")
    assert "secrets.age is bound to other namespaces, found namespace dev" in done.stderr
    assert "[store-bound]" in done.stderr
    assert "exit status 6" in done.stderr
