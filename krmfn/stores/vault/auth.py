"""Logging in to a vault: hvac knows the endpoints, `vault_http` the policy.

hvac is imported when a login method is used, and given an adapter that sends over our wire; so its
own sessions, retries, redirects and implicit token files never come into play.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from krmfn.errors import ProviderError
from krmfn.plaintext import Plaintext
from krmfn.spec.store_path import canonical_path
from krmfn.spec.stores import (
    AppRoleAuth,
    CertAuth,
    JwtAuth,
    KubernetesAuth,
    LdapAuth,
    TokenAuth,
    UserPassAuth,
)
from krmfn.stores.credential import read_credential

if TYPE_CHECKING:
    from krmfn.spec.stores import Auth
    from krmfn.stores.store import Surroundings
    from krmfn.stores.vault.http import Answer, Wire

OK, DENIED = 200, frozenset({400, 401, 403})
TOKEN_VARIABLES = ("VAULT_TOKEN", "BAO_TOKEN")


def ambient_token(around: Surroundings, source: str) -> Plaintext:
    """The token in ``VAULT_TOKEN`` or ``BAO_TOKEN``; never a file that nobody named.

    Raises:
        ProviderError: neither is set, or both differ.
    """
    found = {v.strip() for name in TOKEN_VARIABLES if (v := around.environ.get(name, "")).strip()}
    if len(found) != 1:
        raise ProviderError(
            "credential-missing",
            "VAULT_TOKEN and BAO_TOKEN differ" if found else "there is no token",
            source=source,
            remedy="export VAULT_TOKEN, or write auth in the store",
        )
    return Plaintext(found.pop().encode())


def log_in(
    auth: Auth | None, wire: Wire, around: Surroundings, *, source: str, namespace: str
) -> tuple[Plaintext, bool]:
    """A token, and whether it was made now and is to be revoked.

    Args:
        namespace: to log in to.

    Raises:
        ProviderError: a credential is absent, or the vault refuses it.
    """
    if auth is None:
        return _usable(ambient_token(around, source), source), False
    if isinstance(auth, TokenAuth):
        return _usable(read_credential(auth.token_ref, around, what="tokenRef"), source), False
    token = _client_token(auth, wire, around, source, namespace)
    return _usable(Plaintext(token.encode()), source), True


def _usable(token: Plaintext, source: str) -> Plaintext:
    """The token itself, if a header can hold it: another would be quoted by the HTTP library."""
    if not all(0x21 <= byte <= 0x7E for byte in token.reveal()):  # noqa: PLR2004  # visible ASCII
        raise ProviderError(
            "credential-missing",
            "what the variable or file holds is not a token",
            source=source,
            expected="one line of visible characters",
        )
    return token


def _client_token(auth: Auth, wire: Wire, around: Surroundings, source: str, namespace: str) -> str:
    client = _client(wire, source, namespace)
    try:
        answer = _call(auth, client, around)
    except ProviderError as error:
        raise error.at(source=source) from None
    found = answer.get("auth")
    token = found.get("client_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token:
        raise ProviderError(
            "login-failed",
            "the login gave no token",
            source=source,
            remedy="check the auth mount; a second factor cannot be given",
        )
    return token


def _call(auth: Auth, client: Any, around: Surroundings) -> dict[str, Any]:  # a table
    """hvac's login for the method. Nothing of hvac's own gets out: the adapter raises ours."""

    def secret(ref: Any, what: str) -> str:
        return read_credential(ref, around, what=what).reveal().decode("utf-8", "replace")

    answer: Any = None
    match auth:
        case AppRoleAuth(app_role=a):
            role = a.role_id or (secret(a.role_ref, "roleRef") if a.role_ref else "")
            answer = client.auth.approle.login(
                role, secret(a.secret_ref, "secretRef"), use_token=False, mount_point=_mount(a.path)
            )
        case KubernetesAuth(kubernetes=k):
            answer = client.auth.kubernetes.login(
                k.role,
                secret(k.secret_ref, "secretRef"),
                use_token=False,
                mount_point=_mount(k.mount_path),
            )
        case JwtAuth(jwt=j):
            answer = client.auth.jwt.jwt_login(
                j.role, secret(j.secret_ref, "secretRef"), use_token=False, path=_mount(j.path)
            )
        case UserPassAuth(user_pass=u):
            answer = client.auth.userpass.login(
                canonical_path(u.username, key="username"),
                secret(u.secret_ref, "secretRef"),
                use_token=False,
                mount_point=_mount(u.path),
            )
        case LdapAuth(ldap=d):
            answer = client.auth.ldap.login(
                canonical_path(d.username, key="username"),
                secret(d.secret_ref, "secretRef"),
                use_token=False,
                mount_point=_mount(d.path),
            )
        case CertAuth(cert=c):
            # hvac wants to see the files; it is our wire that shows the certificate.
            answer = client.auth.cert.login(
                name=c.vault_role or "",
                cert_pem=str(around.base / c.client_cert.file),
                key_pem=str(around.base / c.secret_ref.file),
                use_token=False,
                mount_point=_mount(c.path),
            )
    return answer if isinstance(answer, dict) else {}


def _mount(path: str) -> str:
    return canonical_path(path, key="auth path")


def _client(wire: Wire, source: str, namespace: str) -> Any:
    """An hvac client whose every request goes over our wire."""
    try:
        import hvac.adapters  # lazy: 86 ms
    except ModuleNotFoundError as error:
        raise ProviderError(
            "extra-missing",
            f"the login needs {error.name}",
            source=source,
            remedy="pip install 'krmfn[vault]'",
        ) from None

    class Adapter(hvac.adapters.JSONAdapter):  # type: ignore[misc]  # hvac is not typed
        """Only logins come here, and they need no token."""

        def request(
            self, method: str, url: str, headers: Any = None, **options: Any
        ) -> dict[str, Any]:
            """Send what hvac has made; ignore its transport options."""
            del headers
            answer = wire.request(
                method.upper(),
                url.removeprefix("/v1/"),
                namespace=namespace,
                body=options.get("json"),
            )
            return _checked(answer, source)

    return hvac.Client(url="http://localhost", token="", adapter=Adapter)


def _checked(answer: Answer, source: str) -> dict[str, Any]:
    if answer.status == OK:
        return answer.body
    if answer.status in DENIED:
        message, remedy = "the vault refuses the credential", "check role, secret and auth mount"
    else:
        message, remedy = f"the login endpoint answers {answer.status}", "check the auth mount"
    raise ProviderError("login-failed", message, source=source, remedy=remedy)
