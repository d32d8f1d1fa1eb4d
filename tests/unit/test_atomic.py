"""A file is written as a whole or not at all."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from krmfn.errors import OutputError
from krmfn.files.write import create_file, replace_file, replace_files

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = b"old\n", b"new content\n"


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
    create_file(path, OLD, mode=0o600)
    assert mode(path) == 0o600
    with pytest.raises(OutputError) as caught:
        create_file(path, NEW, mode=0o600)
    assert caught.value.id == "output"
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_creating_does_not_follow_a_dangling_link(tmp_path: Path) -> None:
    """A link that somebody left there does not direct the content elsewhere."""
    link, elsewhere = tmp_path / "identity", tmp_path / "elsewhere"
    link.symlink_to(elsewhere)
    with pytest.raises(OutputError):
        create_file(link, NEW)
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
    write = create_file if failing == "link" else replace_file
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
    replace_files({tmp_path / "link": NEW, files[1]: NEW})
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
            replace_files(dict.fromkeys(files, NEW))
    assert [file.read_bytes() for file in files] == [OLD + f.name.encode() for f in files]
    assert sorted(tmp_path.iterdir()) == files


def test_a_missing_file_spoils_all(tmp_path: Path) -> None:
    """Files that exist are replaced; one that does not is an error before the first is."""
    (tmp_path / "a").write_bytes(OLD)
    with pytest.raises(OutputError):
        replace_files({tmp_path / "a": NEW, tmp_path / "b": NEW})
    assert (tmp_path / "a").read_bytes() == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
