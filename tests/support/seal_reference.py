"""``krmfn/seal/v1`` a second time, from docs/seal-v1.md alone: nothing of krmfn is imported.

It shares no code with what it is held against, not even the parsing of a certificate's public key
into SubjectPublicKeyInfo. AES-GCM is a library's; opening what it seals is another's (the tests).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def tlv(*fields: bytes) -> bytes:
    return struct.pack(">Q", len(fields)) + b"".join(struct.pack(">Q", len(f)) + f for f in fields)


def utf8(*texts: str) -> list[bytes]:
    return [text.encode("utf-8") for text in texts]


def source(form: Any) -> bytes:
    """The bytes of a source in the shape that tests/vectors/seal-v1.json gives it."""
    if form == "literal":
        return tlv(b"literal")
    ((kind, of),) = form.items()
    if kind == "vault":
        place = utf8(of["id"], of["namespace"], of["mount"], of["path"])
        return tlv(b"vault", *place, tlv(*utf8(*of["components"])))
    if kind == "age":
        return tlv(b"age", *utf8(of["id"]), tlv(*utf8(of["path"], *of["components"])))
    assert kind == "composed"
    distinct = {source(one) for one in of["sources"]}
    return tlv(
        b"composed",
        hashlib.sha256(of["template"].encode("utf-8")).digest(),
        tlv(*utf8(*of["transforms"])),
        *sorted(distinct),
    )


def components(property_: str) -> list[str]:
    """The escape syntax, by substitution: a property that is refused is not for this function."""
    hidden = property_.replace("\\\\", "\x01").replace("\\.", "\x02")
    return [one.replace("\x01", "\\").replace("\x02", ".") for one in hidden.split(".")]


def label(scope: str, namespace: str, name: str) -> str:
    if scope == "strict":
        return namespace + "/" + name
    return namespace if scope == "namespace-wide" else ""


def der(tag: int, body: bytes) -> bytes:
    length = len(body)
    if length < 0x80:
        return bytes([tag, length]) + body
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def der_integer(number: int) -> bytes:
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def spki(modulus: int, exponent: int) -> bytes:
    """SubjectPublicKeyInfo: rsaEncryption, NULL, and the two integers."""
    algorithm = der(0x30, der(6, bytes.fromhex("2a864886f70d010101")) + der(5, b""))
    key = der(0x30, der_integer(modulus) + der_integer(exponent))
    return der(0x30, algorithm + der(3, b"\0" + key))


def context(modulus: int, exponent: int, item: dict[str, Any]) -> bytes:
    """C."""
    scope, namespace, name = item["scope"], item["namespace"], item["name"]
    return tlv(
        b"krmfn/seal/v1",
        hashlib.sha256(spki(modulus, exponent)).digest(),
        *utf8(scope, label(scope, namespace, name)),
        *utf8("" if scope == "cluster-wide" else namespace, name, item["key"]),
        source(item["source"]),
        *utf8(item["epoch"]),
    )


def first(key: bytes, c: bytes) -> bytes:
    """F."""
    return hmac.new(key, hashlib.sha512(c).digest(), hashlib.sha512).digest()


def second(f: bytes, c: bytes, plaintext: bytes) -> bytes:
    """rnd64."""
    return hmac.new(f, tlv(c, plaintext), hashlib.sha512).digest()


def key_id(key: bytes) -> str:
    return first(key, tlv(b"krmfn/key-id/v1")).hex()[:16]


def mask(data: bytes, seed: bytes) -> bytes:
    """``data`` under the MGF1 stream of ``seed``."""
    stream = b""
    while len(stream) < len(data):
        stream += hashlib.sha256(seed + struct.pack(">I", len(stream) // 32)).digest()
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def seal(modulus: int, exponent: int, rnd64: bytes, plaintext: bytes, label: str) -> bytes:
    """The sealed item."""
    session_key, seed = rnd64[:32], rnd64[32:]
    size = (modulus.bit_length() + 7) // 8
    block = hashlib.sha256(label.encode("utf-8")).digest() + (b"\x01" + session_key).rjust(
        size - 65, b"\0"
    )
    masked = mask(block, seed)
    encoded = b"\0" + mask(seed, masked) + masked
    wrapped = pow(int.from_bytes(encoded, "big"), exponent, modulus).to_bytes(size, "big")
    gcm = Cipher(algorithms.AES(session_key), modes.GCM(bytes(12))).encryptor()
    return struct.pack(">H", size) + wrapped + gcm.update(plaintext) + gcm.finalize() + gcm.tag
