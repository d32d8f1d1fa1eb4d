"""`krmfn doctor`'s requests to a cluster: controller, verdict, SealedSecrets and Secrets' names.

Rules enforced here: nothing is changed; of a Secret its owners, annotations and the names of its keys
are kept, and its values are dropped where the answer is parsed, after what is no secret was compared
with what git says; the controller's rate limit is kept.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from krmfn.cluster import api
from krmfn.documents import strict_json
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import ProviderError
from krmfn.objects.sealed_secret import API_VERSION, KIND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from krmfn.deadline import Deadline

CONFLICT, TOO_MANY = 409, 429
PAUSE = 1.0  # seconds, as the controller's Retry-After says it
TRIES = 10


@dataclass(frozen=True)
class Controller:
    """Where the controller is: namespace, Service and the path of its proxy."""

    namespace: str
    name: str
    proxy: str


@dataclass(frozen=True)
class SecretFacts:
    """A Secret without its values.

    Attributes:
        keys: names only.
        differing: keys that hold something else than was expected.
        owners: ``Kind/name`` of each owner.
    """

    keys: frozenset[str]
    owners: tuple[str, ...]
    annotations: dict[str, str]
    differing: frozenset[str] = frozenset()


class Questions:
    """The questions to one cluster.

    Args:
        context: of the kubeconfig; None is the current one, or the pod's own when inside.

    Raises:
        ProviderError: no cluster is configured.
    """

    def __init__(self, context: str | None, deadline: Deadline) -> None:
        self._client = api.client(context)
        self._deadline = deadline

    def controller(self, namespaces: Sequence[str], names: Sequence[str]) -> Controller | None:
        """The first Service there is of these names in these namespaces."""
        for namespace in namespaces:
            for name in names:
                service = f"/api/v1/namespaces/{_q(namespace)}/services/"
                status, body = self._get(service + _q(name))
                if status == HTTPStatus.OK:
                    port = api.port(body)
                    proxy = f"{service}http:{_q(name)}:{port}/proxy"
                    return Controller(namespace, name, proxy)
        return None

    def certificate(self, controller: Controller) -> bytes | None:
        """The controller's newest certificate; None when its proxy may not be used or fails."""
        status, body = self._get(f"{controller.proxy}/v1/cert.pem")
        return body if status == HTTPStatus.OK else None

    def verify(
        self,
        controller: Controller,
        sealed: dict[str, Any],
        pause: Callable[[float], None] = time.sleep,
    ) -> int:
        """Return the status of the controller's answer: 200 if it opens, 409 if not.

        Over the limit of its rate it is asked again after the pause that it wants.

        Raises:
            DeadlineError: the time is up.
        """
        status = TOO_MANY
        for _ in range(TRIES):
            self._deadline.left()
            status, _ = api.ask(self._client, "POST", f"{controller.proxy}/v1/verify", body=sealed)
            if status != TOO_MANY:
                break
            pause(PAUSE)
        return status

    def sealed(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return a deployed SealedSecret."""
        path = f"/apis/{API_VERSION}/namespaces/{_q(namespace)}/sealedsecrets/{_q(name)}"
        found = self._object(path, f"{KIND}/{namespace}/{name}")
        return {**found, "apiVersion": API_VERSION, "kind": KIND} if found else None

    def events(self, namespace: str, name: str) -> list[tuple[str, str]]:
        """Return reason and message of a SealedSecret's events, oldest first; empty if forbidden."""
        selector = f"involvedObject.kind={KIND},involvedObject.name={name}"
        query = urlencode({"fieldSelector": selector, "limit": 50})
        status, body = self._get(f"/api/v1/namespaces/{_q(namespace)}/events?{query}")
        if status != HTTPStatus.OK:
            return []
        items = _json(body, namespace).get("items")
        events = [mapping(one) for one in sequence(items)]
        return [(str(one.get("reason")), str(one.get("message"))) for one in events]

    def secret(
        self, namespace: str, name: str, expected: Mapping[str, str] | None = None
    ) -> SecretFacts | None:
        """Return the known facts of a Secret; None if it does not exist.

        Args:
            expected: key to what it should hold, if it is there; no secrets.
        """
        path = f"/api/v1/namespaces/{_q(namespace)}/secrets/{_q(name)}"
        found = self._object(path, f"Secret/{namespace}/{name}")
        if found is None:
            return None
        metadata = mapping(found.get("metadata"))
        owners = metadata.get("ownerReferences") or []
        data = mapping(found.get("data"))
        differing = {
            key
            for key, value in (expected or {}).items()
            if key in data and data[key] != base64.b64encode(value.encode()).decode()
        }
        return SecretFacts(
            frozenset(data),
            tuple(f"{mapping(one).get('kind')}/{mapping(one).get('name')}" for one in owners),
            {str(k): str(v) for k, v in mapping(metadata.get("annotations")).items()},
            frozenset(differing),
        )

    def _get(self, path: str) -> tuple[int, bytes]:
        return api.ask(self._client, "GET", path)

    def _object(self, path: str, what: str) -> dict[str, Any] | None:
        status, body = self._get(path)
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.OK:
            denied = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
            raise ProviderError(
                "permission-denied" if denied else "unavailable",
                f"the API server answers {status}",
                source=what,
                remedy=f"ask for get on {'secrets' if '/secrets/' in path else 'sealedsecrets'}",
            )
        return _json(body, what)


def _json(body: bytes, what: str) -> dict[str, Any]:
    try:
        return mapping(strict_json.loads(body))
    except ValueError:
        raise ProviderError(
            "protocol", "the API server's answer is not an object", source=what
        ) from None


def _q(name: str) -> str:
    return quote(name, safe="")
