"""Keyed digests of a Secret's content: the hash suffix of its name, and the checksum of its pods.

    F_i    = HMAC-SHA-512(K, SHA-512(tlv(purpose, scope, namespace, base name, key, source)))
    d_i    = HMAC-SHA-512(F_i, plaintext)
    digest = SHA-512(tlv(type, immutable, key 1, d_1, key 2, d_2, …)), in the order of the keys

Keyed, because anyone who reads a name could test guesses against a plain hash. No certificate
and no epoch are in it, so that sealing anew restarts nothing. The contract is docs/seal-v1.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from krmfn.crypto.derive import text, tlv

if TYPE_CHECKING:
    from collections.abc import Callable

    from krmfn.sealing.render import Rendered

NAME, CHECKSUM = b"krmfn/name/v1", b"krmfn/checksum/v1"


def inputs(purpose: bytes, rendered: Rendered) -> dict[str, bytes]:
    """Return the input of the first step for each data key. 64 bytes each."""
    target = rendered.target
    return {
        key: hashlib.sha512(
            tlv(
                purpose,
                text(target.scope),
                text(target.bound_namespace),
                text(target.base_name),
                text(key),
                item.source,
            )
        ).digest()
        for key, item in rendered.items.items()
    }


def digest(purpose: bytes, rendered: Rendered, first_step: Callable[[bytes], bytes]) -> bytes:
    """Return the digest of a Secret's content for one purpose. 64 bytes.

    Args:
        first_step: F of one input.
    """
    template = rendered.target.secret.template
    fields = [text((template.type if template else None) or "")]
    immutable = template.immutable if template else None
    fields.append({None: b"", True: b"true", False: b"false"}[immutable])
    asked = inputs(purpose, rendered)
    for key in sorted(rendered.items):
        plaintext = rendered.items[key].content.reveal()
        fields.append(text(key))
        fields.append(hmac.digest(first_step(asked[key]), plaintext, "sha512"))
    return hashlib.sha512(tlv(*fields)).digest()


def suffix(digest_: bytes) -> str:
    """Return 50 bits of the digest as ten characters that a name may have."""
    return base64.b32encode(digest_[:10]).decode().lower()[:10]


def checksum(digest_: bytes) -> str:
    """128 bits as hex."""
    return digest_[:16].hex()
