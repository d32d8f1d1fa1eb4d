"""Where a vault is, and where credentials may go.

Rules enforced here: credentials go to the address in ``VAULT_ADDR`` or ``BAO_ADDR`` and to no other,
but for a store of the platform's, whose own credentials go to that store's own address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.errors import PolicyError, SpecError
from krmfn.stores.connection import parse_origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krmfn.spec.stores import Vault
    from krmfn.stores.access import Access
    from krmfn.stores.connection import Origin

ADDRESSES = ("VAULT_ADDR", "BAO_ADDR")


def choose_origin(spec: Vault, access: Access, name: str) -> Origin:
    """Return the store's origin: ``VAULT_ADDR`` or ``BAO_ADDR``, which `server` must equal.

    An author of a configuration must not be able to send a credential elsewhere, so an
    address in it can only confirm what the environment says. The platform's own names address and
    credential together; without ``auth`` it is the environment's token, and bound like any other.

    Raises:
        SpecError: no address, or one that is none.
        PolicyError: the configuration names another server.
    """
    if spec.is_platforms and spec.server is not None and spec.auth is not None:
        return parse_origin(spec.server, name=f"stores.{name}.vault.server")
    address = variable(ADDRESSES, access, name)
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


def variable(names: Sequence[str], access: Access, source: str) -> str:
    """Return the value of two environment variables with the same meaning.

    Raises:
        SpecError: both are set and differ.
    """
    found = {v.strip().rstrip("/") for n in names if (v := access.environ.get(n, "")).strip()}
    if len(found) > 1:
        raise SpecError("spec", f"{' and '.join(names)} differ", key=f"stores.{source}")
    return found.pop() if found else ""
