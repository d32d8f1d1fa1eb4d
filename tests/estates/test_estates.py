"""Six estates by `krmfn build` and as legacy plugins of kubectl: the same bytes, and what opens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.command import krmfn
from tests.support.estates import ESTATES, TEAM, Estate, document, opened, put, shared
from tests.support.function import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.slow
KUBECTL = Path(sys.executable).parent / "kubectl"


def build(
    root: Path, directory: str, *more: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """`krmfn build` with the kubectl of the wheel."""
    return krmfn("build", root / directory, *more, KRMFN_KUSTOMIZE=str(KUBECTL), **environ)


def legacy(root: Path, directory: str, environ: Mapping[str, str]) -> Any:
    """`kubectl kustomize` with krmfn as a legacy plugin."""
    return subprocess.run(
        [KUBECTL, "kustomize", "--enable-alpha-plugins", root / directory],
        env=dict(environ),
        text=True,
        capture_output=True,
        check=False,
    )


def objects(text: str) -> list[dict[str, Any]]:
    """All objects of a stream."""
    return [one for one in yaml.safe_load_all(text) if one]


def sealed(text: str) -> dict[str, dict[str, Any]]:
    """The SealedSecrets of a stream, by place."""
    found = (one for one in objects(text) if one["kind"] == "SealedSecret")
    return {f"{s['metadata']['namespace']}/{s['metadata']['name']}": s for s in found}


@pytest.mark.parametrize("estate", ESTATES, ids=lambda estate: estate.id)
def test_one_line(estate: Estate, tmp_path: Path, plugins: dict[str, str]) -> None:
    """Every overlay is sealed for its own environment, by both routes to the byte."""
    environ = estate.write(tmp_path / "r", exec_=False)
    for overlay in estate.overlays:
        done = build(tmp_path / "r", overlay.directory, **environ)
        assert (done.returncode, done.stderr) == (0, "")
        found = sealed(done.stdout)
        values = {place: opened(one, overlay.recipient) for place, one in found.items()}
        assert values == overlay.sealed
        plain = legacy(tmp_path / "r", overlay.directory, plugins | environ)
        assert (plain.stdout, plain.returncode) == (done.stdout, 0), plain.stderr


@pytest.mark.parametrize("estate", ESTATES, ids=lambda estate: estate.id)
def test_no_line(estate: Estate, tmp_path: Path) -> None:
    """`krmfn build` needs no transformer: the same SealedSecrets, and no marker."""
    environ = estate.write(tmp_path / "r", exec_=False)
    estate.write(tmp_path / "short", exec_=False, line=False)
    (tmp_path / "short/s.age").write_bytes((tmp_path / "r/s.age").read_bytes())
    for overlay in estate.overlays:
        wanted = build(tmp_path / "r", overlay.directory, **environ)
        done = build(tmp_path / "short", overlay.directory, **environ)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == wanted.stdout


@pytest.fixture
def team(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """One team's repository with the line, and its credentials."""
    return tmp_path, TEAM.write(tmp_path, exec_=False)


@pytest.mark.parametrize("route", ["build", "legacy"])
@pytest.mark.parametrize(
    ("spec", "ending"),
    [
        ({}, (1, "Secret/plain: it is unencrypted in the output")),
        ({"validate": {}}, (1, "Secret/plain: it is unencrypted in the output")),
        ({"validate": {"plainSecrets": "warn"}}, (0, "Secret/plain: it is unencrypted")),
        ({"validate": {"plainSecrets": "allow"}}, (0, "")),
    ],
)
def test_the_transformer_validates(
    route: str,
    spec: dict[str, Any],
    ending: tuple[int, str],
    team: tuple[Path, dict[str, str]],
    plugins: dict[str, str],
) -> None:
    """What it returns, once, by default as an empty validator."""
    (root, environ), (code, said) = team, ending
    shared(root / "krmfn", exec_=False, spec=spec)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain"}}
    put(root / "base/plain.yaml", secret | {"stringData": {"a": "b"}})
    names = ["deployment.yaml", "claim.yaml", "plain.yaml"]
    put(root / "base/kustomization.yaml", {"resources": names})
    silent = {"silence": ["unused-secret"]}
    if "validate" in spec:
        shared(root / "krmfn", exec_=False, spec={"validate": spec["validate"] | silent})
    if route == "build":
        done = build(root, "overlays/dev", **environ)
        assert done.returncode == code, done.stderr
    else:
        done = legacy(root, "overlays/dev", plugins | environ)
        assert (done.returncode != 0) == (code != 0), done.stderr
        said = said if code else ""  # kubectl passes on what a plugin says only if it fails
    assert done.stderr.count("it is unencrypted in the output") == (1 if said else 0)
    assert said in done.stderr


@pytest.mark.parametrize("prefix", ["", "eu-"])
def test_the_transformer_knows_what_kustomize_will_rename(
    prefix: str, team: tuple[Path, dict[str, str]], plugins: dict[str, str]
) -> None:
    """Under a prefix the workload's reference is renamed after the check, and is no finding."""
    root, environ = team
    shared(root / "krmfn", exec_=False, spec={"validate": {"audit": "error"}})
    file = root / "overlays/dev/kustomization.yaml"
    put(file, json.loads(file.read_text()) | {"namePrefix": prefix})
    done = legacy(root, "overlays/dev", plugins | environ)
    assert done.returncode == 0, done.stderr
    assert build(root, "overlays/dev", **environ).stdout == done.stdout
    (workload,) = (one for one in objects(done.stdout) if one["kind"] == "Deployment")
    assert f"{prefix}shop-db" in json.dumps(workload)


def test_a_validator_of_its_own(team: tuple[Path, dict[str, str]]) -> None:
    """The transformer leaves the checks to a validator that the kustomization lists."""
    root, environ = team
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain"}}
    put(root / "overlays/dev/plain.yaml", secret | {"stringData": {"a": "b"}})
    spec = {"plainSecrets": "allow", "silence": ["unused-secret"]}
    put(root / "overlays/dev/v.yaml", document("SealedSecretValidator", "v", spec))
    file = root / "overlays/dev/kustomization.yaml"
    value = json.loads(file.read_text())
    value["resources"].append("plain.yaml")
    put(file, value)
    assert build(root, "overlays/dev", **environ).returncode == 1
    put(file, value | {"validators": ["v.yaml"]})
    done = build(root, "overlays/dev", **environ)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_file_nothing_is_implied(team: tuple[Path, dict[str, str]]) -> None:
    """A claim that is left is an error, as ever, and a transformer validates nothing."""
    root, environ = team
    (root / ".krmfn.yaml").unlink()
    file = root / "overlays/dev/kustomization.yaml"
    value = json.loads(file.read_text())
    del value["transformers"]
    put(file, value)
    done = build(root, "overlays/dev", **environ)
    assert done.returncode == 2
    assert "no SealedSecretTransformer has seen the claim" in done.stderr


def test_claims_only(team: tuple[Path, dict[str, str]]) -> None:
    """Claims are left in every tree, with the line or without, and no marker with them."""
    root, _ = team
    with_line = build(root, "overlays/dev", "--claims-only")
    assert (with_line.returncode, with_line.stderr) == (0, "")
    file = root / "overlays/dev/kustomization.yaml"
    value = json.loads(file.read_text())
    del value["transformers"]
    put(file, value)
    without = build(root, "overlays/dev", "--claims-only")
    assert (without.returncode, without.stderr) == (0, "")
    assert without.stdout == with_line.stdout
    assert sorted(one["kind"] for one in objects(without.stdout)) == ["Deployment", "SecretClaim"]


def test_plan_and_doctor_say_who_seals(team: tuple[Path, dict[str, str]]) -> None:
    """Where only `krmfn build` seals, both say that `kustomize build` prints claims."""
    root, environ = team
    said = "kustomize build prints claims here"
    more = {"KRMFN_KUSTOMIZE": str(KUBECTL), **environ}
    assert said not in krmfn("plan", root / "overlays/dev", **more).stderr
    file = root / "overlays/dev/kustomization.yaml"
    value = json.loads(file.read_text())
    del value["transformers"]
    put(file, value)
    planned = krmfn("plan", root / "overlays/dev", **more)
    assert planned.returncode == 0
    assert said in planned.stderr
    assert said in krmfn("doctor", root / "overlays/dev", **more).stdout


def test_a_container_says_it_all(team: tuple[Path, dict[str, str]]) -> None:
    """Every field of the file may be in the transformer, which sees nothing outside of it."""
    root, environ = team
    wanted = build(root, "overlays/dev", **environ)
    spec = json.loads((root / ".krmfn.yaml").read_text())["spec"]
    (root / ".krmfn.yaml").unlink()
    for entry, name in zip(spec["environments"], ("previous", "current"), strict=True):
        entry["certificate"] = {"pem": (KEYS / f"{name}.crt").read_text()}
        entry["namespaces"] = ["shop-dev" if entry["name"] == "dev" else "shop"]
        del entry["paths"]
    spec["stores"]["main"]["age"]["file"] = "../../s.age"
    shared(root / "krmfn", exec_=False, spec=spec)
    done = build(root, "overlays/dev", **environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == wanted.stdout
    named = build(root, "overlays/dev", **environ, KRMFN_ENVIRONMENT="production")
    assert named.stdout != wanted.stdout


@pytest.mark.parametrize(
    ("paths", "missing"),
    [
        (".", ["/.krmfn.yaml", "/certs/previous.pem", "/krmfn"]),
        (".;/.krmfn.yaml;../../krmfn", ["/certs/previous.pem"]),
        (".;/.krmfn.yaml;/krmfn;/certs", []),
    ],
)
def test_doctor_knows_what_an_application_watches(
    paths: str, missing: list[str], team: tuple[Path, dict[str, str]]
) -> None:
    """The file, the folder and the certificate that the overlay shares with others."""
    root, environ = team
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "shop",
            "annotations": {"argocd.argoproj.io/manifest-generate-paths": paths},
        },
        "spec": {"source": {"path": "overlays/dev"}},
    }
    put(root / "argocd/shop.yaml", application)
    more = {"KRMFN_KUSTOMIZE": str(KUBECTL), **environ}
    done = krmfn("doctor", root / "overlays/dev", "--json", **more)
    found = [one for one in json.loads(done.stdout)["checks"] if one["id"] == "generate-paths"]
    assert [one["status"] for one in found] == ["warning" if missing else "ok"]
    assert [name for name in missing if name not in found[0]["cause"]] == []
    assert ("/certs" in found[0]["cause"]) == ("/certs/previous.pem" in missing)


def test_diff_shows_what_one_line_reseals(team: tuple[Path, dict[str, str]]) -> None:
    """A revision is built with its own `.krmfn.yaml`: one line of it reseals an environment."""
    root, environ = team
    (root / ".git").rmdir()
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.test"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=root, check=True, capture_output=True)
    value = json.loads((root / ".krmfn.yaml").read_text())
    value["spec"]["environments"][0]["certificate"] = {"file": "certs/current.pem"}
    put(root / ".krmfn.yaml", value)
    more = {"KRMFN_KUSTOMIZE": str(KUBECTL), **environ}
    done = krmfn("diff", "HEAD:overlays/dev", "overlays/dev", cwd=root, **more)
    assert (done.returncode, "shop-dev/shop-db" in done.stdout) == (1, True), done.stderr
    other = krmfn("diff", "HEAD:overlays/production", "overlays/production", cwd=root, **more)
    assert other.returncode == 0, other.stdout + other.stderr
