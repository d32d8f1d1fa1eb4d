"""Where the certificate comes from: a file, the configuration itself, an https address, a store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.crypto.certificate import SealingCertificate, choose, parse, pem_blocks
from krmfn.deadline import Deadline
from krmfn.errors import DeadlineError, KrmfnError, ProviderError, SealingError, SpecError
from krmfn.files.read import read_file
from krmfn.spec.sealing import FileCertificate, PemCertificate, UrlCertificate
from krmfn.spec.stores import StoreProperty

if TYPE_CHECKING:
    from datetime import datetime

    from krmfn.files.read import Place
    from krmfn.spec.platform import Recipient
    from krmfn.spec.sealing import Certificate, PlatformCertificate
    from krmfn.stores.opened import OpenedStores

FIELD = "spec.sealing.certificate"
MAX_RESPONSE = 64 * 1024
MAX_SECONDS = 10.0


def load_certificate(
    spec: Certificate | Recipient, stores: OpenedStores, now: datetime
) -> SealingCertificate:
    """The certificate to seal for.

    Args:
        stores: where it may be; their access is the certificate's too.

    Raises:
        KrmfnError: it cannot be had, or must not be sealed with.
    """
    pin = None
    if isinstance(spec, FileCertificate):
        name = spec.file
        pem = stores.access.place.read(name, key=FIELD)
    elif isinstance(spec, PemCertificate):
        name, pem = "pem", spec.pem.encode()
    elif isinstance(spec, UrlCertificate):
        name, pin = spec.url.partition("?")[0], spec.sha256
        pem = fetch_url(spec.url, stores.access.deadline)
    elif isinstance(spec, StoreProperty):
        from krmfn.sealing.property import read_property

        name = f"{spec.store}:{spec.key}"
        pem = read_property(stores, spec, FIELD)
    else:
        name, pem = _recipient(spec, stores.access.place)
    try:
        return choose(pem, now, pin=pin)
    except SealingError as error:
        raise error.at(key=FIELD, source=name) from None


def _recipient(spec: PlatformCertificate | Recipient, place: Place) -> tuple[str, bytes]:
    """Return the name of a platform's recipient, and its certificates with pinned keys.

    Raises:
        SpecError: its file cannot be read.
        SealingError: none of them is pinned.
    """
    from krmfn.spec.platform import (  # lazy: 4 ms, for those who have one
        FileRecipient,
        PemRecipient,
    )

    if isinstance(spec, FileRecipient):
        name, text = (
            spec.file,
            read_file(Path(spec.file), name=spec.file, key=FIELD, kept=place.kept),
        )
    elif isinstance(spec, PemRecipient):
        name, text = "pem", spec.pem.encode()
    else:
        raise AssertionError("no recipient of the platform without it")  # noqa: TRY004
    kept: list[bytes] = []
    for block in pem_blocks(text, b"CERTIFICATE"):
        try:
            if parse(block).fingerprint in spec.sha256:
                kept.append(block)
        except SealingError:
            continue
    if not kept:
        raise SealingError(
            "certificate-pin",
            "no certificate of the platform's has a pinned key",
            key=FIELD,
            source=name,
        )
    return name, b"\n".join(kept)


def fetch_url(url: str, deadline: Deadline) -> bytes:
    """The body behind an https address: no redirect, no proxy, at most 64 KiB.

    Raises:
        SpecError: not https.
        ProviderError: anything but a small 200; body and status are never quoted.
    """
    import ssl  # lazy: only who names an address needs it

    from krmfn.stores.connection import origin_of
    from krmfn.stores.wire import Wire

    field, shown = f"{FIELD}.url", url.partition("?")[0]
    address = re.fullmatch(r"(https://[^/?#@\s]+)(/[!-~]*)?", url, re.ASCII)
    origin = origin_of(address[1]) if address else None
    if address is None or origin is None or "#" in url:
        raise SpecError("spec", "the address is not plain https", key=field)
    limited = Deadline(min(MAX_SECONDS, deadline.left()))
    wire = Wire(origin, limited, source=shown, context=ssl.create_default_context())
    try:
        reply = wire.request("GET", address[2] or "/", headers={}, tries=3, limit=MAX_RESPONSE)
    except DeadlineError:
        raise _unavailable(
            f"the server has not answered within {limited.seconds:g} s", url
        ) from None
    except KrmfnError as error:
        raise error.at(key=field) from None
    finally:
        wire.close()
    if reply.status != 200:  # noqa: PLR2004  # OK
        raise _unavailable("the server does not answer with a certificate", url)
    return reply.content


def _unavailable(message: str, url: str) -> KrmfnError:
    place = url.partition("?")[0]
    return ProviderError("unavailable", message, key=f"{FIELD}.url", source=place)
