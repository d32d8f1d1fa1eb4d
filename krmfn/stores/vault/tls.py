"""TLS towards a vault: always checked, with the system's roots or the configuration's CA."""

from __future__ import annotations

import base64
import binascii
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.errors import ProviderError, SpecError
from krmfn.files.read import read_file, read_repository_file
from krmfn.spec.stores import CertAuth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.spec.stores import Vault
    from krmfn.stores.store import Surroundings


def tls_of(spec: Vault, around: Surroundings, name: str) -> ssl.SSLContext:
    """The TLS settings that a store's configuration asks for.

    Raises:
        SpecError: the CA is no text of the repository, or not base64.
        ProviderError: a file is absent, or cannot be used.
    """
    field = f"stores.{name}.vault"
    ca = None
    if spec.ca_file is not None and spec.is_platforms:
        ca = read_file(Path(spec.ca_file), name=spec.ca_file, key=f"{field}.caFile")
    elif spec.ca_file is not None:
        ca = read_repository_file(
            spec.ca_file,
            base=around.base,
            root=around.root,
            key=f"{field}.caFile",
        )
    elif spec.ca_bundle is not None:
        try:
            ca = base64.b64decode("".join(spec.ca_bundle.split()), validate=True)
        except (binascii.Error, ValueError):
            raise SpecError("spec", "it is not base64", key=f"{field}.caBundle") from None
    shown = spec.tls
    files = (shown.cert_ref.file, shown.key_ref.file) if shown else None
    if isinstance(spec.auth, CertAuth):
        files = (spec.auth.cert.client_cert.file, spec.auth.cert.secret_ref.file)
    certificate = None
    if files is not None:
        base = around.base
        certificate = {"cert": str(base / files[0]), "key": str(base / files[1])}
        # Not a pipe or a device, which could be waited for without end.
        if missing := [f for f in files if not (base / f).is_file()]:
            raise ProviderError(
                "credential-missing",
                f"the file {missing[0]} is absent or no file",
                source=name,
            )
    return tls_context(ca=ca, certificate=certificate, source=name)


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
