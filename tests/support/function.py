"""A project on disk and the function called in it, as kustomize calls it."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyrage
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from krmfn.crypto.seal import hybrid_decrypt
from krmfn.spec.stores import AgeDocument
from krmfn.stores.age.file import AgeFile, render_file
from tests.support.command import call

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).resolve().parents[2]
KEYS = ROOT / "tests/vectors/keys"
DERIVATION_KEY = bytes(range(7, 71)).hex()


@dataclass
class Project:
    """A repository with a certificate and an age store, and a configuration that uses them."""

    directory: Path
    environ: dict[str, str] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.directory / ".git").mkdir(exist_ok=True)
        (self.directory / "c.pem").write_bytes((KEYS / "current.crt").read_bytes())

    def write(self, secrets: dict[str, Any]) -> None:
        """Make the age store anew."""
        identity = pyrage.x25519.Identity.generate()
        frame = AgeDocument.model_validate(
            {"storeId": "s", "boundTo": self.bound, "encryptedTo": [str(identity.to_public())]}
        )
        secrets = {"krmfn/derivation": {"key": DERIVATION_KEY}, **secrets}
        (self.directory / "s.age").write_bytes(render_file(AgeFile(frame, secrets)))
        self.environ["KRMFN_AGE_IDENTITY"] = str(identity)

    def environment(self) -> dict[str, str]:
        """Of a child: nothing of this machine but what Python needs."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        (self.directory / "tmp").mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(home),
            "TMPDIR": str(self.directory / "tmp"),
            **self.environ,
        }

    def run(
        self, value: Any, *arguments: str, stdin: bytes | None = None, process: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        """One call of the function, or of a command; see `tests.support.command.call`."""
        given = resource_list(value) if stdin is None else stdin
        return call(arguments, given, self.directory, self.environment(), process=process)


def config(
    *secrets: dict[str, Any], store: dict[str, Any] | None = None, **sealing: Any
) -> dict[str, Any]:
    """A generator of these secrets, of a value when there are none."""
    if not secrets:
        secrets = (secret({"secretKey": "k", "remoteRef": {"key": "app", "property": "x"}}),)
    derivation = {"store": "main", "key": "krmfn/derivation", "property": "key"}
    return {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SealedSecretGenerator",
        "metadata": {"name": "logto", "namespace": "production"},
        "spec": {
            "sealing": {"certificate": {"file": "c.pem"}, "derivationKey": derivation, **sealing},
            "stores": {"main": store or {"age": {"file": "s.age"}}},
            "secrets": list(secrets),
        },
    }


def secret(*data: dict[str, Any], name: str = "db", **more: Any) -> dict[str, Any]:
    """One entry of ``spec.secrets``."""
    return {"name": name, "store": "main", "data": list(data), **more}


def resource_list(value: Any, items: Any = None) -> bytes:
    """What kustomize writes to a function; a generator is given a copy of its configuration."""
    items = [value] if items is None else items
    return json.dumps(
        {
            "apiVersion": "config.kubernetes.io/v1",
            "kind": "ResourceList",
            "functionConfig": value,
            "items": items,
        },
        ensure_ascii=False,
    ).encode()


def opened(sealed: dict[str, Any], label: str) -> dict[str, bytes | None]:
    """The values of a SealedSecret, opened by the controller's key under a label."""
    key = load_pem_private_key((KEYS / "current.key").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return {
        name: hybrid_decrypt([key], base64.b64decode(item), label.encode())
        for name, item in sealed["spec"]["encryptedData"].items()
    }
