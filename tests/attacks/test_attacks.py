"""What an attack has tried and must not get."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.crypto.certificate import choose
from krmfn.errors import KrmfnError, SealingError
from krmfn.files.read import Place
from krmfn.kustomize.kustomization import read_overlay
from tests.support.command import krmfn
from tests.test_examples import DERIVATION_KEY

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATE = (ROOT / "examples/logto/overlays/prod/certs/production.pem").read_text()


def build(
    bao: OpenBao, store: dict[str, Any], ref: dict[str, Any], **sealing: Any
) -> subprocess.CompletedProcess[str]:
    """A generator with one value out of a second store."""
    config = {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SealedSecretGenerator",
        "metadata": {"name": "g", "namespace": "n"},
        "spec": {
            "sealing": {
                "certificate": {"pem": CERTIFICATE},
                "derivationKey": {"store": "main", "key": "krmfn/derivation", "property": "key"},
                **sealing,
            },
            "stores": {"main": {"vault": {"path": "secret", "id": "p"}}, "o": {"vault": store}},
            "secrets": [
                {"name": "s", "data": [{"secretKey": "k", "store": "o", "remoteRef": ref}]}
            ],
        },
    }
    call = {"kind": "ResourceList", "items": [], "functionConfig": config}
    return krmfn(stdin=json.dumps(call), cwd=ROOT, **bao.environ)


DIRECT = {"key": "krmfn/derivation", "property": "key"}


@pytest.mark.parametrize(
    ("store", "ref", "sealing"),
    [
        ({"path": "secret", "id": "p"}, DIRECT, {}),
        ({"path": "secret", "id": "q"}, DIRECT, {}),
        ({"path": "secret/krmfn", "id": "p"}, DIRECT | {"key": "derivation"}, {}),
        ({"path": "secret", "id": "p", "namespace": "root"}, DIRECT, {}),
        ({"path": "secret", "id": "p"}, DIRECT, {"mode": "random"}),
        ({"path": "secret", "id": "p"}, {"key": "copy", "property": "deep.0"}, {}),
    ],
)
def test_the_derivation_key_is_not_a_value(
    openbao: OpenBao, store: dict[str, Any], ref: dict[str, Any], sealing: dict[str, Any]
) -> None:
    """In every spelling of its path, and for copies of it."""
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "copy", {"deep": [f"{DERIVATION_KEY}\n"]})
    done = build(openbao, store, ref, **sealing)
    assert (done.returncode, done.stdout) == (2, "")
    assert "[derivation-key-read]" in done.stderr
    assert DERIVATION_KEY not in done.stderr


@pytest.mark.parametrize(
    ("store", "ref"),
    [
        ({"path": "auth/token", "version": "v1"}, {"key": "lookup-self", "property": "id"}),
        ({"path": "sys", "version": "v1"}, {"key": "health", "property": "version"}),
        ({"path": "secret", "version": "v1"}, {"key": "data/x", "property": "data.k"}),
        ({"path": "cubbyhole", "version": "v1"}, {"key": "x", "property": "k"}),
    ],
)
def test_a_version_does_not_create_a_mount(
    openbao: OpenBao, store: dict[str, Any], ref: dict[str, Any]
) -> None:
    """Telling a version does not turn any endpoint of the vault into a KV mount."""
    openbao.write("secret", "x", {"k": "v"})
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    done = build(openbao, store, ref)
    assert done.returncode in (2, 3)
    assert done.stdout == ""
    assert openbao.token not in done.stderr


VALIDATOR = {
    "apiVersion": "krmfn.dev/v1alpha1",
    "kind": "SealedSecretValidator",
    "metadata": {"name": "v"},
}


@pytest.mark.parametrize("way", ["file", "nested", "inline", "list"])
def test_a_validator_in_the_wrong_list(tmp_path: Path, way: str) -> None:
    """A validator that would empty the build as a transformer is seen however it is listed."""
    entry = {"file": "v.yaml", "nested": "a", "inline": json.dumps(VALIDATOR), "list": "l.yaml"}[
        way
    ]
    (tmp_path / "kustomization.yaml").write_text(json.dumps({"transformers": [entry]}))
    (tmp_path / "v.yaml").write_text(json.dumps(VALIDATOR))
    (tmp_path / "l.yaml").write_text(json.dumps({"kind": "List", "items": [VALIDATOR]}))
    for directory, below in (("a", "../b"), ("b", "../v.yaml")):
        (tmp_path / directory).mkdir()
        text = json.dumps({"resources": [below]})
        (tmp_path / directory / "kustomization.yaml").write_text(text)
    overlay = read_overlay(Place(tmp_path, tmp_path))
    with pytest.raises(KrmfnError) as caught:
        overlay.check_list("SealedSecretValidator", "v", "validators")
    assert caught.value.id == "wrong-list"


def test_directories_that_list_each_other_end(tmp_path: Path) -> None:
    """A circle of directories, and an entry that is too long for a name, are not configurations."""
    text = json.dumps({"resources": ["../a"], "transformers": ["a", "x" * 5000]})
    (tmp_path / "kustomization.yaml").write_text(text)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/kustomization.yaml").write_text(text)
    assert read_overlay(Place(tmp_path, tmp_path)).listed == ()


def test_a_certificate_file_of_beginnings() -> None:
    """Many begun certificates take no more time than their size: this ends, were it quadratic not."""
    begun = b"-----BEGIN CERTIFICATE-----\n" * 500_000
    with pytest.raises(SealingError):
        choose(begun, dt.datetime.now(dt.UTC))


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors(closed: str) -> None:
    """A closed standard stream causes no traceback, and no success without output."""
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m krmfn --version {closed}'],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == (5 if ">&-" in closed.replace("2>&-", "") else 0)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_a_credential_that_is_no_file(openbao: OpenBao, tmp_path: Path, kind: str) -> None:
    """A pipe or a directory in a credential's place is not waited for."""
    path = tmp_path / "token"
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    auth = {"tokenRef": {"file": str(path)}}
    done = build(openbao, {"path": "secret", "auth": auth}, {"key": "x", "property": "k"})
    assert (done.returncode, done.stdout) == (3, "")
    assert "[credential-missing]" in done.stderr


def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    """Every value that `age set` has confirmed is in the file."""
    file, identity = tmp_path / "s.age", tmp_path / "identity"
    command = [sys.executable, "-m", "krmfn", "age"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    init = [*command, "init", file, "--identity", identity, "--unbound"]
    subprocess.run(init, check=True, capture_output=True, env=environ)
    writers = []
    for number in range(6):
        write = [*command, "set", file, f"p{number}", "k", "--identity", identity]
        writer = subprocess.Popen(write, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environ)
        writers.append(writer)
    for writer in writers:
        _, errors = writer.communicate(b"value")
        assert writer.returncode == 0, errors
    listed = [*command, "get", file, "--identity", identity]
    found = subprocess.run(listed, check=True, capture_output=True, text=True, env=environ)
    assert [f"p{n}: k" in found.stdout for n in range(6)] == [True] * 6


def test_a_forged_line_of_unseal() -> None:
    """A name cannot write a line of its own into the verdict, and nothing is not yes."""
    forged = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": "x: 1 keys\nyes  production/forged", "namespace": "n"},
        "spec": {"encryptedData": {}},
    }
    key = ROOT / "examples/logto/demo-controller.key"
    done = krmfn("unseal", "--check", "--key", key, stdin=json.dumps(forged), cwd=ROOT)
    assert done.returncode == 1
    assert [line[:4] for line in done.stdout.splitlines()] == ["no  "]


@pytest.mark.parametrize(
    "damage", [{}, {"metadata": {"annotations": []}}, {"spec": []}, {"metadata": 1, "spec": 1}]
)
def test_damaged_sealed_secrets(damage: dict[str, Any]) -> None:
    """Input that is not a SealedSecret has an error, not a crash."""
    one = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", **damage}
    key = ROOT / "examples/logto/demo-controller.key"
    done = krmfn("unseal", "--check", "--key", key, stdin=json.dumps(one), cwd=ROOT)
    assert done.returncode == 1
    assert "internal error" not in done.stderr
