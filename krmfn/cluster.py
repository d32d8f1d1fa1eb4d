"""The controller in a cluster, through the API server's service proxy (as kubeseal reaches it).

Only `kubernetes.client.ApiClient` is used: the typed API classes cost 600 ms to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from krmfn.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Sequence

# kubeseal's default, and the Helm chart's.
SERVICE_NAMES = ("sealed-secrets-controller", "sealed-secrets")
NAMESPACE = "kube-system"
_SECONDS = 10.0


def fetch_certificate(
    *, context: str | None = None, namespace: str = NAMESPACE, names: Sequence[str] = SERVICE_NAMES
) -> tuple[bytes, str]:
    """The controller's newest certificate, PEM, and ``namespace/service`` that gave it.

    Args:
        context: of the kubeconfig; None is the current one, or the pod's own when inside.
        names: Services to try, in order.

    Raises:
        ProviderError: no cluster, no such Service, or no right to use its proxy.
    """
    client = _client(context)
    denied = False
    for name in names:
        status, service = _get(client, f"/api/v1/namespaces/{quote(namespace)}/services/{quote(name)}")
        denied = denied or status == 403  # noqa: PLR2004  # Forbidden
        if status != 200:  # noqa: PLR2004  # OK
            continue
        ports = (service.get("spec") or {}).get("ports") or [{}]
        port = ports[0].get("name") or ports[0].get("port") or ""
        proxy = f"/api/v1/namespaces/{quote(namespace)}/services/http:{quote(name)}:{port}/proxy"
        status, pem = _get(client, f"{proxy}/v1/cert.pem", text=True)
        if status == 200 and isinstance(pem, str):  # noqa: PLR2004
            return pem.encode(), f"{namespace}/{name}"
        raise ProviderError(
            "permission-denied" if status == 403 else "unavailable",  # noqa: PLR2004
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


def _client(context: str | None) -> Any:
    try:
        from kubernetes.client import ApiClient
        from kubernetes.config import ConfigException, load_config

        load_config(context=context)
    except ModuleNotFoundError as error:
        raise ProviderError("extra-missing", f"this needs {error.name}") from None
    except (ConfigException, OSError, ValueError):
        raise ProviderError(
            "unavailable",
            "no cluster is configured",
            source=f"context {context}" if context else "kubeconfig",
            remedy="set KUBECONFIG or --context",
        ) from None
    return ApiClient()


def _get(client: Any, path: str, *, text: bool = False) -> tuple[int, Any]:
    """Status and body of one GET; 0 and nothing when the server cannot be reached."""
    import urllib3
    from kubernetes.client.exceptions import ApiException

    try:
        body, status, _ = client.call_api(
            path,
            "GET",
            header_params={"Accept": "*/*" if text else "application/json"},
            response_type="str" if text else "object",
            auth_settings=["BearerToken"],
            _return_http_data_only=False,
            _request_timeout=_SECONDS,
        )
    except ApiException as error:
        return error.status or 0, None
    except urllib3.exceptions.HTTPError:
        raise ProviderError(
            "unavailable", "the API server cannot be reached", source=client.configuration.host
        ) from None
    return status, body
