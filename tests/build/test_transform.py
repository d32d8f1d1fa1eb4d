"""Claims in a stream: which are sealed, for what, and what is kept beside them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.build.answer import seal
from krmfn.build.transform import Transformed, transform
from krmfn.crypto.unseal import load_private_keys, unseal
from krmfn.errors import Failure
from krmfn.kustomize.overlay import Kustomization
from krmfn.objects import stream
from krmfn.objects.sealed_secret import (
    PREVIOUS_KINDS,
    PREVIOUS_NAMES,
    PREVIOUS_NAMESPACES,
    claim_companion,
)
from krmfn.spec.parse import parse
from krmfn.spec.transformer import SealedSecretTransformer
from krmfn.warned import Warnings
from tests.support.jobs import job
from tests.support.memory_store import MemorySpec, registered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.memory_store import MemoryStore

KEYS = Path(__file__).resolve().parents[1] / "vectors/keys"
INTERNAL = "internal.config.kubernetes.io/"
DERIVATION = "6b1f0a7c94d2e8350f1b6d2c7a8e9f40316275a4b3c2d1e0f9e8d7c6b5a49382"
LOCAL = {"config.kubernetes.io/local-config": "true"}


@pytest.fixture
def stores() -> Iterator[list[MemoryStore]]:
    with registered() as opened:
        yield opened


def config(*, namespace: str | None = None, **sealing: Any) -> SealedSecretTransformer:
    """A transformer with one store, and a certificate whose private key is at hand."""
    value = {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SealedSecretTransformer",
        "metadata": {"name": "app"} | ({"namespace": namespace} if namespace else {}),
        "spec": {
            "sealing": {
                "certificate": {"pem": (KEYS / "current.crt").read_text()},
                "derivationKey": {"store": "main", "key": "d", "property": "key"},
                **sealing,
            },
            "stores": {"main": {"vault": {"path": "secret", "id": "main"}}},
        },
    }
    found = parse(value)
    assert isinstance(found, SealedSecretTransformer)
    memory = MemorySpec(memory={"secrets": {"d": {"key": DERIVATION}, "app/db": {"user": "app"}}})
    spec = found.spec.model_copy(update={"stores": {"main": memory}})
    return found.model_copy(update={"spec": spec})


def claim(name: str = "db", *, annotations: dict[str, str] | None = None, **fields: Any) -> str:
    """A claim on one line."""
    spec = {
        "store": "main",
        "data": [{"secretKey": "user", "remoteRef": {"key": "app/db", "property": "user"}}],
    }
    namespace = fields.pop("namespace", "production")
    metadata: dict[str, Any] = {"name": name, "annotations": annotations or {}}
    metadata |= {"labels": fields.pop("labels", {})}
    metadata |= {"namespace": namespace} if namespace else {}
    return json.dumps(
        {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": "SecretClaim",
            "metadata": metadata,
            "spec": spec | fields,
        }
    )


def run(
    *documents: str,
    using: SealedSecretTransformer | None = None,
    environ: dict[str, str] | None = None,
    warnings: Warnings | None = None,
) -> Transformed:
    """The documents, transformed."""
    items = stream.stream("\n---\n".join([*documents, ""]))
    with_job = job(Path.cwd(), environ, warnings)
    return transform(items, using or config(), Kustomization(), with_job, seal)


def lines(*documents: str, using: SealedSecretTransformer | None = None) -> list[str]:
    """The errors of documents that are refused."""
    with pytest.raises(Failure) as caught:
        run(*documents, using=using)
    return [error.line() for error in caught.value.errors]


def test_a_claim_is_sealed_for_what_it_is_called_by_now(stores: list[MemoryStore]) -> None:
    """Its own name and namespace, and nothing else than its values."""
    (sealed,) = run(claim("p-db-x", namespace="staging")).sealed
    assert (sealed["metadata"]["name"], sealed["metadata"]["namespace"]) == ("p-db-x", "staging")
    assert sealed["metadata"]["annotations"]["krmfn.dev/sealed-for"] == "staging/p-db-x"
    data = unseal(sealed, load_private_keys((KEYS / "current.key").read_bytes(), "key"))["data"]
    assert data == {"user": base64.b64encode(b"app").decode()}


def test_others_are_kept_in_their_order(stores: list[MemoryStore]) -> None:
    """Resources, and what is of krmfn's group without being a claim; not the copy of the config."""
    own = "apiVersion: krmfn.dev/v1alpha1\nkind: "
    kept = [
        "a: b # c",
        f"{own}SealedSecretGenerator",
        "kind: SecretClaim\napiVersion: other/v1",
        "[x]",
    ]
    done = run(kept[0], claim("b"), *kept[1:], f"{own}SealedSecretTransformer", claim("a"))
    assert [item.raw.strip() for item in done.kept] == kept
    assert [one["metadata"]["name"] for one in done.sealed] == ["b", "a"]
    assert [one["metadata"]["name"] for one in done.companions] == ["b", "a"]


def test_without_claims_nothing_is_opened(stores: list[MemoryStore]) -> None:
    """No certificate is needed either, nor any sealing."""
    bare = parse(
        {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": "SealedSecretTransformer",
            "metadata": {"name": "app"},
        }
    )
    assert isinstance(bare, SealedSecretTransformer)
    done = run("a: b", using=bare)
    assert ([item.raw for item in done.kept], done.sealed, done.companions, stores) == (
        ["a: b\n"],
        (),
        (),
        [],
    )
    assert lines(claim(), using=bare) == [
        "SecretClaim/db: spec.sealing: required: there is a claim to seal; set it here or in "
        ".krmfn.yaml, which a container cannot read: set its fields in spec there [spec]"
    ]


def test_what_kustomize_remembers_goes_on(stores: list[MemoryStore]) -> None:
    """Former names stay on the SealedSecret and lead to the companion; other bookkeeping goes."""
    history = {
        f"{INTERNAL}{k}": v
        for k, v in (
            ("prefixes", "p-"),
            ("previousNames", "db"),
            ("previousKinds", "SecretClaim"),
            ("previousNamespaces", "default"),
        )
    }
    noise = {
        f"{INTERNAL}needsHashSuffix": "enabled",
        "config.kubernetes.io/index": "0",
        "kustomize.config.k8s.io/id": "x",
        "note": "y",
    }
    done = run(claim("p-db", annotations=history | noise, labels={"a": "b"}))
    (sealed,), (companion,) = done.sealed, done.companions
    marks = {k: v for k, v in sealed["metadata"]["annotations"].items() if "krmfn.dev" not in k}
    assert marks == history | {"note": "y"}
    assert sealed["metadata"]["labels"] == {"a": "b"}
    assert companion["metadata"]["annotations"] == LOCAL | {
        f"{INTERNAL}prefixes": "p-",
        PREVIOUS_NAMES: "db,p-db",
        PREVIOUS_NAMESPACES: "default,production",
        PREVIOUS_KINDS: "Secret,Secret",
    }


def test_a_companion_without_history_answers_to_its_own_name() -> None:
    """A claim that was never renamed, in no namespace, is the one of the default namespace."""
    companion = claim_companion({"metadata": {"name": "db", "annotations": {}}}, {})
    assert "data" not in companion
    assert companion["kind"] == "Secret"
    assert companion["metadata"]["annotations"] == LOCAL | {
        PREVIOUS_NAMES: "db",
        PREVIOUS_NAMESPACES: "default",
        PREVIOUS_KINDS: "Secret",
    }


def test_a_claim_without_a_namespace(stores: list[MemoryStore]) -> None:
    """The config's, then the environment's, with a note; without any only cluster-wide is possible."""
    bare = claim(namespace=None)
    (sealed,) = run(bare, using=config(namespace="a")).sealed
    assert sealed["metadata"]["annotations"]["krmfn.dev/sealed-for"] == "a/db"
    warnings = Warnings()
    (sealed,) = run(bare, environ={"KRMFN_NAMESPACE": "b"}, warnings=warnings).sealed
    assert sealed["metadata"]["annotations"]["krmfn.dev/sealed-for"] == "b/db"
    assert [one.text for one in warnings.found] == ["the namespace b comes from KRMFN_NAMESPACE"]
    (line,) = lines(bare)
    assert line.startswith("SecretClaim/db: ")
    assert line.endswith("[namespace-missing]")
    (sealed,) = run(bare, using=config(scope="cluster-wide")).sealed
    assert sealed["metadata"]["annotations"]["krmfn.dev/sealed-for"] == "*/*"
    assert lines(claim(), using=config(namespace="a"))[0].endswith("[namespace-contradiction]")


@pytest.mark.parametrize(
    ("claimed", "beside", "companion"),
    [(None, None, None), (None, "a", "a"), ("a", None, "a"), (None, "b", None)],
)
def test_where_a_companion_stands(
    stores: list[MemoryStore], claimed: str | None, beside: str | None, companion: str | None
) -> None:
    """Where what refers to it is: kustomize follows no reference into a namespace that a pod lacks."""
    place = f", namespace: {beside}" if beside else ""
    pod = f"{{apiVersion: v1, kind: Pod, metadata: {{name: p{place}}}}}"
    (found,) = run(claim(namespace=claimed), pod, using=config(namespace="a")).companions
    assert found["metadata"].get("namespace") == companion
    assert found["metadata"]["annotations"][PREVIOUS_NAMESPACES] == (companion or "default")


@pytest.mark.parametrize(
    ("most", "asked", "allowed"),
    [
        ("strict", "strict", True),
        ("strict", "namespace-wide", False),
        ("namespace-wide", "strict", True),
        ("namespace-wide", "cluster-wide", False),
        ("cluster-wide", "cluster-wide", True),
    ],
)
def test_a_claim_cannot_widen_its_scope(
    stores: list[MemoryStore], most: str, asked: str, allowed: bool
) -> None:
    """The outermost configuration's scope is the most there is; narrower is free."""
    using = config(scope=most)
    if allowed:
        assert len(run(claim(scope=asked), using=using).sealed) == 1
        return
    assert lines(claim(scope=asked), using=using) == [
        f"SecretClaim/db: the claim asks for scope {asked}, expected at most {most}, as "
        "SealedSecretTransformer/app says; narrow the claim, or widen spec.sealing.scope [scope]"
    ]


def test_every_mistake_is_told_at_once(stores: list[MemoryStore]) -> None:
    """Each with its claim, before any store is opened."""
    unknown = claim("one", store="other")
    assert lines(unknown, claim("two", scope="cluster-wide"), claim("three")) == [
        "SecretClaim/one: the store other is not defined in SealedSecretTransformer/app; define it "
        "under spec.stores [spec]",
        "SecretClaim/two: the claim asks for scope cluster-wide, expected at most strict, as "
        "SealedSecretTransformer/app says; narrow the claim, or widen spec.sealing.scope [scope]",
    ]
    assert stores == []


def test_a_claim_that_is_no_claim(stores: list[MemoryStore]) -> None:
    """Its mistakes are told, and nothing is sealed."""
    assert "spec.sealing: unknown field" in lines(claim(sealing={}))[0]
    assert stores == []


def made(
    kind: str = "Secret", name: str = "db", namespace: str = "production", **annotations: str
) -> str:
    """A Secret or SealedSecret beside the claims."""
    version = "v1" if kind == "Secret" else "bitnami.com/v1alpha1"
    metadata: dict[str, Any] = {"name": name, "annotations": annotations}
    metadata |= {"namespace": namespace} if namespace else {}
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata})


def listed(*items: str, kind: str = "List") -> str:
    """A list of them."""
    return json.dumps({"apiVersion": "v1", "kind": kind, "items": [json.loads(i) for i in items]})


@pytest.mark.parametrize(
    ("others", "first"),
    [
        ([claim()], "two SecretClaims"),
        ([made()], "Secret/db and this SecretClaim"),
        ([made(namespace="")], "Secret/db and this SecretClaim"),
        ([made("SealedSecret")], "SealedSecret/db and this SecretClaim"),
        ([listed(made())], "Secret/db and this SecretClaim"),
        ([listed(made("SealedSecret"))], "SealedSecret/db and this SecretClaim"),
        ([listed(listed(claim()))], "two SecretClaims"),
        ([claim(nameSuffixHash=True)], "two SecretClaims"),
    ],
)
def test_two_makers_of_one_secret(stores: list[MemoryStore], others: list[str], first: str) -> None:
    """Both are named, and what helps; no store is opened."""
    (line,) = lines(claim(), *others)
    assert line.startswith(f"SecretClaim/db: {first} make one Secret, production/db; ")
    assert "$patch: delete" in line
    assert line.endswith("[ambiguous-producer]")
    assert not stores


@pytest.mark.parametrize(
    "other",
    [
        made(name="other"),
        made(namespace="staging"),
        made(**LOCAL),  # a name companion
        made(**{"sealedsecrets.bitnami.com/managed": "true"}),
        made(**{"sealedsecrets.bitnami.com/patch": "true"}),
        made("ConfigMap"),
        made("SealedSecret", namespace="staging"),
        claim("other"),
        claim(namespace="staging"),
    ],
)
def test_no_second_maker(stores: list[MemoryStore], other: str) -> None:
    """Another name or namespace, a companion, and a Secret that the controller is to take over."""
    assert run(claim(), other).sealed[0]["metadata"]["name"] == "db"


def test_claims_inside_of_lists(stores: list[MemoryStore]) -> None:
    """They are sealed; what stood beside them is kept, in its order; other lists stay as they came."""
    inner = listed(claim("b", namespace="staging"), made("ConfigMap", "x"), kind="SecretClaimList")
    other = listed(made("ConfigMap", "y"))
    done = run(made("ConfigMap", "a"), listed(claim(), made("ConfigMap", "c"), inner), other)
    places = [(o["metadata"]["namespace"], o["metadata"]["name"]) for o in done.sealed]
    assert places == [("production", "db"), ("staging", "b")]
    assert [i.header().get("metadata", {}).get("name") for i in done.kept[:-1]] == ["a", "c", "x"]
    assert done.kept[-1].raw.strip() == other


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", {"a": "b"}), ("name", 5), ("namespace", ["x"]), ("kind", {"a": 1}), ("name", True)],
)
def test_what_is_called_by_no_text(stores: list[MemoryStore], field: str, value: Any) -> None:
    """A Secret beside a claim; one line, and nothing as Python writes it."""
    one = json.loads(made(name="other"))
    if field == "kind":
        one = {"apiVersion": "v1", "kind": "List", "items": [one | {"kind": value}]}
    else:
        one["metadata"][field] = value
    (line,) = lines(claim(), json.dumps(one))
    assert "it is not text, found " in line
    assert line.endswith("[object]")
    assert "{'" not in line
