"""What every tree is built with."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.differential import store
from tests.differential.routes import Routes
from tests.support.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def routes() -> Iterator[Routes]:
    """krmfn in a server for each worker, an age store and a certificate."""
    files, environ = store.make()
    with tempfile.TemporaryDirectory(prefix="krmfn-") as scratch, served(Path(scratch)) as server:
        yield Routes(server, files, environ)
