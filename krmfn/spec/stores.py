"""Where values are read: SecretStores and the references into them.

Names follow External Secrets; what differs, and why, is in docs/adr/0004-store-fields.md.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from krmfn.spec.base import Namespace, Sha256, Text, one_of
from krmfn.spec.declare import Field, StringConstraints, Tag, model_validator, spec_error
from krmfn.spec.model import Model

StoreId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{1,63}$")]
StoreName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][-._a-zA-Z0-9]*$")]


class EnvCredential(Model):
    """A credential held by an environment variable."""

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """The variable's name."""


class FileCredential(Model):
    """A credential held by a file."""

    file: Text
    """The file's path: absolute, or relative to the configuration."""


Credential: TypeAlias = Annotated[
    Annotated[EnvCredential, Tag("<env>")] | Annotated[FileCredential, Tag("<file>")],
    one_of("env", "file"),
]


class AppRole(Model):
    """AppRole login: exactly one of `roleId` and `roleRef`."""

    path: Text = "approle"
    role_id: Text | None = None
    role_ref: Credential | None = None
    secret_ref: Credential | None = None
    """The SecretID. Left out: the role wants none (`bind_secret_id=false`)."""
    wrapped: bool = False
    """`secretRef` contains a wrapping token, which is unwrapped once and works for one run."""

    @model_validator(mode="after")
    def _one_role(self) -> AppRole:
        if (self.role_id is None) == (self.role_ref is None):
            raise spec_error("exactly one of roleId, roleRef: required")
        if self.wrapped and self.secret_ref is None:
            raise spec_error("secretRef: required, it is what is wrapped")
        return self


class Kubernetes(Model):
    """Login with a Kubernetes service account's token."""

    mount_path: Text = "kubernetes"
    role: Text
    secret_ref: Credential = FileCredential.model_construct(
        file="/var/run/secrets/kubernetes.io/serviceaccount/token"
    )


class Jwt(Model):
    """Login with a JWT, such as the OIDC token of a CI job."""

    path: Text = "jwt"
    role: Text
    secret_ref: Credential


class UserPass(Model):
    """Login with a user name and a password kept by the vault."""

    path: Text = "userpass"
    username: Text
    secret_ref: Credential


class Ldap(Model):
    """Login with a directory's user name and password."""

    path: Text = "ldap"
    username: Text
    secret_ref: Credential


class CertLogin(Model):
    """Login with a TLS client certificate."""

    path: Text = "cert"
    vault_role: Text | None = None
    client_cert: FileCredential
    secret_ref: FileCredential
    """The certificate's private key."""


class TokenAuth(Model):
    """A token from elsewhere; it is used and not revoked."""

    token_ref: Credential
    wrapped: bool = False
    """`tokenRef` holds a wrapping token, which is unwrapped once; the token inside is revoked in the
    end, since no one else has it."""


class Nothing(Model):
    """No settings."""


class NoneAuth(Model):
    """No token is sent: an agent or a proxy on this machine adds its own."""

    none: Nothing


class AppRoleAuth(Model):
    """Shape `appRole`."""

    app_role: AppRole


class KubernetesAuth(Model):
    """Shape `kubernetes`."""

    kubernetes: Kubernetes


class JwtAuth(Model):
    """Shape `jwt`."""

    jwt: Jwt


class UserPassAuth(Model):
    """Shape `userPass`."""

    user_pass: UserPass


class LdapAuth(Model):
    """Shape `ldap`."""

    ldap: Ldap


class CertAuth(Model):
    """Shape `cert`."""

    cert: CertLogin


Auth: TypeAlias = Annotated[
    Annotated[TokenAuth, Tag("<tokenRef>")]
    | Annotated[AppRoleAuth, Tag("<appRole>")]
    | Annotated[KubernetesAuth, Tag("<kubernetes>")]
    | Annotated[JwtAuth, Tag("<jwt>")]
    | Annotated[UserPassAuth, Tag("<userPass>")]
    | Annotated[LdapAuth, Tag("<ldap>")]
    | Annotated[CertAuth, Tag("<cert>")]
    | Annotated[NoneAuth, Tag("<none>")],
    one_of("tokenRef", "appRole", "kubernetes", "jwt", "userPass", "ldap", "cert", "none"),
]


class ClientTls(Model):
    """A client certificate shown to the server on every connection."""

    cert_ref: FileCredential
    key_ref: FileCredential


class Vault(Model):
    """HashiCorp Vault or OpenBao, KV version 1 or 2."""

    is_platforms: ClassVar[bool] = False

    server: Text | None = None
    """Base URL. Left out: `VAULT_ADDR` or `BAO_ADDR`."""
    path: Text
    """The mount of the KV engine."""
    version: Literal["v1", "v2"] | None = None
    """Only for a mount whose type the token may not request."""
    namespace: Text | None = None
    """The namespace that `path` begins in. Left out: `VAULT_NAMESPACE` or `BAO_NAMESPACE`."""
    id: StoreId | None = None
    """Names the vault in the derivation. Left out: its canonical origin."""
    ca_bundle: Text | None = None
    """PEM certificates, base64 once more, as in External Secrets."""
    ca_file: Text | None = None
    """A file of PEM certificates: absolute, or relative to the configuration and in the repository.
    Left out, with `caBundle`: `VAULT_CACERT` or `VAULT_CAPATH`, else the system's."""
    tls: ClientTls | None = None
    """Left out: `VAULT_CLIENT_CERT` and `VAULT_CLIENT_KEY`, if they are set."""
    auth: Auth | None = None
    """Left out: the token in `VAULT_TOKEN` or `BAO_TOKEN`."""
    auth_namespace: Text | None = None
    """The namespace for the login, if it differs from the one for reads."""

    @model_validator(mode="after")
    def _one_ca(self) -> Vault:
        if self.ca_bundle is not None and self.ca_file is not None:
            raise spec_error("at most one of caBundle, caFile")
        return self


class Age(Model):
    """An age-encrypted YAML file in the repository."""

    file: Text
    """The encrypted file, relative to the configuration."""
    identity_ref: Credential = EnvCredential.model_construct(env="KRMFN_AGE_IDENTITY")
    """The age identity that opens it."""


class VaultStore(Model):
    """Shape `vault`."""

    vault: Vault


class AgeStore(Model):
    """Shape `age`."""

    age: Age


class PlatformStore(Model):
    """A store that the platform's configuration defines under the same name."""

    platform: Literal[True]


Store: TypeAlias = Annotated[
    Annotated[VaultStore, Tag("<vault>")]
    | Annotated[AgeStore, Tag("<age>")]
    | Annotated[PlatformStore, Tag("<platform>")],
    one_of("vault", "age", "platform"),
]


class RemoteRef(Model):
    """One value in a store."""

    key: Text
    """The secret's path below the mount."""
    property: Text | None = None
    """The field, walking nested JSON with dots; `\\.` is a literal dot."""
    version: Annotated[int, Field(ge=1)] | None = None
    """A KV version 2 version; left out: the newest."""
    as_: Literal["json"] | None = Field(default=None, alias="as")
    """`json` seals an object or a list as compact JSON."""
    decoding_strategy: Literal["None", "Base64", "Base64URL"] = "None"


class ExtractRef(Model):
    """A whole secret: every field becomes a key."""

    key: Text
    property: Text | None = None
    """Extract an object nested in the secret instead of the whole."""
    version: Annotated[int, Field(ge=1)] | None = None
    decoding_strategy: Literal["None", "Base64", "Base64URL"] = "None"


class FromRef(Model):
    """The secret that `keys` are fields of."""

    key: Text
    """The secret's path below the mount."""
    version: Annotated[int, Field(ge=1)] | None = None
    """A KV version 2 version; left out: the newest."""
    decoding_strategy: Literal["None", "Base64", "Base64URL"] = "None"


class StoreProperty(Model):
    """A field of a secret that configures the sealing itself: a key or a certificate."""

    store: StoreName
    key: Text
    property: Text
    version: Annotated[int, Field(ge=1)] | None = None


class BoundTo(Model):
    """What an age store may be used for."""

    namespaces: Annotated[tuple[Namespace, ...], Field(strict=False)] | None = None
    recipients: Annotated[tuple[Sha256, ...], Field(strict=False)] | None = None
    """SHA-256 of the certificates' public keys, as `krmfn.dev/certificate` says them."""


class AgeDocument(Model):
    """The plaintext's frame of an age store: all of it but the values."""

    store_id: StoreId
    bound_to: BoundTo
    encrypted_to: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
    """The age recipients to encrypt to when the file is written again."""
