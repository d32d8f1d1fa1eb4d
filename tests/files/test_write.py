"""A file is written as a whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from krmfn.errors import OutputError, SpecError
from krmfn.files.write import File, replace_file, write_files

OLD, NEW = b"old\n", b"new content\n"


def create(path: Path, content: bytes) -> None:
    """Write one file that must not exist."""
    write_files([File(path, content, new=True)])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_replacing_keeps_the_mode_and_leaves_nothing_beside(tmp_path: Path) -> None:
    """The new content has the old file's mode, whatever the umask says."""
    path = tmp_path / "store.age"
    path.write_bytes(OLD)
    path.chmod(0o664)
    replace_file(path, NEW)
    assert path.read_bytes() == NEW
    assert mode(path) == 0o664
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_makes_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A new file is readable by all, as the umask allows."""
    path = tmp_path / "store.age"
    umask = os.umask(0o027)
    try:
        replace_file(path, NEW)
    finally:
        os.umask(umask)
    assert path.read_bytes() == NEW
    assert mode(path) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The target is replaced, not the link that leads to it."""
    target, link = tmp_path / "real.age", tmp_path / "link.age"
    target.write_bytes(OLD)
    link.symlink_to(target.name)
    replace_file(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW


def test_a_reader_keeps_what_it_opened(tmp_path: Path) -> None:
    """The old file is not written into: who has it open reads it to its end."""
    path = tmp_path / "store.age"
    path.write_bytes(OLD)
    with path.open("rb") as reader:
        replace_file(path, NEW)
        assert reader.read() == OLD


def test_creating_gives_the_asked_mode_and_never_overwrites(tmp_path: Path) -> None:
    """An identity is 0600 from its first moment; the second attempt changes nothing."""
    path = tmp_path / "identity"
    write_files([File(path, OLD, new=True, mode=0o600)])
    assert mode(path) == 0o600
    with pytest.raises(OutputError) as caught:
        write_files([File(path, NEW, new=True, mode=0o600)])
    assert caught.value.id == "output"
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_creating_does_not_follow_a_dangling_link(tmp_path: Path) -> None:
    """A link that somebody left there does not direct the content elsewhere."""
    link, elsewhere = tmp_path / "identity", tmp_path / "elsewhere"
    link.symlink_to(elsewhere)
    with pytest.raises(OutputError):
        create(link, NEW)
    assert not elsewhere.exists()


@pytest.mark.parametrize("failing", ["fsync", "fchmod", "replace", "link"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """A full disk at any step: the old bytes stand, no other file stays, no content is quoted."""
    path = tmp_path / "store.age"
    path.write_bytes(OLD)

    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device", "new content")

    monkeypatch.setattr(os, failing, full)
    write = create if failing == "link" else replace_file
    with pytest.raises(OutputError) as caught:
        write(path.with_name("fresh") if failing == "link" else path, NEW)
    assert "no space left on device" in caught.value.line()
    assert "new content" not in caught.value.line()
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between writing and renaming cleans up as a failure does."""
    path = tmp_path / "store.age"
    path.write_bytes(OLD)

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, NEW)
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_no_directory_is_an_output_error(tmp_path: Path) -> None:
    """The error names the path and the reason."""
    with pytest.raises(OutputError) as caught:
        replace_file(tmp_path / "absent" / "store.age", NEW)
    assert "no such file or directory" in caught.value.line()


def test_several_files_are_replaced_together(tmp_path: Path) -> None:
    """Each keeps its mode and its link; nothing is left beside them."""
    files = [tmp_path / name for name in ("a", "b")]
    for file in files:
        file.write_bytes(OLD)
    files[1].chmod(0o600)
    (tmp_path / "link").symlink_to("a")
    write_files([File(tmp_path / "link", NEW), File(files[1], NEW)])
    assert [file.read_bytes() for file in files] == [NEW, NEW]
    assert mode(files[1]) == 0o600
    assert (tmp_path / "link").is_symlink()
    assert {p.name for p in tmp_path.iterdir()} == {"a", "b", "link"}


@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_several_files_or_none(
    tmp_path: Path, fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever rename fails, every file holds what it held."""
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file in files:
        file.write_bytes(OLD + file.name.encode())
    rename = type(tmp_path).replace

    def fails(self: Path, target: Path) -> Path:
        if target == files[fails_at]:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(type(tmp_path), "replace", fails)
        with pytest.raises(
            OutputError, match=r"cannot be written: no space left on device \[output"
        ):
            write_files([File(file, NEW) for file in files])
    assert [file.read_bytes() for file in files] == [OLD + f.name.encode() for f in files]
    assert sorted(tmp_path.iterdir()) == files


def test_a_missing_directory_spoils_all(tmp_path: Path) -> None:
    """What cannot be written is an error before the first file is replaced."""
    (tmp_path / "a").write_bytes(OLD)
    with pytest.raises(OutputError):
        write_files([File(tmp_path / "a", NEW), File(tmp_path / "no/b", NEW)])
    assert (tmp_path / "a").read_bytes() == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def some(folder: Path) -> list[File]:
    """Every kind of change: one replaced, one made, one below new directories, one secret, one removed."""
    (folder / "replaced").write_bytes(OLD)
    (folder / "removed").write_bytes(OLD)
    (folder / "removed").chmod(0o600)
    return [
        File(folder / "secret", NEW, new=True, mode=0o600, secret=True),
        File(folder / "replaced", NEW),
        File(folder / "made", NEW),
        File(folder / "removed", None),
        File(folder / "deep/er/new", NEW, new=True, parents=0o700),
    ]


def held(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


BEFORE = {"replaced": OLD, "removed": OLD}
AFTER = dict.fromkeys(["secret", "replaced", "made", "deep/er/new"], NEW)


def test_every_kind_of_change(tmp_path: Path) -> None:
    """Made together, with the directories that are needed."""
    write_files(some(tmp_path))
    assert held(tmp_path) == AFTER
    assert mode(tmp_path / "deep") == 0o700


@pytest.mark.parametrize(
    ("failing", "nth"),
    [
        ("unlink", 1),
        *((name, n) for name in ("fsync", "link", "replace", "open") for n in range(1, 6)),
    ],
)
def test_a_failure_anywhere_undoes_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, nth: int
) -> None:
    """Nothing is left, neither a directory nor a file, and the removed one has its mode again."""
    files = some(tmp_path)
    real, count = getattr(os, failing), 0

    def fails(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count == nth:
            raise OSError(28, "No space left on device")
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, failing, fails)
        try:
            write_files(files)
        except OutputError:
            assert held(tmp_path) == BEFORE
            assert not (tmp_path / "deep").exists()
            assert mode(tmp_path / "removed") == 0o600
        else:  # it was the directory that could not be synced, or never called so often
            assert held(tmp_path) == AFTER


def test_what_comes_first_comes_when_all_can_be_written(tmp_path: Path) -> None:
    """It sees no new file yet; when it fails nothing is written."""

    def fails() -> None:
        assert held(tmp_path).keys() >= BEFORE.keys()
        assert not (tmp_path / "made").exists()
        raise SpecError("spec", "the store says no")

    with pytest.raises(SpecError):
        write_files(some(tmp_path), first=fails)
    assert held(tmp_path) == BEFORE
    called: list[int] = []
    write_files([], first=lambda: called.append(1))
    assert called == [1]


def test_a_secret_is_in_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even for a moment, under a name that nobody would remove after a crash."""
    opened: list[str] = []
    real = os.open

    def watched(path: Any, *arguments: Any, **named: Any) -> int:
        opened.append(Path(path).name)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", watched)
    write_files([File(tmp_path / "identity", NEW, new=True, mode=0o600, secret=True)])
    assert opened[0] == "identity"
    assert mode(tmp_path / "identity") == 0o600
    with pytest.raises(OutputError, match="never overwritten"):
        write_files([File(tmp_path / "identity", OLD, new=True, secret=True)])
    assert held(tmp_path) == {"identity": NEW}


def test_a_device_is_no_file(tmp_path: Path) -> None:
    """Root would replace /dev/null by a file."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="not a regular file"):
        replace_file(tmp_path / "pipe", NEW)
    assert (tmp_path / "pipe").is_fifo()
