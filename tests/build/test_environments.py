"""An estate with one `.krmfn.yaml`, built to the bytes of configurations that say it all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from krmfn.build import estate
from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.function import DERIVATION_KEY, KEYS, Project, opened, resource_list
from tests.support.platform import SPEC, write_platform

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

KUBECTL = Path(sys.executable).parent / "kubectl"
VERSION = "krmfn.dev/v1alpha1"
KEY = {"store": "main", "key": "krmfn/derivation/production", "property": "key"}
ESTATE = {
    "stores": {"main": {"age": {"file": "s.age"}}},
    "environments": [
        {"name": "production", "paths": ["overlays/production"], "certificate": {"file": "c.pem"}},
        {"name": "dev", "namespaces": ["dev"], "certificate": {"file": "c.pem"}},
    ],
}
SHORT = {"from": "shop/{environment}/db", "keys": ["user"]}
LONG = {
    "store": "main",
    "data": [{"secretKey": "user", "remoteRef": {"key": "shop/production/db", "property": "user"}}],
}
SAID = {
    "sealing": {"certificate": {"file": "../../c.pem"}, "derivationKey": KEY},
    "stores": {"main": {"age": {"file": "../../s.age"}}},
}


def put(file: Path, kind: str, spec: Any, **more: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    metadata = {} if kind == "RepositoryConfig" else {"metadata": {"name": "shop-db"}}
    file.write_text(
        json.dumps({"apiVersion": VERSION, "kind": kind, **metadata, "spec": spec} | more)
    )


def overlay(root: Path, name: str, claim: Any, said: Any, *, list_: str = "transformers") -> Path:
    """An overlay of one claim or one generator, and a validator."""
    place = root / "overlays" / name
    kind = "SealedSecretTransformer" if list_ == "transformers" else "SealedSecretGenerator"
    put(place / "claim.yaml", "SecretClaim", claim)
    put(place / "krmfn.yaml", kind, said)
    put(place / "validator.yaml", "SealedSecretValidator", {})
    entries = {"namespace": "shop", list_: ["krmfn.yaml"], "validators": ["validator.yaml"]}
    if list_ == "transformers":
        entries |= {"resources": ["claim.yaml"]}
    (place / "kustomization.yaml").write_text(json.dumps(entries))
    return place


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path)
    keys = {f"krmfn/derivation/{name}": {"key": DERIVATION_KEY} for name in ("production", "dev")}
    found.write({"shop/production/db": {"user": "app"}, "shop/dev/db": {"user": "dev"}, **keys})
    return found


def build(
    place: Path, project: Project, *more: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    return krmfn(
        "build", place, *more, cwd=project.directory, **project.environ,
        KRMFN_KUSTOMIZE=str(KUBECTL), **environ,
    )  # fmt: skip


@pytest.mark.parametrize("list_", ["transformers", "generators"])
def test_the_same_bytes(list_: str, project: Project) -> None:
    """What the file says is as if it stood in the configuration."""
    root = project.directory
    short: dict[str, Any] = (
        {} if list_ == "transformers" else {"secrets": [{"name": "shop-db"} | SHORT]}
    )
    long = SAID | ({} if list_ == "transformers" else {"secrets": [{"name": "shop-db"} | LONG]})
    wanted = build(overlay(root, "production", LONG, long, list_=list_), project)
    assert wanted.returncode == 0, wanted.stderr
    put(root / ".krmfn.yaml", "RepositoryConfig", ESTATE)
    unchanged = build(root / "overlays/production", project)
    assert unchanged.stdout == wanted.stdout, unchanged.stderr
    done = build(overlay(root, "production", SHORT, short, list_=list_), project)
    assert done.stdout == wanted.stdout, done.stderr


def test_no_environment(project: Project) -> None:
    """The directory, the namespaces and the entries are named; what says everything is built."""
    root = project.directory
    put(root / ".krmfn.yaml", "RepositoryConfig", ESTATE)
    done = build(overlay(root, "other", SHORT, {}), project)
    assert done.returncode == 2
    assert "the directory overlays/other and the namespaces shop match none of" in done.stderr
    assert "production, dev" in done.stderr
    assert build(root / "overlays/other", project, KRMFN_ENVIRONMENT="production").returncode == 0


@pytest.mark.parametrize("said", ["x", {"sealing": "x"}, {"stores": []}])
def test_mistakes_stay_mistakes(said: Any, project: Project) -> None:
    """What is completed is parsed as strictly as what is not."""
    put(project.directory / ".krmfn.yaml", "RepositoryConfig", ESTATE)
    done = build(overlay(project.directory, "production", SHORT, said), project)
    assert done.returncode == 2
    assert "must be an object" in done.stderr


def test_elsewhere(project: Project) -> None:
    """A file below the root is an error that names both places."""
    root = project.directory
    place = overlay(root, "production", SHORT, {})
    put(root / "overlays/.krmfn.yaml", "RepositoryConfig", ESTATE)
    done = build(place, project)
    assert done.returncode == 2
    assert "overlays/.krmfn.yaml" in done.stderr
    assert str(root / ".krmfn.yaml") in done.stderr


def test_seal_without_a_config(project: Project) -> None:
    """The claims' namespace decides, or the option."""
    root = project.directory
    put(root / ".krmfn.yaml", "RepositoryConfig", ESTATE)
    claim = root / "claim.yaml"
    put(claim, "SecretClaim", SHORT, metadata={"name": "shop-db", "namespace": "dev"})
    done = krmfn("seal", claim, cwd=root, **project.environ)
    assert done.returncode == 0, done.stderr
    named = krmfn("seal", claim, "--environment", "production", cwd=root, **project.environ)
    assert named.returncode == 0, named.stderr
    assert named.stdout != done.stdout


def test_the_function(project: Project) -> None:
    """Called by kustomize, as in `krmfn build`."""
    place = overlay(project.directory, "production", SHORT, {})
    put(project.directory / ".krmfn.yaml", "RepositoryConfig", ESTATE)
    config = json.loads((place / "krmfn.yaml").read_text())
    claim = json.loads((place / "claim.yaml").read_text())
    claim["metadata"]["namespace"] = "shop"
    done = subprocess.run(
        [sys.executable, "-m", "krmfn"],
        input=resource_list(config, [claim]),
        capture_output=True,
        check=False,
        cwd=place,
        env=project.environment(),
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    items = yaml.safe_load(done.stdout)["items"]
    (sealed,) = (one for one in items if one["kind"] == "SealedSecret")
    assert opened(sealed, "shop/shop-db") == {"user": b"app"}


def test_a_plan_has_the_finished_path(project: Project) -> None:
    """Whoever looks sees what a build reads."""
    place = overlay(project.directory, "production", SHORT, {})
    put(project.directory / ".krmfn.yaml", "RepositoryConfig", ESTATE)
    done = krmfn(
        "plan", place, "--json", cwd=project.directory, **project.environ,
        KRMFN_KUSTOMIZE=str(KUBECTL),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "shop/production/db" in done.stdout
    assert "krmfn/derivation/production" in done.stdout
    assert "{environment}" not in done.stdout


def test_a_validator_has_the_environments_certificate(project: Project) -> None:
    """What is sealed for another one fails."""
    root = project.directory
    (root / "other.pem").write_bytes((KEYS / "previous.crt").read_bytes())
    said = {**SAID, "environment": "production"}
    place = overlay(root, "production", LONG, said)
    put(root / ".krmfn.yaml", "RepositoryConfig", ESTATE)
    assert build(place, project).returncode == 0
    wrong = json.loads(json.dumps(ESTATE).replace("c.pem", "other.pem"))
    put(root / ".krmfn.yaml", "RepositoryConfig", wrong)
    done = build(place, project)
    assert done.returncode == 1
    assert "certificate-differs" in done.stderr


@pytest.mark.parametrize("second", [False, True])
def test_under_a_policy(second: bool, project: Project, openbao: OpenBao, tmp_path: Path) -> None:
    """The one rule that matches says what nobody names; where it says several, all are listed."""
    repo.seed(openbao)
    rule = {"namespaces": ["shop"], "recipients": ["production", "b"] if second else ["production"]}
    recipients = dict.fromkeys(("production", "b"), SPEC["recipients"]["production"])
    environ = write_platform(tmp_path / "p/platform.yaml", rule=rule, recipients=recipients)
    environ |= {"ARGOCD_APP_NAMESPACE": "shop", **openbao.environ}
    claim = {"from": "build/{environment}", "keys": ["password"]}
    place = overlay(project.directory, "production", claim, {})
    put(project.directory / ".krmfn.yaml", "RepositoryConfig", {
        "environments": [{"name": "db", "paths": ["overlays/production"]}]
    })  # fmt: skip
    done = build(place, project, **environ)
    if second:
        assert done.returncode == 6
        assert "expected one of b, production" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert "sealed-for: shop/shop-db" in done.stdout


LITERAL = {"data": [{"secretKey": "k", "value": "v"}]}


@pytest.mark.parametrize(
    ("secret", "missing"),
    [
        (LITERAL | {"mode": "random"}, ["certificate"]),
        (LITERAL, ["certificate", "derivationKey"]),
        (LONG, ["certificate", "derivationKey", "stores"]),
        (SHORT, ["certificate", "derivationKey", "stores"]),
        ({"dataFrom": [{"extract": {"key": "a"}}]}, ["certificate", "derivationKey", "stores"]),
    ],
)
def test_what_sealing_needs(secret: dict[str, Any], missing: list[str]) -> None:
    """Literals need no store, and random items no key; what a layer sets is not missing."""
    generator, claim = {"spec": {"secrets": [secret]}}, {"spec": secret}
    assert estate._missing(generator, [], []) == missing
    assert estate._missing({"spec": {}}, [], [claim]) == missing
    said = [{"certificate": {"file": "c.pem"}, "stores": {}}, {"derivationKey": {"platform": "a"}}]
    assert estate._missing(generator, said, []) == [name for name in missing if name == "stores"]
