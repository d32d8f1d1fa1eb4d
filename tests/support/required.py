"""Under KRMFN_REQUIRE_ALL=1 a skipped test has failed: a layer that did not run proves nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


class RequireAll:
    """A plugin of pytest's."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn a skip into a failure."""
        report = yield
        if report.skipped and os.environ.get("KRMFN_REQUIRE_ALL") == "1":
            report.outcome = "failed"
            report.longrepr = f"skipped, and KRMFN_REQUIRE_ALL is set: {report.longrepr}"
        return report
