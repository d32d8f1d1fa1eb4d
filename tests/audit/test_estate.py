"""The estate: what the audit finds in it is exactly what was written down beforehand.

`examples/estate/expected/audit` was written without krmfn. It is held against the estate as it was
before krmfn, against its claims, and against what krmfn has sealed.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support import estate
from tests.support.command import krmfn
from tests.support.estate import ESTATE, KEY, KUBECTL, NAMESPACES, OVERLAYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.openbao import OpenBao

# Used as a whole, so that no reference tells its keys.
WHOLE = "courier-env"
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@pytest.fixture(scope="module")
def seeded(openbao: OpenBao) -> OpenBao:
    """A vault with the values of both environments."""
    estate.seed(openbao)
    return openbao


@cache
def built(overlay: str, address: str, token: str) -> str:
    """`krmfn build` of an overlay, once."""
    environ = {"KRMFN_KUSTOMIZE": str(KUBECTL), "VAULT_ADDR": address, "VAULT_TOKEN": token}
    done = krmfn("build", ESTATE / f"overlays/{overlay}", cwd=estate.ROOT, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def build(overlay: str, bao: OpenBao) -> str:
    """The finished build."""
    return built(overlay, bao.address, bao.token)


def audited(source: str | Path, exit_code: int = 0, stdin: str | None = None) -> Any:
    """`krmfn audit --json`."""
    environ = {"KRMFN_KUSTOMIZE": str(KUBECTL)}
    done = krmfn("audit", source, "--json", stdin=stdin, cwd=estate.ROOT, **environ)
    assert (done.returncode, done.stderr) == (exit_code, "")
    return json.loads(done.stdout)


def held(found: Any, overlay: str) -> None:
    """References, counts, operators' Secrets and those in clear are the documented ones."""
    wanted, namespace = estate.documented(overlay), NAMESPACES[overlay]
    counts = found["counts"]
    counts["sealed"] = counts.pop("unmet", 0) + counts.get("sealed", 0)
    assert counts == wanted["counts"]
    for one in found["references"]:
        assert one.pop("namespace") == namespace
        one["secret"] = estate.unhashed(one["secret"])
        kind, slash, name = one["by"].replace("unmet", "sealed").partition("/")
        one["by"] = kind + slash + estate.unhashed(name)
    assert found["references"] == wanted["refs"]
    for how in ("operator", "plain", "sealed"):
        assert {one["namespace"] for one in found[how]} <= {namespace}
    # Depends on how the operator itself is set up; nothing here refers to any.
    certain = [one for one in found["operator"] if one.get("certain", True)]
    assert [{k: one[k] for k in ("name", "type", "by")} for one in certain] == wanted["operator"]
    plain = [(estate.unhashed(one["name"]), one["keys"]) for one in found["plain"]]
    assert plain == [(f"{one['name']}-*", one["keys"]) for one in wanted["plain"]]
    assert all(one["hashed"] for one in wanted["plain"])


def described(secrets: list[Any]) -> list[Any]:
    """Name, type, keys and labels of each, keys in order."""
    return [
        {
            k: sorted(one[k]) if k == "keys" else one[k]
            for k in ("name", "type", "keys", "labels")
            if one.get(k)
        }
        for one in secrets
    ]


@each_overlay
def test_before_krmfn(overlay: str) -> None:
    """Without claims, what has to be sealed is what is missing, with types, keys and labels."""
    found = audited("-", exit_code=1, stdin=estate.plain(overlay))
    whole = [one["name"] for one in found["wanted"] if one["whole"]]
    assert whole == [WHOLE]
    held(found, overlay)
    assert found["sealed"] == []
    wanted = described(estate.documented(overlay)["seal"])
    (unknown,) = (one for one in wanted if one["name"] == WHOLE)
    del unknown["keys"]
    assert described(found["wanted"]) == wanted
    assert {one["rule"] for one in found["findings"]} == {"unmet-reference"}


@each_overlay
def test_claims(overlay: str) -> None:
    """An overlay is audited without a vault, by its claims, and nothing is wrong with it."""
    found = audited(ESTATE / f"overlays/{overlay}")
    held(found, overlay)
    assert described(found["sealed"]) == described(estate.documented(overlay)["seal"])
    assert {one["by"].partition("/")[0] for one in found["sealed"]} == {"SecretClaim"}
    assert (found["wanted"], found["findings"]) == ([], [])


@each_overlay
def test_sealed(overlay: str, seeded: OpenBao) -> None:
    """The finished build has exactly what was written down, to the last key and label."""
    found = audited("-", stdin=build(overlay, seeded))
    held(found, overlay)
    assert described(found["sealed"]) == described(estate.documented(overlay)["seal"])
    assert {one["by"].partition("/")[0] for one in found["sealed"]} == {"SealedSecret"}
    assert (found["wanted"], found["findings"]) == ([], [])


def sealed(stream: str) -> list[Any]:
    """The SealedSecrets of a build."""
    return [one for one in yaml.safe_load_all(stream) if one["kind"] == "SealedSecret"]


def test_logto_needs_one_secret_and_only_in_production(seeded: OpenBao) -> None:
    """Dev seals 9 Secrets and none for logto; production 12, and for logto its backup's credentials."""
    names = {o: [one["metadata"]["name"] for one in sealed(build(o, seeded))] for o in OVERLAYS}
    assert {overlay: len(found) for overlay, found in names.items()} == {
        "dev": 9,
        "prod": 12,
        "prod-barman-plugin": 12,
    }
    logto = {o: [name for name in found if "logto" in name] for o, found in names.items()}
    one = ["logto-backup-storage-credentials"]
    assert logto == {"dev": [], "prod": one, "prod-barman-plugin": one}
    (backup,) = (s for s in sealed(build("prod", seeded)) if s["metadata"]["name"] == one[0])
    assert backup["metadata"]["namespace"] == "production"
    annotations = backup["metadata"]["annotations"]
    assert annotations["krmfn.dev/sealed-for"] == f"production/{one[0]}"


@each_overlay
def test_operators_find_their_secrets(overlay: str, seeded: OpenBao) -> None:
    """What a Cluster reads is applied in an earlier wave than the Cluster."""
    stream = build(overlay, seeded)
    read = {
        one["secret"]
        for one in estate.documented(overlay)["refs"]
        if one["from"].startswith(("Cluster/", "ObjectStore/"))
    }
    wave = "argocd.argoproj.io/sync-wave"
    waves = {s["metadata"]["name"]: s["metadata"]["annotations"].get(wave) for s in sealed(stream)}
    assert {name for name, value in waves.items() if value} == read
    assert {waves[name] for name in read} == {"-1"}
    clusters = [one for one in yaml.safe_load_all(stream) if one["kind"] == "Cluster"]
    assert not [one for one in clusters if wave in one["metadata"].get("annotations", {})]


@each_overlay
def test_the_seals_open_to_what_the_vault_holds(overlay: str, seeded: OpenBao) -> None:
    """The controller's key opens each to the values of its own environment."""
    done = krmfn("unseal", "--key", KEY, stdin=build(overlay, seeded), cwd=estate.ROOT)
    assert done.returncode == 0
    opened = {
        one["metadata"]["name"]: {
            key: base64.b64decode(value).decode() for key, value in one["data"].items()
        }
        for one in yaml.safe_load_all(done.stdout)
        if one
    }
    assert opened == estate.contents(NAMESPACES[overlay])


def test_a_token_for_one_environment(seeded: OpenBao) -> None:
    """Production's token needs its own paths and the derivation key, and reads nothing of dev's."""
    paths = ("estate/production/*", "krmfn/derivation")
    policy = "\n".join(f'path "secret/data/{p}" {{ capabilities = ["read"] }}' for p in paths)
    token = seeded.token_for(policy)
    assert built("prod", seeded.address, token) == build("prod", seeded)
    environ = {"VAULT_ADDR": seeded.address, "VAULT_TOKEN": token, "KRMFN_KUSTOMIZE": str(KUBECTL)}
    done = krmfn("build", ESTATE / "overlays/dev", cwd=estate.ROOT, **environ)
    assert (done.returncode, done.stdout) == (3, "")
    assert "[permission-denied]" in done.stderr


@each_overlay
def test_kubectl_builds_the_same(overlay: str, seeded: OpenBao, plugins: dict[str, str]) -> None:
    """The legacy variant gives `krmfn build`'s bytes, and they are golden."""
    command = [
        KUBECTL,
        "kustomize",
        "--enable-alpha-plugins",
        ESTATE / f"overlays/{overlay}-legacy",
    ]
    done = subprocess.run(
        command, env=plugins | seeded.environ, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    golden = ESTATE / f"expected/{overlay}.yaml"
    if os.environ.get("KRMFN_UPDATE"):
        golden.write_text(done.stdout)
    assert done.stdout == golden.read_text()
    assert build(overlay, seeded) == done.stdout


@each_overlay
def test_kubectl_does_not_skip_in_silence(overlay: str, plugins: dict[str, str]) -> None:
    """kubectl skips exec functions; the skip marker makes that an error that names the flag."""
    command = [KUBECTL, "kustomize", "--enable-alpha-plugins", ESTATE / f"overlays/{overlay}"]
    done = subprocess.run(command, env=plugins, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "krmfn-was-skipped-add---enable-exec" in done.stderr
