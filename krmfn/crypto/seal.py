"""One sealed item, as sealed-secrets' ``crypto.HybridEncrypt`` writes it (pkg/crypto/crypto.go).

    item = BE16(len R) ‖ R ‖ C
    R    = RSAES-OAEP(public key, session key, SHA-256, MGF1-SHA-256, label)
    C    = AES-256-GCM(session key, nonce = 12 zero bytes, no associated data, plaintext)

The 64 random bytes (session key ‖ OAEP seed) are an argument, in the order in which the Go code
reads them. No library accepts an OAEP seed, so EME-OAEP is implemented here; the tests hold it against the
Go code's output and open it with another implementation.

The zero nonce is sound only while no session key meets two plaintexts: `krmfn.crypto.derive` sees to it.
"""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SESSION_KEY_BYTES = 32
RANDOM_BYTES = 64
_HASH_BYTES = 32
_ZERO_NONCE = bytes(12)
# Importing gmpy2 takes as long as 100 items save with it.
_FEW = 48
_items = count()


def hybrid_encrypt(
    modulus: int, exponent: int, random: bytes, plaintext: bytes, label: bytes
) -> bytes:
    """Seal one item.

    Args:
        modulus: of the recipient's RSA key, 2048 to 8192 bits.
        exponent: its public exponent.
        random: 64 bytes, session key ‖ OAEP seed; never used for another plaintext.
        plaintext: the value.
        label: the OAEP label that binds the item to its place.

    Returns:
        The item's bytes: 2 + modulus + plaintext + 16.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError("64 random bytes are needed")
    session_key, seed = random[:SESSION_KEY_BYTES], random[SESSION_KEY_BYTES:]
    size = (modulus.bit_length() + 7) // 8
    encoded = _eme_oaep(session_key, seed, label, size)
    wrapped = _power(int.from_bytes(encoded), exponent, modulus).to_bytes(size)
    return size.to_bytes(2) + wrapped + AESGCM(session_key).encrypt(_ZERO_NONCE, plaintext, None)


def hybrid_decrypt(keys: Iterable[RSAPrivateKey], item: bytes, label: bytes) -> bytes | None:
    """Open one item with the first key that fits, as ``crypto.HybridDecrypt`` does.

    Returns:
        The plaintext, or None when no key opens it: wrong key, label or bytes, which look alike.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    size = int.from_bytes(item[:2])
    wrapped, ciphertext = item[2 : 2 + size], item[2 + size :]
    if len(wrapped) < size or len(item) < 2:  # noqa: PLR2004  # the length field itself
        return None
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
    for key in keys:
        try:
            session_key = key.decrypt(wrapped, oaep)
            return AESGCM(session_key).decrypt(_ZERO_NONCE, ciphertext, None)
        except (ValueError, InvalidTag):
            continue
    return None


def _eme_oaep(message: bytes, seed: bytes, label: bytes, size: int) -> bytes:
    """EME-OAEP (RFC 8017, 7.1.1 step 2) with SHA-256, for a modulus of ``size`` bytes."""
    label_hash = hashlib.sha256(label).digest()
    padding = bytes(size - len(message) - 2 * _HASH_BYTES - 2)
    block = label_hash + padding + b"\x01" + message
    masked_block = _xor(block, _mgf1(seed, len(block)))
    masked_seed = _xor(seed, _mgf1(masked_block, _HASH_BYTES))
    return b"\x00" + masked_seed + masked_block


def _mgf1(seed: bytes, size: int) -> bytes:
    """MGF1 (RFC 8017, B.2.1) with SHA-256."""
    blocks = range((size + _HASH_BYTES - 1) // _HASH_BYTES)
    return b"".join(hashlib.sha256(seed + i.to_bytes(4)).digest() for i in blocks)[:size]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))


def _power(base: int, exponent: int, modulus: int) -> int:
    """Modular power: Python's for the first items of a run, then GMP's. Same numbers."""
    if next(_items) < _FEW:
        return pow(base, exponent, modulus)
    return _gmp_power()(base, exponent, modulus)


@cache
def _gmp_power() -> Callable[[int, int, int], int]:
    """Return GMP's modular power if it is installed (5 times faster), else Python's."""
    try:
        import gmpy2
    except ModuleNotFoundError:
        return pow
    return lambda base, exponent, modulus: int(gmpy2.powmod(base, exponent, modulus))
