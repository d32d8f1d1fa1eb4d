"""What is not emitted, because it breaks later."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.errors import OutputError, SpecError
from krmfn.objects.size import MAX_APPLY_BYTES, MAX_OBJECT_BYTES, check_size
from krmfn.plan.annotations import check_annotations
from krmfn.spec.generator import SecretSpec

SKIP = "sealedsecrets.bitnami.com/skip-set-owner-references"
MANAGED = "sealedsecrets.bitnami.com/managed"


def secret(own: dict[str, str] | None = None, template: dict[str, str] | None = None) -> SecretSpec:
    """A secret with these annotations on itself and on its template."""
    spec: dict[str, Any] = {"name": "db", "metadata": {"annotations": own or {}}}
    if template is not None:
        spec["template"] = {"metadata": {"annotations": template}}
    return SecretSpec.model_validate(spec)


@pytest.mark.parametrize(
    "name",
    [
        "krmfn.dev/sealed-for",
        "krmfn.dev/certificate",
        "sealedsecrets.bitnami.com/namespace-wide",
        "sealedsecrets.bitnami.com/cluster-wide",
        "config.kubernetes.io/local-config",
        "config.kubernetes.io/function",
        "internal.config.kubernetes.io/previousNames",
        "kustomize.config.k8s.io/needs-hash",
    ],
)
def test_annotations_that_are_not_the_users(name: str) -> None:
    """Ours and kustomize's are refused on the object and on its template, by name."""
    for place, one in (("metadata", secret({name: "true"})), ("template", secret({}, {name: "x"}))):
        with pytest.raises(SpecError) as caught:
            check_annotations(one)
        assert caught.value.id == "annotation"
        assert caught.value.message.startswith(f"{place} annotation {name} ")


def test_behavior() -> None:
    """Merging would replace the spec; replacing and creating are what they say."""
    for value in ("replace", "create"):
        check_annotations(secret({"kustomize.config.k8s.io/behavior": value}))
    with pytest.raises(SpecError, match="merge replaces the whole spec; write replace"):
        check_annotations(secret({"kustomize.config.k8s.io/behavior": "merge"}))


def test_owner_references() -> None:
    """Skipping them needs managed beside it."""
    check_annotations(secret({}, {SKIP: "true", MANAGED: "true"}))
    check_annotations(secret({}, {SKIP: "false"}))
    for managed in ({}, {MANAGED: "false"}):
        with pytest.raises(SpecError, match="needs managed beside it"):
            check_annotations(secret({}, {SKIP: "true", **managed}))


def test_other_annotations_pass() -> None:
    """What is the user's own passes, on both."""
    check_annotations(secret({"argocd.argoproj.io/sync-wave": "-1"}, {"example.com/x": "y"}))


def test_sizes() -> None:
    """Too large for client-side apply is a warning, too large for the API server an error."""

    def sized(count: int) -> dict[str, Any]:
        return {"metadata": {"name": "db"}, "spec": {"encryptedData": {"k": "A" * count}}}

    assert check_size(sized(1000)) is None
    warning = str(check_size(sized(MAX_APPLY_BYTES)))
    assert warning.startswith("db: at ")
    assert warning.endswith("apply; use server-side apply [large-secret]")
    with pytest.raises(OutputError) as caught:
        check_size(sized(MAX_OBJECT_BYTES))
    assert (caught.value.id, caught.value.secret) == ("too-large", "db")
