"""Laws of sealing, for any plaintext, label, key size and 64 bytes."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from krmfn.crypto.seal import hybrid_decrypt, hybrid_encrypt
from tests.support import make_seal_vectors, seal_reference

SIZES = ("2048", "3072", "4096")
plaintexts = st.binary(max_size=300)
labels = st.text(st.characters(codec="utf-8"), max_size=60)
randoms = st.binary(min_size=64, max_size=64)
sizes = st.sampled_from(SIZES)


@cache
def private_key(size: str) -> RSAPrivateKey:
    key = load_pem_private_key(make_seal_vectors.recipients()[size]["Key"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def encrypt(size: str, random: bytes, plaintext: bytes, label: str) -> bytes:
    numbers = private_key(size).public_key().public_numbers()
    return hybrid_encrypt(numbers.n, numbers.e, random, plaintext, label.encode())


@given(sizes, randoms, plaintexts, labels)
@settings(deadline=None)
def test_opening_undoes_sealing(size: str, random: bytes, plaintext: bytes, label: str) -> None:
    """What was sealed opens, and has the length that it must have."""
    item = encrypt(size, random, plaintext, label)
    assert hybrid_decrypt([private_key(size)], item, label.encode()) == plaintext
    assert len(item) == 2 + int(size) // 8 + len(plaintext) + 16


@given(sizes, randoms, plaintexts, labels)
@settings(deadline=None)
def test_two_implementations_agree(size: str, random: bytes, plaintext: bytes, label: str) -> None:
    """The reference makes the same bytes."""
    numbers = private_key(size).public_key().public_numbers()
    assert encrypt(size, random, plaintext, label) == seal_reference.seal(
        numbers.n, numbers.e, random, plaintext, label
    )


@given(randoms, plaintexts, labels, labels)
@settings(deadline=None)
def test_another_label_opens_nothing(random: bytes, plaintext: bytes, one: str, two: str) -> None:
    """An item is bound to its place."""
    item = encrypt("2048", random, plaintext, one)
    opened = hybrid_decrypt([private_key("2048")], item, two.encode())
    assert opened == (plaintext if one == two else None)


@given(randoms, plaintexts, st.data())
@settings(deadline=None)
def test_one_changed_byte_opens_nothing(
    random: bytes, plaintext: bytes, data: st.DataObject
) -> None:
    """Length, wrapped key, ciphertext or tag: any other byte anywhere is noticed."""
    item = bytearray(encrypt("2048", random, plaintext, "ns/name"))
    position = data.draw(st.integers(0, len(item) - 1))
    item[position] ^= data.draw(st.integers(1, 255))
    assert hybrid_decrypt([private_key("2048")], bytes(item), b"ns/name") is None


@given(randoms, plaintexts, st.binary(min_size=1, max_size=40))
@settings(deadline=None)
def test_nothing_may_follow(random: bytes, plaintext: bytes, more: bytes) -> None:
    """Bytes behind an item are noticed."""
    item = encrypt("2048", random, plaintext, "ns")
    assert hybrid_decrypt([private_key("2048")], item + more, b"ns") is None


@given(sizes, st.binary(max_size=700))
@settings(deadline=None)
def test_garbage_opens_to_nothing(size: str, garbage: bytes) -> None:
    """Whatever is given as an item, the answer is None and no exception."""
    assert hybrid_decrypt([private_key(size)], garbage, b"") is None


@cache
def key_of_2049_bits() -> RSAPrivateKey:
    """A key whose modulus has one bit in its first byte: primes of 1025 and of 1024 bits."""
    p = rsa.generate_private_key(65537, 2050).private_numbers().p
    q = rsa.generate_private_key(65537, 2048).private_numbers().p
    d = rsa.rsa_recover_private_exponent(65537, p, q)
    public = rsa.RSAPublicNumbers(65537, p * q)
    crt = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()


@given(randoms, plaintexts)
@settings(deadline=None)
def test_a_size_between_bytes(random: bytes, plaintext: bytes) -> None:
    """A modulus of 2049 bits takes 257 bytes, and another implementation opens it."""
    key = key_of_2049_bits()
    numbers = key.public_key().public_numbers()
    assert numbers.n.bit_length() == 2049
    item = hybrid_encrypt(numbers.n, numbers.e, random, plaintext, b"ns")
    assert item[:2] == (257).to_bytes(2)
    assert hybrid_decrypt([key], item, b"ns") == plaintext
