"""Ciphertext and placeholders are no plaintext, for every reader of one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from krmfn.errors import SpecError
from krmfn.importer import avp, kustomization, secret
from krmfn.importer.entry import Options
from krmfn.importer.source import sources
from krmfn.kustomize.overlay import Kustomization
from krmfn.objects import ciphertext
from krmfn.plan.make import make_plan
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.parse import parse

ENC = "ENC[AES256_GCM,data:QUJD,iv:QUJD,tag:QUJD,type:str]"
ARMOR = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n"
ITEM = base64.b64encode(b"\x02\x00" + bytes(512) + b"x" * 20).decode()
SEALED = (
    "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\n"
    "spec:\n  encryptedData:\n    k: AgB\n"
)
# What it is, as a value or a whole file.
CIPHERTEXTS: dict[str, tuple[bytes, ciphertext.Kind]] = {
    "sops value": (ENC.encode(), ciphertext.SOPS),
    "sops bytes": (ENC.replace("str", "bytes").encode(), ciphertext.SOPS),
    "sops dotenv": (f"A={ENC}\nsops_mac={ENC}\nsops_version=3.9.0\n".encode(), ciphertext.SOPS),
    "sops dotenv, all values plain": (
        f"A_unencrypted=x\nsops_mac={ENC}\n".encode(),
        ciphertext.SOPS,
    ),
    "sops yaml": (f"a: {ENC}\nsops:\n    mac: {ENC}\n".encode(), ciphertext.SOPS),
    "sops json": (json.dumps({"a": ENC, "sops": {"mac": ENC}}).encode(), ciphertext.SOPS),
    "sops binary": (json.dumps({"data": ENC, "sops": {}}).encode(), ciphertext.SOPS),
    "sops ini": (f"[a]\nb = {ENC}\n\n[sops]\nmac = {ENC}\n".encode(), ciphertext.SOPS),
    "age armored": (ARMOR.encode(), ciphertext.AGE),
    "age binary": (b"age-encryption.org/v1\n-> X25519 abc\n", ciphertext.AGE),
    "SealedSecret": (SEALED.encode(), ciphertext.SEALED),
    "SealedSecret in JSON": (
        b'{"kind":"SealedSecret","spec":{"encryptedData":{}}}',
        ciphertext.SEALED,
    ),
    "kubeseal --raw": (ITEM.encode(), ciphertext.SEALED),
    "kubeseal --raw, with a newline": (f"{ITEM}\n".encode(), ciphertext.SEALED),
    "vault-plugin": (b"<path:secret/data/app#password>", ciphertext.AVP),
    "vault-plugin, inside": (b"jdbc:x:<path:kv/data/a#b#3 | base64encode>@h", ciphertext.AVP),
    "vals": (b"ref+vault://secret/app#/password", ciphertext.VALS),
    "vals, inside": (b"user:secretref+awsssm://a/b+@host", ciphertext.VALS),
    "git-crypt": (b"\x00GITCRYPT\x00\x01\x02", ciphertext.GIT_CRYPT),
    "sops yaml, folded": (
        b"a: ENC[AES256_GCM,data:QUJD,iv:QUJD,\n  tag:QUJD,type:str]\n",
        ciphertext.SOPS,
    ),
    "sops comment": (b"#ENC[AES256_GCM,data:QQ==,iv:Q,tag:Q,type:comment]\n", ciphertext.SOPS),
    "ansible-vault, inside": (
        b"a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61\n",
        ciphertext.ANSIBLE,
    ),
    "OpenPGP": (b"-----BEGIN PGP MESSAGE-----\n\nhQEM\n", ciphertext.PGP),
    "eyaml": (b"a: ENC[PKCS7,MIIBeQYJ/Ko+=]\n", ciphertext.EYAML),
    "strongbox": (b"# STRONGBOX ENCRYPTED RESOURCE ; See x\nQUJD\n", ciphertext.STRONGBOX),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ciphertext.LFS),
    "Bank-Vaults": (b"vault:secret/data/mysql#password", ciphertext.WEBHOOK),
    "Bank-Vaults, to write": (b">>vault:secret/data/mysql#password", ciphertext.WEBHOOK),
    "Bank-Vaults, inside": (b"u:${vault:secret/data/a#b}@h", ciphertext.WEBHOOK),
    "1Password": (b"op://vault/item/field", ciphertext.ONEPASSWORD),
    "ansible-vault": (b"$ANSIBLE_VAULT;1.1;AES256\n6162\n", ciphertext.ANSIBLE),
}
PLAIN = [
    b"", b"swordfish", b"ENC[", b"ENC[x]", b"sops_version=3.9.0\nA=b\n", b"sops: {a: b}\n",
    b"-----BEGIN RSA PRIVATE KEY-----\nQQ==\n",
    b"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    b"AGE-SECRET-KEY-1QQQQ", b"<password>", b"<path:>", b"a < path:b#c", b"refs+x", b"https://a#b",
    b"kind: SealedSecret", b"encryptedData: none", base64.b64encode(bytes(600)),
    base64.b64encode(b"\x02\x01" + bytes(600)), ITEM[:-8].encode() + b"!", b"A" * 700, bytes(range(256)),
    b"vault://secret/app", b"pref+a://b", b"vault:v1:QUJD", b"a vault:x#y", b"op://x", b"see op://a/b/c",
    b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", b"version https://x\n", b"ENC[PKCS7]", b"$ANSIBLE_VAULT",
]  # fmt: skip
each_kind = pytest.mark.parametrize(
    ("content", "kind"), list(CIPHERTEXTS.values()), ids=list(CIPHERTEXTS)
)


@each_kind
def test_it_is_known(content: bytes, kind: ciphertext.Kind) -> None:
    assert ciphertext.kind_of(content) == kind
    with pytest.raises(SpecError) as error:
        ciphertext.refuse(content, key="k")
    assert error.value.line() == f"k: {kind.what}; {kind.remedy} [ciphertext]"


def test_a_template_for_op_inject() -> None:
    """A reference within a file, as `op inject` has it."""
    assert ciphertext.kind_of(b"a: {{ op://vault/item/field }}\n") == ciphertext.ONEPASSWORD


@pytest.mark.parametrize("content", PLAIN)
def test_plaintext(content: bytes) -> None:
    assert ciphertext.kind_of(content) is None
    ciphertext.refuse(content)


def lines(found: list[Any]) -> list[str]:
    return [error.line() for source in found for error in source.errors]


@each_kind
@pytest.mark.parametrize("field", ["data", "stringData"])
def test_import_secret(content: bytes, kind: ciphertext.Kind, field: str) -> None:
    """The value is in neither field, and its place is told."""
    text = base64.b64encode(content).decode() if field == "data" else content.decode("utf-8")
    value = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, field: {"k": text}}
    found = list(sources(json.dumps(value), "f"))
    secret.read(found, Options(namespace="n"))
    (line,) = lines(found)
    assert f"{field}.k: {kind.what}" in line
    assert content.decode(errors="replace")[:20] not in line


def test_import_secret_with_ciphertext_in_place_of_base64() -> None:
    """As sops and the vault plugin have it, where no base64 is."""
    for text in (ENC, "<path:secret/data/app#password>"):
        value = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "a"},
            "data": {"k": text},
        }
        found = list(sources(json.dumps(value), "f"))
        secret.read(found, Options(namespace="n"))
        assert ["[ciphertext]" in line for line in lines(found)] == [True]


@pytest.mark.parametrize(
    ("content", "kind", "field"),
    [
        pytest.param(content, kind, field, id=f"{field}-{name}")
        for name, (content, kind) in CIPHERTEXTS.items()
        for field in ("envs", "env", "files", "literals")
        if field != "literals" or b"\x00" not in content  # a literal is text
    ],
)
def test_import_kustomization(content: bytes, kind: ciphertext.Kind, field: str) -> None:
    """Every way in which a secretGenerator takes values."""
    entry: dict[str, Any] = {"name": "a"}
    if field == "literals":
        entry[field] = [f"k={content.decode()}"]
    else:
        entry[field] = "file" if field == "env" else ["file"]
    found = list(sources(json.dumps({"secretGenerator": [entry]}), "f"))
    kustomization.read(found[0], Options(namespace="n"), lambda _: content)
    (line,) = lines(found)
    assert kind.what in line
    assert line.endswith("[ciphertext]")


def test_avp_literals() -> None:
    """--keep-literals keeps no ciphertext, in base64 or not."""
    value = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "namespace": "n"},
        "stringData": {"p": "<path:secret/data/app#password>", "armor": ARMOR, "kept": "x"},
        "data": {"enc": base64.b64encode(ENC.encode()).decode()},
    }
    found = list(sources(json.dumps(value), "f"))
    avp.read(found, Options(literals=True))
    assert sorted(line.partition(": it is")[0].rpartition(": ")[2] for line in lines(found)) == [
        "data.enc",
        "stringData.armor",
    ]


def config(**secret: Any) -> SealedSecretGenerator:
    spec = {
        "sealing": {"certificate": {"file": "c"}, "mode": "random"},
        "secrets": [{"name": "a", **secret}],
    }
    found = parse(
        {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": "SealedSecretGenerator",
            "metadata": {"name": "g"},
            "spec": spec,
        }
    )
    assert isinstance(found, SealedSecretGenerator)
    return found


@each_kind
def test_a_literal_of_the_configuration(content: bytes, kind: ciphertext.Kind) -> None:
    """`value:` and the text of a template, before anything is read."""
    text = content.decode(errors="replace").replace("{{", "")
    for shape in (
        {"data": [{"secretKey": "k", "value": text}]},
        {"data": [{"secretKey": "x", "value": "y"}], "template": {"data": {"k": text}}},
    ):
        with pytest.raises(SpecError) as error:
            make_plan(config(**shape), namespace="n", overlay=Kustomization())
        assert f"a: k: {kind.what}" in error.value.line()


def sops(**fields: Any) -> dict[str, Any]:
    return {"kind": "Secret", "sops": {"mac": ENC, "version": "3.9.0"}, **fields}


@pytest.mark.parametrize(
    ("value", "is_"),
    [
        (sops(stringData={"a": ENC, "b": ENC}), True),
        (sops(data={"a": ENC, "empty": ""}, stringData={"b": ENC}), True),
        (sops(data={"a": ENC}, stringData={"b": "plain"}), False),
        (sops(stringData={"a": f"x {ENC}"}), False),
        (sops(), False),
        ({"kind": "Secret", "stringData": {"a": ENC}}, False),
        (sops(stringData={"a": ENC}) | {"sops": {"version": "3"}}, False),
        (sops(stringData={"a": ENC}) | {"sops": "mac"}, False),
        (sops(stringData={"a": 5}), False),
    ],
)
def test_a_secret_that_sops_encrypted(value: dict[str, Any], is_: bool) -> None:
    """Every value, under a block with a mac: one that is not makes it unencrypted."""
    assert ciphertext.is_sops_secret(value) is is_
