"""Where a vault is, and where credentials may go.

Rules enforced here: an address is scheme, host and port and nothing more; plain http is for
loopback; credentials go to the address in ``VAULT_ADDR`` or ``BAO_ADDR`` and to no other, but for
a store of the platform's, whose own credentials go to that store's own address.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from krmfn.errors import PolicyError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krmfn.spec.stores import Vault
    from krmfn.stores.store import Surroundings

ADDRESSES = ("VAULT_ADDR", "BAO_ADDR")


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of a server, in canonical form."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def parse_origin(address: str, *, name: str) -> Origin:
    """The origin of an address such as ``https://vault.example:8200``.

    Args:
        name: the field or variable that holds it, for errors.

    Raises:
        SpecError: not such an address, or plain http to another host than this one.
    """
    try:
        url = parse_url(address)
    except LocationParseError:
        raise _bad_address(name) from None
    if url.scheme not in ("http", "https") or not url.host or url.auth:
        raise _bad_address(name)
    if url.path not in (None, "", "/") or url.query or url.fragment:
        raise _bad_address(name)
    if url.scheme == "http" and not _is_loopback(url.host):
        raise SpecError("spec", f"{name} is plain http to another machine", remedy="use https")
    return Origin(url.scheme, url.host.lower(), url.port or (443 if url.scheme == "https" else 80))


def _bad_address(name: str) -> SpecError:
    return SpecError(
        "spec", f"{name} is not an address", expected="https://host:port and nothing more"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def choose_origin(spec: Vault, around: Surroundings, name: str) -> Origin:
    """Where the store is: ``VAULT_ADDR`` or ``BAO_ADDR``, and `server` if it is the same.

    Whoever may change a configuration must not be able to have a credential sent elsewhere, so an
    address in it can only confirm what the environment says. The platform's own names address and
    credential together; without ``auth`` it is the environment's token, and bound like any other.

    Raises:
        SpecError: no address, or one that is none.
        PolicyError: the configuration names another server.
    """
    if spec.is_platforms and spec.server is not None and spec.auth is not None:
        return parse_origin(spec.server, name=f"stores.{name}.vault.server")
    address = variable(ADDRESSES, around, name)
    allowed = parse_origin(address, name="VAULT_ADDR") if address else None
    if spec.server is None:
        if allowed is None:
            raise SpecError(
                "spec",
                "no server is named",
                key=f"stores.{name}.vault.server",
                remedy="export VAULT_ADDR",
            )
        return allowed
    wanted = parse_origin(spec.server, name=f"stores.{name}.vault.server")
    if wanted != allowed:
        raise PolicyError(
            "credential-origin",
            "credentials are sent to VAULT_ADDR alone, and the configuration names another server",
            source=name,
            expected=str(allowed) if allowed else "VAULT_ADDR to be set",
            found=str(wanted),
            remedy=f"export VAULT_ADDR={wanted} if you trust it",
        )
    return wanted


def variable(names: Sequence[str], around: Surroundings, source: str) -> str:
    """The value of one of two variables with one meaning.

    Raises:
        SpecError: both are set and differ.
    """
    found = {v.strip().rstrip("/") for n in names if (v := around.environ.get(n, "")).strip()}
    if len(found) > 1:
        raise SpecError("spec", f"{' and '.join(names)} differ", key=f"stores.{source}")
    return found.pop() if found else ""
