"""The age store and the certificate that every tree of the corpus seals with."""

from __future__ import annotations

from pathlib import Path

import pyrage

from krmfn.spec.stores import AgeDocument
from krmfn.stores.age.file import AgeFile, render_file

CERTIFICATE = Path(__file__).resolve().parents[1] / "vectors/keys/current.crt"
SECRETS = {
    "krmfn/derivation": {"key": bytes(range(7, 71)).hex()},
    "app/db": {"username": "app", "password": "9Gv+notarealsecret/\u00e9"},
    "app/mail": {"username": "mailer", "password": "m4il notarealsecret"},
    "app/odd": {"empty": "", "yes": "no", "lines": "one\ntwo\n", "wide": "\u4e2d\U0001f600\t"},
}


def make() -> tuple[dict[str, bytes], dict[str, str]]:
    """The files beside a tree, and the environment that opens the store."""
    identity = pyrage.x25519.Identity.generate()
    frame = AgeDocument.model_validate(
        {"storeId": "s", "boundTo": {}, "encryptedTo": [str(identity.to_public())]}
    )
    files = {
        "cert.pem": CERTIFICATE.read_bytes(),
        "secrets.age": render_file(AgeFile(frame, SECRETS)),
    }
    return files, {"KRMFN_AGE_IDENTITY": str(identity)}
