"""Find equal values, and reveal nothing else about them. Pure.

Rules enforced here: values are compared in memory, under a key that the caller makes for one run and
throws away; what comes out is groups of places, in the order in which the values came in, so that
neither a digest nor a length nor an order tells of a value; a value that stands once is in no group.
"""

from __future__ import annotations

import hmac
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn.crypto.derive import LITERAL
from krmfn.documents import go_base64
from krmfn.documents.strict import mapping
from krmfn.plaintext import Plaintext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from krmfn.audit.judge import Audit
    from krmfn.sealing.render import Rendered

KEY_LENGTH = 32  # bytes


@dataclass(frozen=True)
class Value:
    """The location of a value.

    Attributes:
        column, row: in the table.
        source: its source as bound by the derivation; empty for a value in git.
    """

    column: str
    row: str
    namespace: str
    key: str
    source: bytes = b""


def equal(values: Iterable[tuple[Value, Plaintext]], key: bytes) -> list[list[Value]]:
    """Return the groups of locations with the same value.

    Args:
        key: `KEY_LENGTH` random bytes, of this run alone.
    """
    found: dict[bytes, list[Value]] = defaultdict(list)
    for value, content in values:
        found[hmac.digest(key, content.reveal(), "sha256")].append(value)
    return [group for group in found.values() if len(group) > 1]


def sealed_values(
    column: str, base: Callable[[str], str], rendered: Iterable[Rendered]
) -> Iterator[tuple[Value, Plaintext]]:
    """Yield the values that krmfn would seal in an overlay, without literals, which are not secret."""
    for one in rendered:
        for key, item in one.items.items():
            if item.source != LITERAL:
                row = base(one.target.name)
                yield Value(column, row, one.target.namespace, key, item.source), item.content


def plain_values(
    column: str, base: Callable[[str], str], audit: Audit
) -> Iterator[tuple[Value, Plaintext]]:
    """Yield the values of an overlay's unencrypted Secrets; skip invalid base64."""
    for made in audit.productions:
        if made.how != "plain" or made.resource is None:
            continue
        for key, content in _contents(made.resource.value):
            yield Value(column, base(made.secret), made.namespace or "", key), content


def _contents(secret: dict[str, object]) -> Iterator[tuple[str, Plaintext]]:
    written = mapping(secret.get("stringData"))
    for key, text in mapping(secret.get("data")).items():
        if key not in written and isinstance(text, str):
            try:
                yield str(key), Plaintext(go_base64.decode(text))
            except ValueError:
                continue
    for key, text in written.items():
        if isinstance(text, str):
            yield str(key), Plaintext(text.encode())
