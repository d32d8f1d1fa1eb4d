"""Credentials and identities under a policy: each goes where the platform means it to, and no further.

Every attack here has its line in docs/threat-model.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyrage
import pytest

from krmfn.spec.stores import AgeDocument
from krmfn.stores.age.file import AgeFile, render_file
from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.function import resource_list
from tests.support.platform import RULE, SPEC, write_platform
from tests.support.trap import trap
from tests.support.wire import healthy, serving

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = {"EU_TOKEN": "s.eu-token", "US_TOKEN": "s.us-token"}


def generator(**secret: Any) -> dict[str, Any]:
    """Sealed at random, so that no key is needed."""
    value = repo.generator()
    sealing = {"certificate": {"platform": "production"}, "mode": "random"}
    value["metadata"]["namespace"] = "production"
    value["spec"] = {"sealing": sealing, "stores": {}, "secrets": [{"name": "db", **secret}]}
    return value


def run(overlay: Path, value: Any, environ: dict[str, str]) -> tuple[int, str, str]:
    done = krmfn(cwd=overlay, stdin=resource_list(value).decode(), **environ)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    return repo.repository(tmp_path / "r", "generator")


# --- vaults


def vault(address: str, variable: str) -> dict[str, Any]:
    auth = {"tokenRef": {"env": variable}}
    return {
        "vault": {"server": address, "path": "secret", "id": variable[:2].lower(), "auth": auth}
    }


def test_each_server_gets_its_own_credential(overlay: Path, tmp_path: Path) -> None:
    """Two vaults of one platform, two tokens; neither sees the other's, nor the environment's."""
    with (
        serving(lambda method, path, _body, _n: healthy(method, path)) as eu,
        serving(lambda method, path, _body, _n: healthy(method, path)) as us,
    ):
        stores = {"eu": vault(eu.address, "EU_TOKEN"), "us": vault(us.address, "US_TOKEN")}
        reads = [{"store": name, "paths": ["app"]} for name in stores]
        rule = {**RULE, "reads": reads, "derivationKeys": [], "modes": ["random"]}
        environ = write_platform(
            tmp_path / "p.yaml", stores=stores, derivationKeys={}, rules=[rule]
        )
        ref = {"key": "app", "property": "x"}
        data = [{"secretKey": n, "store": n, "remoteRef": ref} for n in stores]
        value = generator(data=data)
        value["spec"]["stores"] = {"eu": {"platform": True}, "us": {"platform": True}}
        ambient = {"VAULT_TOKEN": "s.ambient", "VAULT_ADDR": "http://127.0.0.1:1"}
        done = run(overlay, value, environ | TOKENS | ambient)
    assert (done[0], done[2]) == (0, "")
    assert set(eu.tokens) == {"s.eu-token"}
    assert set(us.tokens) == {"s.us-token"}


def test_the_environments_token_stays_at_its_address(overlay: Path, tmp_path: Path) -> None:
    """A platform's store without auth is given no token that was meant for VAULT_ADDR."""
    with trap() as other, trap() as home:
        stores = {"main": {"vault": {"server": other.address, "path": "secret", "id": "x"}}}
        rule = {**RULE, "modes": ["random"], "derivationKeys": []}
        environ = write_platform(
            tmp_path / "p.yaml", stores=stores, derivationKeys={}, rules=[rule]
        )
        value = generator(store="main", data=repo.DATA)
        value["spec"]["stores"] = {"main": {"platform": True}}
        ambient = {"VAULT_TOKEN": "s.ambient", "VAULT_ADDR": home.address}
        done = run(overlay, value, environ | ambient)
    assert (done[0], done[1]) == (6, "")
    assert "[credential-origin]" in done[2]
    assert (other.came, home.came) == ([], [])


def test_without_a_policy_there_is_no_platform(overlay: Path) -> None:
    """What only a platform defines is nothing without one."""
    with trap() as home:
        value = generator(store="main", data=repo.DATA)
        value["spec"]["stores"] = {"main": {"platform": True}}
        done = run(overlay, value, {"VAULT_TOKEN": "s.x", "VAULT_ADDR": home.address})
    assert (done[0], done[1]) == (2, "")
    assert "there is no policy" in done[2]
    assert home.came == []


# --- age


class Tenant:
    """A project with an identity of its own, and the encrypted file in its repository."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.identity = pyrage.x25519.Identity.generate()

    def write(self, file: Path, value: str, **bound: Any) -> None:
        frame = {
            "storeId": "s",
            "boundTo": bound,
            "encryptedTo": [str(self.identity.to_public())],
        }
        document = AgeDocument.model_validate(frame)
        file.write_bytes(render_file(AgeFile(document, {"build/db": {"password": value}})))


SHOP = Tenant("shop")
AGE = {"own": {"age": {"identityRef": {"env": "SHOP_IDENTITY"}, "project": "shop"}}}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A platform that keeps the shop's identity, and whose rule is for everybody."""
    rule = {
        **RULE,
        "projects": ["**"],
        "repositories": ["**"],
        "modes": ["random"],
        "reads": [{"store": "own", "paths": ["build/*"]}],
    }
    stores = SPEC["stores"] | AGE
    policy = write_platform(tmp_path / "p.yaml", stores=stores, rules=[rule])
    return policy | {"SHOP_IDENTITY": str(SHOP.identity)}


def from_age(**age: Any) -> dict[str, Any]:
    value = generator(store="own", data=repo.DATA)
    value["spec"]["stores"] = {"own": {"age": {"file": "s.age", **age}}}
    return value


def test_an_identity_serves_its_own_project(overlay: Path, environ: dict[str, str]) -> None:
    """The repository gives the file, the platform the identity."""
    SHOP.write(overlay / "s.age", repo.VALUE)
    done = run(overlay, from_age(), environ)
    assert (done[0], done[2]) == (0, "")
    assert json.loads(done[1])["items"][0]["kind"] == "SealedSecret"


def test_a_copied_age_file(overlay: Path, environ: dict[str, str]) -> None:
    """Another project that has the shop's file, and even a rule, has no use of its identity."""
    SHOP.write(overlay / "s.age", repo.VALUE)
    done = run(overlay, from_age(), environ | {"ARGOCD_APP_PROJECT_NAME": "other"})
    assert (done[0], done[1]) == (6, "")
    assert "the store belongs to another project" in done[2]
    assert repo.VALUE not in done[2]


def test_an_age_file_bound_elsewhere(overlay: Path, environ: dict[str, str]) -> None:
    """A file of the own project that was made for another namespace or certificate."""
    SHOP.write(overlay / "s.age", repo.VALUE, namespaces=["staging"])
    done = run(overlay, from_age(), environ)
    assert (done[0], done[1]) == (6, "")
    assert "[store-bound]" in done[2]
    SHOP.write(overlay / "s.age", repo.VALUE, recipients=["0" * 64])
    assert "[store-bound]" in run(overlay, from_age(), environ)[2]


def test_a_forged_age_file(overlay: Path, environ: dict[str, str]) -> None:
    """Another's file does not open, and a forged one brings no derivation key of its own."""
    Tenant("mallory").write(overlay / "s.age", "x")
    done = run(overlay, from_age(), environ)
    assert (done[0], done[1]) == (3, "")
    assert "[age-identity]" in done[2]
    value = from_age()
    key = {"store": "own", "key": "build/db", "property": "password"}
    value["spec"]["sealing"] |= {"mode": "deterministic", "derivationKey": key}
    SHOP.write(overlay / "s.age", "ab" * 32)
    done = run(overlay, value, environ)
    assert (done[0], done[1]) == (6, "")
    assert "[policy-override]" in done[2]


def test_another_identity(overlay: Path, environ: dict[str, str]) -> None:
    """A repository says nothing of identities."""
    SHOP.write(overlay / "s.age", repo.VALUE)
    done = run(overlay, from_age(identityRef={"file": "/etc/krmfn/other"}), environ)
    assert (done[0], done[1]) == (6, "")
    assert "[policy-override]" in done[2]


def test_an_age_file_by_a_link_out(overlay: Path, environ: dict[str, str], tmp_path: Path) -> None:
    """The file is in the repository, once links are followed."""
    SHOP.write(tmp_path / "outside.age", repo.VALUE)
    (overlay / "s.age").symlink_to(tmp_path / "outside.age")
    done = run(overlay, from_age(), environ)
    assert (done[0], done[1]) == (2, "")
    assert "[path]" in done[2]


def test_an_age_store_by_name_alone(overlay: Path, environ: dict[str, str]) -> None:
    """The repository names the file, or no one does."""
    value = from_age()
    value["spec"]["stores"] = {"own": {"platform": True}}
    done = run(overlay, value, environ)
    assert (done[0], done[1]) == (6, "")
    assert "[policy-override]" in done[2]
