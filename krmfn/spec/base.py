"""What all models share: strict, frozen, camelCase on the wire, unknown fields refused.

A choice between shapes is spelled by which one key is present (``{file: …}`` or ``{url: …}``), as
in External Secrets; `one_of` turns that into a discriminated union.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, TypeAlias

from krmfn.spec.declare import Discriminator, Field, StringConstraints
from krmfn.spec.model import Model

# Kubernetes' own rules: RFC 1123 subdomain, RFC 1123 label, and the keys of a Secret's data.
SecretName: TypeAlias = Annotated[
    str,
    StringConstraints(
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]
Namespace: TypeAlias = Annotated[
    str, StringConstraints(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
# No key is ".", ".." or begins with "..": a volume's own links are called so.
MAX_KEY = 253
DATA_KEY = r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$"
SecretKey: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_KEY, pattern=DATA_KEY)
]
Text: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def is_secret_key(name: str) -> bool:
    """Return whether Kubernetes takes a name as a key of a Secret."""
    return len(name) <= MAX_KEY and re.fullmatch(DATA_KEY.strip("^$"), name) is not None


def either(text: str, **tags: type) -> Discriminator:
    """Tells the members of a union apart by their type on the wire.

    Args:
        text: what is allowed, for the error.
        tags: each tag, without its brackets, and its type.
    """

    def discriminate(value: Any) -> str | None:
        return next((f"<{tag}>" for tag, known in tags.items() if isinstance(value, known)), None)

    return Discriminator(discriminate, f"must be {text}")


def one_of(*keys: str) -> Discriminator:
    """Tells the members of a union apart by which of ``keys`` is present.

    Each member is annotated ``Tag("<key>")``: no field is spelled like that, so that the tag can be
    dropped from the path of an error.
    """

    def discriminate(value: Any) -> str | None:
        if hasattr(value, "model_dump"):  # a default, or decoded already
            value = value.model_dump(by_alias=True)
        if not isinstance(value, dict):
            return None
        return next((f"<{key}>" for key in keys if key in value), None)

    return Discriminator(discriminate, f"one of {', '.join(keys)}: required")


def repeated(words: list[str]) -> list[str]:
    """Those that occur more than once, in order."""
    return sorted(word for word, count in Counter(words).items() if count > 1)


# On a tuple's annotation: a YAML list may fill it, while its items stay strict.
AS_LIST = Field(strict=False)


class Metadata(Model):
    """The metadata of a configuration object; kustomize adds annotations of its own."""

    name: SecretName
    namespace: Namespace | None = None
    """The namespace to seal for. Left out: the `namespace:` of the kustomization."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
