"""From a configuration and a store to sealed items, against frozen answers.

tests/vectors/seal-v1-builds.json says what each item must be made of; its bytes are those of the
reference, which knows nothing of configurations.
"""

from __future__ import annotations

import base64
import copy
import datetime as dt
import json
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyrage
import pytest
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from krmfn.crypto import derive
from krmfn.crypto.seal import hybrid_decrypt
from krmfn.deadline import Deadline
from krmfn.errors import KrmfnError, PolicyError, SealingError
from krmfn.files.read import Place
from krmfn.kustomize.overlay import Kustomization
from krmfn.plan.make import make_plan
from krmfn.sealing.pipeline import generate
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.parse import check, parse
from krmfn.spec.stores import Age
from krmfn.stores import pool
from krmfn.stores.access import Access
from krmfn.stores.age.store import AgeBackend
from krmfn.stores.content import Json, Location, Number
from krmfn.stores.store import Store
from tests.support import make_build_vectors, make_seal_vectors
from tests.support.jobs import job
from tests.support.make_seal_vectors import KEYS
from tests.support.openbao import OpenBao, development

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "seal-v1-builds.json").read_text()
)
SECRETS: dict[str, Any] = VECTORS["secrets"]
KEY = bytes.fromhex(KEYS["k64"])
KEY_ID = derive.key_id(derive.first_step(KEY, derive.key_id_digest()))
RECIPIENT = make_seal_vectors.recipients()["2048"]
STORED = {"store": "main", "key": "krmfn/derivation", "property": "key"}
TRANSIT = {"transit": {"store": "main", "key": "krmfn", "version": 1}}
NOW = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


def no_entropy(count: int) -> bytes:
    raise AssertionError("deterministic sealing asked for random bytes")


class Memory(Store):
    """A store in memory with a transit engine that holds the same key."""

    def __init__(self, prf: Callable[[bytes], bytes] | None = None) -> None:
        self.secrets: dict[str, dict[str, Json]] = json.loads(
            VECTORS["store"], parse_int=Number, parse_float=Number
        )
        self.secrets["krmfn/derivation"] = {"key": KEYS["k64"]}
        self.prf = prf or (lambda digest: derive.first_step(KEY, digest))
        self.asked: list[list[bytes]] = []

    def locate(self, key: str) -> Location:
        return Location(("vault", "main", "", "secret", key), f"main:secret/{key}", path=key)

    def read(self, location: Location, version: int | None) -> dict[str, Json]:
        return copy.deepcopy(self.secrets[location.path])

    def hmac(self, mount: str, key: str, version: int, inputs: Sequence[bytes]) -> list[bytes]:
        assert (mount, key, version) == ("transit", "krmfn", 1)
        self.asked.append(list(inputs))
        return [self.prf(one) for one in inputs]


def build(
    store: Store | OpenBao,
    secrets: Iterable[dict[str, Any]],
    *,
    entropy: Callable[[int], bytes] = no_entropy,
    **sealing: Any,
) -> dict[str, dict[str, bytes]]:
    """The sealed items of each Secret."""
    config = parse(
        {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": "SealedSecretGenerator",
            "metadata": {"name": "test"},
            "spec": {
                "sealing": {
                    "certificate": {"pem": RECIPIENT["CertPEM"]},
                    "derivationKey": STORED,
                    "epoch": VECTORS["sealing"]["epoch"],
                    **sealing,
                },
                "stores": {"main": {"vault": {"path": "secret", "id": "main"}}},
                "secrets": list(secrets),
            },
        }
    )
    assert isinstance(config, SealedSecretGenerator)
    namespace = VECTORS["sealing"]["namespace"]
    plan = make_plan(config, namespace=namespace, overlay=Kustomization())
    environ = getattr(store, "environ", {})
    with pytest.MonkeyPatch.context() as patched:
        if isinstance(store, Store):
            patched.setattr(pool, "open_store", lambda *_: store)
        objects = [
            one.object for one in generate(plan, job(environ=environ), now=NOW, entropy=entropy)
        ]
    return {
        one["metadata"]["name"]: {
            key: base64.b64decode(item) for key, item in one["spec"]["encryptedData"].items()
        }
        for one in objects
    }


def expected(*names: str) -> dict[str, dict[str, bytes]]:
    return {
        name: {k: base64.b64decode(i["item"]) for k, i in SECRETS[name]["items"].items()}
        for name in names
    }


def configs(*names: str) -> list[dict[str, Any]]:
    return [SECRETS[name]["config"] for name in names]


def test_the_reference_still_gives_the_frozen_answers() -> None:
    """The file is what the reference makes, to the byte."""
    frozen = make_seal_vectors.VECTORS / "seal-v1-builds.json"
    assert make_build_vectors.text() == frozen.read_text()


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("key", [STORED, TRANSIT], ids=["stored", "transit"])
def test_known_answers_of_a_build(name: str, key: dict[str, Any]) -> None:
    """Every item of a configuration is the frozen one, whether the key is local or in transit."""
    assert build(Memory(), configs(name), derivationKey=key) == expected(name)


def test_the_frozen_items_open_to_what_they_are_made_of() -> None:
    """The recipient's private key gives each plaintext back."""
    private = load_pem_private_key(RECIPIENT["Key"].encode(), None)
    assert isinstance(private, RSAPrivateKey)
    labels = {"wide": b"production", "widest": b""}
    for name, items in expected(*SECRETS).items():
        label = labels.get(name, f"production/{name}".encode())
        for key, item in items.items():
            plaintext = bytes.fromhex(SECRETS[name]["items"][key]["plaintext"])
            assert hybrid_decrypt([private], item, label) == plaintext


@pytest.mark.parametrize("key", [STORED, TRANSIT], ids=["stored", "transit"])
def test_many_at_once_are_what_each_is_alone(key: dict[str, Any]) -> None:
    """Neither order nor company of the secrets changes a byte."""
    assert build(Memory(), configs(*reversed(SECRETS)), derivationKey=key) == expected(*SECRETS)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A real OpenBao of its own, with the vectors' values and key: in a field, and in transit."""
    with development(tmp_path_factory.mktemp("bao")) as bao:
        for path, fields in json.loads(VECTORS["store"]).items():
            bao.write("secret", path, fields)
        bao.write("secret", "krmfn/derivation", {"key": KEYS["k64"]})
        bao.mount("transit", "transit")
        wrapping = bao.request("GET", "transit/wrapping_key")["data"]["public_key"]
        public = load_pem_public_key(wrapping.encode())
        assert isinstance(public, RSAPublicKey)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        ephemeral = os.urandom(32)
        wrapped = public.encrypt(ephemeral, oaep)
        wrapped += keywrap.aes_key_wrap_with_padding(ephemeral, KEY)
        body = {"ciphertext": base64.b64encode(wrapped).decode(), "type": "hmac"}
        bao.request("POST", "transit/keys/krmfn/import", {**body, "hash_function": "SHA256"})
        yield bao


# A real server writes numbers its own way, and has one version of each of these secrets.
ON_A_SERVER = sorted(SECRETS.keys() - {"values", "properties"})


@pytest.mark.parametrize("pin", [{}, {"id": KEY_ID}], ids=["", "pinned"])
@pytest.mark.parametrize("key", [STORED, TRANSIT], ids=["stored", "transit"])
def test_known_answers_of_a_build_with_a_real_vault(
    vault: OpenBao, key: dict[str, Any], pin: dict[str, str]
) -> None:
    """One key of 64 bytes in a field and in a real transit engine: the frozen items from both."""
    found = build(vault, configs(*ON_A_SERVER), derivationKey={**key, **pin})
    assert found == expected(*ON_A_SERVER)


def test_a_real_transit_key_that_can_be_exported(vault: OpenBao) -> None:
    """What the engine answers is the first step under the bytes that it exports."""
    vault.request("POST", "transit/keys/made", {"type": "hmac", "key_size": 64, "exportable": True})
    exported = vault.request("GET", "transit/export/hmac-key/made/1")["data"]["keys"]
    key = base64.b64decode(exported["1"])
    made = {"transit": {"store": "main", "key": "made", "version": 1}}
    vault.write("secret", "made", {"key": key.hex()})
    stored = {"store": "main", "key": "made", "property": "key"}
    local = build(vault, configs("templated"), derivationKey=stored)
    assert local == build(vault, configs("templated"), derivationKey=made)
    assert local != expected("templated")


def test_extract_gives_the_bytes_of_data() -> None:
    """Writing out what `extract` takes, field by field, changes nothing."""
    for name, path, properties in (
        ("extracted", "logto/flat", {"user": "user", "a.b": "a\\.b", "port": "port"}),
        ("extracted-below", "logto/tree", {"password": "db.password"}),
    ):
        data = [
            {"secretKey": key, "remoteRef": {"key": path, "property": written}}
            for key, written in properties.items()
        ]
        found = build(Memory(), [{"name": name, "store": "main", "data": data}])[name]
        assert found == {key: expected(name)[name][key] for key in properties}


def test_no_two_items_share_a_session_key() -> None:
    """Of all items of a build, also of equal values, no wrapped key and no ciphertext is twice."""
    items = [i for of in build(Memory(), configs(*SECRETS)).values() for i in of.values()]
    assert len({item[258:] for item in items}) == len(items)
    assert len({item[2:258] for item in items}) == len(items)


def test_a_transit_engine_that_answers_a_constant() -> None:
    """Two plaintexts have two session keys all the same: their ciphertexts share no key stream."""
    constant = Memory(lambda digest: b"\x2a" * 64)
    changed = Memory(constant.prf)
    changed.secrets["logto/db"]["user"] = "logtp"
    secret = {"name": "one", "store": "main", "data": [make_build_vectors.ref("user", "user")]}
    before = build(constant, [secret], derivationKey=TRANSIT)["one"]["user"][258:]
    after = build(changed, [secret], derivationKey=TRANSIT)["one"]["user"][258:]
    assert before[:4] != after[:4]


def test_transit_is_asked_for_hashes_that_hold_no_value() -> None:
    """64 bytes for each item and for the key's id, each once, the same whatever the values are."""
    first, second = Memory(), Memory()
    second.secrets["logto/db"] = dict.fromkeys(second.secrets["logto/db"], "other")
    names = ["templated", "merged", "literals", "wide"]
    for store in (first, second):
        build(store, configs(*names), derivationKey=TRANSIT)
    assert first.asked == second.asked
    asked = [one for batch in first.asked for one in batch]
    assert len(asked) == len(set(asked)) == 1 + sum(len(SECRETS[n]["items"]) for n in names)
    assert {len(one) for one in asked} == {64}


def test_transit_is_asked_once_where_the_keys_are_known_before() -> None:
    """One batch beside the reads; a second one only for what `extract` found."""
    known, extracted = Memory(), Memory()
    build(known, configs("templated", "properties"), derivationKey=TRANSIT)
    assert len(known.asked) == 1
    build(extracted, configs("templated", "extracted"), derivationKey=TRANSIT)
    assert [len(batch) for batch in extracted.asked] == [3, 3]


@pytest.mark.parametrize("key", [STORED, TRANSIT], ids=["stored", "transit"])
@pytest.mark.parametrize("name", ["wide", "extracted"])
def test_another_than_the_pinned_key_is_refused(key: dict[str, Any], name: str) -> None:
    """A key that was made anew under the old name stops the build; both ids are told."""
    store = Memory(lambda digest: derive.first_step(b"\1" * 32, digest))
    store.secrets["krmfn/derivation"] = {"key": KEYS["k32"]}
    with pytest.raises(SealingError) as caught:
        build(store, configs(name), derivationKey={**key, "id": KEY_ID})
    assert caught.value.id == "derivation-key"
    assert caught.value.expected == KEY_ID


@pytest.mark.parametrize("stored", ["", "short", "00" * 32, KEYS["k64"].upper()])
def test_without_a_usable_key_nothing_is_sealed(stored: str) -> None:
    """An unusable key stops the build: no random bytes in its place, and it is not quoted."""
    store = Memory()
    store.secrets["krmfn/derivation"] = {"key": stored}
    with pytest.raises(SealingError) as caught:
        build(store, configs("wide"))
    assert caught.value.id == "derivation-key"
    text = "".join(traceback.format_exception(caught.value))
    assert not stored or stored not in text


def test_random_mode_takes_its_bytes_from_the_operating_system() -> None:
    """64 bytes for each random item and none for the others, which stay as they are."""
    taken: list[int] = []

    def entropy(count: int) -> bytes:
        taken.append(count)
        return bytes([len(taken)]) * count

    secrets = [{**SECRETS["templated"]["config"], "mode": "random"}, SECRETS["wide"]["config"]]
    found = build(Memory(), secrets, entropy=entropy)
    assert taken == [64, 64]
    assert found["wide"] == expected("wide")["wide"]
    assert not set(found["templated"].values()) & set(expected("templated")["templated"].values())


def test_transit_is_not_asked_about_random_items() -> None:
    """Only what is derived is asked for, and the key's id."""
    store = Memory()
    secrets = [{**SECRETS["templated"]["config"], "mode": "random"}, SECRETS["wide"]["config"]]
    build(store, secrets, entropy=bytes, derivationKey=TRANSIT)
    assert [len(batch) for batch in store.asked] == [2]


def test_random_mode_alone_needs_no_key() -> None:
    """Neither read nor asked for."""
    store = Memory()
    del store.secrets["krmfn/derivation"]
    secrets = [{**SECRETS["wide"]["config"], "mode": "random"}]
    assert build(store, secrets, entropy=bytes)["wide"].keys() == {"user"}


@pytest.mark.parametrize(
    ("secret", "changed"),
    [
        ({"scope": "strict"}, {"scope": "strict", "name": "other"}),
        ({"scope": "strict"}, {"scope": "namespace-wide"}),
        ({"scope": "cluster-wide"}, {"scope": "cluster-wide", "name": "other"}),
    ],
)
def test_equal_values_elsewhere_look_different(
    secret: dict[str, Any], changed: dict[str, Any]
) -> None:
    """One value under two names or scopes shares neither wrapped key nor ciphertext."""
    base = {"name": "one", "store": "main", "data": [make_build_vectors.ref("user", "user")]}
    (left,), (right,) = (build(Memory(), [base | of]).values() for of in (secret, changed))
    assert left["user"][258:] != right["user"][258:]
    assert left["user"][2:258] != right["user"][2:258]


def test_a_literal_does_not_confirm_a_guess() -> None:
    """The right value, written as a literal under the same name and key, gives other bytes."""
    data = [{"secretKey": "user", "value": "logto"}]
    guess = {"name": "wide", "scope": "namespace-wide", "data": data}
    assert build(Memory(), [guess])["wide"]["user"] != expected("wide")["wide"]["user"]


def test_the_key_is_no_value() -> None:
    """A reference to the derivation key's own path is refused, in data and in extract."""
    for entry in (
        {"data": [{"secretKey": "k", "remoteRef": {"key": STORED["key"], "property": "key"}}]},
        {"dataFrom": [{"extract": {"key": STORED["key"]}}]},
    ):
        with pytest.raises(KrmfnError) as caught:
            build(Memory(), [{"name": "one", "store": "main", **entry}])
        assert caught.value.id == "derivation-key-read"


@pytest.mark.parametrize("key", [STORED, TRANSIT], ids=["stored", "transit"])
def test_a_bound_store_lends_its_key_to_no_other_namespace(key: dict[str, Any]) -> None:
    """A store's binding holds for the derivation key too, where no value comes from it."""

    class Bound(Memory):
        def bind(self, namespace: str, recipient: str) -> None:
            if namespace != "production":
                raise PolicyError("store-bound", "the store is bound to other namespaces")

    literals = SECRETS["literals"]["config"]
    assert build(Bound(), [literals], derivationKey=key) == expected("literals")
    with pytest.raises(PolicyError) as caught:
        build(Bound(), [{**literals, "scope": "cluster-wide"}], derivationKey=key)
    assert caught.value.secret == "literals"
    build(Bound(), [{**literals, "scope": "cluster-wide", "mode": "random"}], entropy=bytes)


def test_a_real_age_store_gives_the_bytes_of_the_reference(tmp_path: Path) -> None:
    """Store id, path and property are bound as the specification says."""
    identity = pyrage.x25519.Identity.generate()
    document = {
        "storeId": "6f1d",
        "boundTo": {},
        "encryptedTo": [str(identity.to_public())],
        "secrets": {
            "krmfn/derivation": {"key": KEYS["k64"]},
            "logto/db": {"a": {"b": "x"}, "a.b": 17},
        },
    }
    text = json.dumps(document).encode()
    sealed = pyrage.encrypt(text, [identity.to_public()], armored=True)
    (tmp_path / "s.age").write_bytes(sealed)
    place = Place(tmp_path, tmp_path.resolve())
    access = Access({"KRMFN_AGE_IDENTITY": str(identity)}, Deadline(60), place)
    store = AgeBackend("main", check(Age, {"file": "s.age"}, name=""), access)
    ref, age, at = make_build_vectors.ref, make_seal_vectors.age, make_build_vectors.at
    secret = {"name": "aged", "store": "main"}
    found = build(store, [{**secret, "data": [ref("one", "a.b"), ref("two", "a\\.b")]}])
    made_of = {"one": at("x", age("a", "b")), "two": at("17", age("a.b"))}
    for key, made in made_of.items():
        answer = make_build_vectors.sealed("aged", key, made, "strict")["item"]
        assert base64.b64encode(found["aged"][key]).decode() == answer
