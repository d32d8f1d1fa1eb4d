"""From SealedSecrets back to Secrets, and the keys to do it with."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from krmfn.crypto.certificate import fingerprint
from krmfn.crypto.seal import hybrid_encrypt
from krmfn.crypto.unseal import load_private_keys, unseal
from krmfn.errors import SealingError

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
CURRENT = (VECTORS / "keys/current.key").read_bytes()
KEYS = load_private_keys(CURRENT, "current.key")
GIVEN = fingerprint(KEYS[0].public_key())


def sealed(name: str = "opaque.strict") -> Any:
    """A SealedSecret of the real kubeseal."""
    return json.loads((VECTORS / f"sealed/{name}.json").read_text())


def secret(pem: Any) -> dict[str, Any]:
    """A controller's key Secret."""
    return {"kind": "Secret", "data": {"tls.key": pem}}


@pytest.mark.parametrize("name", ["opaque", "tls", "basic-auth", "dockerconfigjson"])
@pytest.mark.parametrize("scope", ["strict", "namespace-wide", "cluster-wide"])
def test_what_kubeseal_sealed(name: str, scope: str) -> None:
    """Data, type, labels and annotations come back; name and namespace are the object's own."""
    one = sealed(f"{name}.{scope}")
    plain = json.loads((VECTORS / f"plain/{name}.json").read_text())
    one["spec"]["template"]["metadata"] |= {"name": "ignored", "namespace": "ignored", "uid": "x"}
    found = unseal(one, KEYS)
    data = dict(plain.get("data") or {})
    strings = plain.get("stringData") or {}
    data |= {k: base64.b64encode(v.encode()).decode() for k, v in strings.items()}
    assert found["data"] == data
    assert found.get("type") == plain.get("type")
    assert found["metadata"]["name"] == plain["metadata"]["name"]
    assert "uid" not in found["metadata"]
    assert found["metadata"].get("labels") == plain["metadata"].get("labels")


def test_immutable_is_kept() -> None:
    """So is the template's immutability."""
    one = sealed()
    one["spec"]["template"]["immutable"] = True
    assert unseal(one, KEYS)["immutable"] is True


@pytest.mark.parametrize("item", ["***", 7, None])
def test_an_item_that_is_no_base64(item: Any) -> None:
    """It is told as such, with its key."""
    one = sealed()
    one["spec"]["encryptedData"]["ACCESS_KEY_ID"] = item
    with pytest.raises(SealingError) as caught:
        unseal(one, KEYS)
    assert (caught.value.message, caught.value.key) == ("the item is not base64", "ACCESS_KEY_ID")


def test_why_it_does_not_open() -> None:
    """Annotations explain: another place, another certificate, or nothing at all."""
    one = sealed()
    one["metadata"]["namespace"] = "dev"
    with pytest.raises(SealingError) as caught:
        unseal(one, KEYS)
    assert caught.value.found == ""
    one["metadata"]["annotations"] = {"krmfn.dev/sealed-for": "production/x"}
    with pytest.raises(SealingError) as caught:
        unseal(one, KEYS)
    assert caught.value.found == "sealed for production/x"
    place = f"dev/{one['metadata']['name']}"
    marks = {"krmfn.dev/sealed-for": place, "krmfn.dev/certificate": "abc"}
    one["metadata"]["annotations"] = marks
    with pytest.raises(SealingError) as caught:
        unseal(one, KEYS)
    assert caught.value.found == (
        f"sealed for certificate abc; the given key belongs to {GIVEN[:16]}"
    )
    one["metadata"]["annotations"] |= {"krmfn.dev/certificate": GIVEN}
    with pytest.raises(SealingError) as caught:
        unseal(one, KEYS)
    assert caught.value.found == ""


def test_keys_from_pem_and_backups() -> None:
    """Several PEM blocks, a Secret, a list, a stream; what is no RSA key is passed over."""
    previous = (VECTORS / "keys/previous.key").read_bytes()
    ec = (VECTORS / "keys/ec.key").read_bytes()
    assert len(load_private_keys(CURRENT + ec + previous, "f")) == 2
    encoded = [base64.b64encode(pem).decode() for pem in (CURRENT, previous)]
    listed = {"kind": "List", "items": [*map(secret, encoded), secret("***"), secret(7), "x"]}
    assert len(load_private_keys(json.dumps(listed).encode(), "f")) == 2
    stream = "---\n".join(json.dumps(secret(one)) + "\n" for one in encoded)
    assert len(load_private_keys(stream.encode(), "f")) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"[]",
        b'{"data": 1}',
        (VECTORS / "keys/ec.key").read_bytes(),
        (VECTORS / "keys/current.crt").read_bytes(),
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ],
)
def test_no_key(content: bytes) -> None:
    """A file without an RSA private key is refused by name."""
    with pytest.raises(SealingError) as caught:
        load_private_keys(content, "f")
    assert (caught.value.id, caught.value.source) == ("private-key", "f")


def opens(one: Any) -> bool:
    """Whether the controller would open it."""
    try:
        unseal(one, KEYS)
    except SealingError:
        return False
    return True


def test_base64_as_the_controller_reads_it() -> None:
    """Line breaks are ignored, too much or too little padding is refused."""
    one = sealed()
    items = one["spec"]["encryptedData"]
    key, item = next(iter(items.items()))
    for text, good in (
        (item, True),
        (f"{item[:100]}\n{item[100:]}\r\n", True),
        (f"{item}=", False),
        (f"{item}====", False),
        (f"{item} ", False),
        (item.rstrip("=")[:-1], False),
    ):
        items[key] = text
        assert opens(one) is good, text[-8:]


def test_a_secret_that_was_sealed_whole() -> None:
    """As kubeseal did before it sealed item by item; beside items it is refused, as there."""
    one = sealed()
    metadata = one["metadata"]
    label = f"{metadata['namespace']}/{metadata['name']}".encode()
    public = KEYS[0].public_key().public_numbers()

    def whole(plaintext: str) -> Any:
        random = bytes(range(64))
        raw = hybrid_encrypt(public.n, public.e, random, plaintext.encode(), label)
        spec = {"data": base64.b64encode(raw).decode()}
        return {**one, "spec": spec}

    data = {"b": "Qg==", "a": "QQ=="}
    assert unseal(whole(json.dumps({"kind": "Secret", "data": data})), KEYS)["data"] == data
    assert not opens(whole("text"))
    assert not opens(whole('{"data": {"a": 5}}'))
    mixed = whole(json.dumps({"data": data}))
    mixed["spec"]["encryptedData"] = one["spec"]["encryptedData"]
    with pytest.raises(SealingError, match="both data and encryptedData"):
        unseal(mixed, KEYS)
