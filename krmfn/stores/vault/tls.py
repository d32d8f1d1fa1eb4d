"""TLS towards a vault: always checked, with the system's roots, the configuration's or `VAULT_CACERT`'s.

Rules enforced here: checking cannot be switched off; what the environment says of TLS is for the
server that it names, and a client certificate from it goes to no other.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.errors import ProviderError, SpecError
from krmfn.files.read import read_file
from krmfn.spec.stores import CertAuth
from krmfn.stores.connection import parse_origin
from krmfn.stores.vault.address import ADDRESSES, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.spec.stores import Vault
    from krmfn.stores.access import Access
    from krmfn.stores.connection import Origin

SKIP = ("VAULT_SKIP_VERIFY", "BAO_SKIP_VERIFY")
NO = frozenset({"", "0", "f", "false"})


@dataclass(frozen=True)
class _Ambient:
    """The environment's TLS settings; empty if unset."""

    ca_bytes: str = ""
    ca_file: str = ""
    ca_path: str = ""
    server_name: str = ""
    client_cert: str = ""
    client_key: str = ""


def _ambient(access: Access, name: str, origin: Origin) -> _Ambient:
    """The environment's settings, if they are for this server."""
    address = variable(ADDRESSES, access, name)
    if not address or parse_origin(address, name=ADDRESSES[0]) != origin:
        return _Ambient()

    def said(what: str) -> str:
        return variable((f"VAULT_{what}", f"BAO_{what}"), access, name)

    files = {w: said(w) for w in ("CACERT", "CAPATH", "CLIENT_CERT", "CLIENT_KEY")}
    for what, path in files.items():
        # kustomize starts functions in the overlay's directory.
        if path and not Path(path).is_absolute():
            raise ProviderError(
                "tls", f"VAULT_{what} is a relative path", source=name, remedy="make it absolute"
            )
    if bool(files["CLIENT_CERT"]) != bool(files["CLIENT_KEY"]):
        raise ProviderError(
            "tls",
            "one of VAULT_CLIENT_CERT and VAULT_CLIENT_KEY is set without the other",
            source=name,
            remedy="set both",
        )
    return _Ambient(
        said("CACERT_BYTES"),
        files["CACERT"],
        files["CAPATH"],
        said("TLS_SERVER_NAME"),
        files["CLIENT_CERT"],
        files["CLIENT_KEY"],
    )


def refuse_skipping(access: Access, name: str) -> None:
    """Refuse an environment that disables the check of the server's certificate.

    Raises:
        ProviderError: ``tls``, it does.
    """
    for variable_name in SKIP:
        if access.environ.get(variable_name, "").strip().lower() not in NO:
            raise ProviderError(
                "tls",
                f"{variable_name} is set, and krmfn always checks the server: an impostor "
                "would get the credential and choose the values",
                source=name,
                remedy=f"unset {variable_name}, and name the CA: VAULT_CACERT, or caFile of the store",
            )


def tls_of(
    spec: Vault, access: Access, name: str, origin: Origin
) -> tuple[ssl.SSLContext | None, str]:
    """Return the TLS settings from configuration and environment; None for plain http.

    Returns:
        them, and the name that the server's certificate has to be for; empty: the host's.

    Raises:
        SpecError: the CA is no text of the repository, or not base64.
        ProviderError: a file is absent, or cannot be used.
    """
    if origin.scheme != "https":
        return None, ""
    ambient = _ambient(access, name, origin)
    ca = repository_ca(spec, access, name)
    if ca is None and spec.ca_file is not None:
        ca = _machine_file(spec.ca_file, f"stores.{name}.vault.caFile", name)
    if ca is None:
        ca = _ambient_ca(ambient, name)
    shown = spec.tls
    files = (shown.cert_ref.file, shown.key_ref.file) if shown else None
    if isinstance(spec.auth, CertAuth):
        files = (spec.auth.cert.client_cert.file, spec.auth.cert.secret_ref.file)
    elif files is None and ambient.client_cert:
        files = (ambient.client_cert, ambient.client_key)
    certificate = None
    if files is not None:
        base = access.place.base
        certificate = {"cert": str(base / files[0]), "key": str(base / files[1])}
        # Not a pipe or a device, which could be waited for without end.
        if missing := [f for f in files if not (base / f).is_file()]:
            raise ProviderError(
                "credential-missing",
                f"the file {missing[0]} is absent or no file",
                source=name,
            )
    return tls_context(ca=ca, certificate=certificate, source=name), ambient.server_name


def repository_ca(spec: Vault, access: Access, name: str) -> bytes | None:
    """Return the CA in a store's configuration or in the repository, as PEM, or None.

    An absolute file is the machine's, as a credential is.

    Raises:
        SpecError: it is no file of the repository, or not base64.
        ProviderError: ``tls``, it is no PEM.
    """
    field = f"stores.{name}.vault"
    if spec.ca_file is not None:
        if Path(spec.ca_file).is_absolute():
            return None
        key = f"{field}.caFile"
        ca = access.place.read(spec.ca_file, key=key)
    elif spec.ca_bundle is not None:
        try:
            ca = base64.b64decode("".join(spec.ca_bundle.split()), validate=True)
        except (binascii.Error, ValueError):
            raise SpecError("spec", "it is not base64", key=f"{field}.caBundle") from None
    else:
        return None
    tls_context(ca=ca, certificate=None, source=name)
    return ca


def _ambient_ca(ambient: _Ambient, name: str) -> bytes | None:
    """The CA of the environment, as PEM."""
    if ambient.ca_bytes:
        return ambient.ca_bytes.encode()
    if ambient.ca_file:
        return _machine_file(ambient.ca_file, "VAULT_CACERT", name)
    if not ambient.ca_path:
        return None
    try:
        files = sorted(p for p in Path(ambient.ca_path).iterdir() if p.is_file())
    except OSError:
        files = []
    found = [_machine_file(str(p), "VAULT_CAPATH", name) for p in files]
    found = [pem for pem in found if b"-----BEGIN CERTIFICATE-----" in pem]
    if not found:
        raise ProviderError(
            "tls", "VAULT_CAPATH names no directory with PEM certificates", source=name
        )
    return b"\n".join(found)


def _machine_file(path: str, key: str, name: str) -> bytes:
    """A file of the machine, not of the repository.

    Raises:
        ProviderError: ``tls``, it cannot be read.
    """
    try:
        return read_file(Path(path), name=path, key=key)
    except SpecError as error:
        raise ProviderError(
            "tls", error.message, source=name, key=key, remedy="mount the file, or correct its path"
        ) from None


def tls_context(
    *, ca: bytes | None, certificate: Mapping[str, str] | None, source: str
) -> ssl.SSLContext:
    """TLS settings: the system's roots or ``ca`` (PEM) in their place, and a client certificate.

    Args:
        certificate: ``cert`` and ``key``, paths of PEM files.

    Raises:
        ProviderError: ``tls``, one of them cannot be used.
    """
    unusable = ProviderError(
        "tls", "the CA, or the client's certificate and key, cannot be used", source=source
    )
    if ca is not None and not ca.strip():
        raise unusable  # to ssl, nothing would mean the system's roots
    try:
        context = ssl.create_default_context(cadata=ca.decode("ascii") if ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            # A key under a passphrase would be asked for at the terminal.
            context.load_cert_chain(certificate["cert"], certificate["key"], password="")
    except (ValueError, OSError):
        raise unusable from None
    return context
