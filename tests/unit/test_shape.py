"""What the functions leave in place of SealedSecrets while `krmfn build` shapes a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from krmfn import shape
from krmfn.errors import KrmfnError
from krmfn.objects import stream
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.parse import parse
from krmfn.spec.transformer import SealedSecretTransformer

KEY = "00ff" * 16
SEALING = {
    "certificate": {"pem": "x"},
    "derivationKey": {"store": "main", "key": "k", "property": "p"},
}
STORES = {"main": {"vault": {"path": "secret"}}}
DATA = [{"secretKey": "a", "value": "b"}]


def config(kind: str, **spec: Any) -> dict[str, Any]:
    """A configuration."""
    return {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "app"},
        "spec": {"sealing": SEALING, "stores": STORES, **spec},
    }


def claim(name: str, **annotations: str) -> dict[str, Any]:
    """A claim."""
    return {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SecretClaim",
        "metadata": {"name": name, "namespace": "n", "annotations": annotations},
        "spec": {"data": DATA},
    }


def marked(*claims: Any) -> tuple[list[Any], list[Any]]:
    """What a transformer leaves of these and of one foreign resource."""
    value = config("SealedSecretTransformer")
    model = parse(value)
    assert isinstance(model, SealedSecretTransformer)
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    text = "---\n".join(json.dumps(one) + "\n" for one in (*claims, other, value))
    kept, made = shape.marked_claims(
        stream.stream(text), model, value, directory="overlays/prod", key=KEY
    )
    return [item.kind for item in kept], made


def test_a_run_has_a_key_or_none() -> None:
    """Only a child of `krmfn build` is given one."""
    assert shape.run_key({}) is None


@pytest.mark.parametrize("namespace", ["production", ""])
def test_a_generator_leaves_claims(namespace: str) -> None:
    """One for each secret, with its own scope and mode, the plan, and a companion."""
    secrets = [
        {"name": "one", "data": DATA, "scope": "namespace-wide"},
        {
            "name": "two",
            "data": DATA,
            "metadata": {"labels": {"l": "v"}, "annotations": {"a": "v"}},
        },
    ]
    value = config("SealedSecretGenerator", secrets=secrets)
    model = parse(value)
    assert isinstance(model, SealedSecretGenerator)
    one, two, *companions = shape.generated_claims(
        model, value, namespace=namespace, directory="overlays/prod", key=KEY
    )
    assert (one["spec"]["scope"], two["spec"]["scope"]) == ("namespace-wide", "strict")
    assert one["metadata"].get("namespace", "") == namespace
    assert two["metadata"]["labels"] == {"l": "v"}
    assert two["metadata"]["annotations"]["a"] == "v"
    assert [c["kind"] for c in companions] == ["Secret", "Secret"]
    plan = shape.read_mark(one["metadata"]["annotations"][shape.PLAN], KEY)
    assert (plan["kind"], plan["directory"]) == ("SealedSecretGenerator", "overlays/prod")
    sealing = shape.config_of(plan).spec.sealing
    assert sealing is not None
    assert sealing.scope == "cluster-wide"


def test_a_transformer_marks_claims() -> None:
    """Claims get their plan; the rest is kept, its own configuration is not."""
    kept, (made, companion) = marked(claim("db"))
    assert kept == ["ConfigMap"]
    assert companion["kind"] == "Secret"
    annotations = made["metadata"]["annotations"]
    assert shape.read_mark(annotations[shape.PLAN], KEY)["kind"] == "SealedSecretTransformer"
    again, nothing = marked(made)
    assert (again, nothing) == (["SecretClaim", "ConfigMap"], [])


@pytest.mark.parametrize("damage", ["", "x", "{}", "{}.00"])
def test_a_plan_of_another_run(damage: str) -> None:
    """A plan that this run did not make is refused, whoever wrote it."""
    _, (made, _) = marked(claim("db"))
    genuine = made["metadata"]["annotations"][shape.PLAN]
    with pytest.raises(KrmfnError, match="is not of this build"):
        shape.read_mark(genuine, "11" * 32)
    with pytest.raises(KrmfnError, match="is not of this build"):
        marked(claim("db", **{shape.PLAN: damage}))


def test_a_claim_that_cannot_be_sealed() -> None:
    """What can be known to be wrong is told while the stream is shaped."""
    wrong = claim("db")
    wrong["spec"]["scope"] = "cluster-wide"
    with pytest.raises(KrmfnError, match="the claim asks for scope cluster-wide"):
        marked(wrong)
