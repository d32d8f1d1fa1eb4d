"""The short form of a secret, `from` and `keys`: it means the long one, to the byte."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from krmfn.build.answer import seal
from krmfn.build.transform import transform
from krmfn.errors import Failure
from krmfn.kustomize.overlay import Kustomization
from krmfn.objects import stream
from krmfn.plan.make import Plan, make_plan, plan_claims
from krmfn.spec.parse import parse
from tests.support.jobs import job
from tests.support.memory_store import MemorySpec, registered

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = Path(__file__).resolve().parents[1] / "vectors/keys"
VERSION = "krmfn.dev/v1alpha1"
SEALING = {
    "certificate": {"pem": (KEYS / "current.crt").read_text()},
    "derivationKey": {"store": "main", "key": "d", "property": "key"},
}
MAIN = {"main": {"vault": {"path": "secret", "id": "main"}}}
TWO = {**MAIN, "other": {"vault": {"path": "kv", "id": "other"}}}
HELD = {"d": {"key": "6b1f0a7c94d2e835" * 4}, "a/b": {"u": "app", "p": "cHc=", "tls.crt": "x"}}


def ref(name: str, **more: Any) -> dict[str, Any]:
    return {"key": "a/b", "property": name, **more}


def entry(key: str, name: str = "", **more: Any) -> dict[str, Any]:
    return {"secretKey": key, "remoteRef": ref(name or key, **more)}


def document(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": VERSION, "kind": kind, "metadata": {"name": "db"}, "spec": spec}


def plan_of(shape: dict[str, Any], stores: dict[str, Any] | None = None, **spec: Any) -> Plan:
    """The plan of one claim."""
    own = {"sealing": SEALING, "stores": stores or MAIN} | spec
    config: Any = parse(document("SealedSecretTransformer", own))
    claim: Any = parse(document("SecretClaim", shape))
    return plan_claims(config, [(claim, "prod")])


def generated(shape: dict[str, Any], stores: dict[str, Any] | None = None, **spec: Any) -> Plan:
    """The plan of a generator of one secret."""
    secrets = [{"name": "db"} | shape]
    own = {"sealing": SEALING, "stores": stores or MAIN, "secrets": secrets} | spec
    config: Any = parse(document("SealedSecretGenerator", own))
    return make_plan(config, namespace="prod", overlay=Kustomization())


def shown(plan: Plan) -> list[Any]:
    """All that a plan says, but for parsed templates, which know no equality."""
    targets = [(*vars(replace(t, templates={}, written={})).items(), t.keys) for t in plan.targets]
    return [plan.sealing, plan.stores, targets]


def lines(shape: dict[str, Any], stores: dict[str, Any] | None = None, **spec: Any) -> list[str]:
    """The errors of a claim that is refused."""
    with pytest.raises(Failure) as caught:
        plan_of(shape, stores, **spec)
    return [error.line() for error in caught.value.errors]


@pytest.fixture
def memory() -> Iterator[None]:
    with registered():
        yield


def sealed(shape: dict[str, Any]) -> str:
    """The SealedSecret of a claim, as text."""
    config: Any = parse(document("SealedSecretTransformer", {"sealing": SEALING, "stores": MAIN}))
    spec = config.spec.model_copy(update={"stores": {"main": MemorySpec(memory={"secrets": HELD})}})
    claim = json.dumps(
        document("SecretClaim", shape) | {"metadata": {"name": "db", "namespace": "p"}}
    )
    using = config.model_copy(update={"spec": spec})
    done = transform(stream.stream(claim + "\n"), using, Kustomization(), job(Path.cwd()), seal)
    return json.dumps(done.sealed)


ALIKE = [
    ({"keys": ["u", "p"]}, {"data": [entry("u"), entry("p")]}),
    ({"keys": {"USER": "u"}}, {"data": [entry("USER", "u")]}),
    ({"keys": ["tls.crt"]}, {"data": [entry("tls.crt", r"tls\.crt")]}),
    (
        {"from": {"key": "a/b", "decodingStrategy": "Base64"}, "keys": ["p"]},
        {"data": [entry("p", decodingStrategy="Base64")]},
    ),
    (
        {"keys": ["u"], "data": [{"secretKey": "v", "value": "x"}, entry("w", "p")]},
        {"data": [{"secretKey": "v", "value": "x"}, entry("w", "p"), entry("u")]},
    ),
    (
        {"keys": ["u"], "template": {"data": {"t": "{{ .u }}"}}, "scope": "strict"},
        {"data": [entry("u")], "template": {"data": {"t": "{{ .u }}"}}, "scope": "strict"},
    ),
    (
        {"keys": ["u"], "dataFrom": [{"extract": {"key": "a/b", "property": "x"}}]},
        {"data": [entry("u")], "dataFrom": [{"extract": {"key": "a/b", "property": "x"}}]},
    ),
]


@pytest.mark.parametrize(("short", "long"), ALIKE)
def test_it_is_the_same_plan(short: dict[str, Any], long: dict[str, Any]) -> None:
    """Of a claim and of a generator."""
    short = {"from": "a/b"} | short
    assert shown(plan_of(short)) == shown(plan_of({"store": "main"} | long))
    assert shown(generated(short)) == shown(generated({"store": "main"} | long))


@pytest.mark.parametrize(("short", "long"), ALIKE[:-1])
def test_it_is_the_same_bytes(short: dict[str, Any], long: dict[str, Any], memory: None) -> None:
    """Name of the key, path and property are all in the derivation."""
    assert sealed({"from": "a/b"} | short) == sealed({"store": "main"} | long)


def test_the_version_belongs_to_every_key() -> None:
    """As if each reference named it."""
    plan = plan_of({"from": {"key": "a/b", "version": 3}, "keys": ["u", "p"]})
    long = {"data": [entry("u", version=3), entry("p", version=3)]}
    assert plan == plan_of({"store": "main"} | long)


def test_a_map_names_fields_literally() -> None:
    """Dots and backslashes are part of the field's name."""
    (target,) = plan_of({"from": "a/b", "keys": {"K": "a.b\\c"}}).targets
    (one,) = target.secret.data
    assert one.remote_ref is not None
    assert one.remote_ref.property == r"a\.b\\c"


NEXT = "SecretClaim/db: "


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        ({"from": "a/b"}, "spec: keys: required beside from"),
        ({"keys": ["u"]}, "spec: from: required beside keys"),
        ({"from": "a/b", "keys": []}, "spec.keys: must not be empty"),
        ({"from": "a/b", "keys": {}}, "spec.keys: must not be empty"),
        (
            {"from": "a/b", "keys": "u"},
            "spec.keys: must be a list of names, or a map of keys to names",
        ),
        ({"from": 3, "keys": ["u"]}, "spec.from: must be a path, or an object with key"),
        ({"from": "", "keys": ["u"]}, "spec.from: must have at least 1 character"),
        ({"from": {"version": 1}, "keys": ["u"]}, "spec.from.key: required"),
        (
            {"from": {"key": "a", "versoin": 1}, "keys": ["u"]},
            "spec.from.versoin: unknown field; did you mean version?",
        ),
        ({"from": "a/b", "keys": ["u", "p", "u"]}, "spec.keys[2]: u appears twice"),
        (
            {"from": "a/b", "keys": ["p", "u"], "data": [entry("u")]},
            "spec.keys[1]: u is in data, too",
        ),
        (
            {"from": "a/b", "keys": {"p": "x", "u": "x"}, "data": [entry("u")]},
            "spec.keys.u: u is in data, too",
        ),
        ({"from": "a/b", "keys": {"u": None}}, "spec.keys.u: must be a string; quote the value"),
        (
            {"from": "a/b", "keys": ["p", "a b"]},
            "spec.keys[1]: must be letters, digits, '-', '_' and '.', not '.' alone and not '..' first",
        ),
    ],
)
def test_mistakes(shape: dict[str, Any], line: str) -> None:
    """Each names the place that was written."""
    assert lines(shape) == [f"{NEXT}{line} [spec]"]


def test_what_a_read_tells_names_the_place(memory: None) -> None:
    """A field that is not there."""
    with pytest.raises(Failure) as caught:
        sealed({"from": "a/b", "keys": ["u", "gone"]})
    (error,) = caught.value.errors
    assert (error.id, error.secret, error.key) == ("property-missing", "db", "spec.keys[1]")
    assert "keys" in error.remedy
    assert "remoteRef" not in error.remedy


@pytest.mark.parametrize("shape", [{"from": "a/b", "keys": ["u"]}, {"data": [entry("u")]}])
def test_the_store(shape: dict[str, Any]) -> None:
    """Its own, else the default, else the only one, else an error that lists them."""
    named = {one: plan_of(shape | {"store": one}, TWO) for one in TWO}
    assert plan_of(shape, TWO, defaultStore="other") == named["other"]
    assert plan_of(shape | {"store": "main"}, TWO, defaultStore="other") == named["main"]
    assert generated(shape, TWO, defaultStore="other").targets[0].secret.store == "other"
    assert lines(shape, TWO) == [
        f"{NEXT}store: no store is named, expected one of main, other; "
        "name it, or set spec.defaultStore [spec]"
    ]
    assert lines(shape, TWO, defaultStore="gone") == [
        "SealedSecretTransformer/db: spec: the store gone is used and not defined under stores [spec]"
    ]


BASE = """\
apiVersion: krmfn.dev/v1alpha1
kind: SecretClaim
metadata: {name: db}
spec: %s
"""
LIST, MAP = "{from: a/b, keys: [u, p]}", "{from: {key: a/b, version: 3}, keys: {U: u, P: p}}"


@pytest.mark.parametrize(
    ("base", "patch", "merged"),
    [
        (LIST, "{keys: [x]}", {"from": "a/b", "keys": ["x"]}),
        (LIST, "{from: c/d}", {"from": "c/d", "keys": ["u", "p"]}),
        (LIST, "{from: null, keys: null, dataFrom: []}", {"dataFrom": []}),
        (LIST, "{keys: {X: x}}", None),
        (LIST, "{from: {version: 3}}", None),
        (
            MAP,
            "{keys: {X: x, P: null}}",
            {"from": {"key": "a/b", "version": 3}, "keys": {"U": "u", "X": "x"}},
        ),
        (
            MAP,
            "{from: {version: 4}}",
            {"from": {"key": "a/b", "version": 4}, "keys": {"U": "u", "P": "p"}},
        ),
        (MAP, "{from: {version: null}}", {"from": {"key": "a/b"}, "keys": {"U": "u", "P": "p"}}),
        (MAP, "{keys: [x]}", None),
    ],
)
def test_how_overlays_merge_it(tmp_path: Path, base: str, patch: str, merged: Any) -> None:
    """A map merges key by key, a list is replaced, and the two do not mix: as kustomize has it."""
    (tmp_path / "base.yaml").write_text(BASE % base)
    (tmp_path / "patch.yaml").write_text(BASE % patch)
    entries = {"resources": ["base.yaml"], "patches": [{"path": "patch.yaml"}]}
    (tmp_path / "kustomization.yaml").write_text(json.dumps(entries))
    kubectl = Path(sys.executable).parent / "kubectl"
    done = subprocess.run(
        [kubectl, "kustomize", tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    if merged is None:
        assert "wrong node kind" in done.stderr
        return
    found = yaml.safe_load(done.stdout)["spec"]
    assert found == merged
    if "keys" in found:
        parse(document("SecretClaim", found))
