"""A server that nobody may speak to: it counts who connects, and refuses whatever is asked."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@dataclass
class Trap:
    """Where it listens, and what came: the first bytes of each connection."""

    port: int
    came: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> str:
        """As a vault's address."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def trap() -> Iterator[Trap]:
    """A trap for the length of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Trap(listening.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(1)
                    came = b""
                    with contextlib.suppress(OSError):
                        came = connection.recv(4096)
                        connection.sendall(REFUSAL)
                    found.came.append(came)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
    thread.join(2)
