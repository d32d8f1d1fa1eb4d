"""No failure shows a value: not in a file, an argument, an environment, an output or a traceback."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.function import (
    DERIVATION_KEY,
    KEYS,
    Project,
    config,
    opened,
    resource_list,
    secret,
)
from tests.support.openbao import OpenBao, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = 'c4nary "\\/+?>é' + secrets.token_hex(12)
BYTES = b"\x80\xff\x00canary" + secrets.token_bytes(12) + b"."  # a newline would be told
VAULT = {"vault": {"path": "secret"}}


def forms() -> set[bytes]:
    """Every spelling in which a value could get out."""
    raw = CANARY.encode()
    found = {raw, BYTES, DERIVATION_KEY.encode(), bytes.fromhex(DERIVATION_KEY), raw[-20:]}
    for value in (raw, BYTES, bytes.fromhex(DERIVATION_KEY)):
        encoded = base64.b64encode(value).rstrip(b"=")
        # What a middle piece of base64 looks like depends on where it begins.
        shifted = [base64.b64encode(b"x" * n + value)[4 * (n > 0) : -4] for n in range(3)]
        found |= {encoded, base64.urlsafe_b64encode(value).rstrip(b"="), *shifted}
        found |= {value.hex().encode(), value.hex().upper().encode(), repr(value)[2:-1].encode()}
    found.add(json.dumps(CANARY)[1:-1].encode())
    found.add(json.dumps(CANARY, ensure_ascii=False)[1:-1].encode())
    return found


FORMS = forms()


def clean(where: str, content: bytes, *more: bytes) -> None:
    for form in (*FORMS, *more):
        assert form not in content, f"{where} holds {form!r}"


@pytest.fixture
def project(tmp_path: Path, openbao: OpenBao) -> Project:
    """A project whose store is a real server that holds the canaries."""
    fields = {
        "text": CANARY,
        "bytes": base64.b64encode(BYTES).decode(),
        "null": None,
        "list": [CANARY],
    }
    openbao.write("secret", "app", fields)
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    return Project(tmp_path, {**openbao.environ, "KRMFN_DEBUG": "1"})


def ref(property_: str | None = "text", path: str = "app", **more: Any) -> dict[str, Any]:
    where = {"key": path} | ({"property": property_} if property_ else {}) | more
    return {"secretKey": "k", "remoteRef": where}


def one(*data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return config(secret(*(data or (ref(),)), **more), store=VAULT)


def sealing(**fields: Any) -> dict[str, Any]:
    return config(secret(ref()), store=VAULT, **fields)


def template(text: str, **more: Any) -> dict[str, Any]:
    return one(ref(), template={"data": {"t": text}, **more})


def wrong_value() -> dict[str, Any]:
    """A literal of a wrong type, and a credential in place of its reference."""
    value = one({"secretKey": "k", "value": [CANARY]})
    value["spec"]["stores"] = {"main": {"vault": {"path": "secret", "auth": {"tokenRef": CANARY}}}}
    return value


# name -> (configuration, exit code, ids)
FAILURES: dict[str, tuple[Callable[[], dict[str, Any]], int, str]] = {
    "missing path": (lambda: one(ref(path="gone")), 3, "not-found"),
    "missing property": (lambda: one(ref("gone")), 3, "property-missing"),
    "property below a value": (lambda: one(ref("text.deeper")), 3, "property-missing"),
    "missing version": (lambda: one(ref(version=9999)), 3, "version-missing"),
    "deleted version": (lambda: one(ref(path="deleted")), 3, "version-deleted"),
    "destroyed version": (lambda: one(ref(path="destroyed", version=1)), 3, "version-destroyed"),
    "null": (lambda: one(ref("null")), 3, "value-null"),
    "list": (lambda: one(ref("list")), 3, "value-shape"),
    "whole secret": (lambda: one(ref(None)), 3, "value-shape"),
    "not base64": (lambda: one(ref(decodingStrategy="Base64")), 4, "value"),
    "template syntax": (lambda: template("{{ .k | nope }}"), 2, "template"),
    "template variable": (lambda: template("{{ .nope }}"), 2, "template"),
    "template on bytes": (
        lambda: one(ref("bytes", decodingStrategy="Base64"), template={"data": {"t": "{{ .k | quote }}"}}),
        4,
        "value",
    ),
    "template b64dec": (lambda: template("{{ .k | b64dec }}"), 4, "value"),
    "template too large": (lambda: template("{{ .k }}" * 200_000), 4, "value"),
    "type": (lambda: one(ref(), template={"type": "kubernetes.io/tls"}), 2, "secret-type"),
    "docker config": (
        lambda: template("{{ .k }}", type="kubernetes.io/dockerconfigjson"),
        2,
        "secret-type",
    ),
    "no certificate": (lambda: sealing(certificate={"file": "gone.pem"}), 2, "file"),
    "expired certificate": (
        lambda: sealing(certificate={"pem": (KEYS / "expired.crt").read_text()}),
        4,
        "certificate-expired",
    ),
    "no RSA certificate": (
        lambda: sealing(certificate={"pem": (KEYS / "ec.crt").read_text()}),
        4,
        "certificate-key",
    ),
    "value for a certificate": (
        lambda: sealing(certificate={"store": "main", "key": "app", "property": "text"}),
        4,
        "certificate",
    ),
    "value for a derivation key": (
        lambda: sealing(derivationKey={"store": "main", "key": "other", "property": "text"}),
        4,
        "derivation-key",
    ),
    "wrong pin": (
        lambda: sealing(
            derivationKey={
                "store": "main",
                "key": "krmfn/derivation",
                "property": "key",
                "id": "0" * 16,
            }
        ),
        4,
        "derivation-key",
    ),
    "the key as a value": (lambda: one(ref("key", path="krmfn/derivation")), 2, "derivation-key-read"),
    "wrong types": (wrong_value, 2, "spec"),
    "not a mount": (
        lambda: config(secret(ref()), store={"vault": {"path": "nowhere"}}),
        3,
        "mount-unknown",
    ),
    "not KV": (lambda: config(secret(ref()), store={"vault": {"path": "sys"}}), 3, "mount-not-kv"),
    "another server": (
        lambda: config(
            secret(ref()), store={"vault": {"server": "https://127.0.0.1:1", "path": "secret"}}
        ),
        6,
        "credential-origin",
    ),
}  # fmt: skip


def check_failure(project: Project, value: Any, code: int, id_: str) -> None:
    """Runs it, looks at everything it left, and at its output."""
    with watching() as seen:
        done = project.run(value)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == code, lines
    assert done.stdout == b""
    assert lines
    for line in lines:
        assert line.startswith("[error] SealedSecretGenerator/logto: "), lines
        assert line.endswith(f"[{id_}]"), lines
    clean("standard error", done.stderr, project.environ.get("VAULT_TOKEN", "\0").encode())
    clean("a command line or an environment", b"\n".join(seen))
    clean_files(project.directory)


def clean_files(directory: Path) -> None:
    for file in directory.rglob("*"):
        if file.is_file():
            clean(str(file), file.read_bytes())


@contextlib.contextmanager
def watching() -> Iterator[set[bytes]]:
    """What /proc tells of this process's children that begin while it lasts, and of theirs."""
    seen: set[bytes] = set()
    stop = threading.Event()
    before = set(Path("/proc").iterdir())

    def watch() -> None:
        while not stop.wait(0.005):
            for process in set(Path("/proc").glob("[0-9]*")) - before:
                with contextlib.suppress(OSError):
                    line = (process / "cmdline").read_bytes()
                    if b"krmfn" in line and _descends(process):
                        seen.update((line, (process / "environ").read_bytes()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _descends(process: Path) -> bool:
    """Whether it is below this process; another run of the tests may be beside it."""
    number = int(process.name)
    while number > 1 and number != os.getpid():
        stat = Path(f"/proc/{number}/stat").read_text()
        number = int(stat.rpartition(")")[2].split()[1])
    return number == os.getpid()


@pytest.fixture
def damaged(openbao: OpenBao) -> None:
    """Versions that were deleted and destroyed, and a value in place of a key."""
    for path in ("deleted", "destroyed", "other"):
        openbao.write("secret", path, {"text": CANARY})
    openbao.request("DELETE", "secret/data/deleted")
    openbao.request("PUT", "secret/destroy/destroyed", {"versions": [1]})


def test_the_canary_is_there(project: Project) -> None:
    """A build that succeeds seals both canaries, and shows neither."""
    value = one(
        ref(), {**ref("bytes", decodingStrategy="Base64"), "secretKey": "b"},
        template={"data": {"t": "{{ .k | b64enc }}"}, "mergePolicy": "Merge"},
    )  # fmt: skip
    with watching() as seen:
        done = project.run(value, process=True)
    assert done.returncode == 0
    assert done.stderr == (
        b"[warning] SealedSecretGenerator/logto: db: b: the value holds a NUL byte; no environment "
        b"variable can hold one [nul-byte]\n"
    )
    sealed = json.loads(done.stdout)["items"][0]
    assert opened(sealed, "production/db") == {
        "k": CANARY.encode(),
        "b": BYTES,
        "t": base64.b64encode(CANARY.encode()),
    }
    clean("standard output", done.stdout)
    clean("a command line or an environment", b"\n".join(seen))
    assert seen
    clean_files(project.directory)


@pytest.mark.usefixtures("damaged")
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_shows_nothing(project: Project, name: str) -> None:
    """One line for each error, its exit code, empty standard output, no canary anywhere."""
    make, code, id_ = FAILURES[name]
    check_failure(project, make(), code, id_)


def test_without_permission(project: Project, openbao: OpenBao) -> None:
    """A token that may read the key and not the value, one that is none, and one that is absent."""
    project.environ["VAULT_TOKEN"] = openbao.token_for(
        'path "secret/data/krmfn/*" { capabilities = ["read"] }'
    )
    check_failure(project, one(), 3, "permission-denied")
    project.environ["VAULT_TOKEN"] = "s.0123456789abcdefghijkl"  # none
    check_failure(project, one(), 3, "login-failed")
    del project.environ["VAULT_TOKEN"]
    check_failure(project, one(), 3, "credential-missing")


def test_nobody_answers(project: Project) -> None:
    """A server that is not there."""
    project.environ |= {"VAULT_ADDR": f"http://127.0.0.1:{free_port()}", "KRMFN_DEADLINE": "4"}
    done = project.run(one())
    assert done.returncode in (3, 124)
    assert done.stdout == b""
    clean("standard error", done.stderr, project.environ["VAULT_TOKEN"].encode())


def test_a_sealed_vault(project: Project, tmp_path: Path) -> None:
    """A server that nobody has initialised."""
    port = free_port()
    (tmp_path / "bao.hcl").write_text(
        f'storage "inmem" {{}}\nlistener "tcp" {{ address = "127.0.0.1:{port}"\ntls_disable = true }}\n'
    )
    project.environ["VAULT_ADDR"] = f"http://127.0.0.1:{port}"
    with running(f"-config={tmp_path}/bao.hcl", environ={"HOME": str(tmp_path)}):
        bao = OpenBao(project.environ["VAULT_ADDR"], "")
        for _ in range(200):
            with contextlib.suppress(OSError):
                bao.request("GET", "sys/seal-status")
                break
            time.sleep(0.05)
        check_failure(project, one(), 3, "vault-sealed")


def test_a_bug_shows_no_text(project: Project) -> None:
    """An exception that nobody expected shows its type and place, with frames when asked; no text."""
    program = (
        "import os, sys, krmfn.function, krmfn.sealing.pipeline\n"
        "from krmfn.__main__ import main\n"
        "seal = krmfn.sealing.pipeline.seal\n"
        "def broken(one, sealer):\n"
        "    values = {k: i.content.reveal() for k, i in one.items.items()}\n"
        "    raise ValueError(f'{values} {one} {values[\"k\"].hex()}')\n"
        "krmfn.sealing.pipeline.seal = broken\n"
        "sys.argv[1:] = []\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=resource_list(one()),
        capture_output=True,
        check=False,
        cwd=project.directory,
        env=project.environment(),
    )
    assert (done.returncode, done.stdout) == (70, b"")
    first, *frames = done.stderr.decode().splitlines()
    assert first == (
        "[error] krmfn: internal error: ValueError at <string>:6; please report it "
        "(KRMFN_DEBUG=1 shows where it came through)"
    )
    assert len(frames) > 3
    assert all(frame.startswith("  ") for frame in frames)
    clean("standard error", done.stderr)
    clean_files(project.directory)


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    """Each spelling of a canary is found in a file, so that finding none means something."""
    for form in FORMS:
        (tmp_path / "f").write_bytes(b"before " + form + b" after")
        with pytest.raises(AssertionError):
            clean_files(tmp_path)
    assert os.fsencode(CANARY) in FORMS
