"""The places of docs/seal-v1.md that could be read in two ways: tests/vectors/seal-v1-places.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.build.restart import Stamp, stamped
from krmfn.crypto.derive import remote_source
from krmfn.deadline import Deadline
from krmfn.documents import strict_json
from krmfn.errors import KrmfnError
from krmfn.files.read import Place
from krmfn.objects.stream import stream
from krmfn.sealing.values import components, decode, pick, to_bytes
from krmfn.spec.stores import Vault
from krmfn.stores.access import Access
from krmfn.stores.content import Number
from krmfn.stores.vault.address import parse_origin
from krmfn.stores.vault.store import VaultBackend
from tests.support import make_place_vectors

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

FILE = Path(__file__).resolve().parents[1] / "vectors/seal-v1-places.json"
VECTORS = json.loads(FILE.read_text())


def test_the_file_is_frozen() -> None:
    assert make_place_vectors.text() == FILE.read_text()


@pytest.mark.parametrize(("address", "origin"), VECTORS["origins"].items())
def test_origins(address: str, origin: str) -> None:
    """A port is always said, and an IPv6 address stands in brackets, in lower case."""
    assert str(parse_origin(address, name="x")) == origin


@pytest.fixture(scope="module")
def places(openbao: OpenBao) -> None:
    """A namespace, one inside it, and a mount in each."""
    for namespace, name in (("", "team"), ("team/", "sub")):
        openbao.request("POST", f"{namespace}sys/namespaces/{name}", {})
        mount = {"type": "kv", "options": {"version": "2"}}
        openbao.request("POST", f"{namespace}{name}/sys/mounts/kv", mount)


@pytest.mark.parametrize("case", VECTORS["places"], ids=lambda case: json.dumps(case["store"]))
def test_places(openbao: OpenBao, places: None, case: dict[str, Any]) -> None:
    """What stands behind the mount belongs to the path, and a namespace in the path to the namespace."""
    said = dict(case["store"])
    key = said.pop("key")
    here = Path.cwd()
    environ = dict(openbao.environ)
    if "version" in said:  # needed where the token may not ask
        policy = 'path "nothing" { capabilities = ["read"] }'
        environ["VAULT_TOKEN"] = openbao.token_for(policy, no_default_policy=True)
    access = Access(environ, Deadline(30), Place(here, here))
    store = VaultBackend("main", Vault.model_validate({"id": "main", **said}), access)
    location = store.locate(key)
    meant = case["vault"]
    place = ("vault", "main", meant["namespace"], meant["mount"], meant["path"])
    assert location.source == place
    assert remote_source(location.source, tuple(meant["components"])).hex() == case["source"]


@pytest.mark.parametrize(("property_", "value"), VECTORS["properties"].items())
def test_indices(property_: str, value: str | None) -> None:
    """Each item of a list has one index; a field of an object may have any name."""
    if value is not None:
        assert pick(VECTORS["value"], components(property_)) == value
        return
    with pytest.raises(KrmfnError, match="property-missing"):
        pick(VECTORS["value"], components(property_))


@pytest.mark.parametrize("case", VECTORS["plaintexts"], ids=lambda case: str(case["value"]))
def test_json_comes_before_decoding(case: dict[str, Any]) -> None:
    value = strict_json.loads(case["value"], Number)
    if case["plaintext"] is not None:
        text = to_bytes(value, as_json=case["as"] == "json")
        assert decode(text, case["decodingStrategy"]).hex() == case["plaintext"]
        return
    with pytest.raises(KrmfnError, match="value"):
        decode(to_bytes(value, as_json=case["as"] == "json"), case["decodingStrategy"])


@pytest.mark.parametrize("case", VECTORS["names"], ids=lambda case: "-".join(case["had"]))
def test_the_name_of_a_checksum(case: dict[str, Any]) -> None:
    """The least of all names without the hash; kustomize's own suffix belongs to a name."""
    (item,) = stream(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: n}\n"
        "spec: {template: {spec: {containers: [{envFrom: [{secretRef: {name: db}}]}]}}}\n"
    )
    had, least = frozenset(case["had"]), frozenset({case["checksumName"]})
    one = stamped(item, [Stamp("n", had, "c" * 32)])
    other = stamped(item, [Stamp("n", least | {"~", "db"}, "c" * 32)])
    assert min(case["had"]) == case["checksumName"]
    assert case["had"][-1] == case["baseName"]
    assert one == other
