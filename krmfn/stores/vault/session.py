"""The requests of one login: its token, retries right after it, and its revocation.

Rules enforced here: one login for a run, and a login that failed is not tried again; a node of a
cluster may not know a new token yet, so what is refused shortly after the login is asked again; what
is refused to a token that the vault knows is asked once more; a token that this run made is revoked
in the end, and if that is refused, a warning says so.
"""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from krmfn.errors import KrmfnError, ProviderError
from krmfn.stores.vault.auth import log_in
from krmfn.warned import Warned

if TYPE_CHECKING:
    from krmfn.plaintext import Plaintext
    from krmfn.spec.stores import Auth
    from krmfn.stores.access import Access
    from krmfn.stores.vault.auth import Login
    from krmfn.stores.vault.http import Api, VaultAnswer

FRESH_SECONDS, FRESH_PAUSE = 2.0, 0.2
REVOKE_SECONDS = 2.0


class Session:
    """A token and its requests. Nothing is sent before the first request.

    Args:
        source: the store's name, for errors.
        namespace: to log in to.
    """

    def __init__(
        self, auth: Auth | None, api: Api, access: Access, *, source: str, namespace: str
    ) -> None:
        self._auth = auth
        self._api = api
        self._access = access
        self._source = source
        self._namespace = namespace
        self._lock = threading.Lock()
        self._login: Login | KrmfnError | None = None
        self._worked = False

    def send(
        self,
        method: str,
        path: str,
        namespace: str,
        body: Any = None,
        *,
        optional: bool = False,
    ) -> VaultAnswer:
        """Send one request with the token; a refusal (403) is final.

        Args:
            optional: the caller can go on without an answer, so a policy's denial is taken at its
                first word.

        Raises:
            ProviderError: ``login-failed``, there is no token or the vault does not know it;
                ``mount-unknown``, there is no such namespace.
        """
        answer = self._patiently(method, path, namespace, body, optional=optional)
        if answer.status != HTTPStatus.FORBIDDEN or (optional and answer.is_policy_denial()):
            return answer
        if self._knows_token():
            return self._once(method, path, namespace, body)
        return answer

    def close(self) -> None:
        """Revoke the token if this run created it, even past the deadline; never raises."""
        login, self._login = self._login, None
        if login is None or isinstance(login, KrmfnError) or not login.revoke:
            return
        try:
            answer = self._api.request(
                "POST",
                "auth/token/revoke-self",
                token=login.token,
                namespace=self._namespace,
                once=REVOKE_SECONDS,
            )
            told = (
                ""
                if answer.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
                else f": {answer.status}"
            )
            done = not told
        except KrmfnError:
            told, done = "", False
        if not done:
            self._access.warnings.add(
                Warned(
                    "token-not-revoked",
                    self._source,
                    f"the login's token could not be revoked{told}, and lives until it expires",
                    'allow it: path "auth/token/revoke-self" { capabilities = ["update"] }',
                )
            )

    def revokes(self) -> bool:
        """Whether the token is this run's own, to be revoked in the end."""
        self._token()
        return not isinstance(self._login, KrmfnError | None) and self._login.revoke

    # --- one request

    def _token(self) -> Plaintext | None:
        """Return the token of the only login; a failed login is not retried."""
        with self._lock:
            if self._login is None:
                try:
                    self._login = log_in(
                        self._auth,
                        self._api,
                        self._access,
                        source=self._source,
                        namespace=self._namespace,
                    )
                except KrmfnError as error:
                    self._login = error
            if isinstance(self._login, KrmfnError):
                raise self._login
            return self._login.token

    def _once(self, method: str, path: str, namespace: str, body: Any) -> VaultAnswer:
        answer = self._api.request(
            method, path, token=self._token(), namespace=namespace, body=body
        )
        if answer.status == HTTPStatus.NOT_FOUND and "namespace not found" in answer.errors():
            raise ProviderError(
                "mount-unknown",
                f"the vault has no namespace {namespace}",
                source=self._source,
                remedy="correct namespace (or VAULT_NAMESPACE), or authNamespace",
            )
        self._worked = self._worked or answer.status != HTTPStatus.FORBIDDEN
        return answer

    def _patiently(
        self, method: str, path: str, namespace: str, body: Any, *, optional: bool
    ) -> VaultAnswer:
        """Send a request, and repeat it while the token is so new that a node may not know it."""
        while True:
            answer = self._once(method, path, namespace, body)
            final = answer.status != HTTPStatus.FORBIDDEN or (
                optional and answer.is_policy_denial()
            )
            if final or not self._is_fresh():
                return answer
            time.sleep(min(FRESH_PAUSE, self._access.deadline.left()))

    def _is_fresh(self) -> bool:
        """Whether this run has logged in a moment ago."""
        login = self._login
        if login is None or isinstance(login, KrmfnError) or login.made is None:
            return False
        return time.monotonic() - login.made < FRESH_SECONDS

    def _knows_token(self) -> bool:
        """Whether the vault knows the token; False if the token may not ask.

        Raises:
            ProviderError: ``login-failed``, it does not.
        """
        path = "auth/token/lookup-self"
        answer = self._patiently("GET", path, self._namespace, None, optional=True)
        if answer.status == HTTPStatus.FORBIDDEN and not answer.is_policy_denial():
            raise self.unknown_token()
        return answer.status == HTTPStatus.OK

    def unknown_token(self) -> ProviderError:
        """Return the error for a token that the vault does not know."""
        where = f" in namespace {self._namespace}" if self._namespace else ""
        if self._worked:
            return ProviderError(
                "login-failed",
                f"the vault has taken the token before, and does not accept it any more{where}",
                source=self._source,
                remedy="it is used up (num_uses), expired or revoked: give one that may be used often",
            )
        return ProviderError(
            "login-failed",
            f"the vault does not accept the token{where}",
            source=self._source,
            remedy="get a new one: it may be wrong, used up, expired, revoked or of another "
            "namespace (authNamespace)",
        )
