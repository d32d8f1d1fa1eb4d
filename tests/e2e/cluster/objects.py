"""What is in the cluster before a test: namespaces, the CRD, and the controller's account and roles.

Rules: CRD and roles are the ones that the controller's own module brings, of the same version; only
the namespace is ours.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.tools import manifests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMESPACES = ("dev", "staging", "production", "sealed-secrets", "argocd")
HOME = "sealed-secrets"  # the controller's namespace
ACCOUNT = "sealed-secrets-controller"
# The same port under the names that the two usual installations give the Service: the plain
# manifest's has a port without a name, the Helm chart's is called http.
SERVICES = {"sealed-secrets-controller": "", "sealed-secrets": "http"}
POD_ADDRESS, POD_PORT = "192.0.2.10", 8080  # an address for documentation: nothing is there
# Kinds of operators that the examples use: apiVersion, kind, plural. They take any field.
OPERATORS = (
    ("postgresql.cnpg.io/v1", "Cluster", "clusters"),
    ("postgresql.cnpg.io/v1", "ScheduledBackup", "scheduledbackups"),
    ("postgresql.cnpg.io/v1", "Pooler", "poolers"),
    ("barmancloud.cnpg.io/v1", "ObjectStore", "objectstores"),
    ("cert-manager.io/v1", "Certificate", "certificates"),
    ("cert-manager.io/v1", "Issuer", "issuers"),
    ("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors"),
    ("argoproj.io/v1alpha1", "Application", "applications"),
)
RBAC = "rbac.authorization.k8s.io"


def crd(version: str) -> Any:
    """The SealedSecret kind, as this controller's chart installs it."""
    return yaml.safe_load((manifests(version) / "bitnami.com_sealedsecrets.yaml").read_text())


def permissive_crd(api_version: str, kind: str, plural: str) -> dict[str, Any]:
    """A kind whose operator is not here, without its schema."""
    group, _, version = api_version.partition("/")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{**served, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def foundation(version: str) -> list[dict[str, Any]]:
    """All of it but the key and the pod, in an order that applies."""
    account = _object("v1", "ServiceAccount", ACCOUNT, HOME)
    rules = _roles((manifests(version) / "controller.jsonnet").read_text())
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": HOME}
    everybody = {"kind": "Group", "apiGroup": RBAC, "name": "system:authenticated"}
    return [
        *(_object("v1", "Namespace", name) for name in NAMESPACES),
        crd(version),
        *(permissive_crd(*kind) for kind in OPERATORS),
        account,
        *_role("ClusterRole", "secrets-unsealer", rules, subject),
        *_role("Role", "sealed-secrets-key-admin", rules, subject),
        *_role("Role", "sealed-secrets-service-proxier", rules, everybody),
    ]


def _roles(jsonnet: str) -> dict[str, Any]:
    """The rules of the roles in ``controller.jsonnet``: lists that are YAML but for the comments."""
    found = re.finditer(
        r"kube\.(?:Cluster)?Role\('([a-z-]+)'\).*?\brules: (\[.*?\n    \]),", jsonnet, re.DOTALL
    )
    return {
        match[1]: yaml.safe_load(re.sub(r"//.*", "", match[2]).replace("\t", " "))
        for match in found
    }


def _role(
    kind: str, name: str, rules: dict[str, Any], subject: dict[str, str]
) -> Iterator[dict[str, Any]]:
    namespace = HOME if kind == "Role" else ""
    yield {**_object(f"{RBAC}/v1", kind, name, namespace), "rules": rules[name]}
    yield {
        **_object(f"{RBAC}/v1", f"{kind}Binding", name, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": [subject],
    }


def sealing_key(name: str, key: Path, certificate: Path) -> dict[str, Any]:
    """A key of the controller's, as a backup of one is brought into a cluster."""
    made = _object("v1", "Secret", name, HOME)
    made["metadata"]["labels"] = {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}
    files = {"tls.key": key, "tls.crt": certificate}
    data = {item: base64.b64encode(path.read_bytes()).decode() for item, path in files.items()}
    return {**made, "type": "kubernetes.io/tls", "data": data}


def network() -> list[dict[str, Any]]:
    """The controller's pod, as an object only, and its Services with endpoints made by hand."""
    pod = {
        **_object("v1", "Pod", ACCOUNT, HOME),
        "spec": {
            "serviceAccountName": ACCOUNT,
            "automountServiceAccountToken": False,
            "containers": [{"name": "controller", "image": "none.example/controller"}],
        },
    }
    target = {"kind": "Pod", "name": ACCOUNT, "namespace": HOME}
    made: list[dict[str, Any]] = [pod]
    for name, port_name in SERVICES.items():
        port: dict[str, Any] = {"port": POD_PORT} | ({"name": port_name} if port_name else {})
        made += [
            {**_object("v1", "Service", name, HOME), "spec": {"ports": [port]}},
            {
                **_object("v1", "Endpoints", name, HOME),
                "subsets": [
                    {"addresses": [{"ip": POD_ADDRESS, "targetRef": target}], "ports": [port]}
                ],
            },
        ]
    return made


def _object(api_version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
