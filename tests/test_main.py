"""The process: which shell serves a call, and what its end looks like."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from krmfn import __main__
from krmfn.errors import ErrorList, SealingError, SpecError
from krmfn.process import interrupt
from tests.support.function import ROOT, Project, config, resource_list

if TYPE_CHECKING:
    from pathlib import Path

VAULT = {"vault": {"path": "secret"}}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write({"app": {"x": "value"}})
    return made


@pytest.fixture
def silent(project: Project) -> socket.socket:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        project.environ |= {
            "VAULT_ADDR": f"http://127.0.0.1:{server.getsockname()[1]}",
            "VAULT_TOKEN": "c4nary-token",
        }
        yield server


def test_a_call(project: Project) -> None:
    """Success is exit code 0 and a list."""
    done = project.run(config())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b'{"apiVersion":"config.kubernetes.io/v1","kind":"ResourceList"')


def test_a_legacy_call(project: Project) -> None:
    """With the plugin's variable and a file, the function; with the file alone, the command line."""
    (project.directory / "config").write_text(json.dumps(config()))
    alone = project.run(None, "config", stdin=b"")
    assert alone.returncode == 2
    assert b"no command config" in alone.stderr
    project.environ["KUSTOMIZE_PLUGIN_CONFIG_ROOT"] = str(project.directory)
    absolute = str(project.directory / "config")
    assert project.run(None, absolute, stdin=b"").returncode == 0
    assert b"no command config" in project.run(None, "config", stdin=b"").stderr
    assert project.run(None, "--version", stdin=b"").stdout.startswith(b"krmfn ")


def test_a_server_that_hangs(project: Project, silent: socket.socket) -> None:
    """The deadline ends it with its own code and one line."""
    project.environ["KRMFN_DEADLINE"] = "1.5"
    done = project.run(config(store=VAULT))
    # Where a busy machine leaves it no time for an orderly end, its keeper says the same, and kills it.
    assert done.returncode in (124, -signal.SIGKILL)
    assert done.stdout == b""
    assert done.stderr.startswith(b"[error] SealedSecretGenerator/logto: ")
    assert b"not finished after 1.5 s" in done.stderr
    assert done.stderr.endswith(b"[deadline]\n")
    assert done.stderr.count(b"\n") == 1
    assert b"c4nary" not in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_amid_reading(
    project: Project, silent: socket.socket, number: signal.Signals, code: int
) -> None:
    """Nothing was printed, nothing is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "krmfn"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=project.directory,
        env=project.environment(),
    )
    assert process.stdin is not None
    process.stdin.write(resource_list(config(store=VAULT)))
    process.stdin.close()
    process.stdin = None
    connection, _ = silent.accept()
    with connection:
        connection.recv(1)
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (code, b"")
    assert b"Traceback" not in err


PROBE = """
import ctypes, os, resource, sys
from krmfn import __main__
leave = os._exit
def tell(code):
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    os.write(2, f"{ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)} {limit}".encode())
    leave(0)
os._exit = tell
sys.argv[1:] = sys.argv[1:]
__main__.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
@pytest.mark.parametrize("arguments", [[], ["--version"], ["age", "get", "no-file"]])
def test_nobody_reads_its_memory(arguments: list[str], tmp_path: Path) -> None:
    """The function and every command: not dumpable, which closes /proc/PID/mem, and no core file."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.stderr.endswith("0 (0, 0)")


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
@pytest.mark.parametrize("words", ["", "plan o"])
def test_a_crash_leaves_no_core(project: Project, silent: socket.socket, words: str) -> None:
    """Aborted while it holds a token and waits for a value, where the machine allows core files."""
    (project.directory / "o").mkdir()
    value = config(store=VAULT)
    value["metadata"]["annotations"] = {"config.kubernetes.io/function": "exec: {path: krmfn}"}
    for name, content in {
        "gen.yaml": value,
        "kustomization.yaml": {"generators": ["gen.yaml"]},
    }.items():
        (project.directory / "o" / name).write_text(json.dumps(content))
    (project.directory / "o/c.pem").write_bytes((project.directory / "c.pem").read_bytes())
    process = subprocess.Popen(
        ["sh", "-c", f'ulimit -S -c "$(ulimit -H -c)"; exec "{sys.executable}" -m krmfn {words}'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=project.directory,
        env=project.environment(),
    )
    assert process.stdin is not None
    process.stdin.write(resource_list(value))
    process.stdin.close()
    process.stdin = None
    silent.settimeout(40)
    connection, _ = silent.accept()
    with connection:
        connection.recv(1)
        process.send_signal(signal.SIGABRT)
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGABRT
    assert list(project.directory.rglob("core*")) == []


def test_standard_output_is_closed(project: Project) -> None:
    """Nobody reads: exit code 5."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "krmfn"],
        input=resource_list(config()),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        cwd=project.directory,
        env=project.environment(),
    )
    os.close(writer)
    assert done.returncode == 5
    assert (
        done.stderr == b"[error] SealedSecretGenerator/logto: standard output was closed [output]\n"
    )


def test_a_deadline_that_is_none(project: Project) -> None:
    """Said before anything else."""
    project.environ["KRMFN_DEADLINE"] = "soon"
    done = project.run(config())
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == (
        b"[error] krmfn: KRMFN_DEADLINE is not a number of seconds, expected 45 or 45s [usage]\n"
    )


def raised(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301  # for its traceback
    except BaseException as caught:
        return caught


def test_a_bug(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Type and place, never the text; frames only when asked for."""
    monkeypatch.delenv("KRMFN_DEBUG", raising=False)
    assert __main__._unexpected(raised(ValueError("c4nary"))) == 70
    err = capsys.readouterr().err
    assert err.startswith("[error] krmfn: internal error: ValueError at test_main.py:")
    assert err.count("\n") == 1
    monkeypatch.setenv("KRMFN_DEBUG", "1")
    __main__._unexpected(raised(ValueError("c4nary")))
    more = capsys.readouterr().err
    assert " in raised\n" in more
    assert "c4nary" not in err + more
    assert __main__._unexpected(ValueError("never raised")) == 70


def test_an_error_that_nobody_caught(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours print as they are; the first decides the code."""
    both = ErrorList([SealingError("value", "a"), SpecError("spec", "b")])
    assert __main__._unexpected(both) == 4
    assert capsys.readouterr().err == "[error] krmfn: a [value]\n[error] krmfn: b [spec]\n"


def test_which_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A terminal gets the command line, a pipe the function; a file only from kustomize."""

    class Input:
        def __init__(self, terminal: bool) -> None:
            self.isatty = lambda: terminal

    monkeypatch.delenv("KUSTOMIZE_PLUGIN_CONFIG_ROOT", raising=False)
    for terminal in (True, False):
        monkeypatch.setattr(sys, "stdin", Input(terminal))
        assert __main__._is_function([]) is not terminal
    file = tmp_path / "f"
    file.touch()
    assert not __main__._is_function([str(file)])
    monkeypatch.setenv("KUSTOMIZE_PLUGIN_CONFIG_ROOT", "/")
    assert __main__._is_function([str(file)])
    assert not __main__._is_function(["unseal"])


def test_exit_codes_of_the_frame(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interrupted, asked for help, misused, broken."""

    def stop(error: BaseException) -> None:
        def raises(arguments: object) -> bool:
            raise error

        monkeypatch.setattr(__main__, "_is_function", raises)

    for error, code in [
        (interrupt.Interrupted(2), 130), (SystemExit(0), 0), (SystemExit(2), 2), (SystemExit("c4nary"), 2),
        (MemoryError("c4nary"), 2), (KeyError("c4nary"), 70), (SpecError("usage", "x"), 2),
    ]:  # fmt: skip
        stop(error)
        assert __main__._run([]) == code
    assert "c4nary" not in capsys.readouterr().err
