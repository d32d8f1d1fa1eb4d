"""The objects are those of kubeseal, and say where they open."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from krmfn.objects.sealed_secret import (
    CERTIFICATE,
    SEALED_FOR,
    label_for,
    name_companion,
    scope_of,
    sealed_for,
    sealed_secret,
    skip_marker,
)

VECTORS = Path(__file__).parent.parent / "vectors"
SPECIFICATION = Path(__file__).parent.parent.parent / "docs" / "seal-v1.md"
SCOPES = ("strict", "namespace-wide", "cluster-wide")
PREFIX = "sealedsecrets.bitnami.com/"

PLAIN: dict[str, Any] = {
    "name": "db",
    "namespace": "prod",
    "scope": "strict",
    "items": {"b": b"\2", "a": b"\1"},
    "fingerprint": "ab" * 32,
    "labels": {},
    "annotations": {},
    "template_labels": {},
    "template_annotations": {},
    "type": None,
    "immutable": None,
}


@pytest.mark.parametrize(
    ("scope", "label", "opens_as"),
    [
        ("strict", "prod/db", "prod/db"),
        ("namespace-wide", "prod", "prod/*"),
        ("cluster-wide", "", "*/*"),
    ],
)
def test_label_and_annotation_of_each_scope(scope: str, label: str, opens_as: str) -> None:
    """As the controller computes the label; the specification's table says the same."""
    assert label_for(scope, "prod", "db") == label
    assert sealed_for(scope, "prod", "db") == opens_as
    row = next(r for r in SPECIFICATION.read_text().splitlines() if r.startswith(f"| `{scope}` |"))
    stated = [cell.strip(" `") for cell in row.strip("|").split("|")]
    named = {"NAMESPACE": "prod", "NAME": "db", "empty": ""}
    found = [cell.replace("NAMESPACE", "prod").replace("NAME", "db") for cell in stated[1:3]]
    assert [named.get(cell, cell) for cell in found] == [label, opens_as]


@pytest.mark.parametrize("function", [label_for, sealed_for])
def test_an_unknown_scope_is_no_scope(function: Any) -> None:
    """A misspelt scope never means cluster-wide."""
    with pytest.raises(KeyError):
        function("Strict", "prod", "db")


@pytest.mark.parametrize(
    ("annotations", "scope"),
    [
        ({}, "strict"),
        ({"namespace-wide": "true"}, "namespace-wide"),
        ({"cluster-wide": "true"}, "cluster-wide"),
        ({"cluster-wide": "true", "namespace-wide": "true"}, "cluster-wide"),
        ({"cluster-wide": "false", "namespace-wide": "true"}, "namespace-wide"),
        ({"cluster-wide": "True"}, "strict"),
        ({"cluster-wide": True}, "strict"),
        ({"namespace-wide": ""}, "strict"),
    ],
)
def test_the_scope_that_annotations_say(annotations: dict[str, Any], scope: str) -> None:
    """Exactly the text true counts; cluster-wide wins."""
    assert scope_of({PREFIX + key: value for key, value in annotations.items()}) == scope


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k != "creationTimestamp"}
    return value


@pytest.mark.parametrize("path", sorted((VECTORS / "sealed").glob("*.json")), ids=lambda p: p.name)
def test_the_object_is_kubeseals(path: Path) -> None:
    """All that kubeseal wrote, without its times, and two annotations of our own beside it."""
    theirs = json.loads(path.read_text())
    template = theirs["spec"]["template"]
    scope = path.name.split(".")[1]
    own = template["metadata"]
    ours = sealed_secret(
        name=theirs["metadata"]["name"],
        namespace=theirs["metadata"]["namespace"],
        scope=scope,
        items={k: base64.b64decode(v) for k, v in theirs["spec"]["encryptedData"].items()},
        fingerprint="f" * 64,
        labels={},
        annotations={},
        template_labels=own.get("labels", {}),
        template_annotations={k: v for k, v in own["annotations"].items() if PREFIX not in k},
        type=template.get("type"),
        immutable=template.get("immutable"),
    )
    annotations = ours["metadata"]["annotations"]
    assert annotations.pop(CERTIFICATE) == "f" * 64
    place = (theirs["metadata"]["namespace"], theirs["metadata"]["name"])
    assert annotations.pop(SEALED_FOR) == sealed_for(scope, *place)
    if not annotations:
        del ours["metadata"]["annotations"]
    assert ours == without_times(theirs)
    assert scope_of(annotations) == scope


@pytest.mark.parametrize("scope", SCOPES)
def test_every_map_is_in_key_order(scope: str) -> None:
    """The same object in whatever order its parts came, to the byte."""
    labels = {"z": "1", "a": "2"}
    options = dict(
        PLAIN, scope=scope, labels=labels, annotations=labels, template_labels=labels,
        template_annotations=labels, type="Opaque", immutable=True,
    )  # fmt: skip
    turned: dict[str, Any] = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value
        for key, value in options.items()
    }
    made = sealed_secret(**options)
    assert json.dumps(made) == json.dumps(sealed_secret(**turned))
    assert json.dumps(made) == json.dumps(made, sort_keys=True)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_scope_stands_on_both_metadata(scope: str) -> None:
    """The controller reads the SealedSecret's own; kubeseal reads the template's."""
    made = sealed_secret(**dict(PLAIN, scope=scope))
    template = made["spec"]["template"]["metadata"]
    assert scope_of(made["metadata"]["annotations"]) == scope
    assert scope_of(template.get("annotations", {})) == scope


def test_annotations_of_ours_cannot_be_given() -> None:
    """What the object was sealed for is said by who sealed it."""
    annotations = {SEALED_FOR: "*/*", CERTIFICATE: "mine", "kept": "yes"}
    made = sealed_secret(**dict(PLAIN, annotations=annotations))
    assert made["metadata"]["annotations"] == {
        CERTIFICATE: "ab" * 32,
        SEALED_FOR: "prod/db",
        "kept": "yes",
    }


def test_what_is_left_out_is_absent() -> None:
    """No empty maps, no nulls, no status, no times; encryptedData always, as the schema wants."""
    made = sealed_secret(**dict(PLAIN, items={}))
    assert set(made) == {"apiVersion", "kind", "metadata", "spec"}
    assert made["spec"] == {
        "encryptedData": {},
        "template": {"metadata": {"name": "db", "namespace": "prod"}},
    }


def test_false_is_not_absent() -> None:
    """An explicit immutable: false stands in the object."""
    made = sealed_secret(**dict(PLAIN, immutable=False, type=""))
    assert made["spec"]["template"]["immutable"] is False
    assert made["spec"]["template"]["type"] == ""


def test_no_namespace_no_field() -> None:
    """A cluster-wide object without a namespace has none, rather than an empty one."""
    made = sealed_secret(**dict(PLAIN, scope="cluster-wide", namespace=""))
    assert "namespace" not in made["metadata"]
    assert "namespace" not in made["spec"]["template"]["metadata"]
    assert made["metadata"]["annotations"][SEALED_FOR] == "*/*"


def test_items_are_padded_standard_base64() -> None:
    """As the controller decodes them."""
    made = sealed_secret(**dict(PLAIN, items={"k": b"\xfb\xff\xfe\x00"}))
    assert made["spec"]["encryptedData"] == {"k": "+//+AA=="}


def test_the_name_companion_holds_nothing() -> None:
    """A Secret of the same name and namespace that kustomize drops: no data, no labels."""
    made = sealed_secret(**dict(PLAIN, labels={"app": "db"}))
    assert name_companion(made) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "annotations": {"config.kubernetes.io/local-config": "true"},
            "name": "db",
            "namespace": "prod",
        },
    }


def test_the_name_companion_replaces_where_its_secret_does() -> None:
    """An overlay's object that replaces its base's: the companion says so too."""
    behavior = {"kustomize.config.k8s.io/behavior": "replace"}
    made = sealed_secret(**dict(PLAIN, annotations={**behavior, "other": "x"}))
    annotations = name_companion(made)["metadata"]["annotations"]
    assert annotations == {"config.kubernetes.io/local-config": "true", **behavior}


def test_the_skip_marker_is_local() -> None:
    """It has the name that the kustomization deletes, and is never applied by accident."""
    marker = skip_marker()
    assert marker["kind"] == "ConfigMap"
    assert marker["metadata"]["name"] == "krmfn-was-skipped-add---enable-exec"
    assert marker["metadata"]["annotations"] == {"config.kubernetes.io/local-config": "true"}
