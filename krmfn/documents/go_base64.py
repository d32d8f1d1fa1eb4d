"""Decode base64 like Go's ``encoding/base64``, as Kubernetes and sealed-secrets do. Pure.

Rules enforced here: line breaks are ignored everywhere; padding is required, and no more of
it than is needed; bits behind the end do not count; any other character is refused.
"""

from __future__ import annotations

import binascii
import re

_ENCODED = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_LINE_BREAKS = b"\r\n"


def decode(encoded: str | bytes) -> bytes:
    """Decode text in the standard alphabet.

    Raises:
        ValueError: Go would refuse it. The text says nothing about the value.
    """
    raw = encoded.encode() if isinstance(encoded, str) else encoded
    raw = raw.translate(None, _LINE_BREAKS)
    if len(raw) % 4 or not _ENCODED.fullmatch(raw):
        raise ValueError("not base64")
    return binascii.a2b_base64(raw)
