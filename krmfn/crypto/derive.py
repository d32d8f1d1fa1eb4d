"""``krmfn/seal/v1``: from a key, an item's whole context and its plaintext to 64 bytes.

The contract is docs/seal-v1.md, byte for byte; nothing here may change without a new version.

    tlv(f1 … fn) = BE64(n) ‖ for each f: BE64(len f) ‖ f
    C     = tlv("krmfn/seal/v1", SHA-256(SPKI), scope, label, namespace, name, key, source, epoch)
    F     = HMAC-SHA-512(K, SHA-512(C))            local, or asked of a transit engine
    rnd64 = HMAC-SHA-512(F, tlv(C, plaintext))     always local; session key ‖ OAEP seed

The first step never sees the plaintext, so a transit engine learns nothing of it; the second
always does, so no two plaintexts share a session key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn.errors import SealingError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VERSION = b"krmfn/seal/v1"
KEY_ID = b"krmfn/key-id/v1"
_PRINTABLE = frozenset(range(0x20, 0x7F))


def tlv(*fields: bytes) -> bytes:
    """Fields, unambiguously joined: their number, then each behind its length (big-endian 64)."""
    parts = [len(fields).to_bytes(8, "big")]
    for field in fields:
        parts.append(len(field).to_bytes(8, "big"))
        parts.append(field)
    return b"".join(parts)


def text(value: str) -> bytes:
    """UTF-8 as written, without normalisation.

    Raises:
        SpecError: a lone surrogate.
    """
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise SpecError("spec", "text holds a lone surrogate") from None


@dataclass(frozen=True)
class ItemContext:
    """Everything but the plaintext that a sealed item depends on.

    Attributes:
        spki_sha256: 32 bytes, of the recipient's public key.
        scope: ``strict``, ``namespace-wide`` or ``cluster-wide``.
        label: the OAEP label, see `krmfn.objects.sealed_secret.label_for`.
        namespace: the emitted namespace; empty for cluster-wide.
        name: the emitted final name, for every scope.
        key: the Secret's data key.
        source: see `remote_source`, `LITERAL` and `composed_source`.
        epoch: the configuration's epoch.
    """

    spki_sha256: bytes
    scope: str
    label: str
    namespace: str
    name: str
    key: str
    source: bytes
    epoch: str = "1"

    def encode(self) -> bytes:
        """C of the contract."""
        return tlv(
            VERSION,
            self.spki_sha256,
            text(self.scope),
            text(self.label),
            text(self.namespace),
            text(self.name),
            text(self.key),
            self.source,
            text(self.epoch),
        )

    def digest(self) -> bytes:
        """Return SHA-512(C), the input of the first step. 64 bytes."""
        return hashlib.sha512(self.encode()).digest()


def first_step(key: bytes, digest: bytes) -> bytes:
    """F, computed locally. 64 bytes."""
    return hmac.digest(key, digest, "sha512")


def second_step(f: bytes, context: ItemContext, plaintext: bytes) -> bytes:
    """rnd64: session key ‖ OAEP seed."""
    return hmac.digest(f, tlv(context.encode(), plaintext), "sha512")


def key_id_digest() -> bytes:
    """Return the first step's input whose output identifies the key. 64 bytes."""
    return hashlib.sha512(tlv(KEY_ID)).digest()


def key_id(f: bytes) -> str:
    """Return the key's id: 16 hex digits, from F over `key_id_digest`."""
    return f[:8].hex()


LITERAL = tlv(b"literal")


def remote_source(location: Sequence[str], properties: Sequence[str]) -> bytes:
    """The source of a value in a store.

    Args:
        location: ``("vault", store id, vault namespace, mount, path)`` or
            ``("age", store id, key)``.
        properties: the components of the property; none is the whole secret.
    """
    kind, *rest = (text(field) for field in location)
    components = tlv(*map(text, properties))
    if kind == b"age":
        # tlv("age", store id, tlv(components …)): the key is the first component.
        store_id, *path = rest
        return tlv(kind, store_id, tlv(*path, *map(text, properties)))
    return tlv(kind, *rest, components)


def composed_source(template: str, transforms: Sequence[str], sources: Iterable[bytes]) -> bytes:
    """Return the source of a value composed from others.

    Args:
        template: the template's text; empty for a mere transform.
        transforms: names and arguments, such as ``("decode", "Base64")``.
        sources: all that could be seen; order and repetition carry no meaning.
    """
    return tlv(
        b"composed",
        hashlib.sha256(text(template)).digest(),
        tlv(*map(text, transforms)),
        *sorted(set(sources)),
    )


def parse_key(stored: bytes) -> bytes:
    """The derivation key K in its stored form: 32 or 64 bytes as lower-case hex or base64.

    One trailing newline is allowed. Text in place of random bytes is refused.

    Raises:
        SealingError: another form, another length, constant or printable bytes.
    """
    encoded = stored.removesuffix(b"\n")
    key = _decode(encoded)
    if key is None or len(key) not in (32, 64):
        raise SealingError(
            "derivation-key",
            "the derivation key is not 32 or 64 bytes as lower-case hex or base64",
            remedy="make one with `openssl rand -hex 32`",
        )
    if len(set(key)) == 1 or set(key) <= _PRINTABLE:
        raise SealingError(
            "derivation-key",
            "the derivation key is not random",
            remedy="make one with `openssl rand -hex 32`",
        )
    return key


def _decode(encoded: bytes) -> bytes | None:
    if len(encoded) in (64, 128):
        try:
            key = bytes.fromhex(encoded.decode("ascii"))
        except ValueError:
            return None
        return key if key.hex().encode() == encoded else None
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if base64.b64encode(key) == encoded else None
