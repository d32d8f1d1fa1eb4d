"""The vault store: HashiCorp Vault and OpenBao, KV version 1 and 2, and transit.

Rules enforced here: a credential is sent only to the address in ``VAULT_ADDR`` or ``BAO_ADDR``; an
answer with a lease is refused and the lease revoked; a KV 1 and a KV 2 secret have the same source.
The login is `vault_session`'s, and what is mounted where `vault_mounts`'s.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from krmfn.errors import KrmfnError, ProviderError, SpecError
from krmfn.spec.store_path import canonical_path
from krmfn.spec.stores import NoneAuth
from krmfn.stores.connection import parse_origin
from krmfn.stores.content import Location
from krmfn.stores.store import Store
from krmfn.stores.vault import health, transit, versions, write
from krmfn.stores.vault.address import ADDRESSES, choose_origin, variable
from krmfn.stores.vault.auth import auth_mount
from krmfn.stores.vault.http import ADVICE, Api, VaultAnswer
from krmfn.stores.vault.mounts import Mounts, canonical_mount, quoted, repeated_namespace
from krmfn.stores.vault.session import Session
from krmfn.stores.vault.tls import refuse_skipping, repository_ca, tls_of
from krmfn.stores.wire import Wire
from krmfn.warned import Warned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from krmfn.plaintext import Plaintext
    from krmfn.spec.stores import Vault
    from krmfn.stores.access import Access
    from krmfn.stores.connection import Origin
    from krmfn.stores.content import Json

NAMESPACES = ("VAULT_NAMESPACE", "BAO_NAMESPACE")


class VaultBackend(Store):
    """The store for ``{vault: …}``. Nothing is sent before the first request."""

    def __init__(self, name: str, spec: Vault, access: Access) -> None:
        self._name = name
        self._access = access
        refuse_skipping(access, name)
        origin = choose_origin(spec, access, name)
        _check_none(spec, origin, name)
        self._id = spec.id or f"url:{origin}"
        self._namespace, login_namespace = _names(spec, access, name)
        context, server_name = tls_of(spec, access, name, origin)
        wire = Wire(
            origin,
            access.deadline,
            source=name,
            context=context,
            server_name=server_name,
            advice=ADVICE,
        )
        self._api = Api(wire, source=name)
        self._session = Session(
            spec.auth, self._api, access, source=name, namespace=login_namespace
        )
        self._mounts = Mounts(spec, self._session, access, namespace=self._namespace, name=name)
        self._login_namespace = login_namespace

    @classmethod
    def check(cls, name: str, spec: Vault, access: Access) -> None:
        """Check address, names and CA; the environment's address only if it is set."""
        if variable(ADDRESSES, access, name):
            _check_none(spec, choose_origin(spec, access, name), name)
        elif spec.server is not None:
            _check_none(spec, parse_origin(spec.server, name=f"stores.{name}.vault.server"), name)
        _names(spec, access, name)
        repository_ca(spec, access, name)

    def locate(self, key: str) -> Location:
        """Return the location of ``key``. Ask the mount once, unless the configuration has its version."""
        path = canonical_path(key, key="remoteRef.key")
        mount = self._mounts.mount()
        path = mount.prefix + path
        return Location(
            source=("vault", self._id, mount.namespace, mount.path, path),
            text=f"{self._name}:{mount.path}/{path}",
            mount=mount.path,
            path=path,
            kv_version=mount.version,
        )

    def read(self, location: Location, version: int | None) -> dict[str, Json]:
        """Return the secret's fields; ``version`` is a KV 2 version."""
        namespace = location.source[2]
        if location.kv_version == 1:
            if version is not None:
                raise versions.no_versions(location.text)
            path = f"{quoted(location.mount)}/{quoted(location.path)}"
            answer = self._get(path, namespace)
            self._refuse_lease(answer, location, ("lease_id",))
            fields: Any = answer.body.get("data")
        else:
            path = self._data_path(location, None)
            answer = self._get(self._data_path(location, version), namespace)
            self._refuse_lease(answer, location, ("lease_id", "lease_duration"))
            fields = answer.data().get("data")
        if answer.status == HTTPStatus.NOT_FOUND:
            raise self._missing(answer, location, version)
        if answer.status != HTTPStatus.OK:
            raise self._refused(answer, location, path, "read")
        if not isinstance(fields, dict):
            raise ProviderError("protocol", "the answer holds no secret", source=location.text)
        return fields

    def newest(self, location: Location) -> int:
        """Read the secret's metadata; without permission, read the secret itself."""
        if location.kv_version == 1:
            raise versions.no_versions(location.text)
        path = f"{quoted(location.mount)}/metadata/{quoted(location.path)}"
        answer = self._get(path, location.source[2], optional=True)
        data = answer.data()
        if answer.status == HTTPStatus.FORBIDDEN:
            self._access.warnings.add(versions.unreadable(location.text, path))
            path = self._data_path(location, None)
            answer = self._get(path, location.source[2])
            self._refuse_lease(answer, location, ("lease_id", "lease_duration"))
            data = answer.data().get("metadata") or {}
        if answer.status == HTTPStatus.NOT_FOUND:
            raise self._missing(answer, location, None)
        if answer.status != HTTPStatus.OK:
            raise self._refused(answer, location, path, "read")
        return versions.newest(data, source=location.text)

    def create(self, location: Location, fields: Mapping[str, Plaintext]) -> None:
        """Write a new secret; KV version 2 alone can promise to replace none."""

        def send(body: dict[str, Any]) -> None:
            path = self._data_path(location, None)
            answer = self._send("POST", path, location.source[2], body)
            if answer.status not in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST):
                raise self._refused(answer, location, path, "create")

        write.create(send, lambda: self.read(location, None), location, fields)

    def hmac(self, mount: str, key: str, version: int, inputs: Sequence[bytes]) -> list[bytes]:
        """Return HMAC-SHA-512 under a transit key, which must have the type ``hmac``."""
        mount = canonical_path(mount, key="transit.mount")
        key = canonical_path(key, key="transit.key")
        source = f"{self._name}:{mount}/{key}"
        keys = f"{quoted(mount)}/keys/{quoted(key)}"
        found = self._get(keys, self._namespace, optional=True)
        # Who may not look at the key may still use it; its answers are checked all the same.
        if found.status == HTTPStatus.OK:
            transit.check_key(found.data(), source=source)
        elif found.status != HTTPStatus.FORBIDDEN:
            raise _refused(found, source, keys, "read")

        def call(body: dict[str, Any]) -> dict[str, Any]:
            path = f"{quoted(mount)}/hmac/{quoted(key)}/sha2-512"
            answer = self._send("POST", path, self._namespace, body)
            if answer.status == HTTPStatus.BAD_REQUEST:
                raise transit.unusable(version, source=source)
            if answer.status != HTTPStatus.OK:
                raise _refused(answer, source, path, "update")
            return answer.data()

        return transit.hmac(call, version, inputs, source=source)

    def health(self) -> health.VaultHealth:
        """Its questions go over the same wire, with the same login."""
        places = (self._namespace, self._login_namespace)
        return health.VaultHealth(self._api, self._session, *places, self._name)

    def close(self) -> None:
        """Revoke the token if this run created it, even past the deadline; never raises."""
        self._session.close()
        self._api.close()

    # --- requests

    def _send(self, method: str, path: str, namespace: str, body: Any = None) -> VaultAnswer:
        return self._session.send(method, path, namespace, body)

    def _get(self, path: str, namespace: str, *, optional: bool = False) -> VaultAnswer:
        return self._session.send("GET", path, namespace, optional=optional)

    # --- refusals

    def _refused(
        self, answer: VaultAnswer, location: Location, path: str, capability: str
    ) -> ProviderError:
        """Return the error for an answer about a secret that is neither a value nor a missing one."""
        error = _refused(answer, location.text, path, capability)
        if hint := self._hint(location):
            error.remedy = f"{hint}; else {error.remedy}" if error.remedy else hint
        return error

    def _hint(self, location: Location) -> str:
        """Return a hint about a common mistake in a key or path; empty if there is none."""
        for start in (f"{location.mount}/data/", f"{location.mount}/", "data/"):
            if location.path.startswith(start):
                return f"leave {start} out of key: the store's path says it already"
        if rest := repeated_namespace(location.mount, location.source[2]):
            return f"path begins with the namespace, which `namespace` adds: write path: {rest}"
        return ""

    def _missing(
        self, answer: VaultAnswer, location: Location, version: int | None
    ) -> ProviderError:
        """Return the error for a missing secret, by its four causes."""
        metadata = answer.data().get("metadata")
        if isinstance(metadata, dict):
            return versions.gone(metadata, source=location.text)
        if version is not None:
            newest = self._get(self._data_path(location, None), location.source[2])
            if newest.status == HTTPStatus.OK or "metadata" in newest.data():
                return ProviderError(
                    "version-missing",
                    f"there is no version {version}",
                    source=location.text,
                    remedy="correct version",
                )
        hint = f"{hint}; else " if (hint := self._hint(location)) else ""
        return ProviderError(
            "not-found",
            "nothing is stored there",
            source=location.text,
            remedy=f"{hint}write the value, or correct remoteRef.key",
        )

    def _refuse_lease(self, answer: VaultAnswer, location: Location, fields: Sequence[str]) -> None:
        """Revoke the lease of a leased answer, then raise ``leased``."""
        held = [answer.body.get(field) for field in (*fields, "wrap_info")]
        if not any(value not in (None, "", "0") for value in held):
            return
        lease = answer.body.get("lease_id")
        if isinstance(lease, str) and lease:
            self._revoke_lease(lease, location)
        raise ProviderError(
            "leased",
            "the answer is a lease, which would expire in the cluster",
            source=location.text,
            remedy="static values only; for dynamic secrets use an operator in the cluster",
        )

    def _revoke_lease(self, lease: str, location: Location) -> None:
        """Revoke a lease; warn if that fails."""
        try:
            body = {"lease_id": lease}
            given = self._send("PUT", "sys/leases/revoke", location.source[2], body)
        except KrmfnError:
            given = None
        if given is None or given.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            self._access.warnings.add(
                Warned(
                    "lease-not-revoked",
                    location.text,
                    "its lease could not be revoked and will expire",
                    "allow update on sys/leases/revoke",
                )
            )

    def _data_path(self, location: Location, version: int | None) -> str:
        path = f"{quoted(location.mount)}/data/{quoted(location.path)}"
        return path if version is None else f"{path}?version={version}"


def _names(spec: Vault, access: Access, name: str) -> tuple[str, str]:
    """Return the namespace for reads and the one for the login.

    Raises:
        SpecError: one of them, the mount or the auth mount is not canonical.
    """
    field = f"stores.{name}.vault"
    canonical_mount(spec, name)
    auth_mount(spec.auth)
    namespace = _namespace(
        spec.namespace or variable(NAMESPACES, access, name), key=f"{field}.namespace"
    )
    if spec.auth_namespace is None:
        return namespace, namespace
    return namespace, _namespace(spec.auth_namespace, key=f"{field}.authNamespace")


def _check_none(spec: Vault, origin: Origin, name: str) -> None:
    if isinstance(spec.auth, NoneAuth) and not origin.is_loopback():
        raise SpecError(
            "spec",
            f"without a token only this machine is asked, and {origin} is another",
            key=f"stores.{name}.vault.auth.none",
            remedy="let the agent or proxy listen on 127.0.0.1, or log in",
        )


def _refused(answer: VaultAnswer, source: str, path: str, capability: str) -> ProviderError:
    """Return the error for an answer that is neither a value nor a missing one."""
    if answer.status == HTTPStatus.FORBIDDEN:
        return ProviderError(
            "permission-denied",
            f"the token may not {capability} it",
            source=source,
            remedy=f'its policy needs path "{path}" {{ capabilities = ["{capability}"] }}',
        )
    if answer.status == HTTPStatus.NOT_FOUND:
        return ProviderError("not-found", "nothing is there", source=source)
    return ProviderError("protocol", f"the vault answers {answer.status}", source=source)


def _namespace(text: str, *, key: str) -> str:
    """Return a namespace's canonical form; the root is always empty."""
    stripped = text.strip("/")
    return "" if stripped in ("", "root") else canonical_path(stripped, key=key)
