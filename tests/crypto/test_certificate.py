"""Which certificates are sealed for, and why every other one is not."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from krmfn.crypto.certificate import choose, parse
from krmfn.errors import SealingError
from tests.support.seal_reference import der, der_integer, spki

VECTORS = Path(__file__).parent.parent / "vectors"
KEYS = VECTORS / "keys"
NOW = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
CONTROLLER = [
    one["CertPEM"].encode() for one in json.loads((VECTORS / "hybrid-encrypt.json").read_text())
]
RSA_ENCRYPTION, RSASSA_PSS = "2a864886f70d010101", "2a864886f70d01010a"
SHA256_WITH_RSA = "2a864886f70d01010b"
NULL = der(5, b"")


def oid(encoded: str) -> bytes:
    return der(6, bytes.fromhex(encoded))


def modulus(bits: int) -> int:
    """An odd number of so many bits; nothing here asks for its factors."""
    stream = b"".join(hashlib.sha512(bytes([i])).digest() for i in range(32))
    return int.from_bytes(stream[: (bits + 7) // 8]) >> -bits % 8 | 1 << (bits - 1) | 1


def key_info(n: int, e: int, algorithm: str = RSA_ENCRYPTION, parameters: bytes = NULL) -> bytes:
    key = der(0x30, der_integer(n) + der_integer(e))
    return der(0x30, der(0x30, oid(algorithm) + parameters) + der(3, b"\0" + key))


def pem(
    public_key: bytes,
    not_before: dt.datetime = NOW - DAY,
    not_after: dt.datetime = NOW + DAY,
    version: int = 2,
) -> bytes:
    """A certificate by hand, since a library refuses to make what must be refused.

    Its signature is no signature: nobody looks at it, as with a controller's own certificate.
    """

    def time(when: dt.datetime) -> bytes:
        return der(0x18, f"{when:%Y%m%d%H%M%SZ}".encode())

    signature = der(0x30, oid(SHA256_WITH_RSA) + NULL)
    name = der(0x30, b"")
    validity = der(0x30, time(not_before) + time(not_after))
    body = der(0xA0, der_integer(version)) + der_integer(1) + signature + name + validity + name
    whole = der(0x30, der(0x30, body + public_key) + signature + der(3, b"\0" + bytes(256)))
    return wrapped(whole)


def wrapped(whole: bytes) -> bytes:
    text = base64.encodebytes(whole)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


GOOD = key_info(modulus(2048), 65537)


def refused(text: bytes, now: dt.datetime = NOW, pin: str | None = None) -> SealingError:
    """The error; its line, on one line and without PEM, is what a person sees."""
    with pytest.raises(SealingError) as caught:
        choose(text, now, pin=pin)
    line = caught.value.line()
    assert "\n" not in line
    assert "BEGIN" not in line
    return caught.value


def built(key: Any, algorithm: hashes.SHA256 | None) -> bytes:
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("text", CONTROLLER, ids=["2048", "3072", "4096"])
def test_a_controllers_certificate_is_accepted(text: bytes) -> None:
    """Its extensions cannot be parsed, and need not be."""
    with pytest.raises(ValueError, match="key_agreement"):
        _ = x509.load_pem_x509_certificate(text).extensions
    chosen = choose(text, NOW)
    assert chosen.pem == text
    assert chosen.spki_sha256 == hashlib.sha256(spki(chosen.modulus, chosen.exponent)).digest()


def test_the_extensions_are_never_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the real certificate only these attributes are asked for."""
    asked: set[str] = set()

    class Watched:
        def __init__(self, real: x509.Certificate) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            asked.add(name)
            return getattr(self._real, name)

    load = x509.load_pem_x509_certificate
    monkeypatch.setattr(x509, "load_pem_x509_certificate", lambda text: Watched(load(text)))
    choose(CONTROLLER[0], NOW)
    assert asked == {
        "public_key_algorithm_oid",
        "public_key",
        "not_valid_before_utc",
        "not_valid_after_utc",
    }


@pytest.mark.parametrize("bits", [2048, 2049, 3000, 4096, 8191, 8192])
@pytest.mark.parametrize("exponent", [3, 17, 65537, 2**31 - 1])
def test_keys_that_are_accepted(bits: int, exponent: int) -> None:
    """2048 to 8192 bits, an odd exponent from 3 to below 2^31, hashed in the one form."""
    n = modulus(bits)
    chosen = choose(pem(key_info(n, exponent)), NOW)
    assert (chosen.modulus, chosen.exponent) == (n, exponent)
    assert chosen.fingerprint == hashlib.sha256(spki(n, exponent)).hexdigest()


REFUSED_KEYS = {
    "1024 bits": key_info(modulus(1024), 65537),
    "2047 bits": key_info(modulus(2047), 65537),
    "8193 bits": key_info(modulus(8193), 65537),
    "exponent 0": key_info(modulus(2048), 0),
    "exponent 1": key_info(modulus(2048), 1),
    "exponent 2": key_info(modulus(2048), 2),
    "even exponent": key_info(modulus(2048), 65536),
    "exponent 2^31": key_info(modulus(2048), 2**31),
    "exponent 2^31 + 1": key_info(modulus(2048), 2**31 + 1),
    "exponent of 64 bits": key_info(modulus(2048), 2**63 + 1),
    "exponent as large as the modulus": key_info(modulus(2048), modulus(2048) - 2),
    "negative exponent": der(
        0x30,
        der(0x30, oid(RSA_ENCRYPTION) + NULL)
        + der(3, b"\0" + der(0x30, der_integer(modulus(2048)) + der(2, b"\xfd"))),
    ),
    "RSASSA-PSS": key_info(modulus(2048), 65537, RSASSA_PSS, b""),
    "unknown algorithm": key_info(modulus(2048), 65537, "2a0304"),
    "no key inside": der(0x30, der(0x30, oid(RSA_ENCRYPTION) + NULL) + der(3, b"\0")),
}


@pytest.mark.parametrize("public_key", REFUSED_KEYS.values(), ids=REFUSED_KEYS)
def test_keys_that_are_refused(public_key: bytes) -> None:
    """Too small, too large, an unsafe exponent, another algorithm: no item is made for it."""
    assert refused(pem(public_key)).id == "certificate-key"


def test_a_key_without_null_has_the_hash_of_one_with_it() -> None:
    """The public key is written anew before it is hashed: absent parameters are not another key."""
    absent = key_info(modulus(2048), 65537, parameters=b"")
    assert absent != GOOD
    assert choose(pem(absent), NOW).spki_sha256 == hashlib.sha256(GOOD).digest()


@pytest.mark.parametrize(
    "key",
    [
        (KEYS / "ec.crt").read_bytes(),
        built(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256()),
        built(ed25519.Ed25519PrivateKey.generate(), None),
    ],
    ids=["P-256", "P-384", "Ed25519"],
)
def test_other_kinds_of_key_are_refused(key: bytes) -> None:
    """As kubeseal does, and by name of what is needed."""
    error = refused(key)
    assert error.id == "certificate-key"
    assert "not RSA" in error.message


def test_an_expired_certificate_is_refused() -> None:
    """The controller no longer seals with it, and may have dropped its key; the date is told."""
    error = refused((KEYS / "expired.crt").read_bytes())
    assert error.id == "certificate-expired"
    assert "2021-01-01" in error.message


def test_a_certificate_of_tomorrow_is_refused() -> None:
    """It means that some clock is wrong, which kubeseal does not notice."""
    error = refused(pem(GOOD, NOW + DAY, NOW + 2 * DAY))
    assert error.id == "certificate-not-yet-valid"
    assert "2027-01-02" in error.message


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_validity_includes_both_ends(off: int) -> None:
    """The first and the last second are valid, the ones before and after are not."""
    second = dt.timedelta(seconds=1)
    text = pem(GOOD)
    for end, outward in ((NOW - DAY, -second), (NOW + DAY, second)):
        now = end + off * outward
        if off > 0:
            assert refused(text, now).id.startswith("certificate-")
        else:
            assert choose(text, now).not_before == NOW - DAY


GARBAGE = {
    "empty": b"",
    "text": b"no certificate",
    "a private key": (KEYS / "small.key").read_bytes(),
    "a bare public key": b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    "DER": base64.b64decode(b"".join(pem(GOOD).splitlines()[1:-1])),
    "no end": pem(GOOD).rpartition(b"-----END")[0],
    "no base64": b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
    "nothing inside": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "not DER": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "cut off": b"-----BEGIN CERTIFICATE-----\n"
    + b"\n".join(pem(GOOD).splitlines()[1:5])
    + b"\n-----END CERTIFICATE-----\n",
    "version 4": pem(GOOD, version=3),
    "RSASSA-PSS with NULL": pem(key_info(modulus(2048), 65537, RSASSA_PSS)),
    "rsaEncryption with a sequence": pem(key_info(modulus(2048), 65537, parameters=der(0x30, b""))),
    "a request": b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_certificate_is_refused(text: bytes) -> None:
    """Nothing that is no PEM certificate gets further; what it was is not quoted."""
    assert refused(text).id == "certificate"


@pytest.mark.parametrize("text", [pem(GOOD), CONTROLLER[0]], ids=["hand-made", "controller"])
def test_one_changed_byte_is_accepted_or_refused(text: bytes) -> None:
    """Whatever a damaged certificate is taken for, no other exception gets out."""
    whole = base64.b64decode(b"".join(text.splitlines()[1:-1]))
    for position in range(len(whole)):
        for flipped in (1, 4, 0x20, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= flipped
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the library: a serial number below one
                with suppress(SealingError):
                    choose(wrapped(bytes(damaged)), NOW)


def numbered(number: int, begins: int, ends: int) -> bytes:
    """A valid form whose key tells its number, valid for days around now."""
    n = modulus(2048) + 2 * number
    return pem(key_info(n, 65537), NOW + begins * DAY, NOW + ends * DAY)


def number_of(text: bytes, **options: Any) -> int:
    return (choose(text, NOW, **options).modulus - modulus(2048)) // 2


OLD, NEW = numbered(1, -60, 300), numbered(2, -30, 330)
EXPIRED, FUTURE = numbered(3, -10, -1), numbered(4, 1, 400)
LONG = numbered(5, -90, 3000)
WEAK = pem(key_info(modulus(1024), 65537), NOW - DAY, NOW + DAY)
BROKEN = GARBAGE["not DER"]
EC = (KEYS / "ec.crt").read_bytes()


@pytest.mark.parametrize(
    "bundle",
    [
        [OLD, NEW],
        [NEW, OLD],
        [EXPIRED, OLD, NEW],
        [NEW, EXPIRED, OLD],
        [OLD, FUTURE, NEW, EXPIRED],
        [FUTURE, NEW],
        [WEAK, NEW, BROKEN],
        [BROKEN, EC, NEW, OLD, WEAK],
        [GARBAGE["a private key"], OLD, b"# comment\n", NEW],
        [NEW, NEW],
        [LONG, NEW],
        [NEW, LONG],
    ],
)
def test_of_a_bundle_the_newest_valid_one_is_taken(bundle: list[bytes]) -> None:
    """In any order, whatever else stands beside it; kubeseal would take the first."""
    assert number_of(b"".join(bundle)) == 2


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        ([EXPIRED, FUTURE], "certificate-not-yet-valid"),
        ([FUTURE, EXPIRED], "certificate-expired"),
        ([EXPIRED, WEAK], "certificate-key"),
        ([WEAK, BROKEN], "certificate"),
    ],
)
def test_a_bundle_without_a_usable_one_is_refused(bundle: list[bytes], expected: str) -> None:
    """The reason told is that of the last one."""
    assert refused(b"".join(bundle)).id == expected


def test_carriage_returns_do_no_harm() -> None:
    """A file that was saved elsewhere holds the same key."""
    assert number_of(NEW.replace(b"\n", b"\r\n")) == 2


def pin_of(text: bytes) -> str:
    return parse(text.strip()).fingerprint


def test_a_pin_chooses() -> None:
    """Of a bundle the pinned key is taken, even if another is newer."""
    assert number_of(OLD + NEW, pin=pin_of(OLD)) == 1
    assert number_of(OLD + NEW, pin=pin_of(NEW)) == 2


def test_a_pin_survives_a_new_certificate_for_the_same_key() -> None:
    """What is pinned is the key: a certificate made anew for it changes nothing."""
    again = numbered(1, -1, 500)
    assert pin_of(again) == pin_of(OLD)
    assert choose(OLD + again, NOW, pin=pin_of(OLD)).not_after == NOW + 500 * DAY


def test_another_than_the_pinned_key_is_refused() -> None:
    """Both hashes are told, for the one who compares them."""
    error = refused(OLD + NEW, pin="0" * 64)
    assert error.id == "certificate-pin"
    assert error.expected == "0" * 64
    assert error.found == pin_of(NEW)


def test_a_pin_does_not_revive_an_expired_certificate() -> None:
    """The pinned key must be usable too; a usable other one does not stand in for it."""
    assert refused(EXPIRED, pin=pin_of(EXPIRED)).id == "certificate-expired"
    assert refused(EXPIRED + NEW, pin=pin_of(EXPIRED)).id == "certificate-pin"
