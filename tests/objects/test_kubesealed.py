"""SealedSecrets of kubeseal's: what they say that they were sealed for, and who may refer to them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from krmfn.audit.rules import check
from krmfn.build.validate import validate
from krmfn.matrix.table import Column, shown, table
from krmfn.objects import stream
from krmfn.objects.sealed_secret import (
    LOCAL_CONFIG,
    PREVIOUS_NAMES,
    SCOPE_ANNOTATIONS,
    said_and_final,
)
from tests.support.synthesis import judged

WIDE = SCOPE_ANNOTATIONS["namespace-wide"]
CLUSTER = SCOPE_ANNOTATIONS["cluster-wide"]


def sealed(
    place: tuple[str, str], template: dict[str, str] | None, **annotations: str
) -> dict[str, Any]:
    """A SealedSecret at a namespace and name, with what its template says."""
    metadata = {"namespace": place[0], "name": place[1]}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {k: v for k, v in metadata.items() if v} | {"annotations": annotations},
        "spec": {
            "encryptedData": {"k": "AgA="},
            **({} if template is None else {"template": {"metadata": template}}),
        },
    }


DEV = {"namespace": "dev", "name": "legacy"}
MOVED = {
    "a prefix": (sealed(("dev", "p-legacy"), DEV), ("dev/legacy", "dev/p-legacy")),
    "a namespace": (sealed(("prod", "legacy"), DEV), ("dev/legacy", "prod/legacy")),
    "both": (sealed(("prod", "p-legacy"), DEV), ("dev/legacy", "prod/p-legacy")),
    "namespace-wide": (
        sealed(("prod", "p-legacy"), DEV, **{WIDE: "true"}),
        ("dev/*", "prod/*"),
    ),
}
OPENS = {
    "as it was": sealed(("dev", "legacy"), DEV),
    "no template": sealed(("prod", "p-legacy"), None),
    "no namespace in the template": sealed(("prod", "p-legacy"), {"name": "legacy"}),
    "no name in the template": sealed(("prod", "legacy"), {"namespace": "dev"}),
    "nothing said": sealed(("prod", "p-legacy"), {}),
    "no namespace yet": sealed(("", "legacy"), DEV),
    "renamed, namespace-wide": sealed(("dev", "p-legacy"), DEV, **{WIDE: "true"}),
    "anything, cluster-wide": sealed(("prod", "p-legacy"), DEV, **{CLUSTER: "true"}),
}


def items(*objects: Any) -> Any:
    return stream.stream("---\n".join(f"{json.dumps(one)}\n" for one in objects))


@pytest.mark.parametrize(("one", "places"), MOVED.values(), ids=MOVED)
def test_one_that_was_moved_is_told(one: Any, places: tuple[str, str]) -> None:
    """By the validator as a warning that names both places, and by the matrix."""
    assert said_and_final(one) == places
    (warning,) = validate(items(one)).warnings
    assert warning.id == "kubesealed-elsewhere"
    assert all(place in warning.text for place in places)
    column = Column("prod", "overlays/prod", judged(one), lambda name: name)
    (row,) = shown(table([column]))["secrets"]
    assert row["cells"]["prod"]["places"][0]["sealedFor"] == places[0]


@pytest.mark.parametrize("one", OPENS.values(), ids=OPENS)
def test_one_that_opens_is_not(one: Any) -> None:
    """Where its scope, or nothing, lets it be where it is."""
    assert said_and_final(one) is None
    assert validate(items(one)).warnings == []
    column = Column("prod", "overlays/prod", judged(one), lambda name: name)
    (row,) = shown(table([column]))["secrets"]
    assert "sealedFor" not in row["cells"]["prod"]["places"][0]


def pod(name: str) -> Any:
    env = [{"secretRef": {"name": name}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "prod"},
        "spec": {"containers": [{"name": "c", "envFrom": env}]},
    }


def companion(name: str, *former: str) -> Any:
    annotations = {LOCAL_CONFIG: "true", PREVIOUS_NAMES: ",".join(former)}
    metadata = {"name": name, "namespace": "prod", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}


@pytest.mark.parametrize("former", ["legacy", "first,legacy"])
def test_a_former_name_needs_a_companion(former: str) -> None:
    """kustomize renames no reference to a SealedSecret: only a Secret beside it makes it follow."""
    moved = sealed(("prod", "p-legacy"), None, **{PREVIOUS_NAMES: former})
    found = [one.rule for one in check(judged(moved, pod("legacy"), in_build=True))]
    assert found == ["unmet-reference", "unused-secret"]
    with_companion = judged(
        moved, companion("p-legacy", *former.split(",")), pod("legacy"), in_build=True
    )
    assert check(with_companion) == []
    other = judged(moved, companion("p-other", "legacy"), pod("legacy"), in_build=True)
    assert [one.rule for one in check(other)] == ["unmet-reference", "unused-secret"]


def test_a_former_name_of_a_secret_counts() -> None:
    """kustomize renames references to a Secret itself."""
    secret = companion("p-legacy", "legacy") | {"stringData": {"k": "x"}}
    del secret["metadata"]["annotations"][LOCAL_CONFIG]
    assert check(judged(secret, pod("legacy"), in_build=True)) == []
