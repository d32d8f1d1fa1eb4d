"""Patches are found wherever a kustomization takes them from, and matched as kustomize does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.kustomize.patches import Patch, patches

EPOCH = ("spec", "sealing", "epoch")
KIND = "SealedSecretGenerator"
MERGE = f"kind: {KIND}\nmetadata: {{name: shop}}\nspec: {{sealing: {{epoch: '2'}}}}\n"
JSON = "[{op: add, path: /spec/sealing/epoch, value: '2'}]"


def found(value: dict[str, Any], **files: str) -> list[Patch]:
    """Those of a kustomization, with the files that it names."""
    (document,) = strict.documents(json.dumps(value, indent=1), "k.yaml")
    return list(patches(value, document, lambda name: files[name.removesuffix(".yaml")]))


@pytest.mark.parametrize(
    "value",
    [
        {"patches": [{"patch": MERGE}]},
        {"patches": [{"path": "p.yaml"}]},
        {"patches": [{"patch": JSON, "target": {"kind": KIND, "name": "sh.*"}}]},
        {"patchesStrategicMerge": [MERGE]},
        {"patchesStrategicMerge": ["p.yaml"]},
        {"patchesJson6902": [{"path": "j.yaml", "target": {"kind": KIND, "name": "shop"}}]},
        {"apiVersion": "builtin", "kind": "PatchTransformer", "patch": MERGE},
        {"apiVersion": "builtin", "kind": "PatchTransformer", "path": "p.yaml"},
        {"apiVersion": "builtin", "kind": "PatchStrategicMergeTransformer", "paths": ["p.yaml"]},
        {"apiVersion": "builtin", "kind": "PatchStrategicMergeTransformer", "patches": MERGE},
        {
            "apiVersion": "builtin",
            "kind": "PatchJson6902Transformer",
            "target": {"kind": KIND},
            "jsonOp": JSON,
        },
    ],
)
def test_every_way_to_patch(value: dict[str, Any]) -> None:
    """One patch, of this object and field alone."""
    (patch,) = found(value, p=MERGE, j=JSON)
    assert patch.sets(KIND, "shop", EPOCH)
    assert patch.sets(KIND, "shop", ("spec", "sealing"))
    assert not patch.sets(KIND, "shop", ("spec", "sealing", "scope"))
    assert not patch.sets(KIND, "other", EPOCH) or not patch.name
    assert not patch.sets("SecretClaim", "shop", EPOCH)
    assert not patch.pins


def test_what_may_be_meant() -> None:
    """A patch without a target's kind, of the whole object, or with a pattern nobody can read."""
    for op, target in (
        (JSON, {"name": "shop"}),
        ("[{op: replace, path: '', value: {}}]", {"kind": KIND}),
        ("[{op: replace, path: /spec, value: {}}]", {"kind": KIND}),
        (JSON, {"kind": KIND, "name": "("}),
    ):
        (patch,) = found({"patches": [{"patch": op, "target": target}]})
        assert patch.sets(KIND, "shop", EPOCH)


def test_names_that_change() -> None:
    """Where names get a prefix a patch may use the later one; elsewhere that is another object."""
    (patch,) = found({"patches": [{"patch": MERGE.replace("shop", "eu-shop-1")}]})
    assert patch.sets(KIND, "shop", EPOCH, renamed=True)
    assert not patch.sets(KIND, "shop", EPOCH)
    assert not patch.sets(KIND, "mail", EPOCH, renamed=True)


def test_positions() -> None:
    """An inline patch is where the entry is; one in a file is in that file."""
    (one,) = found({"patches": [{"patch": MERGE}]})
    assert one.where == "k.yaml:3:3"
    _, two = found({"patches": [{"path": "p.yaml"}]}, p=f"{MERGE}---\n# x\n{MERGE}")
    assert two.where == "p.yaml:6:1"


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("[{op: add, path: /spec/data/0/remoteRef/version, value: 2}]", True),
        ("[{op: add, path: /spec/data/-, value: {remoteRef: {key: a, version: 2}}}]", True),
        ("[{op: add, path: /spec/dataFrom/-, value: {extract: {key: a}}}]", False),
        ("kind: SecretClaim\nspec: {dataFrom: [{extract: {key: a, version: 1}}]}\n", True),
        ("kind: SecretClaim\nspec: {data: [{remoteRef: {key: version}}]}\n", False),
    ],
)
def test_pins(text: str, pins: bool) -> None:
    """Versions of references, in a value or by their path."""
    (patch,) = found({"patches": [{"patch": text}]})
    assert patch.pins is pins


def test_a_patch_that_cannot_be_read() -> None:
    """Is an error, for nobody knows what it sets."""
    with pytest.raises(SpecError) as raised:
        found({"patches": [{"patch": "a: [\n"}]})
    assert raised.value.id == "yaml"
