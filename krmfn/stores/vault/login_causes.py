"""Recognise why a vault refuses a login, from its message. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.errors import ProviderError

if TYPE_CHECKING:
    from krmfn.stores.vault.http import VaultAnswer

DENIED = frozenset({400, 401, 403})
# (all of these words are in the answer's errors, message, remedy); the first that fits is taken.
_CAUSES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("namespace not found",),
        "the vault has no such namespace to log in to",
        "correct authNamespace, namespace or VAULT_NAMESPACE",
    ),
    (
        ("no handler for route",),
        "there is no such auth mount",
        "correct the auth method's path, or the namespace to log in to (authNamespace)",
    ),
    (
        ("missing secret_id",),
        "the AppRole wants a SecretID",
        "write secretRef, or set bind_secret_id=false on the role",
    ),
    (
        ("invalid role or secret id",),
        "the RoleID or the SecretID is wrong, expired or used up",
        "make a new SecretID, and check roleId",
    ),
    (
        ("invalid secret id",),
        "the SecretID is wrong, expired or used up",
        "make a new SecretID",
    ),
    (("invalid role id",), "the RoleID is wrong", "check roleId"),
    (("invalid role_id",), "the RoleID is wrong", "check roleId"),
    (
        ("invalid username or password",),
        "the user name or the password is wrong",
        "check username and secretRef",
    ),
    (
        ("ldap operation failed",),
        "the directory refuses the user name or the password, or cannot be asked",
        "check username and secretRef, then the ldap mount's configuration",
    ),
    (
        ("could not load configuration",),
        "the auth mount is not configured",
        "write its config in the vault",
    ),
    (
        ("service account name not authorized",),
        "the role is not for this service account",
        "add it to the role's bound_service_account_names",
    ),
    (
        ("namespace not authorized",),
        "the role is not for this Kubernetes namespace",
        "add it to the role's bound_service_account_namespaces",
    ),
    (("invalid role name",), "there is no such role", "check role and the auth mount's path"),
    (
        ("role", "could not be found"),
        "there is no such role",
        "check role and the auth mount's path",
    ),
    (
        ("invalid audience",),
        "the JWT is for another audience (aud)",
        "ask for a token of the audience that the role has in bound_audiences",
    ),
    (
        ("audience claim",),
        "the JWT is for another audience (aud), or the role names none",
        "set bound_audiences of the role, and ask for a token of that audience",
    ),
    (
        ("token is expired",),
        "the JWT has expired",
        "get a new one, and check this machine's clock and the vault's",
    ),
    (
        ("expired",),
        "the credential has expired",
        "get a new one, and check this machine's clock and the vault's",
    ),
    (
        ("not valid yet",),
        "the JWT is not valid yet",
        "check this machine's clock and the vault's",
    ),
    (
        ("claim", "does not match"),
        "a claim of the JWT is not what the role is bound to",
        "compare the role's bound_claims and bound_subject with the token's claims",
    ),
    (
        ("signature",),
        "the JWT's signature is not of a key that the auth mount knows",
        "check the mount's jwks_url, oidc_discovery_url or jwt_validation_pubkeys",
    ),
    (
        ("signing keys",),
        "the vault cannot get the keys that sign the JWT",
        "check the mount's jwks_url or oidc_discovery_url, as the vault reaches it",
    ),
    (
        ("source address", "unauthorized"),
        "the role does not allow logins from this address",
        "add it to the role's secret_id_bound_cidrs or token_bound_cidrs",
    ),
    (
        ("invalid certificate",),
        "the client certificate is not one that the auth mount knows",
        "check clientCert, and the mount's certs",
    ),
    (
        ("failed to match all constraints",),
        "the client certificate does not fit the role",
        "check vaultRole, and the allowed names of the mount's cert",
    ),
    (
        ("client certificate must be supplied",),
        "no client certificate arrived at the vault",
        "something before the vault ends TLS: reach it directly",
    ),
)


def login_refused(answer: VaultAnswer, source: str, namespace: str) -> ProviderError:
    """Return the error for a login without a token in the answer.

    Args:
        namespace: that was logged in to.
    """
    errors = answer.errors()
    where = f" in namespace {namespace}" if namespace else ""
    for words, message, remedy in _CAUSES:
        if all(word in errors for word in words):
            return ProviderError("login-failed", message + where, source=source, remedy=remedy)
    if answer.status in DENIED:
        message = (
            "the vault refuses the credential, or has no such auth mount, and does not say which"
        )
        remedy = "check role and secret, the auth mount's path and the namespace"
    else:
        message, remedy = f"the login endpoint answers {answer.status}", "check the auth mount"
    return ProviderError("login-failed", message + where, source=source, remedy=remedy)
