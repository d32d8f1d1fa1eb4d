"""Where the tests' time goes: `pytest --cpu` ends with CPU seconds for each file.

CPU seconds, of the test's process and of the children that it waited for, tell the same on a busy
machine as on a quiet one; wall-clock times do not.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

PROPERTY = "cpu"
SHOWN = 25  # tests


class Cpu:
    """A plugin of pytest's, which works under pytest-xdist, too."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._begun = _used()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note what was used when a test begins."""
        self._begun = _used()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the seconds into the report of the teardown, the last one of each test."""
        report = yield
        if call.when == "teardown":
            used = [now - before for now, before in zip(_used(), self._begun, strict=True)]
            report.user_properties.append((PROPERTY, used))
        return report

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the files, and the tests that use most."""
        if not self._shown:
            return
        files: Counter[str] = Counter()
        inside: Counter[str] = Counter()
        count: Counter[str] = Counter()
        tests: Counter[str] = Counter()
        for kind in ("", "error"):
            for report in terminalreporter.stats.get(kind, []):
                used = dict(getattr(report, "user_properties", ())).get(PROPERTY)
                if used is None or report.when != "teardown":
                    continue
                file = report.nodeid.partition("::")[0]
                files[file] += sum(used)
                inside[file] += used[0]
                count[file] += 1
                tests[report.nodeid] += sum(used)
        line = terminalreporter.write_line
        terminalreporter.section("CPU seconds: all, of them in the tests' own processes; tests")
        for file, seconds in files.most_common():
            line(f"{seconds:8.1f} {inside[file]:8.1f} {count[file]:6d}  {file}")
        line(f"{files.total():8.1f} {inside.total():8.1f} {count.total():6d}  all")
        for name, seconds in tests.most_common(SHOWN):
            line(f"{seconds:8.1f}  {name[:150]}")


def _used() -> tuple[float, float]:
    """Seconds of this process, and of its children."""
    times = os.times()
    return times.user + times.system, times.children_user + times.children_system
