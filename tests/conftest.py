"""Fixtures for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import openbao as server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.OpenBao]:
    """A real OpenBao; one for each worker."""
    with server.development(tmp_path_factory.mktemp("bao")) as bao:
        yield bao
