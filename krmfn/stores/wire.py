"""The transport of every store with a server: one policy for all requests.

Rules enforced here: one origin and no other, no redirect, no proxy; TLS is always checked, and plain
http is for loopback; every wait ends with the run's deadline; 412, 429, 5xx and broken connections
are tried again for a while, an address where nobody answers is tried twice, bad TLS is not; at most
16 MiB of an answer are read. Only `KrmfnError` gets out, and no error quotes an answer.
"""

from __future__ import annotations

import errno
import http.client
import random
import re
import socket
import ssl
import threading
import time
import weakref
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from krmfn.errors import DeadlineError, ProviderError
from krmfn.stores.connection import Connection, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from krmfn.deadline import Deadline
    from krmfn.errors import KrmfnError
    from krmfn.stores.connection import Origin

MAX_CONNECTIONS = 16
MAX_ANSWER = 16 * 1024 * 1024
CONNECT_SECONDS = 5.0
RETRIES = 8  # with the pauses below about 16 seconds, or until the deadline
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
NOBODY_SECONDS = 0.5  # before the one other try at an address where nobody answers
RETRY_STATUS = frozenset({412, 429})
TOO_MANY = 429


@dataclass(frozen=True, repr=False)
class Reply:
    """An answer: status, headers (case-insensitive), and content, which may be plaintext."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes


@dataclass(frozen=True, repr=False)
class _Call:
    """A request. It may contain a credential."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True)
class Advice:
    """Terms for remedies, because each kind of server has its own settings.

    Attributes:
        address: what holds the address: ``VAULT_ADDR``.
        ca: what to do about an unknown CA.
        name: what to do about a certificate for another name.
        client: what to do where a client certificate is wanted.
    """

    address: str = "the address"
    ca: str = "let this machine trust the CA (SSL_CERT_FILE)"
    name: str = "use the name that it is for"
    client: str = "it may want a client certificate, which cannot be given here"


class _NobodyError(Exception):
    """No connection came about; the cause is an `OSError`."""


class Wire:
    """Requests to one server.

    Args:
        source: the store's name, for errors.
        context: the TLS settings; None for plain http.
        server_name: the name that the server's certificate is for, where it is not the host's.
        advice: for remedies.
    """

    def __init__(
        self,
        origin: Origin,
        deadline: Deadline,
        *,
        source: str,
        context: ssl.SSLContext | None,
        server_name: str = "",
        advice: Advice | None = None,
    ) -> None:
        self.origin = origin
        self._deadline = deadline
        self._source = source
        self._context = context
        self._server_name = server_name
        self._advice = advice or Advice()
        self._idle: list[Connection] = []
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        weakref.finalize(self, _close, self._idle).atexit = False

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        once: float | None = None,
        tries: int | None = None,
        limit: int | None = None,
        look: Callable[[Reply], None] | None = None,
    ) -> Reply:
        """Send one request, with retries by the rules, and return the answer.

        Args:
            target: path and query, percent-encoded.
            once: one try, for this many seconds whatever the deadline says.
            tries: at most so many; 1 for what may not be sent twice.
            limit: bytes of an answer that are read.
            look: sees an answer that would be tried again, and may raise.

        Raises:
            KrmfnError: ``unavailable``, ``tls``, ``redirect``, ``protocol`` (too large), ``deadline``.
        """
        left = 0 if once is not None else RETRIES if tries is None else tries - 1
        limit, pause, cause = limit or MAX_ANSWER, FIRST_PAUSE, None
        call = _Call(method, target, dict(headers), body)
        what = f"{self.origin} to answer {method} {target.partition('?')[0]}"
        while True:
            seconds = once if once is not None else self._left(cause)
            reply = None
            try:
                with self._deadline.waiting(what):
                    reply = self._exchange(call, seconds, limit)
            except _NobodyError as nobody:
                cause, left = self._nobody(nobody.__cause__), min(left, 1)
                pause = max(pause, NOBODY_SECONDS)
            except (OSError, http.client.HTTPException) as error:
                if once is None and self._deadline.is_over():
                    late = self._deadline.error(f"still waiting for {what}")
                    raise late.at(source=self._source) from None
                cause = self._broken(error)
            else:
                if not _passes(reply.status):
                    return self._checked(reply, limit)
                cause = self._failing(reply, look)
            if left <= 0 or cause.id == "tls":
                raise cause from None
            self._pause(pause, reply, cause)
            left, pause = left - 1, min(2 * pause, LONGEST_PAUSE)

    def close(self) -> None:
        """Close all connections; a later request opens a new one."""
        _close(self._idle)

    # --- one try

    def _exchange(self, call: _Call, seconds: float, limit: int) -> Reply:
        """Try once: return the answer, with its content up to one byte over the limit."""
        end = time.monotonic() + seconds
        if not self._free.acquire(timeout=seconds):
            raise TimeoutError
        connection = None
        try:
            connection = self._connection(seconds)
            connection.sock.settimeout(max(0.01, end - time.monotonic()))
            connection.request(call.method, call.target, call.body, call.headers)
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read(limit + 1))
            if response.length and len(reply.content) <= limit:  # read() does not tell by itself
                raise http.client.IncompleteRead(b"")
            # What is unread is not waited for.
            if response.isclosed() and not response.will_close:
                self._idle.append(connection)
                connection = None
            return reply
        finally:
            if connection is not None:
                connection.close()
            self._free.release()

    def _connection(self, seconds: float) -> Connection:
        """Return a kept connection, or a new one."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if not connection.is_stale():
                return connection
            connection.close()
        connection = Connection(self.origin, self._context, self._server_name)
        try:
            connection.open(min(CONNECT_SECONDS, seconds))
        except ssl.SSLError:
            connection.close()
            raise
        except OSError as error:
            connection.close()
            raise _NobodyError from error
        return connection

    def _checked(self, reply: Reply, limit: int) -> Reply:
        if 300 <= reply.status < 400:  # noqa: PLR2004  # redirects
            raise self._redirect(reply)
        if len(reply.content) > limit:
            raise ProviderError(
                "protocol",
                f"the answer of {self.origin} is over {limit // 1024} KiB",
                source=self._source,
                remedy="check that it is the right server",
            )
        return reply

    # --- waiting

    def _pause(self, pause: float, reply: Reply | None, cause: ProviderError) -> None:
        """Wait as the server asks, or a little, but never past the deadline."""
        asked = retry_after(reply.headers.get("Retry-After", "")) if reply is not None else None
        seconds = pause + random.uniform(0, FIRST_PAUSE)  # noqa: S311  # no secret
        if asked is not None:
            seconds = max(asked, seconds)
        left = self._left(cause)
        if seconds >= left and asked is not None:
            cause.message += (
                f" and asks to wait {asked:.0f} s, longer than the {left:.0f} s that are left"
            )
            raise cause
        if seconds >= left:
            raise self._late(cause)
        time.sleep(seconds)

    def _left(self, cause: ProviderError | None) -> float:
        try:
            return self._deadline.left()
        except DeadlineError as error:
            raise (self._late(cause) if cause else error.at(source=self._source)) from None

    def _late(self, cause: ProviderError) -> KrmfnError:
        error = self._deadline.error(cause.message).at(source=self._source)
        error.remedy = f"{cause.remedy}, or {error.remedy}"
        return error

    # --- failures

    def _unavailable(self, message: str, remedy: str) -> ProviderError:
        return ProviderError("unavailable", message, source=self._source, remedy=remedy)

    def _failing(self, reply: Reply, look: Callable[[Reply], None] | None) -> ProviderError:
        """Return the error to raise if this answer is the last."""
        if look is not None:
            look(reply)
        if reply.status == TOO_MANY:
            return self._unavailable(
                f"{self.origin} keeps answering 429: a quota limits how often it may be asked",
                "raise that rate limit, or build less at once",
            )
        return self._unavailable(
            f"{self.origin} keeps answering {reply.status}",
            f"check {self._advice.address} and the server's health",
        )

    def _nobody(self, error: BaseException | None) -> ProviderError:
        """Why there is no connection."""
        code = getattr(error, "errno", None)
        if code in (errno.EMFILE, errno.ENFILE):
            return self._unavailable(
                "no connection can be opened: too many open files", "raise ulimit -n"
            )
        if isinstance(error, socket.gaierror):
            return self._unavailable(
                f"{self.origin} cannot be reached: the name {self.origin.host} is not known",
                f"check {self._advice.address} and the DNS",
            )
        if isinstance(error, ConnectionRefusedError):
            return self._unavailable(
                f"{self.origin} cannot be reached: nothing listens there, the connection is refused",
                f"check {self._advice.address}, and that the server runs",
            )
        if isinstance(error, TimeoutError):
            return self._unavailable(
                f"{self.origin} cannot be reached: no connection within {CONNECT_SECONDS:g} s",
                f"check {self._advice.address}, firewalls and network policies",
            )
        return self._unavailable(
            f"{self.origin} cannot be reached", f"check {self._advice.address} and the network"
        )

    def _broken(self, error: Exception) -> ProviderError:
        """Why a connection did not give an answer."""
        ends = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        if isinstance(error, ssl.SSLError) and not ends:
            return tls_failure(error, self.origin, self._server_name, self._advice, self._source)
        if isinstance(error, TimeoutError):
            return self._unavailable(
                f"{self.origin} does not answer in time",
                f"check {self._advice.address} and the server's health",
            )
        return self._unavailable(
            f"{self.origin} breaks the connection off",
            f"check {self._advice.address} and the server's health",
        )

    def _redirect(self, reply: Reply) -> ProviderError:
        """Return the error for a redirect; it names the other server if there is one."""
        location = reply.headers.get("Location", "")
        place = re.match(r"(https?://[^/?#@\s]+)", location, re.ASCII | re.IGNORECASE)
        there = origin_of(place[1]) if place else None
        elsewhere = there is not None and there != self.origin
        return ProviderError(
            "redirect",
            f"{self.origin} answers with a redirect" + (f" to {there}" if elsewhere else ""),
            source=self._source,
            remedy="no redirect is followed: name the server itself, with its right port and path",
        )


def _close(connections: list[Connection]) -> None:
    while connections:
        connections.pop().close()


def retry_after(text: str) -> float | None:
    """Return the seconds in a ``Retry-After`` header; None if it is not a time."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _passes(status: int) -> bool:
    """Whether to retry: 412, 429 or 5xx."""
    return status in RETRY_STATUS or status >= 500  # noqa: PLR2004  # the server's own failures


# X509_V_ERR_…: what OpenSSL found wrong with the server's certificate.
EXPIRED, NOT_YET, OTHER_HOST, OTHER_ADDRESS = 10, 9, 62, 64


def tls_failure(
    error: ssl.SSLError, origin: Origin, name: str, advice: Advice, source: str
) -> ProviderError:
    """Return the error for a failed TLS connection, by its cause."""
    code = getattr(error, "verify_code", 0)
    reason = error.reason or ""
    if code in (EXPIRED, NOT_YET):
        state = "has expired" if code == EXPIRED else "is not valid yet"
        message = f"the certificate of {origin} {state}"
        remedy = "renew it at the server, or set the clock of this machine"
    elif code in (OTHER_HOST, OTHER_ADDRESS):
        message = f"the certificate of {origin} is not for the name {name or origin.host}"
        remedy = advice.name
    elif isinstance(error, ssl.SSLCertVerificationError):
        message = f"the certificate of {origin} is from an unknown CA ({error.verify_message})"
        remedy = advice.ca
    elif "ALERT" in reason:
        message = f"{origin} ends the TLS handshake: {reason.rpartition('ALERT_')[2].lower()}"
        remedy = advice.client
    else:
        message = f"{origin} does not speak TLS as it should ({reason.lower() or 'no reason'})"
        remedy = "check scheme and port of the address"
    return ProviderError("tls", message.replace("_", " "), source=source, remedy=remedy)
