"""A real Chromium, and the page of an application in three environments."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.support import environments
from tests.support.command import krmfn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao

BROWSERS, DRIVERS = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """The browser; one for each worker, with a profile of its own."""
    found = [next(filter(None, map(shutil.which, names)), None) for names in (BROWSERS, DRIVERS)]
    browser, program = found
    if browser is None or program is None:
        pytest.skip("no chromium and chromedriver on PATH; tests/browser/setup installs them")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(program))
    yield opened
    opened.quit()


@pytest.fixture(scope="session")
def page(openbao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `krmfn matrix --html` writes, with equal values."""
    home = tmp_path_factory.mktemp("page")
    overlays = environments.repository(home / "r")
    environments.seed(openbao)
    environ = {"KRMFN_KUSTOMIZE": str(Path(sys.executable).parent / "kubectl"), **openbao.environ}
    file = home / "page.html"
    done = krmfn("matrix", *overlays, "--equal-values", "--html", file, **environ)
    assert done.returncode == 0, done.stderr
    return file
