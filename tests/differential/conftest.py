"""What every tree is built with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential import store
from tests.differential.routes import Routes

if TYPE_CHECKING:
    from tests.support.served import Served


@pytest.fixture(scope="session")
def routes(server: Served) -> Routes:
    """krmfn in a server for each worker, an age store and a certificate."""
    files, environ = store.make()
    return Routes(server, files, environ)
