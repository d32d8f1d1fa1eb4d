"""What the caller does to the standard streams: `| head`, `<(…)`, a terminal, a closed one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from krmfn.process import streams
from tests.support import repository as repo
from tests.support.function import KEYS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

KRMFN = f"'{sys.executable}' -m krmfn"


def shell(line: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """A line for bash, ended by the first failure of a pipe."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line.replace('krmfn ', f'{KRMFN} ')}"],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
    )


def stream(place: Path) -> Path:
    """More references than a pipe holds."""
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod-{n}", "namespace": "shop"},
            "spec": {
                "containers": [
                    {"name": "a", "image": "a", "envFrom": [{"secretRef": {"name": f"s{n}"}}]}
                ]
            },
        }
        for n in range(700)
    ]
    return repo.write(place / "all.yaml", *pods)


@pytest.mark.process
def test_a_report_that_is_not_read_to_its_end(tmp_path: Path) -> None:
    """It is quiet, and its exit code is its result."""
    stream(tmp_path)
    done = shell("krmfn audit all.yaml | head -1", tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("\n") == 1
    done = shell("krmfn graph all.yaml | head -1", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = shell("krmfn --help | head -1", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_data_that_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A part of a build is none: exit code 5, one line."""
    (tmp_path / "c.pem").write_bytes((KEYS / "current.crt").read_bytes() * 40)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "krmfn", "install", "argocd"],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    os.close(writer)
    assert done.returncode == 5
    assert done.stderr == b"[error] krmfn: standard output was closed [output]\n"


@pytest.mark.process
def test_pipes_in_place_of_files(tmp_path: Path) -> None:
    """A shell's <(…) is read as a file is; one in a repository is not."""
    sealed = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret"}
    sealed |= {
        "metadata": {"name": "a", "namespace": "n"},
        "spec": {"encryptedData": {"k": "AAAA"}},
    }
    repo.write(tmp_path / "a.yaml", sealed)
    done = shell("krmfn diff <(cat a.yaml) <(cat a.yaml)", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 the same\n"
    assert shell("krmfn audit <(cat a.yaml)", tmp_path).returncode == 0


@pytest.mark.process
def test_a_terminal_is_told_what_is_waited_for(tmp_path: Path) -> None:
    """Else a user would wait, too."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "krmfn", "audit", "-"],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    os.close(theirs)
    assert process.stderr is not None
    assert process.stderr.readline() == b"krmfn: waiting for resources; end the input with ctrl-D\n"
    os.write(ours, b"\x04")
    assert b"there is no resource" in process.stderr.read()
    assert process.wait() == 2
    process.stderr.close()
    os.close(ours)


@pytest.mark.process
@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_nobody_hears_an_error(tmp_path: Path, closed: str) -> None:
    """The exit code says it all the same."""
    assert shell(f"krmfn audit nothing.yaml {closed}", tmp_path).returncode == 2


def test_what_a_stream_cannot_encode(tmp_path: Path) -> None:
    """A name outside of the terminal's alphabet is escaped, not an internal error."""
    name = "größe-≠.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "krmfn", "audit", name],
        capture_output=True,
        cwd=tmp_path,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 2
    assert done.stderr.isascii()
    assert b"no such file or directory [file]" in done.stderr


def test_a_failed_write_that_counts_as_done(tmp_path: Path) -> None:
    """Messages are lost whatever fails; a report only where its reader has gone."""
    full = os.open("/dev/full", os.O_WRONLY)
    with streams._Lossy(full, "w") as messages:
        assert messages.write(b"message") == 7
    full = os.open("/dev/full", os.O_WRONLY)
    with streams._Unread(full, "w") as report, pytest.raises(OSError, match="No space"):
        report.write(b"report")
