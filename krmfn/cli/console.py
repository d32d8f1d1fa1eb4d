"""What commands show to people: colour, width and progress, by one set of rules.

Rules enforced here: colour and movement only on a terminal that is not ``TERM=dumb``, no colour with
``NO_COLOR``; text that goes anywhere else is as wide as `WIDE` on every machine; brackets in a text
are brackets and no markup. Everything goes through `krmfn.text.printable`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, TextIO

from krmfn.text import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text

WIDE = 160  # columns, where nobody is looking
PATIENCE = 1.0  # seconds without a word


def say(text: str = "", *, stderr: bool = False) -> None:
    """Print ``text`` on one line; it cannot break or colour the line."""
    stream = sys.stderr if stderr else sys.stdout
    stream.write(f"{printable(text)}\n")


def say_lines(text: str) -> None:
    """Print lines on standard output; they cannot colour the terminal."""
    sys.stdout.write(printable_lines(text))


def say_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as ASCII JSON on standard output."""
    sys.stdout.write(f"{json.dumps(value, indent=indent)}\n")


def give(data: str | bytes) -> None:
    """Write data to standard output, unchanged to the byte."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data.encode() if isinstance(data, str) else data)
    sys.stdout.buffer.flush()


def words(text: str, style: str = "") -> Text:
    """A text for `console`, without markup and control sequences."""
    from rich.text import Text

    return Text(printable(text), style=style)


def console(*, stderr: bool = False, wide: int = WIDE) -> Console:
    """A rich console on standard output, or on standard error.

    Args:
        wide: columns where the stream is not a terminal; a longer line is cut or wrapped.
    """
    from rich.console import Console  # lazy: 40 ms

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        # Said here, so that FORCE_COLOR and its relatives say nothing.
        force_terminal=stream.isatty(),
        force_interactive=_capable(stream),
        color_system="auto" if coloured(stderr=stderr) else None,
        width=None if stream.isatty() else wide,
        markup=False,
        emoji=False,
        highlight=False,
    )


def coloured(*, stderr: bool = False) -> bool:
    """Whether colour is welcome on standard output, or on standard error."""
    return _capable(sys.stderr if stderr else sys.stdout) and not os.environ.get("NO_COLOR")


def _capable(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@contextlib.contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Show progress on standard error after `PATIENCE` seconds; then clean up.

    Nothing is shown, and rich not even imported, where standard error is not a terminal.

    Args:
        label: what is being done, such as ``sealing``.
        total: the number of steps; None if unknown.

    Yields:
        What to call after each step; any thread may.
    """
    if not _capable(sys.stderr):
        yield lambda: None
        return
    bar = _Bar(label, total)
    timer = threading.Timer(PATIENCE, bar.show)
    timer.daemon = True
    timer.start()
    try:
        yield bar.step
    finally:
        timer.cancel()
        bar.close()


class _Bar:
    """A bar that counts from the start, but appears only if the work takes long."""

    def __init__(self, label: str, total: int | None) -> None:
        self._label = printable(label)
        self._total = total
        self._done = 0
        self._closed = False
        self._lock = threading.Lock()
        self._shown: Progress | None = None

    def show(self) -> None:
        from rich.progress import Progress

        with self._lock:
            if self._closed:
                return
            self._shown = Progress(console=console(stderr=True), transient=True)
            self._shown.add_task(self._label, total=self._total, completed=self._done)
            self._shown.start()

    def step(self) -> None:
        with self._lock:
            self._done += 1
            if self._shown is not None:
                self._shown.advance(self._shown.task_ids[0])

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._shown is not None:
                self._shown.stop()
