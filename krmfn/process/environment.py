"""Interpret errors of the environment: memory, file descriptors, paths, a closed stream.

Rules enforced here: none of them is taken for a bug of krmfn's; a message quotes the path that the
system names, and never what was read.
"""

from __future__ import annotations

import errno
import os
import re
import resource

from krmfn.errors import KrmfnError, OutputError, SpecError

_STREAM = (errno.EPIPE, errno.ENOSPC, errno.EBADF, errno.EIO, errno.EDQUOT, errno.EFBIG)
_NO_MEMORY = ("cannot allocate memory", "failed to map segment", "cannot apply additional memory")
_NO_FILES = ("too many open files",)
_LOOP = re.compile(r"Symlink loop from ['\"](.+)['\"]", re.DOTALL)
_LONG = 200  # characters of a path that still say which one


def explain(error: BaseException) -> KrmfnError | None:
    """Return the error to report, or None for a bug."""
    if isinstance(error, OSError):
        return _system(error)
    if isinstance(error, MemoryError):
        return _memory()
    if isinstance(error, RecursionError):
        return SpecError("input", "the input is nested too deeply", remedy="make it flatter")
    if isinstance(error, UnicodeError):
        return SpecError("input", "a text is not UTF-8", remedy="write it in UTF-8")
    text = str(error).lower()
    if isinstance(error, ImportError):  # a library is mapped when it is needed
        if any(words in text for words in _NO_MEMORY):
            return _memory()
        return _files() if any(words in text for words in _NO_FILES) else None
    if isinstance(error, RuntimeError) and "can't start new thread" in text:
        return SpecError(
            "environment",
            "no thread can be started",
            remedy="raise the limit of memory or of processes (ulimit -v, ulimit -u)",
        )
    if isinstance(error, RuntimeError) and (loop := _LOOP.fullmatch(str(error))):  # of pathlib
        return SpecError("file", f"{_path(loop[1])}: too many levels of symbolic links")
    if isinstance(error, ValueError) and text.startswith("embedded null"):
        return SpecError("file", "a path holds a NUL character")
    return None


def _system(error: OSError) -> KrmfnError:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return _files()
    if error.errno == errno.ENOMEM:
        return _memory()
    reason = (error.strerror or type(error).__name__).lower()
    name = _path(error.filename)
    if name:
        return SpecError("file", f"{name}: {reason}")
    if error.errno == errno.EPIPE:
        return OutputError("output", "standard output was closed")
    if error.errno in _STREAM:
        return OutputError("output", f"standard output cannot be written: {reason}")
    if isinstance(error, FileNotFoundError) and _is_nowhere():
        return SpecError(
            "environment",
            "the working directory is gone",
            remedy="change to one that is there, or name one with -C",
        )
    return SpecError("environment", f"the system refuses what krmfn needs: {reason}")


def _path(name: object) -> str:
    """Return the path of a system error, unless it is so long that it must be text."""
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if not isinstance(name, str) or not name:
        return ""
    return name if len(name) <= _LONG else f"{name[:_LONG]}…"


def _is_nowhere() -> bool:
    try:
        os.getcwd()  # noqa: PTH109  # the error counts
    except OSError:
        return True
    return False


def _files() -> SpecError:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return SpecError(
        "environment",
        f"no more files can be opened: {allowed} are allowed",
        remedy="raise the limit (ulimit -n)",
    )


def _memory() -> SpecError:
    return SpecError(
        "environment",
        "no memory is left",
        remedy="raise the limit (ulimit -v, or the container's), or build less at once",
    )
