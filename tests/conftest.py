"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.cpu import Cpu
from tests.support.openbao import OpenBao, development
from tests.support.required import RequireAll
from tests.support.served import served
from tests.support.table import pytest_runtest_makereport, pytest_terminal_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.served import Served

ROOT = Path(__file__).resolve().parents[1]
__all__ = [
    "installed",
    "openbao",
    "plugins",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
    "server",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu", action="store_true", help="end with CPU seconds for each file")


def pytest_configure(config: pytest.Config) -> None:
    """Every layer's skips count the same; signals arrive, however the tests were started."""
    # Under nohup, or behind `&` in a script, a child would inherit that SIGINT is ignored.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    config.pluginmanager.register(RequireAll())
    config.pluginmanager.register(Cpu(shown=config.getoption("cpu")))


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A real OpenBao; one for each worker."""
    with development(tmp_path_factory.mktemp("bao")) as bao:
        yield bao


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """krmfn without its start, for what other programs start; one for each worker."""
    with served(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture(scope="session")
def plugins(server: Served) -> dict[str, str]:
    """The environment in which krmfn is on PATH and kustomize's plugin: clients of `server`.

    It is not for a namespace of its own, in which files differ: the server is outside of it.
    """
    return {**server.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A plugin home with the real krmfn in it, as `krmfn install legacy-plugin` leaves it."""
    home = tmp_path_factory.mktemp("plugins")
    directory = tmp_path_factory.mktemp("bin")
    program = directory / "krmfn"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m krmfn "$@"\n')
    program.chmod(0o755)
    environ = {
        "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "KUSTOMIZE_PLUGIN_HOME": str(home / "plugins"),
    }
    subprocess.run([program, "install", "legacy-plugin"], env=environ, check=True)
    return environ
