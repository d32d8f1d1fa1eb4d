"""Run several tasks at once, within one deadline."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from krmfn.errors import Failure, KrmfnError, raise_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from krmfn.deadline import Deadline

T = TypeVar("T")
MAX_CONCURRENT = 16
REPORT_SECONDS = 0.25  # for whoever waited until the end to say for what


def at_once(tasks: Sequence[Callable[[], T]], deadline: Deadline) -> list[T]:
    """Run tasks on up to 16 threads and return their results in order.

    The threads are daemons and are not waited for once the time is up: a server that answers one
    byte a second holds nobody.

    Raises:
        DeadlineError: the time is up.
        KrmfnError, ErrorList: what the tasks raised, in order, each message once.
    """
    results: list[Any] = [None] * len(tasks)
    errors: dict[int, BaseException] = {}
    waiting = deque(enumerate(tasks))

    def work() -> None:
        while waiting:
            try:
                number, task = waiting.popleft()
            except IndexError:
                return
            try:
                results[number] = task()
            except BaseException as error:  # noqa: BLE001  # raised again below
                errors[number] = error

    count = min(MAX_CONCURRENT, len(tasks))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    end = deadline.end + REPORT_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            raise deadline.error()
    _raise_failures([errors[number] for number in sorted(errors)])
    return results


def _raise_failures(errors: Sequence[BaseException]) -> None:
    """Raise the tasks' errors: a bug at once; krmfn's errors together, each message once."""
    ours: dict[str, KrmfnError] = {}
    for error in errors:
        if not isinstance(error, Failure):
            raise error
        for each in error.errors:
            ours.setdefault(each.line(), each)
    raise_all(list(ours.values()))
