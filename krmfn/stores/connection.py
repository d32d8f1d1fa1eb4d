"""A connection to one server, and its address.

Rules enforced here: an address is scheme, host and port and nothing more; plain http is for
loopback; TLS checks the server's name; the read timeout is for all of an answer.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import re
import select
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krmfn.errors import SpecError

if TYPE_CHECKING:
    import socket
    import ssl

_ADDRESS = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9][a-z0-9._-]*)(?::([0-9]{1,5}))?/?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of a server, in canonical form; an IPv6 host has its brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def parse_origin(address: str, *, name: str) -> Origin:
    """Parse the origin of an address such as ``https://vault.example:8200``.

    Args:
        name: the field or variable that holds it, for errors.

    Raises:
        SpecError: not such an address, or plain http to another host than this one.
    """
    origin = origin_of(address)
    if origin is None:
        raise SpecError(
            "spec", f"{name} is not an address", expected="https://host:port and nothing more"
        )
    if origin.scheme == "http" and not origin.is_loopback():
        raise SpecError("spec", f"{name} is plain http to another machine", remedy="use https")
    return origin


def origin_of(address: str) -> Origin | None:
    """Return ``address`` as an origin; None if it is not exactly an origin."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return None
    scheme, host = found[1].lower(), found[2].lower()
    port = int(found[3] or (443 if scheme == "https" else 80))
    if not 0 < port <= 65535:  # noqa: PLR2004  # the largest port
        return None
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host.strip("[]"))
        except ValueError:
            return None
    return Origin(scheme, host, port)


class _WholeAnswer(io.RawIOBase):
    """Socket reader whose timeout covers the whole answer, not each part."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._end = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(_WholeAnswer(self.fp.detach(), sock))


class Connection(http.client.HTTPConnection):
    """A connection to one origin; with ``context`` it speaks TLS."""

    response_class = _Response

    def __init__(self, origin: Origin, context: ssl.SSLContext | None, server_name: str) -> None:
        self.default_port = 443 if context else 80
        super().__init__(origin.host.strip("[]"), origin.port)
        self._context = context
        self._server_name = server_name or self.host

    def open(self, seconds: float) -> None:
        """Connect within so many seconds, TLS included.

        Raises:
            OSError: it is not possible.
        """
        self.timeout = seconds
        self.connect()
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self._server_name)

    def is_stale(self) -> bool:
        """Whether the server has closed the connection, or sent unexpected data."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))
