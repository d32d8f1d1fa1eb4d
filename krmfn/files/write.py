"""Write files atomically: all of them completely, or none.

Rules enforced here: each content goes to a new file in the same directory, with its final mode from
the start, and reaches the disk before the first file gets its name; then no signal interrupts until
all names are given, and the run has succeeded. Whatever fails or interrupts before, every file is
untouched, and nothing is left beside it. A link is followed, so that its target is replaced and not
the link.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn.errors import OutputError
from krmfn.process import interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SHARED = 0o644  # before the umask
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True)
class File:
    """One file to write.

    Attributes:
        content: None removes the file.
        new: the file must not exist (a dangling link counts).
        mode: exactly this one; None keeps that of the file, or is `SHARED` as the umask allows.
        parents: the mode of directories to make for it; None makes none.
        secret: write it under its own name at once, so that no other file ever holds it.
    """

    path: Path
    content: bytes | None
    new: bool = False
    mode: int | None = None
    parents: int | None = None
    secret: bool = False


def replace_file(path: Path, content: bytes) -> None:
    """Replace the content of ``path`` and keep its mode, or create the file.

    Raises:
        OutputError: the directory cannot be written to, the disk is full, …
    """
    write_files([File(path, content)])


def write_files(files: Sequence[File], *, first: Callable[[], None] | None = None) -> None:
    """Write all files, or none; a run calls this once, at its end.

    Only a process that is killed between two renames leaves some of each.

    Args:
        first: what to do when everything is on the disk and no file has its name yet, such as writing
            to a store; not interrupted either. When it raises, nothing is written.

    Raises:
        OutputError: one of them cannot be written; all are as they were.
        Interrupted: a signal came in time; all are as they were.
    """
    if not files and first is None:
        return
    with interrupt.held(), contextlib.ExitStack() as stack:
        undo = stack.enter_context(contextlib.ExitStack())
        staged = []
        for file in files:
            interrupt.check()
            with _told(file.path):
                staged.append(_Staged(file, stack, undo))
        interrupt.check()
        if first is not None:
            first()
        for one in staged:
            with _told(one.file.path):
                one.commit(undo)
        undo.pop_all()
        for directory in {one.target.parent for one in staged}:
            _sync_directory(directory)
        interrupt.finish()


class _Staged:
    """A file whose content is on disk under a temporary name.

    Attributes:
        target: where its path leads to.
    """

    def __init__(self, file: File, stack: contextlib.ExitStack, undo: contextlib.ExitStack) -> None:
        """Write the content; ``stack`` removes it afterwards, ``undo`` the directories after a failure."""
        self.file = file
        self.target = file.path if file.new else file.path.resolve()
        self.before: bytes | None = None
        self.mode = file.mode
        if file.parents is not None:
            _make_directories(self.target.parent, file.parents, undo)
        if not file.new:
            with contextlib.suppress(FileNotFoundError):
                self.mode, self.before = _held_by(self.target)
        elif os.path.lexists(file.path):
            raise FileExistsError
        self.temporary: Path | None = None
        if file.content is not None and not file.secret:
            self.temporary = stack.enter_context(_written(self.target, file.content, self.mode))

    def commit(self, undo: contextlib.ExitStack) -> None:
        """Give the content its name."""
        if self.file.content is None:
            self.target.unlink()
        elif self.temporary is None:
            _write(self.target, self.file.content, self.mode)
        elif self.file.new:
            # Unlike a rename, a link never takes the place of what is there.
            self.target.hardlink_to(self.temporary)
        else:
            self.temporary.replace(self.target)
        undo.callback(self._restore)

    def _restore(self) -> None:
        if self.before is None:
            self.target.unlink(missing_ok=True)
        else:
            with _written(self.target, self.before, self.mode) as temporary:
                temporary.replace(self.target)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn a failed write into an error with the file and the reason."""
    try:
        yield
    except FileExistsError:
        raise OutputError(
            "output", f"{path} exists and is never overwritten", remedy="choose another name"
        ) from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise OutputError("output", f"{path} cannot be written: {reason.lower()}") from None


def _make_directories(directory: Path, mode: int, undo: contextlib.ExitStack) -> None:
    missing = [one for one in (directory, *directory.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode)
        undo.callback(_remove_directory, one)


def _remove_directory(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()


def _held_by(path: Path) -> tuple[int, bytes]:
    """The mode and the content of a file; a device is none."""
    found = path.stat().st_mode
    if not stat.S_ISREG(found):
        raise OSError(errno.EINVAL, "Not a regular file")
    return stat.S_IMODE(found), path.read_bytes()


@contextlib.contextmanager
def _written(target: Path, content: bytes, mode: int | None) -> Iterator[Path]:
    """Create a file with ``content`` beside ``target``; remove it afterwards unless renamed."""
    temporary = target.with_name(f".krmfn-{secrets.token_hex(8)}.tmp")
    _write(temporary, content, mode)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, content: bytes, mode: int | None) -> None:
    """Create a file with this content, synced to disk."""
    # Never wider than it will be, not even for a moment.
    descriptor = os.open(path, _FLAGS, SHARED if mode is None else mode & 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor has no path
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _sync_directory(directory: Path) -> None:
    """Sync the directory entry. Some file systems cannot; the file is complete anyway."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
