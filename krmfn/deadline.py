"""The one clock of a run: how long everything together may take."""

from __future__ import annotations

import os
import re
import sys
import threading
import time

from krmfn.errors import DeadlineError, SpecError
from krmfn.process import interrupt

DEFAULT_SECONDS = 45.0
VARIABLE = "KRMFN_DEADLINE"


GRACE_SECONDS = 3.0  # for an orderly end: errors of all reads, a token given back


class Deadline:
    """A point on the monotonic clock, and what is left until then."""

    def __init__(self, seconds: float, *, start: float | None = None) -> None:
        self.seconds = seconds
        self.end = (time.monotonic() if start is None else start) + seconds

    @classmethod
    def from_environment(cls, start: float | None = None) -> Deadline:
        """As ``KRMFN_DEADLINE`` says, in seconds (``45`` or ``45s``), from ``start``.

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

    def left(self) -> float:
        """Seconds left.

        Raises:
            DeadlineError: none are.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def watch(self, where: str) -> threading.Timer:
        """End the process when it has outlived the deadline, wherever it may hang.

        Reads end by themselves; this is for what cannot be told to. Cancel it before writing.
        """

        def end() -> None:
            sys.stderr.write(f"[error] {where}: {self.error().line()}\n")
            sys.stderr.flush()
            interrupt.leave(DeadlineError.exit_code)

        left = max(0.0, self.end - time.monotonic())
        timer = threading.Timer(left + GRACE_SECONDS, end)
        timer.daemon = True
        timer.start()
        return timer

    def error(self) -> DeadlineError:
        """What to raise when the time is up."""
        return DeadlineError(
            "deadline",
            f"not finished after {self.seconds:g} s",
            remedy=f"look at the store's health, or raise {VARIABLE}",
        )
