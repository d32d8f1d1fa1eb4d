"""What can be known to fail before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.errors import Failure
from krmfn.kustomize.overlay import Kustomization
from krmfn.plan.make import Plan, Read, make_plan
from krmfn.spec.parse import parse
from tests.support.function import config, secret

DATA = {"secretKey": "k", "remoteRef": {"key": "app", "property": "x"}}


def planned(
    value: dict[str, Any], namespace: str = "prod", overlay: Kustomization | None = None
) -> Plan:
    parsed: Any = parse(value)
    return make_plan(parsed, namespace=namespace, overlay=overlay or Kustomization())


def lines(*arguments: Any, **more: Any) -> list[str]:
    with pytest.raises(Failure) as caught:
        planned(*arguments, **more)
    return [e.line() for e in caught.value.errors]


@pytest.mark.parametrize(
    ("scope", "namespace", "bound", "label"),
    [
        ("strict", "prod", "prod", "prod/db"),
        ("namespace-wide", "prod", "prod", "prod"),
        ("cluster-wide", "prod", "", ""),
        ("cluster-wide", "", "", ""),
    ],
)
def test_scopes(scope: str, namespace: str, bound: str, label: str) -> None:
    """A secret's own scope goes before the configuration's."""
    for value in (config(scope=scope), config(secret(DATA, scope=scope))):
        (target,) = planned(value, namespace).targets
        assert (target.scope, target.bound_namespace, target.label) == (scope, bound, label)


def test_modes() -> None:
    """A secret's own mode goes first; a key is needed when one is deterministic."""
    value = config(secret(DATA), secret(DATA, name="r", mode="random"))
    plan = planned(value)
    assert [t.mode for t in plan.targets] == ["deterministic", "random"]
    assert plan.deterministic
    del value["spec"]["sealing"]["derivationKey"]
    assert lines(value) == [
        "db: spec.secrets[0]: deterministic sealing needs spec.sealing.derivationKey; name one, "
        "or choose "
        "mode: random [derivation-key-missing]"
    ]
    value["spec"]["sealing"]["mode"] = "random"
    assert not planned(value).deterministic


def test_reads() -> None:
    """Each read with the first key that needs it, extracts among them, at the store that is named."""
    value = config(
        secret(
            DATA,
            {**DATA, "secretKey": "l"},
            {"secretKey": "v", "value": "x"},
            {"secretKey": "o", "store": "main", "remoteRef": {"key": "app", "version": 2}},
            dataFrom=[{"extract": {"key": "all"}}, {"extract": {"key": "app"}}],
        )
    )
    (target,) = planned(value).targets
    assert target.reads() == {
        Read("main", "all"): "dataFrom[0]",
        Read("main", "app"): "k",
        Read("main", "app", 2): "o",
    }


def test_renames() -> None:
    """A prefix or suffix breaks strict seals alone."""
    for overlay, field in (
        (Kustomization("k.yaml", name_prefix="a-"), "namePrefix"),
        (Kustomization("k.yaml", name_suffix="-b"), "nameSuffix"),
    ):
        assert lines(config(), overlay=overlay) == [
            f"db: spec.secrets[0]: k.yaml sets {field}, which renames db after it was sealed; "
            "use claims and a SealedSecretTransformer, or scope: namespace-wide [name-changes]"
        ]
        assert planned(config(scope="namespace-wide"), overlay=overlay)
        assert planned(config(scope="cluster-wide"), overlay=overlay)


def test_templates() -> None:
    """Parsed, and their variables held against the data where it is known."""

    def value(text: str, **more: Any) -> dict[str, Any]:
        return config(secret(DATA, template={"data": {"t": text}}, **more))

    assert set(planned(value("{{ .k }}")).targets[0].templates) == {"t"}
    assert lines(value("{{ .nope }}{{ .also }}")) == [
        "db: spec.secrets[0]: t: the template needs also, nope; add also to data [template]"
    ]
    assert planned(value("{{ .nope }}", dataFrom=[{"extract": {"key": "app"}}]))
    assert lines(value("{{ if }}")) == [
        "db: spec.secrets[0]: t: template 1:4: if is not part of the language; see "
        "docs/templates.md for the "
        "language [template]"
    ]


def test_every_secret_reports() -> None:
    """One mistake of each secret, together."""
    bad = {"annotations": {"krmfn.dev/x": "y"}}
    found = lines(
        config(
            secret(DATA, metadata=bad), secret(DATA, name="e", metadata=bad), secret(DATA, name="f")
        )
    )
    assert [line.partition(":")[0] for line in found] == ["db", "e"]
