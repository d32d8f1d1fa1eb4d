"""The cluster's network, as far as the API server's service proxy needs one.

A Service's endpoint may not be on loopback, and a controller of a test may listen nowhere else. So
the API server reaches pods as it does where its network is not theirs: by HTTP CONNECT through an
egress proxy. This is that proxy; it knows a few made-up addresses and where they really are.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    routes: dict[str, int]


class _Tunnel(socketserver.BaseRequestHandler):
    """One CONNECT, then bytes in both directions until either side ends."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(4096)
            if not more:
                return
            head += more
        method, target, *_ = head.decode("ascii", "replace").split()
        assert isinstance(self.server, _Server)
        port = self.server.routes.get(target)
        if method != "CONNECT" or port is None:
            self.request.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port), timeout=10) as upstream:
            upstream.settimeout(None)
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pump, args=(upstream, self.request), daemon=True)
            back.start()
            _pump(self.request, upstream)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def tunnel(path: Path, routes: dict[str, int]) -> Iterator[None]:
    """Serve CONNECT on a Unix socket.

    Args:
        routes: from ``address:port`` as the API server knows it to a port of loopback; read at each
            connection, so the caller may change it.
    """
    with _Server(str(path), _Tunnel) as server:
        server.routes = routes
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
