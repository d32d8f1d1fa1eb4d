"""`krmfn matrix`: the examples and one application with every state, as a person calls it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import environments as env
from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.platform import write_platform

if TYPE_CHECKING:
    import subprocess

    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
DEV_AND_PROD = ("overlays/dev", "overlays/prod")

OLD_SHOP = ROOT / "tests/upgrade/examples/shop/overlays"  # with a folder for each route


def matrix(*arguments: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """One call, with the kubectl of the wheel."""
    return krmfn("matrix", *arguments, cwd=cwd, **{"KRMFN_KUSTOMIZE": str(KUBECTL), **environ})


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The application in three environments."""
    env.repository(tmp_path / "r")
    return tmp_path / "r"


@pytest.fixture
def vault(openbao: OpenBao) -> dict[str, str]:
    """A vault with its values."""
    env.seed(openbao)
    return openbao.environ


OVERLAYS = ("overlays/dev", "overlays/staging", "overlays/production")


def lines(text: str) -> list[str]:
    """Without the empty ones, and without what stands behind a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_the_example_without_a_credential() -> None:
    """Development needs no backup credentials; the operator makes the database's in both."""
    done = matrix(*DEV_AND_PROD, cwd=ROOT / "examples/logto")
    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done.stdout) == [
        "Secret                             dev          prod",
        "────────────────────────────────────────────────────────",
        "logto-backup-storage-credentials   not needed   sealed",
        "logto-postgres-app                 operator     operator",
        "logto-status                       optional     optional",
        "3 Secrets in 2 overlays: 1 sealed, 2 operator, 2 optional; 0 differ in shape",
    ]


def test_every_state(shop: Path) -> None:
    """The whole transcript: states, what lacks, what differs, and what a prefix broke."""
    done = matrix(*OVERLAYS, cwd=shop)
    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done.stdout) == [
        "Secret              dev                       staging      production",
        "─────────────────────────────────────────────────────────────────────",
        "shop-backup         not needed                not needed   sealed",
        "shop-db             sealed ≠                  sealed ≠     sealed ≠",
        "shop-flags          optional                  optional     optional",
        "shop-postgres-app   operator                  missing      operator",
        "shop-registry       sealed                    sealed       sealed",
        "shop-smtp           plain, lacks username ≠   missing      sealed ≠",
        "shop-tls            committed                 missing      elsewhere",
        "shop-db differs in shape: key url only in production",
        "shop-postgres-app is missing in staging, for Deployment/stg-shop; "
        "Cluster/stg-shop-postgres creates stg-shop-postgres-app",
        "shop-smtp differs in shape: key username only in production",
        "shop-smtp is missing in staging, for Deployment/stg-shop",
        "shop-tls is missing in staging, for Ingress/stg-shop; "
        "SealedSecret/stg-shop-tls creates stg-shop-tls",
        "7 Secrets in 3 overlays: 3 missing, 1 plain, 1 committed, 8 sealed, 2 operator, "
        "1 elsewhere, 3 optional; 2 differ in shape",
    ]


@pytest.mark.parametrize("route", ["transformer", "generator"])
def test_the_shop_example(route: str) -> None:
    """A prefix in one environment makes no second row."""
    done = matrix("staging", "production", cwd=OLD_SHOP / route)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in lines(done.stdout)[2:4]] == [
        ["shop-db", "sealed", "sealed"],
        ["shop-registry", "sealed", "sealed"],
    ]


def test_claims_that_wait_for_seal() -> None:
    """A layout for `krmfn seal` lists no transformer, and its claims count all the same."""
    done = matrix("production", cwd=OLD_SHOP / "seal")
    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done.stdout)[2].split() == ["shop-db", "sealed"]


def test_all_operators_secrets() -> None:
    """--all also shows what an operator makes and nobody names."""
    done = matrix(*DEV_AND_PROD, "--all", cwd=ROOT / "examples/logto")
    assert "logto-postgres-ca " in done.stdout


def test_json(shop: Path) -> None:
    """The same as values."""
    done = matrix(*OVERLAYS, "--json", cwd=shop)
    assert (done.returncode, done.stderr) == (0, "")
    value = json.loads(done.stdout)
    assert [one["name"] for one in value["overlays"]] == ["dev", "staging", "production"]
    assert value["overlays"][1]["directory"] == "overlays/staging"
    assert "shared" not in value
    found = {one["name"]: one for one in value["secrets"]}
    assert found["shop-smtp"]["cells"]["dev"]["places"][0]["lacks"] == ["username"]
    assert found["shop-db"]["differs"] == {"keys": {"url": ["production"]}}
    staging = found["shop-postgres-app"]["cells"]["staging"]["places"][0]
    assert staging["by"] == ["Cluster/stg-shop-postgres"]


def equal_values(done: subprocess.CompletedProcess[str]) -> list[Any]:
    """The groups of a JSON answer."""

    def places(one: Any) -> list[str]:
        return [f"{v['overlay']} {v['secret']}.{v['key']}" for v in one["values"]]

    return [
        (one["group"], one["across"], one["sameSource"], *places(one))
        for one in json.loads(done.stdout)["shared"]
    ]


def test_equal_values(shop: Path, vault: dict[str, str]) -> None:
    """Letters for what stands more than once, read as a build reads it, and a warning for each."""
    done = matrix(*OVERLAYS, "--equal-values", "--json", cwd=shop, **vault)
    assert done.returncode == 0
    assert equal_values(done) == [
        ("A", False, True, "production shop-backup.key", "production shop-db.url"),
        (
            *("B", True, True, "dev shop-registry.token"),
            *("staging shop-registry.token", "production shop-registry.token"),
        ),
        ("C", True, False, "dev shop-smtp.password", "production shop-smtp.password"),
    ]
    assert lines(done.stderr) == [
        "[warning] krmfn matrix: 2 times: dev: shop-registry.token, staging: shop-registry.token, "
        "production: shop-registry.token (B), dev: shop-smtp.password, production: "
        "shop-smtp.password (C): environments share a value; give each its own; -v shows each "
        "[equal-value]",
    ]
    text = matrix(*OVERLAYS, "--equal-values", "-v", cwd=shop, **vault)
    assert lines(text.stderr) == [
        "[warning] krmfn matrix: dev: shop-registry.token, staging: shop-registry.token, "
        "production: shop-registry.token (B): one value, read from one place; give each its own "
        "[equal-value]",
        "[warning] krmfn matrix: dev: shop-smtp.password, production: shop-smtp.password (C): one "
        "value in several environments; give each its own [equal-value]",
    ]
    assert "shop-registry       sealed token=B" in text.stdout
    assert lines(text.stdout)[-1].endswith("2 values shared by environments")


def test_a_changed_value_leaves_its_group(shop: Path, openbao: OpenBao) -> None:
    """What was equal is not any more, and nothing is warned of."""
    env.seed(openbao)
    openbao.write("secret", "shop/mail", {"username": "shop-mailer", "password": "another"})
    done = matrix(*OVERLAYS, "--equal-values", "--json", cwd=shop, **openbao.environ)
    assert [one[0] for one in equal_values(done)] == ["A", "B"]
    assert "shop-smtp" not in done.stderr


def test_no_value_in_any_output(shop: Path, vault: dict[str, str]) -> None:
    """Neither text, JSON, page nor warnings hold a value, or the token for the vault."""
    outputs = []
    for form in ([], ["--json"], ["--html", "page.html"]):
        done = matrix(*OVERLAYS, "--equal-values", *form, cwd=shop, **vault)
        assert done.returncode == 0
        outputs += [done.stdout, done.stderr]
    outputs.append((shop / "page.html").read_text())
    for output in outputs:
        assert not any(value in output for value in (*env.VALUES, vault["VAULT_TOKEN"]))


def test_the_page_has_the_same_bytes(shop: Path, vault: dict[str, str], tmp_path: Path) -> None:
    """On another run, with another comparison key, in another directory."""
    shutil.copytree(shop, tmp_path / "elsewhere/r")
    first, second = shop / "page.html", tmp_path / "elsewhere/r/page.html"
    for page in (first, second):
        done = matrix(*OVERLAYS, "--equal-values", "--html", page.name, cwd=page.parent, **vault)
        assert (done.returncode, done.stdout) == (0, "")
    assert first.read_bytes() == second.read_bytes()


def test_equal_values_needs_the_vault(shop: Path) -> None:
    """Without a credential nothing is compared, printed or written."""
    arguments = (*OVERLAYS, "--equal-values", "--html", "page.html")
    done = matrix(*arguments, cwd=shop, VAULT_ADDR="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (3, "")
    assert "[credential-missing]" in done.stderr
    assert "overlays/dev" in done.stderr
    assert not (shop / "page.html").exists()


def test_equal_values_obeys_what_a_build_obeys(shop: Path, vault: dict[str, str]) -> None:
    """The derivation key is no value here either, and an operator's Secret is not sealed over."""
    claim = repo.claim() | {"metadata": {"name": "shop-key"}}
    entry = {"secretKey": "k", "remoteRef": {"key": "krmfn/derivation", "property": "key"}}
    claim["spec"] = {"store": "main", "data": [entry]}
    repo.write(shop / "base/claims.yaml", claim)
    done = matrix("overlays/dev", "--equal-values", cwd=shop, **vault)
    assert (done.returncode, done.stdout) == (2, "")
    assert "[derivation-key-read]" in done.stderr
    claim = repo.claim() | {"metadata": {"name": "shop-postgres-app"}}
    repo.write(shop / "base/claims.yaml", claim)
    done = matrix("overlays/dev", "--equal-values", cwd=shop, **vault)
    assert (done.returncode, done.stdout) == (1, "")
    assert "[operator-owned]" in done.stderr


def test_equal_values_obeys_the_policy(tmp_path: Path, openbao: OpenBao) -> None:
    """What no rule of the platform allows is refused before a store is opened; the rest is read."""
    repo.seed(openbao)
    overlay = repo.repository(tmp_path / "r")
    arguments = (overlay, "--equal-values", "--json")
    allowed = write_platform(tmp_path / "allowed/p.yaml")
    done = matrix(*arguments, cwd=tmp_path, **openbao.environ, **allowed)
    assert (done.returncode, done.stderr) == (0, "")
    denied = write_platform(tmp_path / "denied/p.yaml", rule={"namespaces": ["other"]})
    # Nobody listens there: whoever asked would say `unavailable`.
    server = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "x"}
    done = matrix(*arguments, cwd=tmp_path, **server, **denied)
    assert (done.returncode, done.stdout) == (6, "")
    assert "[policy-denied]" in done.stderr


def test_a_builds_warnings(tmp_path: Path, openbao: OpenBao) -> None:
    """What a build would say of the namespace is said, with the directory."""
    repo.seed(openbao)
    overlay = repo.repository(tmp_path / "r")
    repo.change(overlay, namespace=None)
    environ = {**openbao.environ, "KRMFN_NAMESPACE": "production"}
    done = matrix("r/overlays/production", "--equal-values", cwd=tmp_path, **environ)
    assert done.returncode == 0
    assert done.stderr.startswith("[warning] krmfn matrix: r/overlays/production: ")
    assert "KRMFN_NAMESPACE" in done.stderr


def test_claims_for_seal_have_no_store(vault: dict[str, str]) -> None:
    """What no transformer has seen cannot be read: said, and nothing is compared."""
    done = matrix(
        "production",
        "--equal-values",
        cwd=OLD_SHOP / "seal",
        **vault,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "no SealedSecretTransformer has seen the claim" in done.stderr


def test_one_that_cannot_be_built_fails_all(shop: Path) -> None:
    """The error names the directory; nothing is printed or written."""
    (shop / "overlays/staging/own.yaml").unlink()
    done = matrix(*OVERLAYS, "--html", "page.html", cwd=shop)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("[error] krmfn matrix: ")
    assert "overlays/staging" in done.stderr
    assert not (shop / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is not a directory [file]"),
        (["overlays/dev", "overlays/../overlays/dev"], "overlays/../overlays/dev is named twice"),
        (["overlays/dev/own.yaml"], "overlays/dev/own.yaml is not a directory"),
        (["overlays"], "overlays has no kustomization, expected one of kustomization.yaml"),
        (["overlays/dev", "--json", "--html", "x"], "not allowed with argument --json"),
        ([], ".: r has no kustomization, expected one of kustomization.yaml"),
    ],
)
def test_bad_calls(shop: Path, arguments: list[str], message: str) -> None:
    """One clear line, exit code 2."""
    done = matrix(*arguments, cwd=shop)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_page_that_cannot_be_written(shop: Path) -> None:
    """The old page stays; the exit code says that the output failed."""
    done = matrix(*OVERLAYS, "--html", "no/such/page.html", cwd=shop)
    assert (done.returncode, done.stdout) == (5, "")
    assert "[output]" in done.stderr


def test_help() -> None:
    """The help shows an example of each form."""
    done = krmfn("matrix", "--help")
    assert done.returncode == 0
    assert "  krmfn matrix overlays/* --html secrets.html" in done.stdout
