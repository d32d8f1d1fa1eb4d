"""Whether an object is small enough for the API server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from krmfn.errors import OutputError
from krmfn.warned import Warned

if TYPE_CHECKING:
    from krmfn.objects.sealed_secret import Object

# etcd's limit for one request, and the annotation that client-side apply makes of the object.
MAX_OBJECT_BYTES = 1_500_000
MAX_APPLY_BYTES = 262_144


def check_size(sealed: Object) -> Warned | None:
    """Refuse an object that is too large for the API server.

    Returns:
        A warning when client-side apply will not take it, or None.

    Raises:
        OutputError: it is too large for the API server.
    """
    size = len(json.dumps(sealed, separators=(",", ":")))
    name = sealed["metadata"]["name"]
    if size > MAX_OBJECT_BYTES:
        raise OutputError(
            "too-large",
            "the SealedSecret is too large for the API server",
            secret=name,
            expected=f"at most {MAX_OBJECT_BYTES} bytes",
            found=str(size),
            remedy="split the secret",
        )
    if size > MAX_APPLY_BYTES:
        text = f"at {size} bytes it is too large for client-side apply"
        return Warned("large-secret", name, text, "use server-side apply", secret=name)
    return None
