"""What krmfn does not emit, because it breaks later: in kustomize, the API server or the controller.

Pure. The reasons, with sealed-secrets' own behaviour: a controller that sees
``skip-set-owner-references`` without ``managed`` creates the Secret once and fails ever after;
kustomize drops what is marked local-config, replaces a whole spec where ``behavior: merge`` is
asked for, and renames what needs a hash after it was sealed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from krmfn.errors import OutputError, SpecError
from krmfn.objects.sealed_secret import BEHAVIOR
from krmfn.warned import Warned

if TYPE_CHECKING:
    from krmfn.objects.sealed_secret import Object
    from krmfn.spec.generator import SecretShape

SEALED_SECRETS = "sealedsecrets.bitnami.com/"
# etcd's limit for one request, and the annotation that client-side apply makes of the object.
MAX_OBJECT_BYTES = 1_500_000
MAX_APPLY_BYTES = 262_144
_OURS = ("krmfn.dev/", f"{SEALED_SECRETS}namespace-wide", f"{SEALED_SECRETS}cluster-wide")
_KUSTOMIZE = (
    "config.kubernetes.io/",
    "internal.config.kubernetes.io/",
    "kustomize.config.k8s.io/needs-hash",
)


def check_annotations(secret: SecretShape) -> None:
    """Refuse annotations that would break the SealedSecret or its Secret.

    Raises:
        SpecError: naming the annotation.
    """
    template = secret.template.metadata.annotations if secret.template else {}
    for place, own in (("metadata", secret.metadata.annotations), ("template", template)):
        for name in sorted(own):
            if name.startswith(_OURS):
                raise _error(place, name, "is krmfn's to write", "set scope instead, or drop it")
            if name.startswith(_KUSTOMIZE):
                raise _error(place, name, "would make kustomize drop or rename the object")
    if secret.metadata.annotations.get(BEHAVIOR) == "merge":
        raise _error("metadata", BEHAVIOR, "merge replaces the whole spec", "write replace")
    skips = template.get(f"{SEALED_SECRETS}skip-set-owner-references") == "true"
    if skips and template.get(f"{SEALED_SECRETS}managed") != "true":
        raise _error(
            "template",
            f"{SEALED_SECRETS}skip-set-owner-references",
            "needs managed beside it, or the controller fails after the first time",
            f'add {SEALED_SECRETS}managed: "true"',
        )


def check_size(sealed: Object) -> Warned | None:
    """Refuse an object that the API server does not take.

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


def _error(place: str, name: str, message: str, remedy: str = "drop it") -> SpecError:
    return SpecError("annotation", f"{place} annotation {name} {message}", remedy=remedy)
