"""A proxy on loopback in front of a real vault that notes what is asked of it."""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import TYPE_CHECKING, Any

from tests.support import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao


@contextlib.contextmanager
def counting(bao: OpenBao) -> Iterator[wire.Wire]:
    """The proxy; its ``asked`` are method and path of every request."""
    host = bao.address.removeprefix("http://")

    def forward(method: str, path: str, body: Any, _before: int) -> tuple[int, Any]:
        headers = {"X-Vault-Token": bao.token}
        content = None if body is None else json.dumps(body)
        with contextlib.closing(http.client.HTTPConnection(host, timeout=30)) as connection:
            connection.request(method, f"/v1/{path}", content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    with wire.serving(forward) as proxy:
        yield proxy
