"""The promise that nothing is skipped where all must run: imported by the conftest of such a layer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under KRMFN_REQUIRE_ALL=1 a skipped test has failed: a layer that did not run proves nothing."""
    report = yield
    if report.skipped and os.environ.get("KRMFN_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, and KRMFN_REQUIRE_ALL is set: {report.longrepr}"
    return report
