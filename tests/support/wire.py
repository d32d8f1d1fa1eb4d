"""A small HTTP server on loopback that answers as it is told: for faults that no real server makes."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # (method, path, body, how often this was asked before) -> status and body, or what it does
    Answer = Callable[[str, str, Any, int], tuple[int, Any]]


@dataclass
class Reset:
    """Close the connection without an answer."""


@dataclass
class Drip:
    """Send one byte of the body every tenth of a second, for ever."""


@dataclass
class HeaderDrip:
    """Send one byte of the headers every tenth of a second, for ever."""


@dataclass
class Broken:
    """Promise more than is sent, and close the connection."""


@dataclass
class Wire:
    """What was asked, and what is answered."""

    answer: Answer
    address: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    indexes: list[str | None] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[Wire]:
    """A server for the length of the block."""
    wire = Wire(answer)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            path = self.path.removeprefix("/v1/")
            before = wire.asked.count((self.command, path))
            wire.asked.append((self.command, path))
            wire.bodies.append(body)
            wire.tokens.append(self.headers.get("X-Vault-Token"))
            wire.indexes.append(self.headers.get("X-Vault-Index"))
            status, content = wire.answer(self.command, path, body, before)
            if isinstance(content, Reset):
                self.close_connection = True
                return
            if isinstance(content, Drip):
                self.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" ")
                return
            if isinstance(content, HeaderDrip):
                self.drip(b"HTTP/1.1 200 OK\r\nX: ", b"x")
                return
            if isinstance(content, Broken):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
                self.close_connection = True
                return
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            for name, value in wire.headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(raw)

        def drip(self, start: bytes, piece: bytes) -> None:
            with contextlib.suppress(OSError):
                self.wfile.write(start)
                for _ in range(300):
                    self.wfile.write(piece)
                    self.wfile.flush()
                    time.sleep(0.1)

        do_GET = do_POST = do_PUT = handle_one  # noqa: N815  # the library's names

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    wire.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()


KV2 = {"data": {"type": "kv", "options": {"version": "2"}, "path": "secret/", "accessor": "kv_1"}}
SECRET = {
    "data": {"data": {"x": "1"}, "metadata": {"version": 1}},
    "lease_id": "",
    "lease_duration": 0,
}


def healthy(method: str, path: str) -> tuple[int, Any]:
    """What a vault answers that has one secret."""
    if path.startswith("sys/internal/ui/mounts/"):
        return 200, KV2
    if path.startswith("secret/data/"):
        return 200, SECRET
    return 200, {"data": {}}
