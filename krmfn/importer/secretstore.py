"""SecretStore and ClusterSecretStore of External Secrets: the Vault provider. Pure.

Rules enforced here: fields map as docs/adr/0004-store-fields.md says. krmfn runs where there is no
cluster, so a credential in a Secret becomes the file that the Secret is when it is mounted at
`MOUNTED`; a note names each one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.importer.entry import present

if TYPE_CHECKING:
    from krmfn.importer.entry import Imported, Wire
    from krmfn.importer.source import Path, Source

KINDS = ("SecretStore", "ClusterSecretStore")
MOUNTED = "/run/secrets"
POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105  # a path
_VAULT = ("spec", "provider", "vault")
# Those that change nothing of what is read.
_OPERATIONAL = frozenset({"readYourWrites", "forwardInconsistent", "checkAndSet"})
_FIELDS = frozenset({"server", "path", "version", "namespace", "caBundle", "tls", "auth"})
_SPEC_REASONS = {
    "conditions": "who may use a store is the builder's business: give the overlay its own role",
}
_VAULT_REASONS = {"caProvider": "write caBundle here, or caFile in krmfn's store afterwards"}
_METHODS = ("tokenSecretRef", "appRole", "kubernetes", "jwt", "userPass", "ldap", "cert")
_AUTH_REASONS = {
    "iam": "log in with jwt or kubernetes",
    "gcp": "log in with jwt or kubernetes",
}


def store(source: Source, imported: Imported) -> Wire:
    """Return the object's store in wire form; refuse fields without an equivalent."""
    source.only((), {"apiVersion", "kind", "metadata", "spec", "status"})
    # Retries and refreshing are a controller's.
    operator = {"provider", "controller", "retrySettings", "refreshInterval"}
    source.only(("spec",), operator, _SPEC_REASONS)
    source.only(("spec", "provider"), {"vault"})
    source.only(_VAULT, _FIELDS | _OPERATIONAL, _VAULT_REASONS)
    if not source.mapping(("spec", "provider")):
        source.wrong(("spec", "provider"), "required")
    path = source.text((*_VAULT, "path"))
    if not path and source.mapping(_VAULT):
        source.refuse(
            _VAULT,
            "there is no path, and each key begins with its own mount",
            "write the mount as path",
        )
    vault = present(
        server=source.text((*_VAULT, "server")),
        path=path.strip("/"),
        version=source.text((*_VAULT, "version")),
        namespace=source.text((*_VAULT, "namespace")),
        caBundle=source.text((*_VAULT, "caBundle")),
        tls=_tls(source, imported),
        auth=_auth(source, imported),
        authNamespace=source.text((*_VAULT, "auth", "namespace")),
    )
    return {"vault": vault}


def _tls(source: Source, imported: Imported) -> Wire:
    at = (*_VAULT, "tls")
    source.only(at, {"certSecretRef", "keySecretRef"})
    if not source.mapping(at):
        return {}
    return {
        "certRef": _file(source, (*at, "certSecretRef"), "tls.crt", imported),
        "keyRef": _file(source, (*at, "keySecretRef"), "tls.key", imported),
    }


def _auth(source: Source, imported: Imported) -> Wire:
    at = (*_VAULT, "auth")
    source.only(at, {"namespace", *_METHODS}, _AUTH_REASONS)
    found = [name for name in _METHODS if source.find((*at, name)) is not None]
    if len(found) > 1:
        source.wrong((*at, found[1]), "there is more than one way to log in")
    if not found:
        return {}
    method, place = found[0], (*at, found[0])

    def secret(field: str, default: str) -> Wire:
        return _file(source, (*place, field), default, imported)

    match method:
        case "tokenSecretRef":
            return {"tokenRef": _file(source, place, "token", imported)}
        case "appRole":
            source.only(place, {"path", "roleId", "roleRef", "secretRef"})
            given = source.find((*place, "roleRef")) is not None
            role = secret("roleRef", "role-id") if given else None
            fields = {"roleId": source.text((*place, "roleId")), "roleRef": role}
            return _login(
                source, method, place, **fields, secretRef=secret("secretRef", "secret-id")
            )
        case "kubernetes":
            return _kubernetes(source, place, imported)
        case "jwt":
            source.only(place, {"path", "role", "secretRef", "kubernetesServiceAccountToken"})
            by_account = source.find((*place, "kubernetesServiceAccountToken")) is not None
            token = _pod_token(source, imported) if by_account else secret("secretRef", "jwt")
            return _login(
                source, method, place, role=source.text((*place, "role")), secretRef=token
            )
        case "cert":
            source.only(place, {"path", "vaultRole", "clientCert", "secretRef"})
            return _login(
                source,
                method,
                place,
                vaultRole=source.text((*place, "vaultRole")),
                clientCert=secret("clientCert", "tls.crt"),
                secretRef=secret("secretRef", "tls.key"),
            )
    source.only(place, {"path", "username", "secretRef"})  # userPass, ldap
    user = source.text((*place, "username"))
    return _login(source, method, place, username=user, secretRef=secret("secretRef", "password"))


def _login(source: Source, method: str, place: Path, **fields: object) -> Wire:
    return {method: present(path=source.text((*place, "path")), **fields)}


def _kubernetes(source: Source, place: Path, imported: Imported) -> Wire:
    source.only(place, {"mountPath", "role", "serviceAccountRef", "secretRef"})
    token: Wire | None = None
    if source.find((*place, "secretRef")) is not None:
        token = _file(source, (*place, "secretRef"), "token", imported)
    else:
        _pod_token(source, imported)  # the default
    mount, role = (source.text((*place, field)) for field in ("mountPath", "role"))
    return {"kubernetes": present(mountPath=mount, role=role, secretRef=token)}


def _pod_token(source: Source, imported: Imported) -> Wire:
    """Use the pod's token file, because a build requests no token from a cluster."""
    imported.note(f"{source.kind}/{source.name}: logs in with the pod's own token, {POD_TOKEN}")
    return {"file": POD_TOKEN}


def _file(source: Source, at: Path, default_key: str, imported: Imported) -> Wire:
    """Return the file of a key in a mounted Secret."""
    source.only(at, {"name", "key", "namespace"})
    name, key = source.text((*at, "name")), source.text((*at, "key"), default_key)
    if not name:
        source.wrong((*at, "name"), "required")
    path = f"{MOUNTED}/{name}/{key}"
    imported.note(
        f"{source.kind}/{source.name}: {key} of Secret/{name} is expected as {path}; "
        "mount it there, or write {env: NAME} instead"
    )
    return {"file": path}
