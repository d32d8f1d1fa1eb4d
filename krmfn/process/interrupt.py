"""SIGINT, SIGTERM and SIGHUP: the first ends the run at a safe moment, the second at once.

Rules enforced here: a run that was interrupted has written nothing; what must not be half done runs
under `held` and is finished, and then the run has succeeded. `krmfn.__main__` alone installs the
handler. A signal that was ignored when krmfn started, as under nohup, stays ignored.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the process to end.

    Attributes:
        exit_code: 128 and the signal's number, as a shell reports it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class _State:
    """The received signal, and whether it may interrupt. Only the main thread uses it."""

    number: int | None = None
    held = 0
    finished = False
    clean: Callable[[], None] | None = None


def install(clean: Callable[[], None] | None = None) -> None:
    """Handle the signals from now on; the main thread calls this once.

    Args:
        clean: what to do before the process leaves at once.
    """
    _State.clean = clean
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _arrived)


def check() -> None:
    """Raise `Interrupted` if a signal has arrived; for a safe moment under `held`."""
    if _State.number is not None and not _State.finished:
        raise Interrupted(_State.number)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Delay signals during the block; a signal that arrives in it is raised after it."""
    _State.held += 1
    try:
        yield
    finally:
        _State.held -= 1
    if not _State.held:
        check()


def finish() -> None:
    """Ignore signals from now on, because everything is written and the run is about to end."""
    _State.finished = True


def leave(code: int) -> NoReturn:
    """End the process at once, without a folder left behind; any thread may call this."""
    if _State.clean is not None:
        _State.clean()
    os._exit(code)


def _arrived(number: int, _frame: object) -> None:
    again, _State.number = _State.number is not None, number
    if again:
        leave(128 + number)
    if not _State.held:
        check()
