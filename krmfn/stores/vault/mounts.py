"""Find the KV mount and the namespace of a store's path, by asking the vault.

Rules enforced here: nothing is read of a mount that is not KV, since reading another engine can
create credentials; a namespace written into the path and one beside it give the same source; a mount
that may not be asked is taken as the configuration tells it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from krmfn.errors import KrmfnError, ProviderError, SpecError
from krmfn.spec.store_path import canonical_path
from krmfn.warned import Warned

if TYPE_CHECKING:
    from krmfn.spec.stores import Vault
    from krmfn.stores.access import Access
    from krmfn.stores.vault.session import Session

NEVER_KV = frozenset({"auth", "cubbyhole", "identity", "sys"})
WITH_VERSIONS = 2  # the KV version whose paths of the API begin with data/


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


def canonical_mount(spec: Vault, name: str) -> str:
    """Return the canonical path that the configuration names.

    Raises:
        SpecError: ``path``, it is not canonical.
    """
    return canonical_path(spec.path.strip("/"), key=f"stores.{name}.vault.path")


class Mounts:
    """The mount of one store; requested once, and a refusal is cached.

    Args:
        namespace: the store's, where the path begins.
        name: the store's, for errors.
    """

    def __init__(
        self, spec: Vault, session: Session, access: Access, *, namespace: str, name: str
    ) -> None:
        self._spec = spec
        self._session = session
        self._access = access
        self._namespace = namespace
        self._name = name
        self._lock = threading.Lock()
        self._mounted: Mount | KrmfnError | None = None

    def mount(self) -> Mount:
        """Return the mount from which the store reads.

        Raises:
            KrmfnError: there is none, or it is not KV.
        """
        with self._lock:
            if self._mounted is None:
                try:
                    self._mounted = self._find(canonical_mount(self._spec, self._name))
                except KrmfnError as error:
                    self._mounted = error
            if isinstance(self._mounted, KrmfnError):
                raise self._mounted
            return self._mounted

    def _find(self, path: str) -> Mount:
        found = self._ask(path, self._namespace)
        if found is None and self._spec.version is not None:
            return self._told(path, int(self._spec.version[1:]))
        if found is None:
            raise self._unknown(path)
        where = str(found.get("path", "")).strip("/")
        if not isinstance(found.get("type"), str) or not where:
            raise ProviderError(
                "protocol",
                "the answer to a question about the mount is not a mount's",
                source=f"{self._name}:{path}",
                remedy="check that VAULT_ADDR is a vault's address, and check the proxy in front of it",
            )
        # A mount of a namespace inside the path is named from the root.
        inner = where.removeprefix(f"{self._namespace}/") if self._namespace else where
        where = where if f"{path}/".startswith(f"{where}/") else inner
        if found["type"] not in ("kv", "generic") or not f"{path}/".startswith(f"{where}/"):
            raise ProviderError(
                "mount-not-kv",
                f"the mount is of type {found['type']}",
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
        if version == WITH_VERSIONS and rest == "data":
            self._hint_data(path, where)
            rest = ""
        namespace, where = self._split_namespace(where, found)
        return Mount(namespace, where, version, f"{rest}/" if rest else "")

    def _unknown(self, path: str) -> ProviderError:
        """Return the error for a path without a known mount."""
        source = f"{self._name}:{path}"
        if rest := repeated_namespace(path, self._namespace):
            return ProviderError(
                "mount-unknown",
                f"nothing is mounted there in namespace {self._namespace}, or the token may not know",
                source=source,
                remedy=f"path begins with the namespace, which `namespace` adds: write path: {rest}",
            )
        where = f" in namespace {self._namespace}" if self._namespace else ""
        namespace = "" if self._namespace else ", or set namespace (VAULT_NAMESPACE) if it has any"
        return ProviderError(
            "mount-unknown",
            f"nothing is mounted there{where}, or the token may not know",
            source=source,
            remedy="check path and token; where the mount may not be asked, set version"
            + namespace,
        )

    def _told(self, path: str, version: int) -> Mount:
        """Return the mount from the configuration, if the token may not ask."""
        if path.split("/", maxsplit=1)[0] in NEVER_KV:
            raise ProviderError(
                "mount-not-kv",
                "the vault keeps no values there",
                source=f"{self._name}:{path}",
                remedy="name a KV mount",
            )
        where = path.removesuffix("/data") if version == WITH_VERSIONS else path
        self._hint_data(path, where)
        return Mount(self._namespace, where, version)

    def _hint_data(self, path: str, where: str) -> None:
        if path != where:
            self._access.warnings.add(
                Warned("data-path", self._name, "/data is added by itself", f"write path: {where}")
            )

    def _split_namespace(self, path: str, found: dict[str, Any]) -> tuple[str, str]:
        """Distinguish a namespace in the path from a mount with slashes, by asking the vault."""
        segments = path.split("/")
        for count in range(len(segments) - 1, 0, -1):
            inner = "/".join(segments[:count])
            namespace = f"{self._namespace}/{inner}".strip("/")
            rest = "/".join(segments[count:])
            there = self._ask(rest, namespace, guess=True)
            if there is not None and there.get("accessor") == found.get("accessor"):
                return namespace, rest
        return self._namespace, path

    def _ask(self, path: str, namespace: str, *, guess: bool = False) -> dict[str, Any] | None:
        """Return the vault's description of the mount at ``path``; None if it gives none.

        Args:
            guess: there may be no such namespace.
        """
        try:
            answer = self._session.send(
                "GET",
                f"sys/internal/ui/mounts/{quoted(path)}",
                namespace,
                optional=guess or self._spec.version is not None,
            )
        except ProviderError as error:
            if guess and error.id == "mount-unknown":
                return None
            raise
        if answer.status == HTTPStatus.OK:
            return answer.data()
        if answer.status not in (
            HTTPStatus.FORBIDDEN,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.BAD_REQUEST,
        ):
            raise ProviderError(
                "protocol",
                f"the vault answers {answer.status} to a question about the mount",
                source=f"{self._name}:{path}",
            )
        return None


def repeated_namespace(path: str, namespace: str) -> str:
    """Return a path without a repeated namespace, or its end, in front; empty if there is none."""
    segments = namespace.split("/") if namespace else []
    for start in range(len(segments)):
        repeated = "/".join(segments[start:]) + "/"
        if path.startswith(repeated):
            return path.removeprefix(repeated)
    return ""


def quoted(path: str) -> str:
    """A path with each segment percent-encoded."""
    return "/".join(quote(segment, safe="") for segment in path.split("/"))
