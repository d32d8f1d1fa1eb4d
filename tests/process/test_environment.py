"""What the environment refuses is told as such, and quotes nothing that was read."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from krmfn.process.environment import explain
from tests.support.command import krmfn

LONG = "c4nary" * 1000


@pytest.mark.parametrize(
    ("error", "id_", "words"),
    [
        (OSError(errno.EMFILE, "Too many open files", "x"), "environment", "ulimit -n"),
        (OSError(errno.ENFILE, "Too many open files"), "environment", "ulimit -n"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "environment", "ulimit -v"),
        (MemoryError(LONG), "environment", "no memory is left"),
        (RecursionError(LONG), "input", "nested too deeply"),
        (OSError(errno.ELOOP, "Too many levels", "a/loop"), "file", "a/loop: too many levels"),
        (PermissionError(errno.EACCES, "Permission denied", b"a"), "file", "a: permission denied"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "b" * 5000), "file", "bbb…: file name"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "output", "standard output was closed"),
        (OSError(errno.ENOSPC, "No space left"), "output", "cannot be written: no space left"),
        (OSError(errno.EIO, "Input/output error"), "output", "input/output error"),
        (OSError(errno.EPERM, "Operation not permitted"), "environment", "not permitted"),
        (OSError("no number"), "environment", "refuses what krmfn needs"),
        (UnicodeEncodeError("utf-8", LONG, 0, 1, LONG), "input", "not UTF-8"),
        (UnicodeDecodeError("utf-8", LONG.encode(), 0, 1, LONG), "input", "not UTF-8"),
        (ValueError("embedded null byte"), "file", "NUL"),
        (ValueError("embedded null character"), "file", "NUL"),
        (RuntimeError("can't start new thread"), "environment", "no thread"),
        (RuntimeError("Symlink loop from 'a/loop'"), "file", "a/loop: too many levels"),
        (RuntimeError(f"Symlink loop from '{'b' * 5000}'"), "file", "bbb…: too many levels"),
        (ImportError("x.so: failed to map segment from shared object"), "environment", "memory"),
        (ImportError("x.so: cannot open shared object file: Too many open files"), "environment",
         "ulimit -n"),
    ],
)  # fmt: skip
def test_each(error: BaseException, id_: str, words: str) -> None:
    """The cause, in words that lead to a remedy."""
    found = explain(error)
    assert found is not None
    assert found.id == id_
    assert words in found.line()
    assert "c4nary" not in found.line()
    assert found.exit_code in (2, 5)


def test_a_loop_of_links(tmp_path: Path) -> None:
    """Whatever this Python does about one, it is no bug."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for arguments in (["build", "a"], ["audit", "a"], ["init", "a"], ["rotate", "epoch", "a"]):
        done = krmfn(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
    done = krmfn("seal", "--config", "a", stdin="a: b\n", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    "error", [KeyError("x"), ValueError("x"), RuntimeError("x"), ImportError("no module x")]
)
def test_a_bug_stays_one(error: BaseException) -> None:
    """What is krmfn's own fault is to be reported."""
    assert explain(error) is None


def test_the_working_directory_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where it is: another path that is missing is that path's error."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path.cwd()
    found = explain(caught.value)
    assert found is not None
    assert "the working directory is gone" in found.line()
    monkeypatch.chdir(tmp_path)
    assert explain(caught.value).id == "environment"  # type: ignore[union-attr]
