"""`krmfn seal`: the claims of a finished stream."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.command import krmfn
from tests.support.repository import KEY, PEM, VALUE, claim, generator, seed, transformer, write

if TYPE_CHECKING:
    import subprocess

    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
AWKWARD = """\
# a comment
apiVersion: v1
kind: ConfigMap
metadata: {name: awkward}   # as it was
data:
  a: "1e3"
  b: =
  c: |
    yes
  d: 0o17
"""


def seal(
    cwd: Path, stream: str, *arguments: str | Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    """One call."""
    return krmfn("seal", *arguments, stdin=stream, cwd=cwd, **environ)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A transformer's configuration, its certificate beside it."""
    (tmp_path / "config/certs").mkdir(parents=True)
    (tmp_path / "config/certs/c.pem").write_text(PEM)
    return write(tmp_path / "config/krmfn.yaml", transformer(""))


def placed(**metadata: Any) -> str:
    """A claim as a finished stream has it."""
    value = claim()
    value["metadata"] |= {"namespace": "production", **metadata}
    return json.dumps(value) + "\n"


def test_claims_are_sealed_and_the_rest_is_kept(
    config: Path, tmp_path: Path, openbao: OpenBao
) -> None:
    """Other documents come out to the byte; a claim's SealedSecret opens to the vault's value."""
    seed(openbao)
    done = seal(tmp_path, f"{AWKWARD}---\n{placed()}", "--config", config, **openbao.environ)
    assert (done.returncode, done.stderr) == (0, "")  # no workload is there that could refer to it
    assert done.stdout.startswith(AWKWARD + "---\n")
    kept, sealed = yaml.load_all(done.stdout, yaml.BaseLoader)
    assert (kept["kind"], sealed["kind"]) == ("ConfigMap", "SealedSecret")
    assert sealed["metadata"]["annotations"]["krmfn.dev/sealed-for"] == "production/db"
    opened = krmfn("unseal", "--key", KEY, stdin=done.stdout, cwd=ROOT)
    assert opened.returncode == 0, opened.stderr
    (secret,) = yaml.safe_load_all(opened.stdout)
    assert base64.b64decode(secret["data"]["password"]).decode() == VALUE


def test_paths_are_relative_to_the_config(config: Path, tmp_path: Path, openbao: OpenBao) -> None:
    """From another directory, and from a file instead of standard input, the bytes are the same."""
    seed(openbao)
    file = tmp_path / "stream.yaml"
    file.write_text(placed())
    one = seal(
        tmp_path, placed(), "-", "--audit=off", "--config", "config/krmfn.yaml", **openbao.environ
    )
    two = seal(config.parent, "", file, "--config", "krmfn.yaml", **openbao.environ)
    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout == two.stdout


def test_a_stream_without_claims_passes(config: Path, tmp_path: Path) -> None:
    """Nothing to seal needs no store, and changes nothing."""
    done = seal(tmp_path, AWKWARD, "--config", config)
    assert (done.returncode, done.stdout, done.stderr) == (0, AWKWARD, "")


@pytest.mark.parametrize("stream", ["", "\n", "---\n---\n", "# nothing\n"])
def test_an_empty_stream_is_an_error(config: Path, tmp_path: Path, stream: str) -> None:
    """A build that failed before a pipe gives an empty stream, which is never sealed in silence."""
    done = seal(tmp_path, stream, "--config", config)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no resource in the input" in done.stderr


@pytest.mark.parametrize("document", ["- kind: Secret\n", "no such chart\n", '"text"\n'])
def test_a_document_that_is_no_object(config: Path, tmp_path: Path, document: str) -> None:
    """Nothing tells what is in it, and nobody could apply it."""
    done = seal(tmp_path, f"{AWKWARD}---\n{document}", "--config", config)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "[error] krmfn seal: -:12: a document of the stream is not an object"
    )


def test_what_is_printed_is_validated(config: Path, tmp_path: Path) -> None:
    """A Secret in clear stops the output, unless it is allowed."""
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {a: Yg==}\n"
    done = seal(tmp_path, secret, "--config", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("[plain-secret]\n")
    done = seal(tmp_path, secret, "--config", config, "--plain-secrets", "warn")
    assert (done.returncode, done.stdout) == (0, secret)
    assert done.stderr.startswith("[warning] krmfn seal: Secret/x")


def test_a_claim_without_a_namespace_is_refused(
    config: Path, tmp_path: Path, openbao: OpenBao
) -> None:
    """Nobody names a namespace, so nothing is read and nothing printed."""
    done = seal(tmp_path, json.dumps(claim()), "--config", config, **openbao.environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "[namespace-missing]" in done.stderr


def test_the_config_has_to_be_a_transformer(tmp_path: Path) -> None:
    """A generator's configuration is refused, by name."""
    file = write(tmp_path / "krmfn.yaml", generator(""))
    done = seal(tmp_path, AWKWARD, "--config", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected SealedSecretTransformer, found SealedSecretGenerator" in done.stderr


@pytest.mark.parametrize(
    ("refers", "namespace", "refused"),
    [
        ("db", "production", True),
        ("p-db-x", "production", False),  # as it is called
        ("db", "staging", False),  # another namespace's
        ("mail", "production", False),  # somebody else's
    ],
)
def test_a_reference_that_was_not_renamed(
    refers: str, namespace: str, refused: bool, config: Path, openbao: OpenBao
) -> None:
    """A workload that refers to a claim's former name is not built with a dangling reference."""
    seed(openbao)
    pod = {"containers": [{"name": "app", "envFrom": [{"secretRef": {"name": refers}}]}]}
    place = {"name": "app", "namespace": namespace}
    workload = {"apiVersion": "v1", "kind": "Pod", "metadata": place, "spec": pod}
    stream = f"{json.dumps(workload)}\n---\n{placed(name='p-db-x')}"
    done = seal(config.parent, stream, "--config", config, **openbao.environ)
    assert (done.returncode, not done.stdout) == ((2, True) if refused else (0, False)), done.stderr
    assert (
        "SecretClaim/p-db-x: a workload refers to db, which nothing creates, and nothing refers to "
        "p-db-x; build with krmfn build" in done.stderr
    ) is refused


def test_the_audit(config: Path, tmp_path: Path, openbao: OpenBao) -> None:
    """A reference that nothing meets is a warning, or an error where one says so."""
    seed(openbao)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app", "namespace": "production"},
        "spec": {
            "containers": [
                {"name": "a", "envFrom": [{"secretRef": {"name": n}} for n in ("db", "nobody")]}
            ]
        },
    }
    stream = f"{placed()}---\n{json.dumps(pod)}\n"
    for level, code in (("warn", 0), ("error", 1), ("off", 0)):
        arguments = ("--config", config, f"--audit={level}")
        done = seal(tmp_path, stream, *arguments, **openbao.environ)
        assert done.returncode == code
        assert bool(done.stdout) == (code == 0)
        assert ("nobody" in done.stderr) == (level != "off")


def test_a_list_is_looked_into(config: Path, tmp_path: Path, openbao: OpenBao) -> None:
    """The claim inside is sealed, what is beside it keeps its text, and a Secret is refused."""
    seed(openbao)
    head = "apiVersion: v1\nkind: List\nitems:\n"
    entries = "".join(f"  {line}" for line in AWKWARD.splitlines(keepends=True))[2:]
    stream = f"{head}-\n  {entries}- {placed()}"
    done = seal(tmp_path, stream, "--config", config, "--audit=off", **openbao.environ)
    assert (done.returncode, done.stderr) == (0, "")
    kept, sealed = done.stdout.split("---\n")
    assert kept == AWKWARD.removeprefix("# a comment\n")
    assert json.loads(sealed)["kind"] == "SealedSecret"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": "QQ=="},
    }
    done = seal(
        tmp_path, f"{stream}- {json.dumps(secret)}\n", "--config", config, **openbao.environ
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("[plain-secret]\n")
