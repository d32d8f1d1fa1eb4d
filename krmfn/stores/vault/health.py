"""`krmfn doctor`'s requests to a vault: state, clock, token and permissions.

Rules enforced here: nothing is written and no value is read; the state is asked without a credential;
of the token its remaining time is kept and nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from krmfn.errors import ProviderError
from krmfn.stores.store import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krmfn.stores.vault.http import Api
    from krmfn.stores.vault.session import Session

SECONDS = 5.0
REVOKE = "auth/token/revoke-self"
# Asked so, the server answers 200 whatever its state, with the state in the body.
STATE = "sys/health?" + "&".join(
    f"{name}=200" for name in ("standbycode", "sealedcode", "uninitcode", "drsecondarycode")
)


class VaultHealth:
    """Requests to one store's server.

    Args:
        session: the store's own, with its credential.
        namespace: the store's.
        login_namespace: the token's.
    """

    def __init__(
        self, api: Api, session: Session, namespace: str, login_namespace: str, source: str
    ) -> None:
        self._api = api
        self._session = session
        self._namespace = namespace
        self._login_namespace = login_namespace
        self._source = source

    def state(self) -> State:
        """The server's state.

        Raises:
            ProviderError: it cannot be reached, or is no vault.
        """
        answer = self._api.request("GET", STATE, once=SECONDS)
        if answer.status != HTTPStatus.OK or "sealed" not in answer.body:
            message = f"the server answers {answer.status} to a question for its state"
            raise ProviderError("protocol", message, source=self._source)
        body = answer.body
        seconds = _whole(body.get("server_time_utc"))
        clock = datetime.fromtimestamp(seconds, UTC) if seconds else None
        version = str(body.get("version", ""))
        return State(body.get("initialized") is True, body.get("sealed") is True, version, clock)

    def seconds_left(self) -> int | None:
        """Return the token's remaining seconds; 0 without expiry, None if the vault does not say.

        Raises:
            ProviderError: no credential, or the vault refuses it.
        """
        answer = self._session.send(
            "GET", "auth/token/lookup-self", self._login_namespace, optional=True
        )
        return _whole(answer.data().get("ttl")) if answer.status == HTTPStatus.OK else None

    def capabilities(
        self, paths: Sequence[str], namespace: str | None = None
    ) -> dict[str, frozenset[str]] | None:
        """Return the token's capabilities on each path; None if it may not ask.

        Args:
            paths: as policies have them, in one namespace.
            namespace: None for the store's own.
        """
        where = self._namespace if namespace is None else namespace
        answer = self._session.send(
            "POST", "sys/capabilities-self", where, {"paths": list(paths)}, optional=True
        )
        if answer.status != HTTPStatus.OK:
            return None
        found = answer.data()
        return {p: frozenset(v) for p in paths if isinstance(v := found.get(p), list)}

    def may_revoke(self) -> bool | None:
        """Whether the token of a login can revoke itself; None if unknown.

        A token from elsewhere is not revoked.
        """
        if not self._session.revokes():
            return None
        held = self.capabilities([REVOKE], self._login_namespace)
        if held is None or REVOKE not in held:
            return None
        return bool(held[REVOKE] & {"update", "root"}) and "deny" not in held[REVOKE]


def _whole(value: Any) -> int | None:
    """Parse a number from an answer, where numbers are text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else None
