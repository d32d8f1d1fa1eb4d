"""The HTTP API of a vault: JSON over the wire of `krmfn.stores.wire`.

Rules enforced here: each request says what state of a cluster this run has seen (``X-Vault-Index``);
a sealed vault is not asked again; an answer is a JSON object as RFC 8259 has it, with numbers as
text; no error quotes an answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict_json
from krmfn.errors import ProviderError
from krmfn.stores.content import Number
from krmfn.stores.wire import Advice

if TYPE_CHECKING:
    from krmfn.plaintext import Plaintext
    from krmfn.stores.wire import Reply, Wire

INDEX = "X-Vault-Index"
SEALED_STATUS = frozenset({501, 503})
ADVICE = Advice(
    address="VAULT_ADDR",
    ca="name the CA: caFile or caBundle of the store, or VAULT_CACERT",
    name="use the name that it is for, in the address or in VAULT_TLS_SERVER_NAME",
    client="it may want a client certificate: tls of the store, or VAULT_CLIENT_CERT",
)


@dataclass(frozen=True, repr=False)
class VaultAnswer:
    """Status and JSON body of an answer, with numbers as text. It may contain plaintext."""

    status: int
    body: dict[str, Any]

    def data(self) -> dict[str, Any]:
        """The field ``data``, or nothing."""
        found = self.body.get("data")
        return found if isinstance(found, dict) else {}

    def errors(self) -> str:
        """The field ``errors`` in lower case: to recognise causes, never to quote."""
        found = self.body.get("errors")
        texts = [e for e in found if isinstance(e, str)] if isinstance(found, list) else []
        return "\n\n".join(texts).lower()

    def is_policy_denial(self) -> bool:
        """Whether a 403 comes from a policy: servers answer differently for an invalid token.

        A policy's is ``1 error occurred: * permission denied`` with line breaks, or that of a
        preflight check for a mount; an unknown token's is ``permission denied`` alone, or has
        ``invalid token`` beside it.
        """
        errors = self.errors()
        told = "\n\t" in errors or "preflight" in errors
        return told and "invalid token" not in errors


class Api:
    """Requests of one vault's API, below ``/v1/``.

    Args:
        source: the store's name, for errors.
    """

    def __init__(self, wire: Wire, *, source: str) -> None:
        self._wire = wire
        self._source = source
        self._index = ""

    def request(
        self,
        method: str,
        path: str,
        *,
        token: Plaintext | None = None,
        namespace: str = "",
        body: Any = None,
        once: float | None = None,
        tries: int | None = None,
    ) -> VaultAnswer:
        """Send one request, with retries by the wire's rules.

        Args:
            path: below ``/v1/``, already percent-encoded.
            once: do not retry, and wait this many seconds whatever the deadline says.
            tries: at most so many.

        Raises:
            ProviderError: unavailable, sealed, bad TLS, a redirect, or no JSON.
            DeadlineError: the time is up; it names the last failure, or what was waited for.
        """
        headers = {"X-Vault-Request": "true", "Accept": "application/json"}
        if token is not None:
            headers["X-Vault-Token"] = token.reveal().decode("latin-1")
        if namespace:
            # A header is sent as Latin-1; the server reads UTF-8.
            headers["X-Vault-Namespace"] = namespace.encode().decode("latin-1")
        if self._index:
            headers[INDEX] = self._index
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        try:
            reply = self._wire.request(
                method,
                f"/v1/{path}",
                headers=headers,
                body=content,
                once=once,
                tries=tries,
                look=self._refuse_sealed,
            )
        except ProviderError as error:
            raise self._as_standby(error) from None
        # A state that no header can hold is none.
        if (index := reply.headers.get(INDEX, "")).isascii() and index.isprintable():
            self._index = index or self._index
        return VaultAnswer(reply.status, self._parsed(reply))

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self._wire.close()

    def _parsed(self, reply: Reply) -> dict[str, Any]:
        problem = "no JSON object"
        try:
            body = strict_json.loads(reply.content, Number) if reply.content else {}
        except ValueError as error:
            body, problem = None, str(error)
        if not isinstance(body, dict):
            raise ProviderError(
                "protocol",
                f"the answer {reply.status} of {self._wire.origin} is not a vault's: {problem}",
                source=self._source,
                remedy="check that VAULT_ADDR is a vault's address, and no proxy's or login page's",
            )
        return body

    def _refuse_sealed(self, reply: Reply) -> None:
        if reply.status not in SEALED_STATUS:
            return
        try:
            body = strict_json.loads(reply.content)
        except ValueError:
            return
        errors = VaultAnswer(reply.status, body).errors() if isinstance(body, dict) else ""
        if "sealed" in errors or "not initialized" in errors:
            raise sealed(self._source)

    def _as_standby(self, error: ProviderError) -> ProviderError:
        if error.id == "redirect":
            error.remedy = (
                "no redirect is followed: if that is the cluster's active node, set VAULT_ADDR to it, "
                "or to a load balancer that finds it"
            )
        return error


def sealed(source: str) -> ProviderError:
    """Return the error for a sealed or uninitialised vault."""
    return ProviderError(
        "vault-sealed", "the vault is sealed or not initialised", source=source, remedy="unseal it"
    )
