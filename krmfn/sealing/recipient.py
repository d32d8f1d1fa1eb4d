"""Where the certificate comes from: a file, the configuration itself, an https address, a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.crypto.certificate import SealingCertificate, choose, parse, pem_blocks
from krmfn.errors import KrmfnError, ProviderError, SealingError, SpecError
from krmfn.files.read import read_file, read_repository_file
from krmfn.spec.generator import FileCertificate, PemCertificate, UrlCertificate
from krmfn.spec.stores import StoreProperty

if TYPE_CHECKING:
    from datetime import datetime

    from krmfn.deadline import Deadline
    from krmfn.sealing.read import Stores
    from krmfn.spec.generator import Certificate, PlatformCertificate
    from krmfn.spec.platform import Recipient
    from krmfn.stores.store import Surroundings

FIELD = "spec.sealing.certificate"
MAX_RESPONSE = 64 * 1024
MAX_SECONDS = 10.0


def load_certificate(
    spec: Certificate | Recipient, stores: Stores, around: Surroundings, now: datetime
) -> SealingCertificate:
    """The certificate to seal for.

    Raises:
        KrmfnError: it cannot be had, or must not be sealed with.
    """
    pin = None
    if isinstance(spec, FileCertificate):
        name = spec.file
        pem = read_repository_file(name, base=around.base, root=around.root, key=FIELD)
    elif isinstance(spec, PemCertificate):
        name, pem = "pem", spec.pem.encode()
    elif isinstance(spec, UrlCertificate):
        name, pin = spec.url.partition("?")[0], spec.sha256
        pem = fetch_url(spec.url, around.deadline)
    elif isinstance(spec, StoreProperty):
        from krmfn.sealing.read import read_property

        name = f"{spec.store}:{spec.key}"
        pem = read_property(stores, spec, FIELD)
    else:
        name, pem = _recipient(spec)
    try:
        return choose(pem, now, pin=pin)
    except SealingError as error:
        raise error.at(key=FIELD, source=name) from None


def _recipient(spec: PlatformCertificate | Recipient) -> tuple[str, bytes]:
    """What to call a recipient of the platform's, and its certificates whose keys are pinned.

    Raises:
        SpecError: its file cannot be read.
        SealingError: none of them is pinned.
    """
    from krmfn.spec.platform import (  # lazy: 4 ms, for those who have one
        FileRecipient,
        PemRecipient,
    )

    if isinstance(spec, FileRecipient):
        name, text = spec.file, read_file(Path(spec.file), name=spec.file, key=FIELD)
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
    if not url.startswith("https://") or "@" in url:
        raise SpecError("spec", "the address is not plain https", key=f"{FIELD}.url")
    try:
        import urllib3
    except ModuleNotFoundError:
        raise ProviderError(
            "extra-missing",
            "a certificate by url needs urllib3",
            remedy="pip install 'krmfn[vault]'",
        ) from None
    seconds = min(MAX_SECONDS, deadline.left())
    try:
        with urllib3.PoolManager(timeout=urllib3.Timeout(total=seconds)) as pool:
            response = pool.request(
                "GET",
                url,
                redirect=False,
                retries=urllib3.Retry(2, redirect=0, backoff_factor=0.2),
                preload_content=False,
            )
            body = response.read(MAX_RESPONSE + 1, decode_content=False)
            status = response.status
    except urllib3.exceptions.SSLError:
        raise _unavailable("tls", "the server's certificate is not trusted", url) from None
    except urllib3.exceptions.MaxRetryError as error:
        if isinstance(error.reason, urllib3.exceptions.SSLError):
            raise _unavailable("tls", "the server's certificate is not trusted", url) from None
        raise _unavailable("unavailable", "the server cannot be reached", url) from None
    except (urllib3.exceptions.HTTPError, ValueError):
        raise _unavailable("unavailable", "the server cannot be reached", url) from None
    if 300 <= status < 400:  # noqa: PLR2004  # redirects
        raise _unavailable("redirect", "the server answers with a redirect", url)
    if status != 200 or len(body) > MAX_RESPONSE:  # noqa: PLR2004  # OK
        raise _unavailable("unavailable", "the server does not answer with a certificate", url)
    return body


def _unavailable(id_: str, message: str, url: str) -> KrmfnError:
    return ProviderError(id_, message, key=f"{FIELD}.url", source=url.partition("?")[0])
