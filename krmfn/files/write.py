"""Writing a file so that it is there as a whole or not at all.

Rules enforced here: the content goes to a new file in the same directory, with its final mode from
the start, and reaches the disk before it gets its name; whatever fails, the old file is untouched
and nothing is left beside it; of several files all are replaced, or none. A link is followed, so
that its target is replaced and not the link.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from krmfn.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SHARED = 0o644  # before the umask


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` in place of the file ``path``, keeping its mode; or make it.

    Raises:
        OutputError: the directory cannot be written to, the disk is full, …
    """
    try:
        target = path.resolve()
        try:
            mode: int | None = target.stat().st_mode & 0o7777
        except FileNotFoundError:
            mode = None
        with _written(target, content, mode) as temporary:
            temporary.replace(target)
        _sync_directory(target.parent)
    except (OSError, RuntimeError) as error:
        raise _failed(path, error) from None


def replace_files(contents: Mapping[Path, bytes]) -> None:
    """Put new contents in place of existing files: all of them, or none.

    Everything is on the disk before the first file gets its name, and what has got it is put back
    when one cannot. Only a process that is killed between two renames leaves some of each.

    Raises:
        OutputError: one of them cannot be written; all are as they were.
    """
    former: dict[Path, bytes] = {}
    with contextlib.ExitStack() as stack:
        ready: list[tuple[Path, Path]] = []
        for path, content in contents.items():
            try:
                target = path.resolve()
                before, mode = target.read_bytes(), target.stat().st_mode & 0o7777
                ready.append((stack.enter_context(_written(target, content, mode)), target))
            except (OSError, RuntimeError) as error:
                raise _failed(path, error) from None
            former[target] = before
        for number, (temporary, target) in enumerate(ready):
            try:
                temporary.replace(target)
            except OSError as error:
                for _, done in ready[:number]:
                    replace_file(done, former[done])
                raise _failed(target, error) from None
    for directory in {target.parent for target in former}:
        _sync_directory(directory)


def create_file(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Make the file ``path``, which must not exist.

    Args:
        mode: exactly this mode; left out: `SHARED`, as the umask allows.

    Raises:
        OutputError: it exists (a dangling link counts), or cannot be written.
    """
    try:
        with _written(path, content, mode) as temporary:
            # Unlike a rename, a link never takes the place of what is there.
            path.hardlink_to(temporary)
        _sync_directory(path.parent)
    except FileExistsError:
        raise OutputError(
            "output", f"{path} exists and is never overwritten", remedy="choose another name"
        ) from None
    except OSError as error:
        raise _failed(path, error) from None


@contextlib.contextmanager
def _written(target: Path, content: bytes, mode: int | None) -> Iterator[Path]:
    """A file beside ``target`` that holds ``content``; gone afterwards unless renamed."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    # Never wider than it will be, not even for a moment.
    descriptor = os.open(temporary, flags, SHARED if mode is None else mode & 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor has no path
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Make the new name last. Some file systems cannot; the file is whole all the same."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _failed(path: Path, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or "not a usable path"
    return OutputError("output", f"{path} cannot be written: {reason.lower()}")
