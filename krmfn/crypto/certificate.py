"""The controller's certificate: the public key to seal for.

Rules enforced here: RSA of 2048 to 8192 bits under the plain rsaEncryption identifier, an odd
exponent from 3 to 2^31; valid now. Of a bundle the newest valid certificate is taken. The
certificate's extensions are never looked at: those of a controller's certificate cannot be parsed
(EncipherOnly without KeyAgreement), and kubeseal ignores them too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from krmfn.errors import SealingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MIN_BITS, MAX_BITS = 2048, 8192
MAX_BLOCKS = 100
MIN_EXPONENT, MAX_EXPONENT = 3, 2**31
_RSA_ENCRYPTION = "1.2.840.113549.1.1.1"


@dataclass(frozen=True)
class SealingCertificate:
    """The parts of a certificate that sealing needs.

    Attributes:
        modulus, exponent: the RSA public key.
        spki_sha256: 32 bytes, SHA-256 of the public key as DER SubjectPublicKeyInfo.
        not_before, not_after: validity, UTC.
        pem: the certificate's own PEM text.
    """

    modulus: int
    exponent: int
    spki_sha256: bytes
    not_before: datetime
    not_after: datetime
    pem: bytes

    @property
    def fingerprint(self) -> str:
        """`spki_sha256` as hex: the annotation ``krmfn.dev/certificate`` and every pin."""
        return self.spki_sha256.hex()


def choose(pem: bytes, now: datetime, *, pin: str | None = None) -> SealingCertificate:
    """Return the newest usable certificate in ``pem``.

    Args:
        pem: PEM text; other blocks in it are ignored.
        now: the time it must be valid at, UTC.
        pin: SHA-256 of the public key, hex, that it must have.

    Raises:
        SealingError: none can be; the reason is that of the last one.
    """
    blocks = list(pem_blocks(pem, b"CERTIFICATE"))
    if not blocks:
        raise SealingError("certificate", "there is no PEM certificate in it")
    usable: list[SealingCertificate] = []
    problems: list[SealingError] = []
    for block in blocks:
        try:
            certificate = parse(block)
            _check_validity(certificate, now)
        except SealingError as error:
            problems.append(error)
        else:
            usable.append(certificate)
    if pin is not None and usable:
        pinned = [c for c in usable if c.fingerprint == pin]
        if not pinned:
            raise SealingError(
                "certificate-pin",
                "the certificate is not the pinned one",
                expected=pin,
                found=max(usable, key=lambda c: c.not_before).fingerprint,
            )
        usable = pinned
    if not usable:
        raise problems[-1]
    return max(usable, key=lambda c: c.not_before)


def pem_blocks(text: bytes, kind: bytes) -> Iterator[bytes]:
    """Yield the blocks of one kind in a PEM text, at most `MAX_BLOCKS`; in linear time."""
    begin, end = b"-----BEGIN " + kind + b"-----", b"-----END " + kind + b"-----"
    position = 0
    for _ in range(MAX_BLOCKS):
        start = text.find(begin, position)
        stop = text.find(end, start)
        if start < 0 or stop < 0:
            return
        position = stop + len(end)
        yield text[start:position]


def parse(pem: bytes) -> SealingCertificate:
    """Parse one certificate, and check its key but not its validity.

    Raises:
        SealingError: not a certificate, or a key that must not be sealed with.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except (ValueError, x509.InvalidVersion):
        raise SealingError("certificate", "the PEM text is not an X.509 certificate") from None
    algorithm = certificate.public_key_algorithm_oid.dotted_string
    try:
        key = certificate.public_key()
    except ValueError:
        raise _bad_key("the public key is malformed or unsafe") from None
    except Exception:  # noqa: BLE001  # UnsupportedAlgorithm and whatever else a foreign key raises
        raise _bad_key("the public key is not RSA") from None
    if not isinstance(key, RSAPublicKey) or algorithm != _RSA_ENCRYPTION:
        raise _bad_key("the public key is not RSA (rsaEncryption)")
    numbers = key.public_numbers()
    if not MIN_BITS <= key.key_size <= MAX_BITS:
        raise _bad_key(
            "the RSA key has the wrong size",
            expected=f"{MIN_BITS} to {MAX_BITS} bits",
            found=str(key.key_size),
        )
    if numbers.e % 2 == 0 or not MIN_EXPONENT <= numbers.e < MAX_EXPONENT:
        raise _bad_key("the RSA exponent is even or out of range", found=str(numbers.e))
    return SealingCertificate(
        modulus=numbers.n,
        exponent=numbers.e,
        spki_sha256=_spki_sha256(key),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        pem=pem + b"\n",
    )


def fingerprint(key: RSAPublicKey) -> str:
    """Return the hex fingerprint of a certificate with this public key."""
    return _spki_sha256(key).hex()


def _spki_sha256(key: RSAPublicKey) -> bytes:
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def _check_validity(certificate: SealingCertificate, now: datetime) -> None:
    if now > certificate.not_after:
        raise SealingError(
            "certificate-expired",
            f"the certificate expired on {certificate.not_after:%Y-%m-%d}",
            remedy="fetch the current one: krmfn cert fetch",
        )
    if now < certificate.not_before:
        raise SealingError(
            "certificate-not-yet-valid",
            f"the certificate is valid from {certificate.not_before:%Y-%m-%d %H:%M} UTC only",
            remedy="check this machine's clock",
        )


def _bad_key(message: str, *, expected: str = "", found: str = "") -> SealingError:
    return SealingError(
        "certificate-key",
        message,
        expected=expected,
        found=found,
        remedy="use the sealed-secrets controller's certificate",
    )
