"""SealedSecrets, name companions and the skip marker. Pure: dicts in, dicts out.

Mirrors pkg/apis/sealedsecrets/v1alpha1 (types.go, sealedsecret_expansion.go) of sealed-secrets. What
comes out is what kubeseal writes, plus ``krmfn.dev/sealed-for`` and ``krmfn.dev/certificate`` on the
SealedSecret's own metadata.
"""

from __future__ import annotations

import base64
from typing import Any, Final

API_VERSION: Final = "bitnami.com/v1alpha1"
KIND: Final = "SealedSecret"
SEALED_FOR: Final = "krmfn.dev/sealed-for"
CERTIFICATE: Final = "krmfn.dev/certificate"
SCOPE_ANNOTATIONS: Final = {
    "namespace-wide": "sealedsecrets.bitnami.com/namespace-wide",
    "cluster-wide": "sealedsecrets.bitnami.com/cluster-wide",
}
BEHAVIOR: Final = "kustomize.config.k8s.io/behavior"
LOCAL_CONFIG: Final = "config.kubernetes.io/local-config"
_INTERNAL: Final = "internal.config.kubernetes.io/"
PREVIOUS_NAMES: Final = f"{_INTERNAL}previousNames"
PREVIOUS_NAMESPACES: Final = f"{_INTERNAL}previousNamespaces"
PREVIOUS_KINDS: Final = f"{_INTERNAL}previousKinds"
PREFIXES: Final = f"{_INTERNAL}prefixes"
SUFFIXES: Final = f"{_INTERNAL}suffixes"
IDENTITY: Final = (PREVIOUS_NAMES, PREVIOUS_NAMESPACES, PREVIOUS_KINDS, PREFIXES, SUFFIXES)
# A key of a rehearsed SealedSecret that stands for keys which only a read tells.
OPEN_KEYS: Final = "krmfn-keys-known-by-a-read-"
SKIP_MARKER: Final = "krmfn-was-skipped-add---enable-exec"

Object = dict[str, Any]


def label_for(scope: str, namespace: str, name: str) -> str:
    """The OAEP label: ``namespace/name``, ``namespace``, or empty (``EncryptionLabel``)."""
    return {"strict": f"{namespace}/{name}", "namespace-wide": namespace, "cluster-wide": ""}[scope]


def sealed_for(scope: str, namespace: str, name: str) -> str:
    """Return where a SealedSecret opens: ``namespace/name``, ``namespace/*`` or ``*/*``."""
    return {
        "strict": f"{namespace}/{name}",
        "namespace-wide": f"{namespace}/*",
        "cluster-wide": "*/*",
    }[scope]


def scope_of(annotations: dict[str, Any]) -> str:
    """Return the scope in a SealedSecret's annotations; cluster-wide wins (``SecretScope``)."""
    for scope in ("cluster-wide", "namespace-wide"):
        if annotations.get(SCOPE_ANNOTATIONS[scope]) == "true":
            return scope
    return "strict"


def said_and_final(sealed: Object) -> tuple[str, str] | None:
    """Return a foreign SealedSecret's recorded place and its final place.

    kubeseal writes name and namespace into the template, where kustomize does not change them. A
    template without both, or an object without a namespace as yet, says too little.

    Returns:
        Two texts as of `sealed_for` that differ; None where they agree, krmfn made it, or nothing is
        said.
    """
    metadata = _mapping(sealed.get("metadata"))
    annotations = _mapping(metadata.get("annotations"))
    if SEALED_FOR in annotations:
        return None
    spec = _mapping(sealed.get("spec"))
    said = _mapping(_mapping(spec.get("template")).get("metadata"))
    was, now = (
        [str(one.get(field) or "") for field in ("namespace", "name")] for one in (said, metadata)
    )
    if not all((*was, *now)):
        return None
    scope = scope_of(annotations)
    before, final = sealed_for(scope, *was), sealed_for(scope, *now)
    return None if before == final else (before, final)


def sealed_secret(
    *,
    name: str,
    namespace: str,
    scope: str,
    items: dict[str, bytes],
    fingerprint: str,
    labels: dict[str, str],
    annotations: dict[str, str],
    template_labels: dict[str, str],
    template_annotations: dict[str, str],
    type: str | None,  # noqa: A002  # the field's name
    immutable: bool | None,
) -> Object:
    """The object, its maps in key order.

    Args:
        items: data key to sealed bytes.
        labels, annotations: of the SealedSecret itself.
        template_labels, template_annotations, type, immutable: of the Secret it becomes.
    """
    scoped = {SCOPE_ANNOTATIONS[scope]: "true"} if scope in SCOPE_ANNOTATIONS else {}
    own = {
        **annotations,
        **scoped,
        SEALED_FOR: sealed_for(scope, namespace, name),
        CERTIFICATE: fingerprint,
    }
    place = {"name": name} | ({"namespace": namespace} if namespace else {})
    template: Object = {
        "metadata": _metadata(place, template_labels, {**template_annotations, **scoped})
    }
    if immutable is not None:
        template["immutable"] = immutable
    if type is not None:
        template["type"] = type
    encrypted = {key: base64.b64encode(items[key]).decode() for key in sorted(items)}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": _metadata(place, labels, own),
        "spec": {"encryptedData": encrypted, "template": dict(sorted(template.items()))},
    }


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def name_companion(sealed: Object) -> Object:
    """Return a Secret without data that carries kustomize's name references, and is then dropped.

    kustomize renames references to a Secret under ``namePrefix`` and friends, and does not know
    SealedSecrets. Only for kustomize: `kubectl apply` would create it.
    """
    metadata = sealed["metadata"]
    place = {k: v for k, v in metadata.items() if k in ("name", "namespace")}
    # An overlay's SealedSecret that replaces its base's needs a companion that does the same.
    kept = {k: v for k, v in metadata["annotations"].items() if k == BEHAVIOR}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"annotations": {LOCAL_CONFIG: "true", **kept}, **place},
    }


def claim_companion(
    sealed: Object, history: dict[str, str], base_name: str = "", *, bare: bool = False
) -> Object:
    """Return a name companion with every name that the claim has had.

    Args:
        bare: it names no namespace, as what refers to it: kustomize follows a reference inside one
            namespace only, and takes the one that nobody names for one of its own.
        history: kustomize's own annotations of the claim (``previousNames`` and friends): names,
            namespaces and kinds before each change, and the prefixes and suffixes added.
        base_name: the name before krmfn has added a hash.
    """
    companion = name_companion(sealed)
    metadata = companion["metadata"]
    if bare:
        metadata.pop("namespace", None)
    names = [*_split(history.get(PREVIOUS_NAMES)), base_name or metadata["name"]]
    spaces = [*_split(history.get(PREVIOUS_NAMESPACES)), metadata.get("namespace") or "default"]
    metadata["annotations"] |= {k: v for k, v in history.items() if k in (PREFIXES, SUFFIXES)} | {
        PREVIOUS_NAMES: ",".join(names),
        PREVIOUS_NAMESPACES: ",".join(spaces),
        PREVIOUS_KINDS: ",".join(["Secret"] * len(names)),
    }
    return companion


def _split(value: str | None) -> list[str]:
    return value.split(",") if value else []


def skip_marker() -> Object:
    """Return the ConfigMap whose deletion by the kustomization fails if krmfn was skipped."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"annotations": {LOCAL_CONFIG: "true"}, "name": SKIP_MARKER},
        # For a patch of every ConfigMap, which adds to what is there.
        "data": {"krmfn": "skipped"},
    }


def _metadata(place: Object, labels: dict[str, str], annotations: dict[str, str]) -> Object:
    result: Object = {}
    if annotations:
        result["annotations"] = dict(sorted(annotations.items()))
    if labels:
        result["labels"] = dict(sorted(labels.items()))
    return result | place
