"""Entries that a CRD brings with it, for its own kind: ``krmfn.dev/secret-catalogue``. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn import strictyaml
from krmfn.spec.catalogue import CatalogueSpec
from krmfn.spec.parse import check
from krmfn.strictyaml import mapping

if TYPE_CHECKING:
    from krmfn.audit.objects import Resource

ANNOTATION = "krmfn.dev/secret-catalogue"
CRD = "apiextensions.k8s.io/CustomResourceDefinition"


def annotated(resource: Resource) -> CatalogueSpec | None:
    """What the annotation of a CRD says; None for anything else.

    Raises:
        SpecError, ErrorList: it says something else than entries.
    """
    text = resource.annotations.get(ANNOTATION)
    if resource.group_kind != CRD or not isinstance(text, str):
        return None
    return check(
        CatalogueSpec, strictyaml.load(text, ANNOTATION), name=f"{resource.title}: {ANNOTATION}"
    )


def crd_kind(resource: Resource) -> str:
    """``group/Kind`` of what a CRD defines."""
    spec = mapping(resource.value.get("spec"))
    return f"{spec.get('group')}/{mapping(spec.get('names')).get('kind')}"
