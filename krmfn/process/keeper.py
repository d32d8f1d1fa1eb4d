"""A child process that ends this one at the deadline, even if the interpreter is blocked.

A regular expression or a parser holds the interpreter's lock while it runs, so that no thread and no
signal handler of Python's can end it. A child can: it waits, and needs nothing of its parent's.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import time
import warnings
from typing import NoReturn

from krmfn.process.interrupt import SIGNALS

_TIME = struct.Struct("d")
_HIGHEST = 1 << 16  # descriptors above it are nobody's


class Keeper:
    """The child. It ends with this process, however this process ends."""

    def __init__(self, end: float, line: str) -> None:
        """Start it.

        Args:
            end: on the monotonic clock: when to print the line and kill this process.
            line: what people read then; with its newline.

        Raises:
            OSError: no process can be started.
        """
        self._parent = os.getpid()
        reader, self._writer = os.pipe()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            with warnings.catch_warnings():  # of threads, whose locks the child never asks for
                warnings.simplefilter("ignore", DeprecationWarning)
                self._child = os.fork()
            if not self._child:
                _keep(self._parent, reader, end, line.encode())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(reader)

    def move(self, end: float, line: str) -> None:
        """Change the deadline and its message."""
        os.write(self._writer, _TIME.pack(end) + line.encode())

    def stop(self) -> None:
        """End the child; a second call does nothing."""
        if self._writer >= 0:
            os.close(self._writer)
            os.waitpid(self._child, 0)
            self._writer = -1


def _keep(parent: int, reader: int, end: float, line: bytes) -> NoReturn:
    """Run the child: it ignores signals and closes all descriptors except two."""
    try:
        os.dup2(reader, 0)
        os.closerange(3, _HIGHEST)
        os.close(1)
        while left := max(0.0, end - time.monotonic()):
            if select.select([0], [], [], left)[0]:
                told = os.read(0, select.PIPE_BUF)
                if not told:
                    os._exit(0)
                (end,), line = _TIME.unpack(told[: _TIME.size]), told[_TIME.size :]
        os.write(2, line)
        os.kill(parent, signal.SIGKILL)
    finally:
        os._exit(1)
