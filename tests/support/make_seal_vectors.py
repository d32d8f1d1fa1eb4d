"""Makes tests/vectors/seal-v1.json out of the cases below and the reference: run it as a module.

The file is frozen: running this again must change nothing, which a test asserts. A difference
means that version 1 of the sealing is no longer version 1.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tests.support import seal_reference as reference

VECTORS = Path(__file__).parent.parent / "vectors"
Case = dict[str, Any]

KEYS = {
    "k32": hashlib.sha256(b"krmfn test key of 32 bytes").hexdigest(),
    "k64": hashlib.sha512(b"krmfn test key of 64 bytes").hexdigest(),
}


def vault(*components: str, path: str = "logto/db", **place: str) -> Any:
    fixed = {"id": "main", "namespace": "", "mount": "secret"} | place
    return {"vault": {**fixed, "path": path, "components": list(components)}}


def age(*components: str, path: str = "logto/db") -> Any:
    return {"age": {"id": "6f1d", "path": path, "components": list(components)}}


def composed(*sources: Any, template: str = "", transforms: tuple[str, ...] = ()) -> Any:
    return {
        "composed": {
            "template": template,
            "transforms": list(transforms),
            "sources": list(sources),
        }
    }


A, B = vault("a"), vault("b")
DECODED = ("decode", "Base64")
# Cluster-wide: the label is empty and tells nothing apart, the fields must.
WIDE = {"scope": "cluster-wide"}

BASE: Case = {
    "recipient": "2048",
    "derivationKey": "k64",
    "scope": "strict",
    "namespace": "production",
    "name": "logto-db",
    "key": "password",
    "source": vault("password"),
    "epoch": "1",
    "plaintext": "s3cr3t",
}

# Group -> what each of its cases changes in BASE. Inside a group all C (or, where only the
# derivation key or the plaintext differ, all rnd64) are different.
DIFFERENT: dict[str, list[Case]] = {
    "each row of the table": [
        {},
        {"recipient": "3072"},
        {"scope": "namespace-wide"},
        {"scope": "cluster-wide"},
        {"namespace": "staging"},
        {"name": "logto"},
        {"key": "user"},
        {"source": vault("user")},
        {"epoch": "2"},
        {"plaintext": "s3cr3t\n"},
        {"derivationKey": "k32"},
    ],
    "each size of key": [{"recipient": size} for size in ("2048", "3072", "4096", "8192")],
    "each part of a vault's source": [
        {"source": vault("password")},
        {"source": vault("password", id="spare")},
        {"source": vault("password", id="url:https://vault.example:8200")},
        {"source": vault("password", namespace="team")},
        {"source": vault("password", mount="kv")},
        {"source": vault("password", path="logto/db2")},
        {"source": vault("passwd")},
    ],
    "kinds of source": [
        {"source": "literal"},
        {"source": vault("password")},
        {"source": age("password")},
        {"source": composed()},
    ],
    "a|bc against ab|c": [
        {**WIDE, "name": "a", "key": "bc"},
        {**WIDE, "name": "ab", "key": "c"},
    ],
    "a|bc against ab|c, namespace and name": [
        {"scope": "namespace-wide", "namespace": "a", "name": "bc"},
        {"scope": "namespace-wide", "namespace": "ab", "name": "c"},
    ],
    "a|bc against ab|c, mount and path": [
        {"source": vault("p", mount="secret", path="team/db")},
        {"source": vault("p", mount="secret/team", path="db")},
        {"source": vault("p", namespace="secret", mount="team", path="db")},
    ],
    "a|bc against ab|c, path and property": [
        {"source": vault("bc", path="a")},
        {"source": vault("c", path="ab")},
        {"source": age("bc", path="a")},
        {"source": age("c", path="ab")},
    ],
    "a|bc against ab|c, two components": [
        {"source": vault("a", "bc")},
        {"source": vault("ab", "c")},
        {"source": vault("abc")},
    ],
    "a.b against a\\.b": [{"source": vault("a", "b")}, {"source": vault("a.b")}],
    "empty against absent against whole": [
        {"source": vault()},
        {"source": vault("")},
        {"source": vault("", "")},
        {"source": age()},
        {"source": age("")},
    ],
    "one source against a list of one": [
        {"source": A},
        {"source": composed(A)},
        {"source": composed(composed(A))},
    ],
    "sources that a template sees": [
        {"source": composed(A, template="{{ .a }}")},
        {"source": composed(B, template="{{ .a }}")},
        {"source": composed(A, B, template="{{ .a }}")},
        {"source": composed(A, "literal", template="{{ .a }}")},
        {"source": composed(template="{{ .a }}")},
        {"source": composed(A, template="{{.a}}")},
    ],
    "transforms": [
        {"source": A},
        {"source": composed(A, transforms=DECODED)},
        {"source": composed(A, transforms=("decode", "Base64URL"))},
        {"source": composed(A, transforms=("decodeBase64",))},
        {"source": composed(A, template="decodeBase64")},
    ],
    "no normalisation of text": [
        {"source": vault("\u00e9")},
        {"source": vault("e\u0301")},
        {"source": vault("\U0001f511")},
    ],
    "epochs are text": [{"epoch": "1"}, {"epoch": "01"}, {"epoch": "2026-11"}],
    "plaintexts": [
        {"plaintext": text} for text in ("", "\0", "s3cr3t", "s3cr3t ", "\u5bc6\u94a5" * 40)
    ],
}

# Inside a group all bytes are the same.
SAME: dict[str, list[Case]] = {
    "order and duplicates": [
        {"source": composed(A, B)},
        {"source": composed(B, A)},
        {"source": composed(A, B, A, B, B)},
    ],
    "cluster-wide has no namespace": [
        {**WIDE, "namespace": "production"},
        {**WIDE, "namespace": "staging"},
        {**WIDE, "namespace": ""},
    ],
}

PROPERTIES = [
    "password",
    "a.b",
    "a\\.b",
    "a\\\\.b",
    "a\\\\\\.b",
    "\\\\",
    "\\.",
    "0.1",
    "\u00e9.x y",
]
REFUSED_PROPERTIES = ["", ".", "a.", ".a", "a..b", "a\\b", "a\\", "\\\\\\"]


def recipients() -> dict[str, Case]:
    """Certificates and private keys by size; those up to 4096 are the Go code's."""
    found = json.loads((VECTORS / "hybrid-encrypt.json").read_text())
    found.append(json.loads((VECTORS / "seal-v1-rsa8192.json").read_text()))
    return {str(one["Bits"]): one for one in found}


def numbers(recipient: Case) -> tuple[int, int]:
    key = x509.load_pem_x509_certificate(recipient["CertPEM"].encode()).public_key()
    assert isinstance(key, RSAPublicKey)
    return key.public_numbers().n, key.public_numbers().e


def answer(change: Case, public: dict[str, tuple[int, int]]) -> Case:
    """What a case changes, and its known answers."""
    item = BASE | change
    n, e = public[item["recipient"]]
    plaintext = item["plaintext"].encode()
    c = reference.context(n, e, item)
    f = reference.first(bytes.fromhex(KEYS[item["derivationKey"]]), c)
    rnd64 = reference.second(f, c, plaintext)
    label = reference.label(item["scope"], item["namespace"], item["name"])
    sealed = reference.seal(n, e, rnd64, plaintext, label)
    return {
        "change": change,
        "C": c.hex(),
        "F": f.hex(),
        "rnd64": rnd64.hex(),
        "item": base64.b64encode(sealed).decode(),
    }


def make() -> Case:
    """The whole file."""
    public = {size: numbers(one) for size, one in recipients().items()}

    def groups(table: dict[str, list[Case]]) -> Case:
        return {name: [answer(change, public) for change in table[name]] for name in table}

    return {
        "derivationKeys": {
            name: {"hex": key, "id": reference.key_id(bytes.fromhex(key))}
            for name, key in KEYS.items()
        },
        "recipients": {
            size: hashlib.sha256(reference.spki(*pair)).hexdigest() for size, pair in public.items()
        },
        "properties": {text: reference.components(text) for text in PROPERTIES},
        "refusedProperties": REFUSED_PROPERTIES,
        "base": BASE,
        "different": groups(DIFFERENT),
        "same": groups(SAME),
    }


def text() -> str:
    """The file's text."""
    return json.dumps(make(), indent=1) + "\n"


if __name__ == "__main__":
    (VECTORS / "seal-v1.json").write_text(text())
