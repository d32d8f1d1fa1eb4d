"""The wire to a vault: one policy for every request.

Rules enforced here: one origin and no other, no redirect, no proxy of the environment; TLS is always
checked, and plain http is for loopback; every wait ends with the run's deadline; 412, 429 and 5xx
and broken connections are tried again for a while, a sealed vault and bad TLS are not; at most 16
MiB of an answer are read. Only `KrmfnError` gets out, and no error quotes an answer.
"""

from __future__ import annotations

import http.client
import io
import json
import math
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, SSLError
from urllib3.util import Retry, Timeout

from krmfn.documents import strict_json
from krmfn.errors import DeadlineError, ProviderError
from krmfn.stores.store import Number

if TYPE_CHECKING:
    import socket

    from urllib3 import BaseHTTPResponse

    from krmfn.deadline import Deadline
    from krmfn.errors import KrmfnError
    from krmfn.plaintext import Plaintext
    from krmfn.stores.vault.address import Origin

MAX_CONNECTIONS = 16
MAX_ANSWER = 16 * 1024 * 1024
RETRIES = 8  # with the backoff below about 20 seconds, or until the deadline
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
RETRY_STATUS = frozenset({412, 429})
SEALED_STATUS = frozenset({501, 503})


@dataclass(frozen=True, repr=False)
class Answer:
    """Status and JSON body of an answer; numbers in it are text. It may hold plaintext."""

    status: int
    body: dict[str, Any]

    def data(self) -> dict[str, Any]:
        """The field ``data``, or nothing."""
        found = self.body.get("data")
        return found if isinstance(found, dict) else {}

    def is_policy_denial(self) -> bool:
        """Whether a 403 is of a policy: of a token that is no good the servers say it otherwise.

        A policy's is ``1 error occurred: * permission denied`` with line breaks; an unknown
        token's is ``permission denied`` alone, or has ``invalid token`` beside it.
        """
        errors = self.body.get("errors")
        texts = [e for e in errors if isinstance(e, str)] if isinstance(errors, list) else []
        return any("\n" in text and "invalid token" not in text for text in texts)


class _WholeAnswer(io.RawIOBase):
    """What a socket reads, with the read timeout for all of an answer and not for each piece."""

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


class _HttpConnection(HTTPConnection):
    response_class = _Response


class _HttpsConnection(HTTPSConnection):
    response_class = _Response


class Wire:
    """Requests to one vault.

    Args:
        source: the store's name, for errors.
        context: the TLS settings; None for plain http.
    """

    def __init__(
        self, origin: Origin, deadline: Deadline, *, source: str, context: ssl.SSLContext | None
    ) -> None:
        self._origin = origin
        self._deadline = deadline
        self._source = source
        self._pool = urllib3.connection_from_url(
            str(origin),
            maxsize=MAX_CONNECTIONS,
            block=True,
            **({"ssl_context": context} if context else {}),
        )
        self._pool.ConnectionCls = _HttpsConnection if context else _HttpConnection

    def request(
        self,
        method: str,
        path: str,
        *,
        token: Plaintext | None = None,
        namespace: str = "",
        body: Any = None,
        once: float | None = None,
    ) -> Answer:
        """One request, tried again as the rules say.

        Args:
            path: below ``/v1/``, already percent-encoded.
            once: do not retry, and wait this many seconds whatever the deadline says.

        Raises:
            ProviderError: unavailable, sealed, bad TLS, a redirect, or no JSON.
            DeadlineError: the time is up; it names the last failure.
        """
        headers = {"X-Vault-Request": "true", "Accept": "application/json"}
        if token is not None:
            headers["X-Vault-Token"] = token.reveal().decode("latin-1")
        if namespace:
            # A header is sent as Latin-1; the server reads UTF-8.
            headers["X-Vault-Namespace"] = namespace.encode().decode("latin-1")
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        retry = _policy(0 if once is not None else RETRIES)
        cause = ""
        while True:
            seconds = once if once is not None else self._left(cause)
            error: Exception | None = None
            response, answer = None, b""
            try:
                response, answer = self._exchange(method, path, headers, content, seconds)
            except (HTTPError, OSError) as caught:
                error = caught
            if response is not None and not _passes(response.status):
                return self._answer(response.status, answer)
            if response is not None and response.status in SEALED_STATUS and _is_sealed(answer):
                raise sealed(self._source)
            status = response.status if response is not None else 0
            failure = _failed(error, self._source, self._origin, status)
            if failure.id == "tls":
                raise failure
            try:
                retry = retry.increment(method, response=response, error=error)
            except HTTPError:
                raise failure from None
            cause = failure.message
            self._sleep(retry, response, cause)

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, seconds: float
    ) -> tuple[BaseHTTPResponse, bytes]:
        """One try: the answer, and its content up to one byte over the limit."""
        response = self._pool.urlopen(
            method,
            f"/v1/{path}",
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            timeout=Timeout(connect=min(CONNECT_SECONDS, seconds), read=min(READ_SECONDS, seconds)),
            preload_content=False,
            pool_timeout=math.ceil(seconds),
        )
        try:
            content = response.read(MAX_ANSWER + 1)
        except BaseException:
            response.close()
            raise
        # What is unread is not waited for.
        if len(content) > MAX_ANSWER:
            response.close()
        response.release_conn()
        return response, content

    def _sleep(self, retry: Retry, response: BaseHTTPResponse | None, cause: str) -> None:
        """Wait as the server asks, or a little longer each time, but never past the deadline."""
        try:
            asked = retry.get_retry_after(response) if response is not None else None
        except HTTPError:  # a header that is no time
            asked = None
        seconds = asked or retry.get_backoff_time()
        if seconds >= self._left(cause):
            raise self._late(cause)
        time.sleep(seconds)

    def _left(self, cause: str) -> float:
        try:
            return self._deadline.left()
        except DeadlineError:
            raise self._late(cause) from None

    def _late(self, cause: str) -> KrmfnError:
        error = self._deadline.error().at(source=self._source)
        error.message += f": {cause}" if cause else ""
        return error

    def _answer(self, status: int, content: bytes) -> Answer:
        if 300 <= status < 400:  # noqa: PLR2004  # redirects
            raise ProviderError(
                "redirect",
                "the server answers with a redirect",
                source=self._source,
                remedy="name the server itself, with its right port and path",
            )
        if len(content) > MAX_ANSWER:
            raise _protocol("the answer is over 16 MiB", self._source)
        try:
            body = strict_json.loads(content, Number) if content else {}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise _protocol(f"the answer {status} is not a vault's", self._source)
        return Answer(status, body)


def _policy(retries: int) -> Retry:
    """urllib3's count of tries and its backoff; the waiting is ours."""
    return Retry(
        total=retries,
        allowed_methods=None,  # logins and HMACs may be asked again
        backoff_factor=0.1,
        backoff_max=5.0,
        backoff_jitter=0.1,
    )


def _passes(status: int) -> bool:
    """Whether a status may be another one in a moment."""
    return status in RETRY_STATUS or status >= 500  # noqa: PLR2004  # the server's own failures


def sealed(source: str) -> ProviderError:
    """What to raise for a vault that cannot answer anything."""
    return ProviderError(
        "vault-sealed", "the vault is sealed or not initialised", source=source, remedy="unseal it"
    )


def _is_sealed(content: bytes) -> bool:
    try:
        errors = json.loads(content).get("errors")
    except (ValueError, AttributeError, RecursionError):
        return False
    texts = [e.lower() for e in errors if isinstance(e, str)] if isinstance(errors, list) else []
    return any("sealed" in text or "not initialized" in text for text in texts)


def _failed(error: BaseException | None, source: str, origin: Origin, status: int) -> ProviderError:
    if isinstance(error, (SSLError, ssl.SSLError)):
        return ProviderError(
            "tls",
            f"{origin} does not speak TLS, is not trusted, or refuses our certificate",
            source=source,
            remedy="check the address, and set caFile or caBundle",
        )
    return ProviderError(
        "unavailable",
        f"{origin} keeps answering {status}" if status else f"{origin} cannot be reached",
        source=source,
        remedy="check VAULT_ADDR and the server's health",
    )


def _protocol(message: str, source: str) -> ProviderError:
    return ProviderError("protocol", message, source=source, remedy="check that it is a vault")
