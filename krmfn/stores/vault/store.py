"""The vault store: HashiCorp Vault and OpenBao, KV version 1 and 2, and transit.

Rules enforced here: a credential is sent only to the address in ``VAULT_ADDR`` or ``BAO_ADDR``; one
login for a run, and its token is revoked in the end; a mount is asked what it is before anything is
read from it, since reading another engine can create credentials; an answer with a lease is refused
and the lease revoked; a KV 1 and a KV 2 secret have the same source.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from krmfn.errors import KrmfnError, ProviderError, SpecError
from krmfn.spec.store_path import canonical_path
from krmfn.stores.store import Location, Store
from krmfn.stores.vault import health, transit, versions, write
from krmfn.stores.vault.address import choose_origin, variable
from krmfn.stores.vault.auth import log_in
from krmfn.stores.vault.http import Answer, Wire
from krmfn.stores.vault.tls import tls_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from krmfn.plaintext import Plaintext
    from krmfn.spec.stores import Vault
    from krmfn.stores.store import Json, Surroundings

NAMESPACES = ("VAULT_NAMESPACE", "BAO_NAMESPACE")
OK, NO_CONTENT, BAD_REQUEST, DENIED, NOT_FOUND = 200, 204, 400, 403, 404
REVOKE_SECONDS = 2.0
NEVER_KV = frozenset({"auth", "cubbyhole", "identity", "sys"})


@dataclass(frozen=True)
class Mount:
    """The KV mount behind the configuration's path.

    Attributes:
        namespace: where it is, complete.
        path: of the mount, in that namespace.
        version: 1 or 2.
        prefix: what the configuration's path says beyond the mount, with a slash at its end.
    """

    namespace: str
    path: str
    version: int
    prefix: str = ""


class VaultStore(Store):
    """The store that ``{vault: …}`` describes. Nothing is sent before it is asked for something."""

    def __init__(self, name: str, spec: Vault, around: Surroundings) -> None:
        self._name = name
        self._spec = spec
        self._around = around
        self._origin = choose_origin(spec, around, name)
        self._id = spec.id or f"url:{self._origin}"
        field = f"stores.{name}.vault"
        self._namespace = _namespace(
            spec.namespace or variable(NAMESPACES, around, name), key=f"{field}.namespace"
        )
        self._login_namespace = (
            self._namespace
            if spec.auth_namespace is None
            else _namespace(spec.auth_namespace, key=f"{field}.authNamespace")
        )
        context = tls_of(spec, around, name) if self._origin.scheme == "https" else None
        self._wire = Wire(self._origin, around.deadline, source=name, context=context)
        self._lock = threading.Lock()
        self._mount_lock = threading.Lock()
        self._login: tuple[Plaintext, bool] | KrmfnError | None = None
        self._mounted: Mount | KrmfnError | None = None

    def locate(self, key: str) -> Location:
        """Where ``key`` is. The mount is asked once, unless the configuration says its version."""
        path = canonical_path(key, key="remoteRef.key")
        mount = self._mount()
        path = mount.prefix + path
        return Location(
            source=("vault", self._id, mount.namespace, mount.path, path),
            text=f"{self._name}:{mount.path}/{path}",
            mount=mount.path,
            path=path,
            kv_version=mount.version,
        )

    def read(self, location: Location, version: int | None) -> dict[str, Json]:
        """The secret's fields; ``version`` is one of KV 2's."""
        namespace = location.source[2]
        if location.kv_version == 1:
            if version is not None:
                raise versions.no_versions(location.text)
            path = f"{_quoted(location.mount)}/{_quoted(location.path)}"
            answer = self._get(path, namespace)
            self._refuse_lease(answer, location, ("lease_id",))
            fields: Any = answer.body.get("data")
        else:
            path = self._data_path(location, None)
            answer = self._get(self._data_path(location, version), namespace)
            self._refuse_lease(answer, location, ("lease_id", "lease_duration"))
            fields = answer.data().get("data")
        if answer.status == NOT_FOUND:
            raise self._missing(answer, location, version)
        if answer.status != OK:
            raise self._refused(answer, location.text, path, "read")
        if not isinstance(fields, dict):
            raise ProviderError("protocol", "the answer holds no secret", source=location.text)
        return fields

    def newest(self, location: Location) -> int:
        """As the secret's metadata says; who may not read that gets it with the secret itself."""
        if location.kv_version == 1:
            raise versions.no_versions(location.text)
        path = f"{_quoted(location.mount)}/metadata/{_quoted(location.path)}"
        answer = self._get(path, location.source[2])
        data = answer.data()
        if answer.status == DENIED:
            self._check_token()
            self._around.warn(versions.unreadable(location.text, path))
            path = self._data_path(location, None)
            answer = self._get(path, location.source[2])
            self._refuse_lease(answer, location, ("lease_id", "lease_duration"))
            data = answer.data().get("metadata") or {}
        if answer.status == NOT_FOUND:
            raise self._missing(answer, location, None)
        if answer.status != OK:
            raise self._refused(answer, location.text, path, "read")
        return versions.newest(data, source=location.text)

    def create(self, location: Location, fields: Mapping[str, Plaintext]) -> None:
        """Write a new secret; KV version 2 alone can promise to replace none."""

        def send(body: dict[str, Any]) -> None:
            path = self._data_path(location, None)
            answer = self._send("POST", path, location.source[2], body)
            if answer.status not in (OK, BAD_REQUEST):
                raise self._refused(answer, location.text, path, "create")

        write.create(send, lambda: self.read(location, None), location, fields)

    def hmac(self, mount: str, key: str, version: int, inputs: Sequence[bytes]) -> list[bytes]:
        """HMAC-SHA-512 under a transit key, which has to be of type ``hmac``."""
        mount = canonical_path(mount, key="transit.mount")
        key = canonical_path(key, key="transit.key")
        source = f"{self._name}:{mount}/{key}"
        keys = f"{_quoted(mount)}/keys/{_quoted(key)}"
        found = self._get(keys, self._namespace)
        # Who may not look at the key may still use it; its answers are checked all the same.
        if found.status == OK:
            transit.check_key(found.data(), source=source)
        elif found.status != DENIED:
            raise self._refused(found, source, keys, "read")

        def call(body: dict[str, Any]) -> dict[str, Any]:
            path = f"{_quoted(mount)}/hmac/{_quoted(key)}/sha2-512"
            answer = self._send("POST", path, self._namespace, body)
            if answer.status == BAD_REQUEST:
                raise transit.unusable(version, source=source)
            if answer.status != OK:
                raise self._refused(answer, source, path, "update")
            return answer.data()

        return transit.hmac(call, version, inputs, source=source)

    def health(self) -> health.Health:
        """Its questions go over the same wire, with the same login."""
        places = (self._namespace, self._login_namespace)
        return health.Health(self._wire, self._send, *places, self._name)

    def close(self) -> None:
        """Revoke the token if this run made it, even past the deadline; never raises."""
        login, self._login = self._login, None
        if isinstance(login, tuple) and login[1]:
            try:
                self._wire.request(
                    "POST",
                    "auth/token/revoke-self",
                    token=login[0],
                    namespace=self._login_namespace,
                    once=REVOKE_SECONDS,
                )
            except KrmfnError:
                self._around.warn(f"{self._name}: the login's token could not be revoked")

    # --- requests

    def _token(self) -> Plaintext:
        """The token of the one login; a login that failed is not tried again."""
        with self._lock:
            if self._login is None:
                try:
                    self._login = log_in(
                        self._spec.auth,
                        self._wire,
                        self._around,
                        source=self._name,
                        namespace=self._login_namespace,
                    )
                except KrmfnError as error:
                    self._login = error
            if isinstance(self._login, KrmfnError):
                raise self._login
            return self._login[0]

    def _send(self, method: str, path: str, namespace: str, body: Any = None) -> Answer:
        return self._wire.request(method, path, token=self._token(), namespace=namespace, body=body)

    def _get(self, path: str, namespace: str) -> Answer:
        return self._send("GET", path, namespace)

    # --- mounts

    def _mount(self) -> Mount:
        """The mount of this store; asked once, and a refusal is remembered."""
        with self._mount_lock:
            if self._mounted is None:
                path = canonical_path(
                    self._spec.path.strip("/"), key=f"stores.{self._name}.vault.path"
                )
                try:
                    self._mounted = self._find_mount(path)
                except KrmfnError as error:
                    self._mounted = error
            if isinstance(self._mounted, KrmfnError):
                raise self._mounted
            return self._mounted

    def _find_mount(self, path: str) -> Mount:
        found = self._ask(path, self._namespace)
        if found is None and self._spec.version is not None:
            return self._told_mount(path, int(self._spec.version[1:]))
        if found is None:
            raise ProviderError(
                "mount-unknown",
                "nothing is mounted there, or the token may not know",
                source=f"{self._name}:{path}",
                remedy="check path and token; where the mount may not be asked, set version",
            )
        where = str(found.get("path", "")).strip("/")
        if found.get("type") not in ("kv", "generic") or not f"{path}/".startswith(f"{where}/"):
            raise ProviderError(
                "mount-not-kv",
                f"the mount is of type {found.get('type')}",
                source=f"{self._name}:{path}",
                expected="kv",
                remedy="static values only; for dynamic secrets use an operator in the cluster",
            )
        options = found.get("options")
        version = 2 if isinstance(options, dict) and options.get("version") == "2" else 1
        if self._spec.version not in (None, f"v{version}"):
            raise SpecError(
                "spec",
                f"the mount is KV version {version}",
                key=f"stores.{self._name}.vault.version",
                remedy="leave version out: it is for mounts that may not be asked",
            )
        rest = path.removeprefix(where).strip("/")
        if version == 2 and rest == "data":  # noqa: PLR2004  # KV 2's own path of the API
            self._hint_data(path, where)
            rest = ""
        namespace, where = self._split_namespace(where, found)
        return Mount(namespace, where, version, f"{rest}/" if rest else "")

    def _told_mount(self, path: str, version: int) -> Mount:
        """A mount that may not be asked, as the configuration tells it."""
        if path.split("/", maxsplit=1)[0] in NEVER_KV:
            raise ProviderError(
                "mount-not-kv",
                "the vault keeps no values there",
                source=f"{self._name}:{path}",
                remedy="name a KV mount",
            )
        where = path.removesuffix("/data") if version == 2 else path  # noqa: PLR2004  # KV 2
        self._hint_data(path, where)
        return Mount(self._namespace, where, version)

    def _hint_data(self, path: str, where: str) -> None:
        if path != where:
            self._around.warn(f"{self._name}: write path: {where}; /data is added by itself")

    def _split_namespace(self, path: str, found: dict[str, Any]) -> tuple[str, str]:
        """A namespace written into the path, told from a mount with slashes by asking there."""
        segments = path.split("/")
        for count in range(len(segments) - 1, 0, -1):
            inner = "/".join(segments[:count])
            namespace = f"{self._namespace}/{inner}".strip("/")
            rest = "/".join(segments[count:])
            there = self._ask(rest, namespace)
            if there is not None and there.get("accessor") == found.get("accessor"):
                return namespace, rest
        return self._namespace, path

    def _ask(self, path: str, namespace: str) -> dict[str, Any] | None:
        answer = self._get(f"sys/internal/ui/mounts/{_quoted(path)}", namespace)
        if answer.status == OK:
            return answer.data()
        if answer.status not in (DENIED, NOT_FOUND, BAD_REQUEST):
            raise self._refused(answer, f"{self._name}:{path}", path, "read")
        if answer.status == DENIED:
            self._check_token()
        return None

    # --- refusals

    def _refused(self, answer: Answer, source: str, path: str, capability: str) -> KrmfnError:
        """What to raise for an answer that is neither a value nor a missing one."""
        if answer.status == DENIED:
            self._check_token()
            return ProviderError(
                "permission-denied",
                f"the token may not {capability} it",
                source=source,
                remedy=f'its policy needs path "{path}" {{ capabilities = ["{capability}"] }}',
            )
        if answer.status == NOT_FOUND:
            return ProviderError("not-found", "nothing is there", source=source)
        return ProviderError("protocol", f"the vault answers {answer.status}", source=source)

    def _check_token(self) -> None:
        """Tell a token that is no good from one that may not.

        Raises:
            ProviderError: ``login-failed``, the vault does not know it.
        """
        answer = self._get("auth/token/lookup-self", self._login_namespace)
        if answer.status == DENIED and not answer.is_policy_denial():
            raise ProviderError(
                "login-failed",
                "the vault does not accept the token",
                source=self._name,
                remedy="get a new one: it may be wrong, expired or of another namespace",
            )

    def _missing(self, answer: Answer, location: Location, version: int | None) -> ProviderError:
        """Which of the four ways of not being there it is."""
        metadata = answer.data().get("metadata")
        if isinstance(metadata, dict):
            return versions.gone(metadata, source=location.text)
        if version is not None:
            newest = self._get(self._data_path(location, None), location.source[2])
            if newest.status == OK or "metadata" in newest.data():
                return ProviderError(
                    "version-missing",
                    f"there is no version {version}",
                    source=location.text,
                    remedy="correct version",
                )
        hint = "leave data/ out of key, or " if location.path.startswith("data/") else ""
        return ProviderError(
            "not-found",
            "nothing is stored there",
            source=location.text,
            remedy=f"{hint}write the value, or correct remoteRef.key",
        )

    def _refuse_lease(self, answer: Answer, location: Location, fields: Sequence[str]) -> None:
        """Refuse what expires, and give it back at once."""
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
        """Give a lease back; if that fails, a warning says so."""
        try:
            body = {"lease_id": lease}
            given = self._send("PUT", "sys/leases/revoke", location.source[2], body)
        except KrmfnError:
            given = None
        if given is None or given.status not in (OK, NO_CONTENT):
            self._around.warn(f"{location.text}: its lease could not be revoked and will expire")

    def _data_path(self, location: Location, version: int | None) -> str:
        path = f"{_quoted(location.mount)}/data/{_quoted(location.path)}"
        return path if version is None else f"{path}?version={version}"


def _namespace(text: str, *, key: str) -> str:
    """A namespace's one form; the root is empty, however it is written."""
    stripped = text.strip("/")
    return "" if stripped in ("", "root") else canonical_path(stripped, key=key)


def _quoted(path: str) -> str:
    return "/".join(quote(segment, safe="") for segment in path.split("/"))
