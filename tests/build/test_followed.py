"""References that go to the wrong Secret where a name companion was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from krmfn.build.followed import followed, went_elsewhere
from krmfn.errors import CheckError
from krmfn.objects import stream
from krmfn.objects.kinds import NamespacedName

if TYPE_CHECKING:
    from krmfn.objects.stream import Item

_I = "internal.config.kubernetes.io"
SEALED = f"""apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  name: db
  namespace: a
  annotations: {{krmfn.dev/sealed-for: a/db, {_I}/previousNames: db}}
"""
OTHER = f"""apiVersion: v1
kind: Secret
metadata:
  name: b-db
  namespace: a
  annotations: {{{_I}/previousNames: 'db,b-db', {_I}/prefixes: b-}}
"""
COMPANION = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: a}\n"


def workload(name: str, secret: str, prefix: str = "", namespace: str = "a") -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}, annotations: {{{_I}/prefixes: '{prefix}'}}}}
spec: {{template: {{spec: {{containers: [{{envFrom: [{{secretRef: {{name: {secret}}}}}]}}]}}}}}}
"""


def items(*texts: str) -> tuple[Item, ...]:
    return stream.stream("---\n".join(texts))


def test_a_reference_that_kustomize_would_follow_elsewhere() -> None:
    """It names ours, and kustomize knows the other one alone."""
    (found,) = followed(items(workload("app", "db"), SEALED, OTHER))
    assert isinstance(found, CheckError)
    assert found.line() == (
        "Deployment/app: its reference to db would be followed to another Secret, expected db, "
        "which krmfn seals, found b-db; leave nameReferences out, or give one of them another "
        "name [wrong-secret]"
    )


@pytest.mark.parametrize(
    "texts",
    [
        (workload("app", "db"), SEALED, OTHER, COMPANION),
        (workload("b-app", "db", "b-"), SEALED, OTHER),
        (workload("app", "db", namespace="b"), SEALED, OTHER),
        (workload("app", "other"), SEALED, OTHER),
        (workload("app", "db"), SEALED),
        (workload("app", "db"), OTHER),
    ],
    ids=["companion", "its own base", "namespace", "name", "no other", "not ours"],
)
def test_what_is_no_such_reference(texts: tuple[str, ...]) -> None:
    """One that kustomize follows to the right one, or that means the other."""
    assert list(followed(items(*texts))) == []


def test_in_a_finished_stream() -> None:
    """Where the former names are gone, what the kustomizations add to names says it."""
    sealed, after = (
        {NamespacedName("a", "db")},
        "apiVersion: v1\nkind: Secret\nmetadata: {name: b-db}\n",
    )

    def base(name: str) -> str:
        return name.removeprefix("b-")

    (found,) = went_elsewhere(items(workload("app", "b-db"), SEALED, after), sealed, base)
    assert found.id == "wrong-secret"
    for other in (workload("b-app", "b-db"), workload("app", "db")):
        assert list(went_elsewhere(items(other, SEALED, after), sealed, base)) == []
