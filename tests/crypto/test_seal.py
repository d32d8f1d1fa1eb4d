"""Sealed items: byte for byte those of the Go code, and open to another implementation."""

from __future__ import annotations

import base64
import itertools
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from krmfn.crypto import seal
from krmfn.crypto.certificate import parse
from krmfn.crypto.seal import hybrid_decrypt, hybrid_encrypt
from krmfn.objects.sealed_secret import label_for
from tests.support import make_seal_vectors

VECTORS = Path(__file__).parent.parent / "vectors"
GO: dict[int, Any] = {
    one["Bits"]: one for one in json.loads((VECTORS / "hybrid-encrypt.json").read_text())
}
GO_CASES = [(bits, n) for bits, key in GO.items() for n in range(len(key["Vs"]))]
SIZES = {size: one["Key"] for size, one in make_seal_vectors.recipients().items()}
RANDOM = bytes(range(64))


@cache
def private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def vector_key(name: str) -> RSAPrivateKey:
    return private_key((VECTORS / "keys" / f"{name}.key").read_text())


def encrypt(key: RSAPrivateKey, plaintext: bytes, label: bytes, random: bytes = RANDOM) -> bytes:
    numbers = key.public_key().public_numbers()
    return hybrid_encrypt(numbers.n, numbers.e, random, plaintext, label)


def test_there_are_as_many_answers_as_the_go_code_gave() -> None:
    """Three keys, twelve answers each: none is skipped."""
    assert len(GO_CASES) == 36


@pytest.mark.parametrize(("bits", "number"), GO_CASES)
def test_byte_for_byte_as_the_go_code(bits: int, number: int) -> None:
    """The same 64 bytes, label and plaintext give the same item, and it opens again."""
    one = GO[bits]["Vs"][number]
    certificate = parse(GO[bits]["CertPEM"].encode())
    plaintext, label = bytes.fromhex(one["Plain"]), one["Label"].encode()
    item = hybrid_encrypt(
        certificate.modulus, certificate.exponent, bytes.fromhex(one["Rnd"]), plaintext, label
    )
    assert base64.b64encode(item).decode() == one["Out"]
    assert hybrid_decrypt([private_key(GO[bits]["Key"])], item, label) == plaintext


@pytest.mark.parametrize("few", [0, 10**9], ids=["GMP", "Python"])
@pytest.mark.parametrize(("bits", "number"), GO_CASES[::4])
def test_either_power_gives_the_same_bytes(
    bits: int, number: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own modular power serves the first items, GMP's all others."""
    monkeypatch.setattr(seal, "_FEW", few)
    monkeypatch.setattr(seal, "_items", itertools.count())
    one = GO[bits]["Vs"][number]
    item = encrypt(
        private_key(GO[bits]["Key"]),
        bytes.fromhex(one["Plain"]),
        one["Label"].encode(),
        bytes.fromhex(one["Rnd"]),
    )
    assert base64.b64encode(item).decode() == one["Out"]


@pytest.mark.parametrize(
    "size", [pytest.param(s, marks=pytest.mark.slow) if s == "8192" else s for s in SIZES]
)
@pytest.mark.parametrize("plaintext", [b"", b"s3cr3t", bytes(100_000)], ids=len)
def test_another_implementation_opens_it(size: str, plaintext: bytes) -> None:
    """A library's OAEP finds the session key, its AES-GCM the plaintext."""
    key = private_key(SIZES[size])
    item = encrypt(key, plaintext, b"ns/name")
    modulus_bytes = int(size) // 8
    assert len(item) == 2 + modulus_bytes + len(plaintext) + 16
    assert item[:2] == modulus_bytes.to_bytes(2)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"ns/name")
    session_key = key.decrypt(item[2 : 2 + modulus_bytes], oaep)
    assert session_key == RANDOM[:32]
    opened = AESGCM(session_key).decrypt(bytes(12), item[2 + modulus_bytes :], None)
    assert opened == plaintext


@pytest.mark.parametrize("count", [0, 32, 63, 65, 128])
def test_64_random_bytes_or_none(count: int) -> None:
    """Fewer or more random bytes are a bug of the caller, not a weaker item."""
    with pytest.raises(ValueError, match="64 random bytes"):
        encrypt(private_key(SIZES["2048"]), b"", b"", bytes(count))


def sealed_files() -> list[str]:
    return sorted(path.name for path in (VECTORS / "sealed").glob("*.json"))


def opened_by(name: str) -> str:
    """The key that the file name tells."""
    return {"previous-key": "previous", "rsa2048": "small"}.get(name.split(".")[-2], "current")


def item_of(name: str) -> tuple[dict[str, Any], dict[str, bytes], dict[str, bytes], str]:
    """Metadata, sealed items, plaintexts and scope of one of kubeseal's files."""
    found = json.loads((VECTORS / "sealed" / name).read_text())
    plain_name, scope = name.split(".")[:2]
    plain = json.loads((VECTORS / "plain" / f"{plain_name}.json").read_text())["data"]

    def decoded(data: dict[str, str]) -> dict[str, bytes]:
        return {key: base64.b64decode(value) for key, value in data.items()}

    return found["metadata"], decoded(found["spec"]["encryptedData"]), decoded(plain), scope


@pytest.mark.parametrize("name", sealed_files())
def test_what_kubeseal_sealed_opens(name: str) -> None:
    """Every item opens under its own label with the right key among several, to its plaintext."""
    metadata, items, plain, scope = item_of(name)
    label = label_for(scope, metadata["namespace"], metadata["name"]).encode()
    keys = [vector_key(key) for key in ("current", "previous", "small")]
    assert {k: hybrid_decrypt(keys, item, label) for k, item in items.items()} == plain


@pytest.mark.parametrize("name", sealed_files())
def test_what_kubeseal_sealed_stays_shut(name: str) -> None:
    """No item opens under another scope's or name's label, or with the other keys."""
    metadata, items, _, scope = item_of(name)
    right = vector_key(opened_by(name))
    wrong = [vector_key(k) for k in ("current", "previous", "small") if k != opened_by(name)]
    place = (metadata["namespace"], metadata["name"])
    label = label_for(scope, *place).encode()
    labels = {label_for(s, *place) for s in ("strict", "namespace-wide", "cluster-wide")}
    labels |= {f"{place[0]}/other", f"other/{place[1]}", f"{label.decode()}/"}
    for item in items.values():
        assert hybrid_decrypt(wrong, item, label) is None
        for other in labels - {label.decode()}:
            assert hybrid_decrypt([right], item, other.encode()) is None


def test_a_raw_item_of_kubeseal_opens() -> None:
    """One item without an object around it."""
    item = base64.b64decode((VECTORS / "sealed" / "raw.txt").read_text())
    assert hybrid_decrypt([vector_key("current")], item, b"production/raw-item") == b"s3cr3t"
    assert hybrid_decrypt([vector_key("current")], item, b"production/raw") is None


def test_items_too_short_open_to_nothing() -> None:
    """Every prefix of an item, and the empty one, is no item."""
    key = private_key(SIZES["2048"])
    item = encrypt(key, b"", b"")
    for length in range(len(item)):
        assert hybrid_decrypt([key], item[:length], b"") is None
    assert hybrid_decrypt([key], item, b"") == b""


def test_no_key_opens_nothing() -> None:
    """Without keys there is no plaintext."""
    assert hybrid_decrypt([], encrypt(private_key(SIZES["2048"]), b"x", b""), b"") is None


def test_the_session_key_is_used_once_and_whole() -> None:
    """Each half of the random bytes changes what it is for: the ciphertext, the wrapping alone."""
    key = private_key(SIZES["2048"])
    item = encrypt(key, b"s3cr3t", b"")
    other_seed = encrypt(key, b"s3cr3t", b"", RANDOM[:32] + bytes(32))
    other_key = encrypt(key, b"s3cr3t", b"", bytes(32) + RANDOM[32:])
    assert item[258:] == other_seed[258:]
    assert item[2:258] != other_seed[2:258]
    assert item[258:] != other_key[258:]
    with pytest.raises(InvalidTag):
        AESGCM(bytes(32)).decrypt(bytes(12), item[258:], None)
