"""Logging in to a vault: hvac knows the endpoints, `vault_http` the policy.

hvac is imported when a login method is used, and given an adapter that sends over our wire; so its
own sessions, retries, redirects and implicit token files never come into play. A wrapped credential
is unwrapped once and never again; what the server says of a refused login is recognised and told in
our words, never quoted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
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
    NoneAuth,
    TokenAuth,
    UserPassAuth,
)
from krmfn.stores.credential import read_credential
from krmfn.stores.vault.login_causes import login_refused

if TYPE_CHECKING:
    from krmfn.spec.stores import Auth
    from krmfn.stores.access import Access
    from krmfn.stores.vault.http import Api, VaultAnswer

TOKEN_VARIABLES = ("VAULT_TOKEN", "BAO_TOKEN")


@dataclass(frozen=True)
class Login:
    """A run's token for the vault.

    Attributes:
        token: None where a proxy adds it.
        revoke: the run is its only holder, and gives it back in the end.
        made: when this run logged in, on the monotonic clock; None when it did not.
    """

    token: Plaintext | None
    revoke: bool = False
    made: float | None = None


def ambient_token(access: Access, source: str) -> Plaintext:
    """Return the token in ``VAULT_TOKEN`` or ``BAO_TOKEN``; never read an unnamed file.

    Raises:
        ProviderError: neither is set, or both differ.
    """
    found = {v.strip() for name in TOKEN_VARIABLES if (v := access.environ.get(name, "")).strip()}
    if len(found) != 1:
        raise ProviderError(
            "credential-missing",
            "VAULT_TOKEN and BAO_TOKEN differ" if found else "there is no token",
            source=source,
            remedy="export VAULT_TOKEN, or write auth in the store; where an agent or a proxy on this "
            "machine adds the token, write auth: {none: {}}",
        )
    return Plaintext(found.pop().encode())


def log_in(auth: Auth | None, api: Api, access: Access, *, source: str, namespace: str) -> Login:
    """Log in as configured, and return the token.

    Args:
        namespace: to log in to.

    Raises:
        ProviderError: a credential is absent, or the vault refuses it.
    """
    if isinstance(auth, NoneAuth):
        return Login(None)
    if auth is None:
        return Login(_usable(ambient_token(access, source), source))
    if isinstance(auth, TokenAuth):
        token = _usable(read_credential(auth.token_ref, access, what="tokenRef"), source)
        if not auth.wrapped:
            return Login(token)
        inner = _unwrapped(token, api, source, namespace).body.get("auth")
    else:
        try:
            inner = _call(auth, api, access, source, namespace).get("auth")
        except ProviderError as error:
            raise error.at(source=source) from None
    made = time.monotonic()
    found = inner.get("client_token") if isinstance(inner, dict) else None
    if not isinstance(found, str) or not found:
        raise ProviderError(
            "login-failed",
            "the login gave no token",
            source=source,
            remedy="check the auth mount; a second factor cannot be given",
        )
    # A batch token cannot be revoked: it is short-lived by design.
    batch = isinstance(inner, dict) and inner.get("token_type") == "batch"
    return Login(_usable(Plaintext(found.encode()), source), not batch, made)


def _unwrapped(token: Plaintext, api: Api, source: str, namespace: str) -> VaultAnswer:
    """Unwrap a wrapping token, which consumes it.

    Raises:
        ProviderError: ``login-failed``, nothing is.
    """
    try:
        answer = api.request(
            "POST", "sys/wrapping/unwrap", token=token, namespace=namespace, body={}, tries=1
        )
    except ProviderError as error:
        error.remedy += "; the wrapped credential may be used up now"
        raise
    if answer.status != HTTPStatus.OK:
        raise ProviderError(
            "login-failed",
            "the vault does not unwrap the credential: it was unwrapped before, has expired, or is "
            "not a wrapping token",
            source=source,
            remedy="make a new one for each run; if no one of your team has unwrapped it, revoke what "
            "it held",
        )
    return answer


def _usable(token: Plaintext, source: str) -> Plaintext:
    """Return the token; refuse characters that a header cannot carry, as HTTP errors quote them."""
    if not all(0x21 <= byte <= 0x7E for byte in token.reveal()):  # noqa: PLR2004  # visible ASCII
        raise ProviderError(
            "credential-missing",
            "what the variable or file holds is not a token",
            source=source,
            expected="one line of visible characters",
        )
    return token


def _call(
    auth: Auth, api: Api, access: Access, source: str, namespace: str
) -> dict[str, Any]:  # a table
    """hvac's login for the method. Nothing of hvac's own gets out: the adapter raises ours."""
    client = _client(api, source, namespace)

    def secret(ref: Any, what: str) -> str:
        return read_credential(ref, access, what=what).reveal().decode("utf-8", "replace")

    answer: Any = None
    match auth:
        case AppRoleAuth(app_role=a):
            role = a.role_id or (secret(a.role_ref, "roleRef") if a.role_ref else "")
            secret_id = secret(a.secret_ref, "secretRef") if a.secret_ref else None
            mount = _mount(a.path)
            if a.wrapped and secret_id is not None:
                secret_id = _secret_id(secret_id, api, source, namespace)
            answer = client.auth.approle.login(role, secret_id, use_token=False, mount_point=mount)
        case KubernetesAuth(kubernetes=k):
            jwt, mount = secret(k.secret_ref, "secretRef"), _mount(k.mount_path)
            answer = client.auth.kubernetes.login(k.role, jwt, use_token=False, mount_point=mount)
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
            files = [str(access.place.base / one.file) for one in (c.client_cert, c.secret_ref)]
            answer = client.auth.cert.login(
                name=c.vault_role or "",
                cert_pem=files[0],
                key_pem=files[1],
                use_token=False,
                mount_point=_mount(c.path),
            )
    return answer if isinstance(answer, dict) else {}


def _mount(path: str) -> str:
    return canonical_path(path, key="auth path")


def auth_mount(auth: Auth | None) -> None:
    """Refuse the path of an auth mount, or a user's name, that is not canonical.

    Raises:
        SpecError: ``path``, it is not.
    """
    match auth:
        case AppRoleAuth(app_role=one) | JwtAuth(jwt=one) | CertAuth(cert=one):
            _mount(one.path)
        case KubernetesAuth(kubernetes=one):
            _mount(one.mount_path)
        case UserPassAuth(user_pass=one) | LdapAuth(ldap=one):
            _mount(one.path)
            canonical_path(one.username, key="username")


def _secret_id(wrapped: str, api: Api, source: str, namespace: str) -> str:
    """The SecretID inside a wrapping token."""
    token = _usable(Plaintext(wrapped.encode()), source)
    found = _unwrapped(token, api, source, namespace).data().get("secret_id")
    if not isinstance(found, str) or not found:
        raise ProviderError(
            "login-failed",
            "the unwrapped text is not a SecretID",
            source=source,
            remedy="wrap the answer of auth/approle/role/NAME/secret-id",
        )
    return found


def _client(api: Api, source: str, namespace: str) -> Any:
    """Return an hvac client that sends every request over krmfn's wire."""
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
            """Send hvac's request; ignore its transport options."""
            del headers
            answer = api.request(
                method.upper(),
                url.removeprefix("/v1/"),
                namespace=namespace,
                body=options.get("json"),
            )
            if answer.status == HTTPStatus.OK:
                return answer.body
            raise login_refused(answer, source, namespace)

    return hvac.Client(url="http://localhost", token="", adapter=Adapter)
