"""Prepare the three standard streams, even if the caller has closed them.

Rules enforced here: no krmfn descriptor ever gets a standard stream's number; text that a stream
cannot encode is escaped; messages that nobody can read any more end nothing.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STREAMS = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


class _Lossy(io.FileIO):
    """A descriptor for which a failed write counts as done.

    Attributes:
        losing: which failures.
    """

    losing: type[OSError] = OSError

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, and drop data that cannot be written."""
        try:
            return super().write(data) or 0
        except self.losing:
            return memoryview(data).nbytes


class _Unread(_Lossy):
    losing = BrokenPipeError


def prepare() -> None:
    """Open closed streams, and ignore failures to write messages that nobody reads.

    Else the next file or socket gets such a number, and what is meant for people lands in it.
    Writing to a closed standard output has to fail, so it becomes one that nobody reads.
    """
    for number, stream, mode in _STREAMS:
        if getattr(sys, stream) is None:
            name = "/dev/full" if number == 1 else os.devnull
            descriptor = os.open(name, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if descriptor != number:
                os.dup2(descriptor, number)
            setattr(sys, stream, os.fdopen(number, mode, closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr = _text(_Lossy(2, "w", closefd=False))


def report() -> None:
    """Let the reader of standard output stop reading, as `head` does.

    For a command whose exit code says the result, and whose text is for people.
    """
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout = _text(_Unread(1, "w", closefd=False), line_buffering=sys.stdout.isatty())


def _text(raw: io.FileIO, *, line_buffering: bool = True) -> io.TextIOWrapper:
    like = sys.__stdout__.encoding if sys.__stdout__ is not None else "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw), like, "backslashreplace", line_buffering=line_buffering
    )
