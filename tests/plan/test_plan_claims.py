"""What will be read and sealed, known before anything is opened."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.errors import Failure
from krmfn.kustomize.overlay import Kustomization
from krmfn.plan.make import Plan, Read, make_plan, plan_claims
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.parse import parse
from krmfn.spec.transformer import SealedSecretTransformer, SecretClaim

STORES = {"main": {"vault": {"path": "secret"}}, "other": {"vault": {"path": "kv"}}}
SEALING = {
    "certificate": {"file": "c.pem"},
    "derivationKey": {"store": "main", "key": "d", "property": "key"},
}
USER = {"secretKey": "user", "remoteRef": {"key": "app/db", "property": "user"}}


def of(kind: str, spec: dict[str, Any], **metadata: Any) -> Any:
    return parse(
        {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": "app"} | metadata,
            "spec": spec,
        }
    )


def claims(*shapes: dict[str, Any], sealing: dict[str, Any] | None = None, **metadata: Any) -> Plan:
    """The plan of claims `db0`, `db1` … in namespace `production`."""
    config = of("SealedSecretTransformer", {"sealing": sealing or SEALING, "stores": STORES})
    assert isinstance(config, SealedSecretTransformer)
    found: list[tuple[SecretClaim, str]] = [
        (
            of(
                "SecretClaim",
                {"store": "main", "data": [USER]} | shape,
                **{"name": f"db{i}"} | metadata,
            ),
            "production",
        )
        for i, shape in enumerate(shapes)
    ]
    return plan_claims(config, found)


def generator(overlay: Kustomization, *shapes: dict[str, Any], **sealing: Any) -> Plan:
    """The plan of a generator in namespace `production`."""
    secrets = [
        {"name": f"db{i}", "store": "main", "data": [USER]} | s for i, s in enumerate(shapes)
    ]
    config = of(
        "SealedSecretGenerator",
        {"sealing": SEALING | sealing, "stores": STORES, "secrets": secrets},
    )
    assert isinstance(config, SealedSecretGenerator)
    return make_plan(config, namespace="production", overlay=overlay)


def ids(plan: Any, *arguments: Any, **more: Any) -> list[str]:
    """The ids of the errors of a plan that is refused."""
    with pytest.raises(Failure) as caught:
        plan(*arguments, **more)
    return [error.id for error in caught.value.errors]


def test_targets_stand_in_the_order_of_their_claims() -> None:
    """Each with its final place, and the sealing's scope and mode unless it says less."""
    wide = SEALING | {"scope": "namespace-wide", "mode": "random"}
    plan = claims({}, {"scope": "strict", "mode": "deterministic"}, sealing=wide)
    assert [(t.place, t.scope, t.mode, t.label) for t in plan.targets] == [
        (("production", "db0"), "namespace-wide", "random", "production"),
        (("production", "db1"), "strict", "deterministic", "production/db1"),
    ]
    assert plan.deterministic
    assert plan.stores.keys() == STORES.keys()


def test_one_secret_is_read_once() -> None:
    """However many values come from it; another version, or another store, is another read."""
    shape = {
        "data": [
            USER,
            USER | {"secretKey": "again"},
            {"secretKey": "old", "remoteRef": {"key": "app/db", "property": "user", "version": 2}},
            USER | {"secretKey": "elsewhere", "store": "other"},
            {"secretKey": "region", "value": "eu"},
        ],
        "dataFrom": [{"extract": {"key": "app/more"}}],
    }
    (target,) = claims(shape).targets
    assert target.reads() == {
        Read("main", "app/more"): "dataFrom[0]",
        Read("main", "app/db"): "user",
        Read("main", "app/db", 2): "old",
        Read("other", "app/db"): "elsewhere",
    }


def test_labels_and_annotations_of_the_claim_itself_are_kept() -> None:
    """Those of its spec win, and kustomize's bookkeeping is no part of the object."""
    plan = claims(
        {"metadata": {"labels": {"a": "spec"}}},
        labels={"a": "own", "b": "own"},
        annotations={
            "note": "x",
            "config.kubernetes.io/index": "0",
            "internal.config.kubernetes.io/prefixes": "p",
        },
    )
    metadata = plan.targets[0].secret.metadata
    assert metadata.labels == {"a": "spec", "b": "own"}
    assert metadata.annotations == {"note": "x"}


def test_all_mistakes_of_all_claims() -> None:
    """A scope too wide, an unknown store, a template that needs what is not there."""
    shapes = (
        {"scope": "cluster-wide"},
        {"store": "nowhere"},
        {"template": {"data": {"u": "{{ .x }}"}}},
        {},
    )
    assert ids(claims, *shapes) == ["scope", "spec", "template"]


def test_deterministic_sealing_needs_a_key() -> None:
    """Unless every target is random."""
    bare = {"certificate": {"file": "c.pem"}}
    assert ids(claims, {}, sealing=bare) == ["derivation-key-missing"]
    assert not claims({"mode": "random"}, sealing=bare).deterministic


@pytest.mark.parametrize("field", ["name_prefix", "name_suffix"])
def test_a_generators_name_that_will_change(field: str) -> None:
    """Is not sealed for under strict scope; a claim's name is final by then."""
    overlay = Kustomization("kustomization.yaml", **{field: "x"})
    assert ids(generator, overlay, {}, {"scope": "strict"}) == ["name-changes", "name-changes"]
    assert len(generator(overlay, {}, scope="namespace-wide").targets) == 1
