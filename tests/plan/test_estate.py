"""`.krmfn.yaml`: which environment a call belongs to, and what it gets from there."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.build.estate import layers
from krmfn.errors import SpecError
from krmfn.plan.estate import Scene, choose, finished, settled
from krmfn.spec.parse import parse
from krmfn.spec.repository import RepositoryConfig

KINDS: Any = {"RepositoryConfig": RepositoryConfig}
ENTRIES = [
    {"name": "production", "paths": ["overlays/production", "apps/*/overlays/prod*"]},
    {"name": "dev", "namespaces": ["dev", "review-*"]},
    {"name": "both", "paths": ["both"], "namespaces": ["shop"]},
]


def repository(spec: dict[str, Any]) -> Any:
    value = {"apiVersion": "krmfn.dev/v1alpha1", "kind": "RepositoryConfig", "spec": spec}
    return parse(value, kinds=KINDS).spec  # type: ignore[attr-defined]


def chosen(directory: str | None, *namespaces: str, named: str = "") -> str:
    """The name, or the error."""
    scene = Scene(directory, frozenset(namespaces), named)
    try:
        found = choose(repository({"environments": ENTRIES}).environments, scene)
    except SpecError as error:
        return error.message
    return found.name if found else ""


@pytest.mark.parametrize(
    ("directory", "namespaces", "name"),
    [
        ("overlays/production", ["x"], "production"),
        ("overlays/production/deeper/still", ["x"], "production"),
        ("apps/shop/overlays/prod-eu", [], "production"),
        ("elsewhere", ["dev"], "dev"),
        ("elsewhere", ["dev", "review-7"], "dev"),
        (None, ["review-7"], "dev"),
        ("both/x", ["shop"], "both"),
    ],
)
def test_the_one_whose_conditions_hold(
    directory: str | None, namespaces: list[str], name: str
) -> None:
    """Paths with all that is below, namespaces of every claim."""
    assert chosen(directory, *namespaces) == name


@pytest.mark.parametrize(
    ("directory", "namespaces", "said"),
    [
        ("overlays/production2", ["x"], "match none of"),
        ("overlays", ["x"], "match none of"),
        ("apps/a/b/overlays/prod", ["x"], "match none of"),
        ("elsewhere", ["dev", "other"], "namespaces dev, other match none of"),
        ("elsewhere", [], "namespaces none match none of"),
        ("both", ["other"], "match none of"),
        (None, ["shop"], "match none of"),
        ("overlays/production", ["dev"], "match the environments production, dev"),
    ],
)
def test_none_or_several(directory: str | None, namespaces: list[str], said: str) -> None:
    """The directory, the namespaces and the entries are named."""
    assert said in chosen(directory, *namespaces)


def test_a_name_decides() -> None:
    """Whatever else holds; one that is not there is an error with those that are."""
    assert chosen("overlays/production", "dev", named="both") == "both"
    assert chosen("x", named="prd") == "there is no environment prd"
    assert choose((), Scene("x")) is None


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "x"}, "spec.environments[0]: one of paths, namespaces: required"),
        ({"name": "x", "paths": []}, "spec.environments[0].paths: must not be empty"),
        ({"name": "X", "paths": ["a"]}, "spec.environments[0].name: must be lower-case"),
        ({"name": "x", "paths": ["a/**"]}, "spec.environments[0].paths[0]: the pattern has **"),
        ({"name": "x", "paths": ["../a"]}, "spec.environments[0].paths[0]: the pattern has a seg"),
        ({"name": "x", "paths": ["a"], "scpoe": "strict"}, "did you mean scope?"),
    ],
)
def test_mistakes(entry: dict[str, Any], said: str) -> None:
    """Each at its place."""
    with pytest.raises(SpecError) as caught:
        repository({"environments": [entry]})
    assert said in caught.value.line()


def transformer(**spec: Any) -> dict[str, Any]:
    return {"kind": "SealedSecretTransformer", "metadata": {"name": "x"}, "spec": spec}


PEM = {"file": "c.pem"}


def test_the_nearest_wins() -> None:
    """The configuration's field, then the environment's, then the repository's; stores by name."""
    layers = [
        {"certificate": PEM, "scope": "strict", "stores": {"a": 2, "b": 2}},
        {"certificate": {"file": "no"}, "scope": "cluster-wide", "epoch": "7", "mode": "random"},
        {"stores": {"a": 3, "b": 3, "c": 3}, "defaultStore": "c"},
    ]
    own = transformer(sealing={"scope": "namespace-wide"}, stores={"a": 1})
    spec = settled(own, [{"stores": {"a": 1}}, *layers], "dev")["spec"]
    assert spec["sealing"] == {
        "certificate": PEM,
        "scope": "namespace-wide",
        "epoch": "7",
        "mode": "random",
    }
    assert spec["stores"] == {"a": 1, "b": 2, "c": 3}
    assert (spec["defaultStore"], spec["environment"]) == ("c", "dev")


@pytest.mark.parametrize(
    ("name", "path"), [("dev", "krmfn/derivation/dev"), ("", "krmfn/derivation")]
)
def test_the_derivation_key(name: str, path: str) -> None:
    """One for each environment, in the default store."""
    layers = [{"certificate": PEM, "stores": {"main": {}}}]
    key = settled(transformer(), layers, name)["spec"]["sealing"]["derivationKey"]
    assert key == {"store": "main", "key": path, "property": "key"}


def test_a_validators_certificate() -> None:
    """Its own, else the environment's; nothing else is a validator's."""
    layers = [{"scope": "strict"}, {"certificate": PEM, "stores": {"a": {}}}]
    validator = {"kind": "SealedSecretValidator", "spec": {}}
    assert settled(validator, layers, "dev")["spec"] == {"certificate": PEM}
    own = {"kind": "SealedSecretValidator", "spec": {"certificate": {"pem": "x"}}}
    assert settled(own, [own["spec"], *layers], "dev") == own


def test_paths() -> None:
    """The name of the environment, and nothing else in braces."""
    assert finished("a/{environment}/b-{environment}", "dev", "key") == "a/dev/b-dev"
    for path, name in (
        ("{environment}", ""),
        ("{env}", "dev"),
        ("a}", "dev"),
        ("{{environment}}", "d"),
    ):
        with pytest.raises(SpecError):
            finished(path, name, "key")


def test_the_order_of_settings() -> None:
    """An environment overrides what it stands beside, and a configuration overrides the file."""
    own, shared = {"scope": "own", "environments": []}, {"epoch": "all"}
    entry = {"name": "dev", "scope": "entry", "certificate": {"file": "c.pem"}}
    inner = layers(own, entry, shared, "../..")
    assert [one.get("scope") for one in inner] == ["entry", "own", None]
    assert inner[0]["certificate"] == {"file": "c.pem"}
    outer = layers({"scope": "own"}, entry, shared, "../..")
    assert [one.get("scope") for one in outer] == ["own", "entry", None]
    assert outer[1]["certificate"] == {"file": "../../c.pem"}
    assert [
        name for one in (*inner, *outer) for name in ("name", "environments") if name in one
    ] == []
