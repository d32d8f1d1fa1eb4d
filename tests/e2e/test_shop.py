"""The shop example by every route and under every kustomize, golden, opened by the real kubeseal."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.tools import KUBESEAL_VERSIONS, KUSTOMIZE_VERSIONS, tool

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "tests/upgrade/examples/shop"  # with an overlay for each route
KEY = ROOT / "examples/logto/demo-controller.key"  # the certificate is the same
DERIVATION_KEY = "6b1f0a7c94d2e8350f1b6d2c7a8e9f40316275a4b3c2d1e0f9e8d7c6b5a49382"
URLS = {
    "staging": "postgres://shop:p%40ss%2Fword@db:5432/shop",
    "production": "postgres://shop_prod:s3cr3t@db:5432/shop",
}


@pytest.fixture
def environ(plugins: dict[str, str], openbao: OpenBao) -> dict[str, str]:
    """krmfn on PATH, and a vault with the values."""
    openbao.request("DELETE", "secret/metadata/shop/production/db")
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "shop/db", {"user": "shop", "password": "p@ss/word"})
    openbao.write("secret", "shop/production/db", {"user": "shop_prod", "password": "s3cr3t"})
    openbao.write("secret", "shop/production/db", {"user": "newer", "password": "not-yet"})
    openbao.write("secret", "shop/registry", {"token": "t0k3n"})
    return plugins | openbao.environ


def build(version: str, overlay: str, environ: dict[str, str], *flags: str) -> Any:
    """`kustomize build` of one overlay."""
    return subprocess.run(
        [tool("kustomize", version), "build", *flags, SHOP / "overlays" / overlay],
        env=environ,
        text=True,
        capture_output=True,
        check=False,
    )


def opened(sealed: Any) -> dict[str, str]:
    """What the real kubeseal opens."""
    done = subprocess.run(
        [
            tool("kubeseal", KUBESEAL_VERSIONS[-1]),
            "--recovery-unseal",
            "--recovery-private-key",
            KEY,
            "-o",
            "json",
        ],
        input=json.dumps(sealed),
        text=True,
        capture_output=True,
        check=True,
    )
    data = json.loads(done.stdout)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
@pytest.mark.parametrize(("overlay", "prefix"), [("staging", "stg-"), ("production", "")])
def test_each_overlay(version: str, overlay: str, prefix: str, environ: dict[str, str]) -> None:
    """Each overlay is golden; its seals open under their final names, which the workload uses."""
    done = build(
        version, f"transformer/{overlay}", environ, "--enable-alpha-plugins", "--enable-exec"
    )
    assert (done.returncode, done.stderr) == (0, "")
    golden = SHOP / f"expected/{overlay}.yaml"
    if os.environ.get("KRMFN_UPDATE"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(done.stdout)
    assert done.stdout == golden.read_text()
    found = {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(done.stdout)}
    assert sorted(found) == [
        ("Deployment", f"{prefix}shop"),
        ("SealedSecret", f"{prefix}shop-db"),
        ("SealedSecret", f"{prefix}shop-registry"),
    ]
    pod = found["Deployment", f"{prefix}shop"]["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": f"{prefix}shop-registry"}]
    reference = pod["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": f"{prefix}shop-db", "key": "url"}
    assert opened(found["SealedSecret", f"{prefix}shop-db"]) == {"url": URLS[overlay]}
    registry = opened(found["SealedSecret", f"{prefix}shop-registry"])
    auth = json.loads(registry[".dockerconfigjson"])["auths"]["registry.example"]
    assert auth["auth"] == base64.b64encode(b"shop-puller:t0k3n").decode()


@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
@pytest.mark.parametrize("overlay", ["staging", "production"])
@pytest.mark.parametrize("route", ["generator", "transformer"])
def test_without_the_flag(version: str, route: str, overlay: str, environ: dict[str, str]) -> None:
    """Left out, the flag is named, and nothing is printed."""
    done = build(version, f"{route}/{overlay}", environ, "--enable-alpha-plugins")
    assert (done.returncode, done.stdout) == (1, "")
    assert "krmfn-was-skipped-add---enable-exec" in done.stderr


@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
def test_edit_set_namespace(version: str, tmp_path: Path, environ: dict[str, str]) -> None:
    """`kustomize edit set namespace`, as Argo CD does it, leads to the right seal."""
    import shutil

    shutil.copytree(SHOP, tmp_path / "claims", symlinks=True)
    overlay = tmp_path / "claims/overlays/transformer/staging"
    command = [tool("kustomize", version), "edit", "set", "namespace", "preview-7"]
    subprocess.run(command, cwd=overlay, check=True, env=environ)
    done = subprocess.run(
        [tool("kustomize", version), "build", "--enable-alpha-plugins", "--enable-exec", overlay],
        env=environ | {"KRMFN_ROOT": str(tmp_path)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    sealed = [d for d in yaml.safe_load_all(done.stdout) if d["kind"] == "SealedSecret"]
    assert {d["metadata"]["namespace"] for d in sealed} == {"preview-7"}
    assert opened(sealed[0]) == {"url": URLS["staging"]}


def canonical(stream: str) -> dict[tuple[str, str], str]:
    """The SealedSecrets of a stream as canonical JSON."""
    return {
        (one["metadata"]["namespace"], one["metadata"]["name"]): json.dumps(one, sort_keys=True)
        for one in yaml.safe_load_all(stream)
        if one["kind"] == "SealedSecret"
    }


def krmfn(*arguments: Any, environ: dict[str, str], stdin: str = "") -> Any:
    """The command line."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "krmfn", *arguments],
        input=stdin,
        env=environ,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
def test_every_route_gives_the_same_object(version: str, environ: dict[str, str]) -> None:
    """Generator, transformer, build and seal: one SealedSecret, to the byte, for one secret."""
    environ = environ | {"KRMFN_KUSTOMIZE": str(tool("kustomize", version))}
    golden = (SHOP / "expected/production.yaml").read_text()
    flags = ("--enable-alpha-plugins", "--enable-exec")
    generated = build(version, "generator/production", environ, *flags)
    assert (generated.returncode, generated.stderr) == (0, "")
    plain = build(version, "seal/production", environ)
    sealed = krmfn("seal", "--config", SHOP / "sealing.yaml", environ=environ, stdin=plain.stdout)
    assert (sealed.returncode, sealed.stderr) == (0, "")
    for stream in (generated.stdout, sealed.stdout):
        assert canonical(stream) == canonical(golden)
    for route in ("transformer", "generator"):
        built = krmfn("build", SHOP / f"overlays/{route}/production", environ=environ)
        assert (built.returncode, built.stderr) == (0, "")
        assert built.stdout == golden


@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
def test_staging_by_the_other_routes(version: str, environ: dict[str, str]) -> None:
    """A namespace-wide generator under the prefix; build as the transformer; seal refuses."""
    environ = environ | {"KRMFN_KUSTOMIZE": str(tool("kustomize", version))}
    flags = ("--enable-alpha-plugins", "--enable-exec")
    done = build(version, "generator/staging", environ, *flags)
    assert (done.returncode, done.stderr) == (0, "")
    found = {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(done.stdout)}
    one = found["SealedSecret", "stg-shop-db"]
    assert one["metadata"]["annotations"]["krmfn.dev/sealed-for"] == "staging/*"
    assert opened(one) == {"url": URLS["staging"]}
    built = krmfn("build", SHOP / "overlays/transformer/staging", environ=environ)
    assert built.stdout == (SHOP / "expected/staging.yaml").read_text()
    plain = build(version, "seal/staging", environ)
    sealed = krmfn("seal", "--config", SHOP / "sealing.yaml", environ=environ, stdin=plain.stdout)
    assert (sealed.returncode, sealed.stdout) == (2, "")
    assert "[name-changes]" in sealed.stderr
