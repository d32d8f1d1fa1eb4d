"""`krmfn rotate` and `.krmfn.yaml`: what an environment says is changed there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import krmfn
from tests.support.estates import TEAM, claim, pem, put
from tests.support.function import KEYS

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.support.openbao import OpenBao


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One team's repository."""
    TEAM.write(tmp_path, exec_=False)
    return tmp_path


def rotate(
    action: str, root: Path, *more: str | Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    return krmfn("rotate", action, root / "overlays/dev", *more, **environ)


def settings(root: Path) -> Any:
    return json.loads((root / ".krmfn.yaml").read_text())["spec"]


@pytest.mark.parametrize("line", [True, False])
def test_the_certificate_of_the_environment(line: bool, root: Path) -> None:
    """Its file is replaced, that of the other environment stays; without a transformer, too."""
    if not line:
        file = root / "overlays/dev/kustomization.yaml"
        put(file, {k: v for k, v in json.loads(file.read_text()).items() if k != "transformers"})
    before = (root / "certs/current.pem").read_bytes()
    done = rotate("cert", root, "--to", KEYS / "current.crt")
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    assert "certs/previous.pem" in done.stdout
    assert (root / "certs/previous.pem").read_bytes() == (KEYS / "current.crt").read_bytes()
    assert (root / "certs/current.pem").read_bytes() == before


def test_the_epoch_of_the_environment(root: Path) -> None:
    """Its own, counted from that of all."""
    put_settings(root, {"epoch": "7"})
    done = rotate("epoch", root)
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    dev, production = settings(root)["environments"]
    assert (dev["epoch"], "epoch" in production) == ("8", False)
    assert rotate("epoch", root, "--to", "x").returncode == 0
    assert settings(root)["environments"][0]["epoch"] == "x"


def put_settings(root: Path, more: dict[str, Any]) -> None:
    value = json.loads((root / ".krmfn.yaml").read_text())
    put(root / ".krmfn.yaml", value | {"spec": value["spec"] | more})


def test_no_environment(root: Path) -> None:
    """The error names what does not match; an option decides."""
    put(root / "overlays/x/kustomization.yaml", {"resources": ["../../base"]})
    done = krmfn("rotate", "epoch", root / "overlays/x")
    assert done.returncode == 2
    assert "the directory overlays/x" in done.stderr
    named = krmfn("rotate", "epoch", root / "overlays/x", "--environment", "dev")
    assert named.returncode == 0, named.stderr
    assert settings(root)["environments"][0]["epoch"] == "2"


def test_versions(root: Path, openbao: OpenBao) -> None:
    """A path alone becomes a path with a version; one for each environment stays as it is."""
    put_settings(root, {"stores": {"main": {"vault": {"path": "secret"}}}})
    text = "apiVersion: krmfn.dev/v1alpha1\nkind: SecretClaim\nmetadata: {name: shop-db}\nspec:\n"
    text += "  from: pins/shared   # all of them\n  keys: [password]\n"
    (root / "base/claim.yaml").write_text(text)
    newest = [openbao.write("secret", "pins/shared", {"password": str(n)}) for n in range(3)][-1]
    done = rotate("versions", root, **openbao.environ)
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    wanted = text.replace("pins/shared ", f'{{key: "pins/shared", version: {newest}}} ')
    assert (root / "base/claim.yaml").read_text() == wanted
    again = openbao.write("secret", "pins/shared", {"password": "x"})
    assert rotate("versions", root, **openbao.environ).returncode == 0
    assert f"version: {again}}}" in (root / "base/claim.yaml").read_text()
    put(root / "base/claim.yaml", claim("shop-db", "pins/{environment}"))
    assert rotate("versions", root, **openbao.environ).stderr == "nothing to change\n"


def test_a_pin_with_the_environments_name(root: Path, openbao: OpenBao) -> None:
    """The version of the finished path."""
    put_settings(root, {"stores": {"main": {"vault": {"path": "secret"}}}})
    spec = {"from": {"key": "pins/{environment}", "version": 1}, "keys": ["password"]}
    put(root / "base/claim.yaml", claim("shop-db", "x") | {"spec": spec})
    newest = [openbao.write("secret", "pins/dev", {"password": str(n)}) for n in range(4)][-1]
    done = rotate("versions", root, **openbao.environ)
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    found = json.loads((root / "base/claim.yaml").read_text())["spec"]["from"]
    assert found == {"key": "pins/{environment}", "version": newest}


def test_nothing_to_pin_in_an_age_store(root: Path) -> None:
    """It keeps no versions, so that a path alone stays one."""
    put(root / "base/claim.yaml", claim("shop-db", "shop/db"))
    put_settings(root, {"certificate": pem("current")})
    done = rotate("versions", root, KRMFN_AGE_IDENTITY="AGE-SECRET-KEY-1")
    assert done.returncode in (0, 3), done.stderr


def test_schema_check_knows_the_settings(root: Path) -> None:
    """What `.krmfn.yaml` sets is not missing; a store that neither defines is."""
    file = root / "krmfn/transformer.yaml"
    value = json.loads(file.read_text())
    sealing = {"scope": "namespace-wide", "derivationKey": {"store": "main", "key": "k"}}
    sealing["derivationKey"]["property"] = "p"  # type: ignore[index]
    put(file, value | {"spec": {"sealing": sealing}})
    done = krmfn("schema", "--check", file, root / ".krmfn.yaml")
    assert (done.returncode, done.stderr) == (0, "2 checked, no mistake\n")
    put(file, value | {"spec": {"sealing": sealing, "defaultStore": "other"}})
    done = krmfn("schema", "--check", file)
    assert done.returncode == 2
    assert "the store other is used and not defined under stores" in done.stderr
    put_settings(root, {"scpoe": "strict"})
    done = krmfn("schema", "--check", root / ".krmfn.yaml")
    assert "did you mean scope?" in done.stderr
