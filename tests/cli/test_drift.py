"""`krmfn drift`: whether the vault still holds what was committed or deployed."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support import apiserver
from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.platform import write_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao

KUBECTL = Path(sys.executable).parent / "kubectl"
OTHER_PEM = (Path(__file__).resolve().parents[1] / "vectors/keys/current.crt").read_text()
NEW = "n3w-v4lue-9876543210"
SAME = "1 the same\n"
CHANGED = """\
overlays/production: production/db: changed
  password: changed
1 changed, 0 the same
"""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[apiserver.ApiServer]:
    """An API server."""
    with apiserver.running(tmp_path) as server:
        yield server


class Estate:
    """A repository, its rendered output, and the vault."""

    def __init__(self, root: Path, openbao: OpenBao) -> None:
        self.bao = openbao
        self.root = root
        repo.seed(openbao)
        self.overlay = repo.repository(root)
        self.rendered = root / "rendered"
        self.render()

    def render(self) -> None:
        """What is committed is what the vault has."""
        done = self.call("build", self.overlay, "--output", self.rendered)
        assert (done.returncode, done.stderr) == (0, "")

    def call(self, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return krmfn(
            *arguments, KRMFN_KUSTOMIZE=str(KUBECTL), cwd=self.root, **self.bao.environ, **environ
        )

    def drift(self, *arguments: str | Path, **environ: str) -> tuple[int, str, str]:
        """Exit code and outputs against the rendered files."""
        done = self.call("drift", self.overlay, *arguments, **environ)
        for text in (done.stdout, done.stderr):
            assert repo.VALUE not in text
            assert NEW not in text
            assert self.bao.token not in text
        return done.returncode, done.stdout, done.stderr

    def against_files(self, *arguments: str | Path) -> tuple[int, str, str]:
        return self.drift("--against", self.rendered, *arguments)

    def sealed(self) -> Any:
        """The SealedSecret that is rendered."""
        text = (self.rendered / "overlays/production.yaml").read_text()
        (found,) = (d for d in yaml.safe_load_all(text) if d["kind"] == "SealedSecret")
        return found

    def claim(self, **fields: Any) -> None:
        """Change the claim."""
        value = repo.claim()
        value["spec"] |= fields
        repo.write(self.root / "base/claims.yaml", value)


@pytest.fixture
def estate(tmp_path: Path, openbao: OpenBao) -> Estate:
    """One that has not drifted."""
    return Estate(tmp_path / "r", openbao)


def test_no_drift_until_the_vault_changes(estate: Estate) -> None:
    """Then overlay, secret and key are named, and no value; a rollback is the same again."""
    assert estate.against_files() == (0, SAME, "")
    estate.bao.write("secret", "build/db", {"password": NEW})
    assert estate.against_files() == (1, CHANGED, "")
    estate.bao.write("secret", "build/db", {"password": repo.VALUE})
    assert estate.against_files() == (0, SAME, "")


def test_json(estate: Estate) -> None:
    """The shape for a CronJob."""
    estate.bao.write("secret", "build/db", {"password": NEW})
    code, output, errors = estate.against_files("--json")
    assert (code, errors) == (1, "")
    assert json.loads(output) == {
        "against": str(estate.rendered),
        "differs": True,
        "same": 0,
        "differences": [
            {
                "overlay": "overlays/production",
                "namespace": "production",
                "name": "db",
                "state": "changed",
                "changes": [{"field": "data", "name": "password", "state": "changed"}],
            }
        ],
    }


def test_another_certificate(estate: Estate) -> None:
    """That is drift, and whether the value changed too cannot be told."""
    (estate.overlay / "certs/c.pem").write_text(OTHER_PEM)
    code, output, errors = estate.against_files()
    first, second, third, *_ = output.splitlines()
    assert (code, errors, first) == (1, "", "overlays/production: production/db: changed")
    assert second == "  password: cannot compare: resealed for another certificate"
    assert third.startswith("  certificate: ")


def test_random_items_are_no_drift(estate: Estate) -> None:
    """They say so, with exit code 0; another key in them is drift."""
    estate.claim(mode="random")
    estate.render()
    code, output, errors = estate.against_files()
    assert (code, errors) == (0, "")
    assert output == (
        "overlays/production: production/db: cannot compare\n"
        "  password: cannot compare: sealed at random, so that its bytes always differ\n"
        "1 cannot be compared, 0 the same\n"
    )
    estate.claim(mode="random", data=[*repo.DATA, {"secretKey": "user", "value": "shop"}])
    assert "  user: appeared\n" in estate.against_files()[1]


def test_what_another_tool_sealed(estate: Estate) -> None:
    """Committed by kubeseal before: other bytes that say nothing, which is said."""
    sealed = estate.sealed()
    del sealed["metadata"]["annotations"]
    repo.write(estate.rendered / "overlays/production.yaml", sealed)
    estate.bao.write("secret", "build/db", {"password": NEW})
    code, output, _ = estate.against_files()
    assert code == 1
    assert "  password: cannot compare: other bytes, and not sealed by krmfn" in output
    assert "  certificate: none -> " in output


def test_a_new_secret(estate: Estate) -> None:
    """In the build and not there yet: appeared."""
    more = repo.claim()
    more["metadata"]["name"] = "mail"
    repo.write(estate.root / "base/claims.yaml", repo.claim(), more)
    assert estate.against_files()[:2] == (
        1,
        "overlays/production: production/mail: appeared\n  password: appeared\n"
        "1 appeared, 1 the same\n",
    )


def test_a_name_by_content(estate: Estate) -> None:
    """A new value is a new name: the one appeared and the other vanished."""
    repo.hash_names(estate.root, "transformer")
    estate.render()
    assert estate.against_files() == (0, SAME, "")
    estate.bao.write("secret", "build/db", {"password": NEW})
    code, output, errors = estate.against_files()
    assert (code, errors) == (1, "")
    assert output.endswith("\n1 appeared, 1 vanished, 0 the same\n")
    assert output.count("overlays/production: production/eu-db-") == 2


def test_a_new_epoch_is_hinted_at(estate: Estate) -> None:
    """Every item differs then, and the text says what that may mean."""
    data = [*repo.DATA, {"secretKey": "user", "value": "shop"}]
    estate.claim(data=data)
    estate.render()
    value = repo.transformer()
    value["spec"]["sealing"] = {**value["spec"]["sealing"], "epoch": "2"}
    repo.write(estate.overlay / "krmfn.yaml", value)
    code, output, _ = estate.against_files()
    assert code == 1
    assert "\nnot one item is the same: a new epoch or derivation key" in output


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_against_a_revision(estate: Estate) -> None:
    """What is committed counts, whatever the work tree holds."""
    (estate.root / ".git").rmdir()
    who = ("-c", "user.name=n", "-c", "user.email=e@example.invalid")
    for arguments in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "x")):
        subprocess.run(["git", *arguments], cwd=estate.root, check=True)
    shutil.rmtree(estate.rendered)
    assert estate.drift("--against", "HEAD:rendered") == (0, SAME, "")
    code, output, errors = estate.drift("--against", "HEAD:base")
    assert (code, output) == (2, "")
    assert "HEAD: base/overlays/production.yaml is not a file, or is too large [file]" in errors


def test_against_what_is_deployed(estate: Estate, tmp_path: Path) -> None:
    """A file, as kubectl prints them: SealedSecrets that no overlay makes are not looked at."""
    stream = next(estate.rendered.rglob("*.yaml")).read_text()
    found = [one for one in yaml.safe_load_all(stream) if one["kind"] == "SealedSecret"]
    other = {**found[0], "metadata": {**found[0]["metadata"], "name": "of-another-application"}}
    file = tmp_path / "now.json"
    value = {"apiVersion": "v1", "kind": "List", "items": [*found, other]}
    file.write_text(json.dumps(value))
    assert estate.drift("--against", file)[::2] == (0, "")
    estate.bao.write("secret", "build/db", {"password": NEW})
    code, output, _ = estate.drift("--against", file)
    assert code == 1
    assert "of-another-application" not in output
    file.write_text(json.dumps({**value, "items": []}))
    assert estate.drift("--against", file)[0] == 1


def test_what_is_not_rendered(estate: Estate) -> None:
    """An overlay that was never rendered is an error, and not drift."""
    (estate.rendered / "overlays/production.yaml").unlink()
    code, output, errors = estate.against_files()
    assert (code, output) == (2, "")
    assert "rendered/overlays/production.yaml: no such file or directory [file]" in errors


def test_a_build_that_fails(estate: Estate) -> None:
    """The build's own error and exit code; nothing is compared."""
    estate.bao.request("DELETE", "secret/metadata/build/db")
    code, output, errors = estate.against_files()
    assert (code, output) == (3, "")
    assert errors.endswith("[not-found]\n")


# --- the cluster


def test_against_the_cluster(estate: Estate, api: apiserver.ApiServer) -> None:
    """The default: what is deployed; other people's SealedSecrets are not looked at."""
    other = copy.deepcopy(estate.sealed())
    other["metadata"]["name"] = "others"
    api.deploy(estate.sealed(), other)
    assert estate.drift(**api.environ) == (0, SAME, "")
    estate.bao.write("secret", "build/db", {"password": NEW})
    assert estate.drift(**api.environ) == (1, CHANGED, "")
    api.deploy(other)
    assert estate.drift(**api.environ)[1].startswith(
        "overlays/production: production/db: appeared\n"
    )


def test_the_cluster_refuses(estate: Estate, api: apiserver.ApiServer) -> None:
    """Exit code 3, and nothing on standard output."""
    api.status = 403
    code, output, errors = estate.drift(**api.environ)
    assert (code, output) == (3, "")
    assert "the SealedSecrets may not be listed" in errors
    code, output, errors = estate.drift(KUBECONFIG="/nonexistent")
    assert (code, output) == (3, "")
    assert "no cluster is configured" in errors


@pytest.mark.parametrize("command", ["drift", "diff"])
def test_the_policy_is_obeyed(command: str, tmp_path: Path, estate: Estate) -> None:
    """As in a build: what no rule allows is refused with exit code 6, and nobody is asked."""
    sides = ("--against", estate.rendered) if command == "drift" else (estate.rendered,)
    allowed = write_platform(tmp_path / "allowed/p.yaml")
    assert estate.call(command, estate.overlay, *sides, **allowed).returncode in (0, 1)
    denied = write_platform(tmp_path / "denied/p.yaml", rule={"namespaces": ["other"]})
    # Nobody listens there: whoever asked would say `unavailable`.
    server = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "x"}
    done = krmfn(
        command, estate.overlay, *sides, cwd=estate.root, KRMFN_KUSTOMIZE=str(KUBECTL),
        **server, **denied,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (6, "")
    assert "[policy-denied]" in done.stderr
