"""What a built stream must hold before it leaves: the validator's checks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from krmfn.errors import Finding
from krmfn.sealedsecret import (
    API_VERSION,
    KIND,
    SEALED_FOR,
    SKIP_MARKER,
    scope_of,
    sealed_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

CLAIM_GROUP = "krmfn.dev/"
CLAIM_KIND = "SecretClaim"


def validate(headers: Iterable[dict[str, Any]]) -> tuple[list[Finding], list[str]]:
    """Findings and warnings for resources given by apiVersion, kind and metadata.

    A SealedSecret that krmfn did not seal says nothing of what it was sealed for and is left alone.
    """
    findings: list[Finding] = []
    warnings: list[str] = []
    for header in headers:
        kind, metadata = header.get("kind"), header.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        name = str(metadata.get("name", ""))
        version = str(header.get("apiVersion", ""))
        if kind == KIND and version == API_VERSION:
            findings.extend(_sealed_for(metadata, name))
        elif kind == CLAIM_KIND and version.startswith(CLAIM_GROUP):
            findings.append(
                Finding(
                    "claim-left",
                    "the claim was not replaced by a SealedSecret",
                    where=f"{kind}/{name}",
                    remedy="run krmfn's transformer in the outermost kustomization",
                )
            )
        elif kind == "ConfigMap" and name == SKIP_MARKER:
            warnings.append(
                f"ConfigMap/{name}: the kustomization does not delete the skip marker, so a skipped "
                "krmfn would go unseen; add the patch of docs/skip-marker.md"
            )
    return findings, warnings


def _sealed_for(metadata: dict[str, Any], name: str) -> list[Finding]:
    annotations = metadata.get("annotations")
    annotations = annotations if isinstance(annotations, dict) else {}
    sealed = annotations.get(SEALED_FOR)
    if sealed is None:
        return []
    namespace = str(metadata.get("namespace") or "")
    final = sealed_for(scope_of(annotations), namespace, name)
    if sealed == final:
        return []
    return [
        Finding(
            "sealed-for",
            "it cannot be opened under its final name and namespace",
            where=f"{KIND}/{name}",
            expected=f"sealed for {final}",
            found=str(sealed),
            remedy="seal in the kustomization that sets namespace, prefix and suffix",
        )
    ]
