"""A table of what was asserted on the clusters, printed after the run by tests/conftest.py.

One line for each test that takes the fixture `cluster`: its docstring, and for each version of the
controller how many of its cases passed. Works under pytest-xdist, whose workers send their reports.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

PROPERTY = "cluster"
WIDTH = 130


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put assertion and version into the reports of cluster tests."""
    report = yield
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        version = item.callspec.params.get("shared_cluster")
        if version:
            said = (item.obj.__doc__ or item.name).partition("\n")[0]
            report.user_properties.append((PROPERTY, [said, version]))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    rows = results(
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport)
    )
    if not rows:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    versions = sorted({version for cells in rows.values() for version in cells})
    table.add_column("on a cluster with sealed-secrets", ratio=1)
    for version in versions:
        table.add_column(version, justify="right", no_wrap=True)
    for said, cells in rows.items():
        table.add_row(said, *(cell(cells.get(version, [])) for version in versions))
    console = Console(width=WIDTH, color_system=None, markup=False)
    with console.capture() as captured:
        console.print(table)
    terminalreporter.section("what holds on a cluster")
    for line in captured.get().splitlines():
        terminalreporter.write_line(line.rstrip())


def results(reports: Any) -> dict[str, dict[str, list[str]]]:
    """Assertion to version to the outcome of each case."""
    cases: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for report in reports:
        found = dict(report.user_properties).get(PROPERTY)
        if found and (report.when == "call" or not report.passed):
            said, version = found
            of_version = cases[said][version]
            if of_version.get(report.nodeid) != "failed":
                of_version[report.nodeid] = report.outcome
    return {
        said: {version: list(outcomes.values()) for version, outcomes in versions.items()}
        for said, versions in cases.items()
    }


def cell(outcomes: list[str]) -> str:
    """`ok`, or how many of the cases did not pass."""
    bad = {one: outcomes.count(one) for one in ("failed", "skipped") if one in outcomes}
    if bad:
        told = ", ".join(f"{count} {one}" for one, count in bad.items())
        return f"{told} of {len(outcomes)}".upper() if "failed" in bad else told
    return ("ok" if len(outcomes) == 1 else f"ok, {len(outcomes)} cases") if outcomes else "not run"
