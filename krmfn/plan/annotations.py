"""Refuse output that would break later: in kustomize, the API server or the controller.

Pure. The reasons, with sealed-secrets' own behaviour: a controller that sees
``skip-set-owner-references`` without ``managed`` creates the Secret once and fails ever after;
kustomize drops what is marked local-config, replaces a whole spec where ``behavior: merge`` is
asked for, and renames what needs a hash after it was sealed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.errors import SpecError
from krmfn.objects.sealed_secret import BEHAVIOR

if TYPE_CHECKING:
    from krmfn.spec.generator import SecretShape

SEALED_SECRETS = "sealedsecrets.bitnami.com/"
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


def _error(place: str, name: str, message: str, remedy: str = "drop it") -> SpecError:
    return SpecError("annotation", f"{place} annotation {name} {message}", remedy=remedy)
