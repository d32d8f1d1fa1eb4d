"""The wire to a vault: one policy for every request.

Rules enforced here: one origin and no other, no redirect, no proxy of the environment; TLS is always
checked, and plain http is for loopback; every wait ends with the run's deadline; 412, 429 and 5xx
and broken connections are tried again for a while, a sealed vault and bad TLS are not; at most 16
MiB of an answer are read. Only `KrmfnError` gets out, and no error quotes an answer.
"""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError
from urllib3.util import Retry, Timeout

from krmfn.errors import ProviderError
from krmfn.providers.base import Number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.deadline import Deadline
    from krmfn.plaintext import Plaintext
    from krmfn.providers.vault_address import Origin

MAX_CONNECTIONS = 16
MAX_ANSWER = 16 * 1024 * 1024
RETRIES = 8  # with the backoff below about 20 seconds, or until the deadline
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
RETRY_STATUS = frozenset({412, 429, 500, 502, 503, 504})
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
            DeadlineError: the time is up.
        """
        headers = {"X-Vault-Request": "true", "Accept": "application/json"}
        if token is not None:
            headers["X-Vault-Token"] = token.reveal().decode("latin-1")
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        left = once if once is not None else self._deadline.left()
        retry = _Retry.until(self._deadline, self._source)
        try:
            response = self._pool.urlopen(
                method,
                f"/v1/{path}",
                body=content,
                headers=headers,
                retries=False if once is not None else retry,
                redirect=False,
                timeout=Timeout(connect=min(CONNECT_SECONDS, left), read=min(READ_SECONDS, left)),
                preload_content=False,
            )
            content = response.read(MAX_ANSWER + 1)
            # What is unread is not waited for.
            response.close() if len(content) > MAX_ANSWER else response.release_conn()
        except MaxRetryError as error:
            self._deadline.left()
            raise _failed(error.reason, self._source) from None
        except (HTTPError, OSError, ValueError) as error:
            raise _failed(error, self._source) from None
        return self._answer(response.status, content)

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
            body = (
                json.loads(content, parse_int=Number, parse_float=Number, parse_constant=Number)
                if content
                else {}
            )
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise _protocol(f"the answer {status} is not a vault's", self._source)
        if status in SEALED_STATUS and _is_sealed(content):
            raise sealed(self._source)
        if status in RETRY_STATUS or status >= 500:  # noqa: PLR2004  # the server's own failures
            raise _failed(None, self._source, status)
        return Answer(status, body)


class _Retry(Retry):
    """urllib3's backoff, ended by the deadline and by what no retry mends."""

    deadline: Deadline
    source: str

    @classmethod
    def until(cls, deadline: Deadline, source: str) -> _Retry:
        """A fresh policy for one request."""
        retry = cls(
            total=RETRIES,
            status_forcelist=RETRY_STATUS,
            allowed_methods=None,  # logins and HMACs may be asked again
            backoff_factor=0.1,
            backoff_max=5.0,
            backoff_jitter=0.1,
            raise_on_status=False,
        )
        retry.deadline, retry.source = deadline, source
        return retry

    def new(self, **changes: Any) -> _Retry:
        """The same policy for the next try."""
        retry = super().new(**changes)
        retry.deadline, retry.source = self.deadline, self.source
        return retry

    def increment(self, *arguments: Any, **named: Any) -> _Retry:
        """Give up at once on bad TLS and on a sealed vault."""
        error: Any = named.get("error")
        response: Any = named.get("response")
        if isinstance(error, SSLError):
            raise _failed(error, self.source)
        status = response.status if response is not None else 0
        if status in SEALED_STATUS and _is_sealed(response.read(64 * 1024)):
            raise sealed(self.source)
        return super().increment(*arguments, **named)

    def sleep(self, response: Any = None) -> None:
        """Wait, but never past the deadline."""
        asked = self.get_retry_after(response) if response is not None else None
        seconds = asked or self.get_backoff_time()
        if seconds >= self.deadline.left():
            raise self.deadline.error()
        threading.Event().wait(seconds)


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


def _failed(error: BaseException | None, source: str, status: int = 0) -> ProviderError:
    if isinstance(error, (SSLError, ssl.SSLError)):
        return ProviderError(
            "tls",
            "the server's certificate is not trusted, or it refuses ours",
            source=source,
            remedy="set caFile or caBundle, and check the address",
        )
    return ProviderError(
        "unavailable",
        f"the server keeps answering {status}" if status else "the server cannot be reached",
        source=source,
        remedy="check VAULT_ADDR and the server's health",
    )


def _protocol(message: str, source: str) -> ProviderError:
    return ProviderError("protocol", message, source=source, remedy="check that it is a vault")


def tls_context(
    *, ca: bytes | None, certificate: Mapping[str, str] | None, source: str
) -> ssl.SSLContext:
    """TLS settings: the system's roots or ``ca`` (PEM) in their place, and a client certificate.

    Args:
        certificate: ``cert`` and ``key``, paths of PEM files.

    Raises:
        ProviderError: ``tls``, one of them cannot be used.
    """
    try:
        context = ssl.create_default_context(cadata=ca.decode("ascii") if ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            # A key under a passphrase would be asked for at the terminal.
            context.load_cert_chain(certificate["cert"], certificate["key"], password="")
    except (ValueError, OSError):
        raise ProviderError(
            "tls", "the CA, or the client's certificate and key, cannot be used", source=source
        ) from None
    return context
