"""Paths of a configuration stay inside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from krmfn.errors import SpecError
from krmfn.files import read
from krmfn.files.read import Place, find_root, read_file


def refused(name: str, base: Path, root: Path) -> str:
    with pytest.raises(SpecError) as caught:
        Place(base, root).read(name, key="spec.x")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value.line()


def test_the_root(tmp_path: Path) -> None:
    """The variable, else the nearest .git (a file in a worktree), else the directory itself."""
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    assert find_root(deep, {"KRMFN_ROOT": str(tmp_path)}) == tmp_path.resolve()
    (tmp_path / "a/.git").write_text("gitdir: elsewhere")
    assert find_root(deep, {}) == (tmp_path / "a").resolve()
    (deep / ".git").mkdir()
    assert find_root(deep, {"KRMFN_ROOT": ""}) == deep.resolve()


def test_without_a_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing above is trusted then."""
    real = Path.exists
    monkeypatch.setattr(Path, "exists", lambda p: p.name != ".git" and real(p))
    assert find_root(tmp_path, {}) == tmp_path.resolve()


def test_below_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is the root of what is below it, without what Argo CD calls the source's path."""
    deep = tmp_path / "apps/shop"
    deep.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_root(deep, {}) == tmp_path.resolve()
    monkeypatch.chdir(deep)
    assert find_root(deep, {}) == deep.resolve()
    assert find_root(deep, {"ARGOCD_APP_SOURCE_PATH": "apps/shop"}) == tmp_path.resolve()
    assert find_root(deep, {"ARGOCD_APP_SOURCE_PATH": "other/shop"}) == deep.resolve()
    assert find_root(deep, {"ARGOCD_APP_SOURCE_PATH": "."}) == deep.resolve()
    monkeypatch.chdir("/")
    assert find_root(deep, {}) == deep.resolve()


def test_files_inside(tmp_path: Path) -> None:
    """Relative to the base, upwards too, through links that stay inside."""
    base = tmp_path / "overlay"
    base.mkdir()
    (tmp_path / "up.pem").write_bytes(b"up\xff")
    (base / "link").symlink_to("../up.pem")
    for name in ("../up.pem", "link", "./../overlay/link"):
        assert Place(base, tmp_path.resolve()).read(name, key="") == b"up\xff"


def test_files_outside(tmp_path: Path) -> None:
    """Neither by dots nor by a link, nor absolute, even to the inside."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root-beside").write_text("x")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "inside").write_text("x")
    for name in ("../secret", "link", "../root-beside"):
        assert refused(name, root, root) == (
            f"spec.x: {name} is outside the repository; move it inside, or set KRMFN_ROOT [path]"
        )
    name = str(root / "inside")
    assert (
        refused(name, root, root) == f"spec.x: {name} is absolute; write it relative to here [path]"
    )


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """Absent, a directory, a loop, a pipe, a name that no file can have."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert refused("gone", tmp_path, tmp_path) == "spec.x: gone: no such file or directory [file]"
    assert refused("dir", tmp_path, tmp_path) == "spec.x: dir is not a file [file]"
    assert refused("pipe", tmp_path, tmp_path) == "spec.x: pipe is not a file [file]"
    assert refused("dir/\0", tmp_path, tmp_path) == "spec.x: dir/?: not a usable path [file]"
    assert refused("x" * 300, tmp_path, tmp_path).endswith(": file name too long [file]")
    assert refused("loop", tmp_path, tmp_path).endswith("[file]")


def test_a_file_without_a_root(tmp_path: Path) -> None:
    """Plain commands read where they are told to."""
    (tmp_path / "x").write_bytes(b"y")
    assert read_file(tmp_path / "x", name="x", key="") == b"y"


def test_the_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file has a limit."""
    monkeypatch.setattr(read, "MAX_FILE", 10)
    (tmp_path / "ten").write_bytes(b"x" * 10)
    (tmp_path / "more").write_bytes(b"x" * 11)
    assert Place(tmp_path, tmp_path).read("ten", key="") == b"x" * 10
    assert refused("more", tmp_path, tmp_path) == "spec.x: more is larger than 16 MiB [file]"
