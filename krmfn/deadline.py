"""The time limit of a whole run."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from krmfn.errors import DeadlineError, SpecError
from krmfn.process import interrupt
from krmfn.process.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_SECONDS = 45.0
VARIABLE = "KRMFN_DEADLINE"
GRACE_SECONDS = 2.0  # for an orderly end: errors of all reads, a token given back
_AGAIN_SECONDS = 0.5  # for the thread that ends the process, if it can run at all


class Deadline:
    """A point on the monotonic clock, and what is left until then."""

    def __init__(self, seconds: float, *, start: float | None = None) -> None:
        self.seconds = seconds
        self._watch: Watch | None = None
        self.end = (time.monotonic() if start is None else start) + seconds
        self._waiting: dict[object, str] = {}

    @classmethod
    def from_environment(cls, start: float | None = None) -> Deadline:
        """Return the deadline of ``KRMFN_DEADLINE`` seconds (``45`` or ``45s``) after ``start``.

        Raises:
            SpecError: the variable is not a positive number of seconds.
        """
        text = os.environ.get(VARIABLE, "")
        if not text:
            return cls(DEFAULT_SECONDS, start=start)
        if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?s?", text) or float(text.rstrip("s")) <= 0:
            raise SpecError("usage", f"{VARIABLE} is not a number of seconds", expected="45 or 45s")
        return cls(float(text.rstrip("s")), start=start)

    def shorten(self, seconds: float | None) -> None:
        """Let the run take no longer than so many seconds in all; None changes nothing."""
        if seconds is not None and seconds < self.seconds:
            self.end -= self.seconds - seconds
            self.seconds = seconds
            if self._watch:
                self._watch.restart()

    def left(self) -> float:
        """Seconds left.

        Raises:
            DeadlineError: none are.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def is_over(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() >= self.end

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Name ``what`` as the awaited operation in deadline errors while the block runs.

        Args:
            what: to follow "still waiting for": ``kustomize build``.
        """
        mark = object()
        self._waiting[mark] = what
        try:
            yield
        finally:
            del self._waiting[mark]

    def watch(self, where: str) -> Watch:
        """End the process after the deadline, wherever it hangs.

        Reads end by themselves; this is for what cannot be told to. Cancel it before writing.
        """
        self._watch = Watch(self, where)
        return self._watch

    def error(self, cause: str = "") -> DeadlineError:
        """Return the error for an exceeded deadline.

        Args:
            cause: why it is; else the first of what is waited for.
        """
        waiting = list(self._waiting.values())
        if not cause and waiting:
            more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
            cause = f"still waiting for {waiting[0]}{more}"
        return DeadlineError(
            "deadline",
            f"not finished after {self.seconds:g} s" + (f": {cause}" if cause else ""),
            remedy=f"look at the store's health, or raise {VARIABLE}",
        )


class Watch:
    """Ends the process at the deadline: a thread with the exit code, or else another process.

    The second is for what holds the interpreter's lock: it prints the same line, and kills.
    """

    def __init__(self, deadline: Deadline, where: str) -> None:
        self._deadline = deadline
        self._where = where
        self._keeper = Keeper(self._last(), self._line())
        self._timer = self._started()

    def restart(self) -> None:
        """Take the deadline's new end."""
        self._timer.cancel()
        self._timer = self._started()
        self._keeper.move(self._last(), self._line())

    def cancel(self) -> None:
        """Let the process live."""
        self._timer.cancel()
        self._keeper.stop()

    def _started(self) -> threading.Timer:
        left = max(0.0, self._deadline.end - time.monotonic())
        timer = threading.Timer(left + GRACE_SECONDS, self._end)
        timer.daemon = True
        timer.start()
        return timer

    def _last(self) -> float:
        return self._deadline.end + GRACE_SECONDS + _AGAIN_SECONDS

    def _end(self) -> None:
        sys.stderr.write(self._line())
        sys.stderr.flush()
        interrupt.leave(DeadlineError.exit_code)

    def _line(self) -> str:
        return f"[error] {self._where}: {self._deadline.error().line()}\n"
