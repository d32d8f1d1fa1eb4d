"""Requests to a cluster: the controller's certificate, and the deployed SealedSecrets.

The controller is reached through the API server's service proxy, as kubeseal does it. Only
`kubernetes.client.ApiClient` is used: the typed API classes cost 600 ms to import.
"""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from krmfn.documents import strict_json
from krmfn.errors import ProviderError
from krmfn.objects.sealed_secret import API_VERSION, KIND

if TYPE_CHECKING:
    from collections.abc import Sequence

# kubeseal's default, and the Helm chart's.
SERVICE_NAMES = ("sealed-secrets-controller", "sealed-secrets")
NAMESPACE = "kube-system"
_SECONDS = 10.0
_PAGE = 500


def fetch_certificate(
    *, context: str | None = None, namespace: str = NAMESPACE, names: Sequence[str] = SERVICE_NAMES
) -> tuple[bytes, str]:
    """Return the controller's newest certificate (PEM), and its ``namespace/service``.

    Args:
        context: of the kubeconfig; None is the current one, or the pod's own when inside.
        names: Services to try, in order.

    Raises:
        ProviderError: no cluster, no such Service, or no right to use its proxy.
    """
    api = client(context)
    denied = False
    for name in names:
        service = f"/api/v1/namespaces/{quote(namespace)}/services/{quote(name)}"
        status, body = ask(api, "GET", service)
        denied = denied or status == HTTPStatus.FORBIDDEN
        if status != HTTPStatus.OK:
            continue
        proxy = f"{service.removesuffix(quote(name))}http:{quote(name)}:{port(body)}/proxy"
        status, pem = ask(api, "GET", f"{proxy}/v1/cert.pem")
        if status == HTTPStatus.OK:
            return pem, f"{namespace}/{name}"
        raise ProviderError(
            "permission-denied" if status == HTTPStatus.FORBIDDEN else "unavailable",
            "the service's proxy does not give the certificate",
            source=f"{namespace}/{name}",
            remedy="ask for get on services/proxy, or use --url with an ingress or port-forward",
        )
    raise ProviderError(
        "permission-denied" if denied else "not-found",
        f"no sealed-secrets controller under {' or '.join(names)}",
        source=namespace,
        remedy="set --controller-namespace and --controller-name",
    )


def sealed_secrets(namespaces: Sequence[str], *, context: str | None = None) -> list[Any]:
    """Every SealedSecret in some namespaces.

    Raises:
        ProviderError: no cluster, no such kind in it, or no right to list them.
    """
    api = client(context)
    found: list[Any] = []
    for namespace in namespaces:
        path = f"/apis/{API_VERSION}/namespaces/{quote(namespace, safe='')}/sealedsecrets"
        after = ""
        while True:
            status, body = ask(api, "GET", f"{path}?limit={_PAGE}{after}")
            if status != HTTPStatus.OK:
                raise _not_listed(status, namespace)
            try:
                page = strict_json.loads(body)
                items, metadata = page["items"], page["metadata"]
                # In a list the API server leaves out what each one is.
                found += [{"apiVersion": API_VERSION, "kind": KIND, **one} for one in items]
                token = metadata.get("continue")
            except (ValueError, LookupError, TypeError, AttributeError):
                raise ProviderError(
                    "protocol", "the API server's answer is not a list", source=namespace
                ) from None
            if not token:
                break
            after = f"&continue={quote(str(token), safe='')}"
    return found


def _not_listed(status: int, namespace: str) -> ProviderError:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ProviderError(
            "permission-denied",
            "the SealedSecrets may not be listed",
            source=namespace,
            remedy="ask for list on sealedsecrets.bitnami.com",
        )
    if status == HTTPStatus.NOT_FOUND:
        message, remedy = "the cluster has no SealedSecrets", "install sealed-secrets"
        return ProviderError("not-found", message, source=namespace, remedy=remedy)
    message = f"the API server answers {status}"
    return ProviderError("unavailable", message, source=namespace)


def port(service: bytes) -> str:
    """Return the first port's name, like kubeseal.

    A port without one stays empty: the controller's role names ``http:NAME:``, and no number.
    """
    try:
        return quote(str(strict_json.loads(service)["spec"]["ports"][0].get("name") or ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ProviderError("protocol", "the API server's answer is not a Service") from None


def client(context: str | None) -> Any:
    """A client of the cluster.

    Raises:
        ProviderError: none is configured.
    """
    from kubernetes.client import ApiClient
    from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

    inside = "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
    try:
        if inside and context is None:
            load_incluster_config()
        else:
            # Said here, because the library looks at the environment when it is imported.
            file = os.environ.get("KUBECONFIG", "~/.kube/config")
            load_kube_config(config_file=file, context=context)
    except (ConfigException, OSError, ValueError):
        raise ProviderError(
            "unavailable",
            "no cluster is configured",
            source=f"context {context}" if context else "kubeconfig",
            remedy="set KUBECONFIG or --context",
        ) from None
    return ApiClient()


def ask(api: Any, method: str, path: str, *, body: Any = None) -> tuple[int, bytes]:
    """Return status and body of one request.

    Raises:
        ProviderError: the API server cannot be reached.
    """
    import urllib3

    method, url, headers, content, *_ = api.param_serialize(
        method,
        path,
        header_params={"Content-Type": "application/json"} if body is not None else None,
        body=body,
        auth_settings=["BearerToken"],
    )
    try:
        response = api.call_api(method, url, headers, content, _request_timeout=_SECONDS)
        return response.status, bytes(response.read())
    except urllib3.exceptions.HTTPError:
        raise ProviderError(
            "unavailable", "the API server cannot be reached", source=api.configuration.host
        ) from None
