"""Catalogue entries in a CRD's annotation ``krmfn.dev/secret-catalogue``, for its own kind. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.documents import strict
from krmfn.documents.strict import mapping
from krmfn.errors import SpecError
from krmfn.spec.catalogue import CatalogueSpec
from krmfn.spec.parse import check

if TYPE_CHECKING:
    from krmfn.audit.objects import Resource

ANNOTATION = "krmfn.dev/secret-catalogue"
CRD = "apiextensions.k8s.io/CustomResourceDefinition"


def annotated(resource: Resource) -> CatalogueSpec | None:
    """Return the entries in a CRD's annotation; None for any other object.

    Raises:
        SpecError, ErrorList: it says something else than entries; with its line in the annotation.
    """
    text = resource.annotations.get(ANNOTATION)
    if resource.group_kind != CRD or not isinstance(text, str):
        return None
    where = f"{resource.title}: {ANNOTATION}"
    found = list(strict.documents(text, where))
    if len(found) != 1:
        raise SpecError("yaml", "one document is expected", where=where)
    (one,) = found
    return check(CatalogueSpec, one.value(), name="", where=where, position=one.position)


def crd_kind(resource: Resource) -> str:
    """Return ``group/Kind`` of the kind that a CRD defines."""
    spec = mapping(resource.value.get("spec"))
    return f"{spec.get('group')}/{mapping(spec.get('names')).get('kind')}"
