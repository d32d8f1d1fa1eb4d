"""The validator's checks on a finished stream."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.sealedsecret import SKIP_MARKER
from krmfn.validate import validate


def sealed(
    sealed_for: Any, *, namespace: str | None = "prod", scope: str = "", **more: Any
) -> dict[str, Any]:
    annotations = {"krmfn.dev/sealed-for": sealed_for} if sealed_for is not None else {}
    if scope:
        annotations[f"sealedsecrets.bitnami.com/{scope}"] = "true"
    metadata = {"name": "db", "annotations": annotations} | (
        {"namespace": namespace} if namespace else {}
    )
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": metadata,
        **more,
    }


@pytest.mark.parametrize(
    "header",
    [
        sealed("prod/db"),
        sealed("prod/*", scope="namespace-wide"),
        sealed("*/*", scope="cluster-wide"),
        sealed("*/*", scope="cluster-wide", namespace=None),
        sealed(None),
        sealed("dev/db", apiVersion="other.com/v1"),
        {
            "apiVersion": "bitnami.com/v1alpha1",
            "kind": "SealedSecret",
            "metadata": {"annotations": []},
        },
        {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": "odd"},
        {"apiVersion": "other.dev/v1", "kind": "SecretClaim"},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SKIP_MARKER},
        },
        {},
    ],
)
def test_what_is_right(header: dict[str, Any]) -> None:
    """What fits, what others sealed, and what is not krmfn's business."""
    assert validate([header]) == ([], [])


@pytest.mark.parametrize(
    ("header", "final"),
    [
        (sealed("dev/db"), "prod/db"),
        (sealed("prod/old-db"), "prod/db"),
        (sealed("prod/db", namespace=None), "/db"),
        (sealed("prod/*"), "prod/db"),
        (sealed("prod/db", scope="namespace-wide"), "prod/*"),
        (sealed("prod/db", scope="cluster-wide"), "*/*"),
        (sealed("*/*"), "prod/db"),
        (sealed(1), "prod/db"),
    ],
)
def test_sealed_for_something_else(header: dict[str, Any], final: str) -> None:
    """Another name, namespace or scope than the final one."""
    findings, _ = validate([header])
    assert [(f.id, f.expected, f.where) for f in findings] == [
        ("sealed-for", f"sealed for {final}", "SealedSecret/db")
    ]
    assert findings[0].exit_code == 1


def test_what_was_left() -> None:
    """A claim is a finding, a marker a warning."""
    findings, warnings = validate([
        {"apiVersion": "krmfn.dev/v1alpha1", "kind": "SecretClaim", "metadata": {"name": "c"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": SKIP_MARKER}},
    ])  # fmt: skip
    assert [f.id for f in findings] == ["claim-left"]
    assert len(warnings) == 1
