"""What a revision holds is read as it was committed, into a private folder and nowhere else."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from krmfn.compare.git import revision
from krmfn.deadline import Deadline
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, and the working directory in it."""
    (tmp_path / "r/inner").mkdir(parents=True)
    git(tmp_path / "r", "init", "--quiet")
    monkeypatch.chdir(tmp_path / "r")
    return tmp_path / "r"


def git(directory: Path, *arguments: str, stdin: str = "") -> str:
    """Output of one call, as nobody in particular."""
    who = ("-c", "user.name=n", "-c", "user.email=e@example.invalid", "-c", "core.autocrlf=false")
    done = subprocess.run(
        ["git", *who, *arguments],
        cwd=directory,
        input=stdin,
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout.strip()


def commit(directory: Path) -> None:
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "-m", "x")


def test_files_come_out_to_the_byte(repository: Path) -> None:
    """Attributes and filters of the repository have no say; empty and binary files neither."""
    files = {"a.yaml": b"a: 1\r\n", "d/b": b"\0\n\n", "d/e": b"", "d/ü x\ny": b"name"}
    for name, content in files.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_bytes(content)
    (repository / ".gitattributes").write_text("* export-ignore filter=rm\n")
    (repository / "link").symlink_to("d")
    git(repository, "config", "filter.rm.clean", "cat")
    git(repository, "config", "filter.rm.smudge", "false")
    git(repository, "config", "filter.rm.required", "true")
    commit(repository)
    with revision("HEAD", Deadline(30)).extracted() as folder:
        for name, content in files.items():
            assert (folder / name).read_bytes() == content
        assert (folder / "link/b").read_bytes() == files["d/b"]
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    with revision("HEAD", Deadline(30)).extracted("d") as folder:
        assert {p.name for p in folder.iterdir()} == {"d"}
    assert revision("HEAD", Deadline(30)).read("d/b") == files["d/b"]


def test_nothing_is_written_through_a_link(repository: Path, tmp_path: Path) -> None:
    """A tree that no client makes, with a link and a directory of one name, writes nothing outside."""
    outside = tmp_path / "outside"
    outside.mkdir()
    blob = git(repository, "hash-object", "-w", "--stdin", stdin="content")
    link = git(repository, "hash-object", "-w", "--stdin", stdin=str(outside))
    for inner in (f"100644 blob {blob}\tb\n", f"120000 blob {link}\tb\n"):
        below = git(repository, "mktree", stdin=inner)
        deeper = git(repository, "mktree", stdin=f"040000 tree {below}\tc\n")
        for tree in (below, deeper):
            evil = git(
                repository, "mktree", stdin=f"120000 blob {link}\ta\n040000 tree {tree}\ta\n"
            )
            with (
                pytest.raises(SpecError, match="cannot be taken out"),
                revision(evil, Deadline(30)).extracted(),
            ):
                pass
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".git"])
def test_paths_that_no_repository_has(repository: Path, name: str) -> None:
    """A tree with a name that leads out, or into a repository's own folder."""
    blob = git(repository, "hash-object", "-w", "--stdin", stdin="content")
    below = git(repository, "mktree", stdin=f"100644 blob {blob}\tx\n")
    evil = git(repository, "mktree", stdin=f"040000 tree {below}\t{name}\n")
    with (
        pytest.raises(SpecError, match=r"is not a path in a repository \[path\]"),
        revision(evil, Deadline(30)).extracted(),
    ):
        pass


@pytest.mark.parametrize("name", ["--all", "-h", "--since=yesterday", "", "nothing", "HEAD"])
def test_what_is_no_revision(repository: Path, name: str) -> None:
    """Options are not taken for one; nor is the HEAD of a repository without commits."""
    with pytest.raises(SpecError, match=r"git knows no such revision \[usage\]"):
        revision(name, Deadline(30))


def test_paths_are_as_git_reads_them(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the root, unless they begin with a dot."""
    (repository / "inner/x").write_text("x")
    commit(repository)
    monkeypatch.chdir(repository / "inner")
    found = revision("HEAD", Deadline(30))
    assert [found.path(p) for p in ("x", "./x", "../x", "", ".", "..", "a/../b/")] == [
        "x",
        "inner/x",
        "x",
        "",
        "inner",
        "",
        "b",
    ]
    for path in ("../../x", "/x", "a/../../x"):
        with pytest.raises(SpecError, match="is outside the repository"):
            found.path(path)
    assert [found.kind(p) for p in ("inner", "inner/x", "no", "")] == ["tree", "blob", "", "tree"]
    for path in ("no", "inner"):
        with pytest.raises(SpecError, match="is not a file"):
            found.read(path)
