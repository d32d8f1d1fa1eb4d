"""HMACs of a vault's transit engine, as the derivation needs them.

Rules enforced here: HMAC-SHA-512 by name in the URL, the key's version at the top of the request
(inside a batch item it is ignored); at most 200 inputs at a time, each told apart by its reference;
as many answers as inputs, in any order but each once, without an error (a bad item comes with HTTP
200), of that version, and of 64 bytes. Anything else is no derivation.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from krmfn.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_BATCH = 200  # OpenBao refuses JSON of more than 1000 strings: 249 of these items
HMAC_BYTES = 64
KEY_TYPE = "hmac"


def check_key(found: dict[str, Any], *, source: str) -> None:
    """Refuse a key that is not of type ``hmac``, because it has other uses.

    Args:
        found: the data of ``transit/keys/<key>``.
    """
    if found.get("type") != KEY_TYPE:
        raise _error("the transit key is not of type hmac", source, "make one for krmfn alone")


def hmac(
    call: Callable[[dict[str, Any]], dict[str, Any]],
    version: int,
    inputs: Sequence[bytes],
    *,
    source: str,
) -> list[bytes]:
    """HMAC-SHA-512 of each input.

    Args:
        call: posts one body to ``transit/hmac/<key>/sha2-512`` and returns the answer's data.

    Returns:
        64 bytes for each input, in order.

    Raises:
        ProviderError: ``transit``, an answer breaks the rules.
    """
    outputs: list[bytes] = []
    for start in range(0, len(inputs), MAX_BATCH):
        batch = inputs[start : start + MAX_BATCH]
        items = [
            {"input": base64.b64encode(one).decode(), "reference": str(number)}
            for number, one in enumerate(batch)
        ]
        data = call({"batch_input": items, "key_version": version})
        outputs.extend(_outputs(data.get("batch_results"), len(batch), version, source))
    return outputs


def unusable(version: int, *, source: str) -> ProviderError:
    """Return the error for a request that the engine refuses as invalid."""
    return _error(
        "the transit engine refuses the key or its version",
        source,
        f"check that the key exists and has version {version}",
    )


def _outputs(results: Any, count: int, version: int, source: str) -> list[bytes]:
    if not isinstance(results, list) or len(results) != count:
        raise _error("the transit engine does not answer every input once", source)
    found: dict[str, bytes] = {}
    for result in results:
        if not isinstance(result, dict) or result.get("error"):
            raise _error("the transit engine answers an input with an error", source)
        found[str(result.get("reference"))] = _output(result.get("hmac"), version, source)
    if set(found) != {str(number) for number in range(count)}:
        raise _error("the transit engine mixes up the inputs", source)
    return [found[str(number)] for number in range(count)]


def _output(text: Any, version: int, source: str) -> bytes:
    prefix = f"vault:v{version}:"
    if not isinstance(text, str) or not text.startswith(prefix):
        raise _error(
            "the transit engine answers with another key version",
            source,
            f"check that version {version} exists",
        )
    encoded = text.removeprefix(prefix).encode()
    try:
        output = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        output = b""
    if len(output) != HMAC_BYTES or base64.b64encode(output) != encoded:
        raise _error("the transit engine's answer is not 64 bytes", source)
    return output


def _error(message: str, source: str, remedy: str = "") -> ProviderError:
    return ProviderError("transit", message, source=source, remedy=remedy)
