"""Folders that only this user can enter, removed at the end of the process.

Rules enforced here: a folder goes with its block, whatever interrupts it; when the process ends at
once it goes before; when the process is killed the next krmfn removes it. A lock on the folder, which
the system gives up with the process, says whether anybody works in it. A forked child removes only
folders that it made itself: it inherits its parent's, and may end first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.process import interrupt

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "krmfn-private-"
_folders: dict[Path, tuple[int, int]] = {}  # to the owner's process id and the lock's descriptor


@contextlib.contextmanager
def private_folder(where: Path | None = None) -> Iterator[Path]:
    """A new folder with mode 0700.

    Args:
        where: the directory to make it in; default: the system's for temporary files.

    Raises:
        OSError: it cannot be made.
    """
    with interrupt.held():  # it tries directories with a file of its own
        parent = Path(where or tempfile.gettempdir())
    _remove_dead(parent)
    folder: Path | None = None
    try:
        with interrupt.held():
            folder = _made(parent)
        yield folder
    finally:
        if folder is not None:
            with interrupt.held():
                _remove(folder)


def remove_all() -> None:
    """Remove every folder of this process before it exits; never raises."""
    for folder in list(_folders):
        _remove(folder)


def _made(parent: Path) -> Path:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
        try:
            lock = _lock(folder, needed=False)
        except FileNotFoundError:  # another process took it for a dead one's
            continue
        except OSError:
            folder.rmdir()
            raise
        if lock is not None:
            _folders[folder] = os.getpid(), lock
            return folder


def _remove(folder: Path) -> None:
    """Remove a folder, unless it is gone or belongs to the parent process."""
    owner, lock = _folders.get(folder, (None, -1))
    if owner != os.getpid():
        return
    _delete(folder)  # before it is forgotten, since this may be interrupted by `remove_all`
    _folders.pop(folder, None)
    with contextlib.suppress(OSError):
        os.close(lock)


def _delete(folder: Path) -> None:
    """Delete as much of a folder as possible; never raises.

    `shutil.rmtree` takes two descriptors for each level, where there may be no more than one;
    Python 3.11's, and its `os.walk`, also recurse.
    """
    folders = [folder]
    for place in folders:  # which grows meanwhile
        with contextlib.suppress(OSError), os.scandir(place) as found:
            for entry in list(found):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)  # noqa: PTH108  # the entry has it as a string
    for place in reversed(folders):
        with contextlib.suppress(OSError):
            place.rmdir()


def _remove_dead(parent: Path) -> None:
    """Remove the folders of this user's killed processes."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid != os.getuid():
                continue
            if (lock := _lock(folder, needed=True)) is not None:
                _delete(folder)
                os.close(lock)


def _lock(folder: Path, *, needed: bool) -> int | None:
    """Lock a folder.

    Args:
        needed: fail where the file system has no locks.

    Returns:
        A descriptor that holds the lock; None when another process has it, or the folder is gone.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        if needed:
            os.close(descriptor)
            raise
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(folder.lstat(), os.fstat(descriptor)):
            return descriptor
    os.close(descriptor)
    return None
