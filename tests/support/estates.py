"""Six estates, each with one `.krmfn.yaml`, one shared folder, and one line per overlay."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyrage
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from krmfn.crypto.seal import hybrid_decrypt
from krmfn.spec.stores import AgeDocument
from krmfn.stores.age.file import AgeFile, render_file
from tests.support.function import DERIVATION_KEY, KEYS

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "krmfn.dev/v1alpha1"
EXEC = {"config.kubernetes.io/function": "exec: {path: krmfn}"}
MARKER = """\
apiVersion: builtin
kind: PatchTransformer
metadata: {name: skip-marker}
patch: |-
  apiVersion: v1
  kind: ConfigMap
  metadata: {name: krmfn-was-skipped-add---enable-exec}
  $patch: delete
"""
STORES = {"main": {"age": {"file": "s.age"}}}


@dataclass(frozen=True)
class Overlay:
    """One overlay of an estate.

    Attributes:
        key: the environment's, under the derivation key's path.
        sealed: ``namespace/name`` to the value of its only key.
        recipient: of tests/vectors/keys.
    """

    directory: str
    key: str
    sealed: dict[str, str]
    recipient: str = "current"


@dataclass(frozen=True)
class Estate:
    """A repository.

    Attributes:
        config: the ``spec`` of `.krmfn.yaml`.
        files: path to value.
        secrets: path in the store to the value of its field ``password``.
    """

    id: str
    config: dict[str, Any]
    files: dict[str, Any]
    secrets: dict[str, str]
    overlays: tuple[Overlay, ...]

    def write(self, root: Path, *, exec_: bool, line: bool = True) -> dict[str, str]:
        """Write the repository below ``root``; return the credentials.

        Args:
            exec_: whether the shared transformer is an exec function; else a legacy plugin.
            line: whether overlays list the shared folder.
        """
        (root / ".git").mkdir(parents=True)
        for name in ("current", "previous"):
            (root / f"certs/{name}.pem").parent.mkdir(exist_ok=True)
            (root / f"certs/{name}.pem").write_bytes((KEYS / f"{name}.crt").read_bytes())
        put(root / ".krmfn.yaml", document("RepositoryConfig", "", self.config))
        shared(root / "krmfn", exec_=exec_)
        listing = {f"{one.directory}/kustomization.yaml" for one in self.overlays if line}
        for name, value in self.files.items():
            more = {"transformers": ["../" * name.count("/") + "krmfn"]} if name in listing else {}
            put(root / name, value | more)
        identity = pyrage.x25519.Identity.generate()
        frame = AgeDocument.model_validate(
            {"storeId": "s", "boundTo": {}, "encryptedTo": [str(identity.to_public())]}
        )
        keys = {one.key: {"key": DERIVATION_KEY} for one in self.overlays}
        values = {path: {"password": value} for path, value in self.secrets.items()}
        (root / "s.age").write_bytes(render_file(AgeFile(frame, keys | values)))
        return {"KRMFN_AGE_IDENTITY": str(identity)}


def put(file: Path, value: Any) -> None:
    """Write a value as JSON, which is YAML."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value) + "\n")


def document(kind: str, name: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    """A configuration."""
    own = {"metadata": {"name": name, **metadata}} if name else {}
    return {"apiVersion": VERSION, "kind": kind, **own, "spec": spec}


def shared(folder: Path, *, exec_: bool, spec: dict[str, Any] | None = None) -> None:
    """Write the folder that all overlays list."""
    put(folder / "kustomization.yaml", {"resources": ["transformer.yaml", "skip-marker.yaml"]})
    more = {"annotations": EXEC} if exec_ else {}
    put(
        folder / "transformer.yaml",
        document("SealedSecretTransformer", "krmfn", spec or {}, **more),
    )
    (folder / "skip-marker.yaml").write_text(MARKER)


def claim(name: str, path: str) -> dict[str, Any]:
    """A claim of one key."""
    return document("SecretClaim", name, {"from": path, "keys": ["password"]})


def workload(name: str, secret: str) -> dict[str, Any]:
    """A Deployment that uses a Secret."""
    labels = {"app": name}
    container = {"name": "app", "image": "app", "envFrom": [{"secretRef": {"name": secret}}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": spec,
    }


def application(directory: str, name: str, path: str) -> dict[str, Any]:
    """The files of a base: a workload and its claim."""
    return {
        f"{directory}/kustomization.yaml": {"resources": ["deployment.yaml", "claim.yaml"]},
        f"{directory}/deployment.yaml": workload(name, f"{name}-db"),
        f"{directory}/claim.yaml": claim(f"{name}-db", path),
    }


def layer(directory: str, namespace: str, *resources: str) -> dict[str, Any]:
    """The kustomization of an overlay."""
    value = {"namespace": namespace, "resources": list(resources)}
    return {f"{directory}/kustomization.yaml": value}


def pem(name: str) -> dict[str, str]:
    """A certificate of the repository."""
    return {"file": f"certs/{name}.pem"}


TEAM = Estate(
    "team",
    {
        "stores": STORES,
        "environments": [
            {"name": "dev", "paths": ["overlays/dev"], "certificate": pem("previous")},
            {"name": "production", "paths": ["overlays/production"], "certificate": pem("current")},
        ],
    },
    {
        **application("base", "shop", "shop/{environment}/db"),
        **layer("overlays/dev", "shop-dev", "../../base"),
        **layer("overlays/production", "shop", "../../base"),
    },
    {"shop/dev/db": "d", "shop/production/db": "p"},
    (
        Overlay("overlays/dev", "krmfn/derivation/dev", {"shop-dev/shop-db": "d"}, "previous"),
        Overlay("overlays/production", "krmfn/derivation/production", {"shop/shop-db": "p"}),
    ),
)
MONOREPO = Estate(
    "monorepo",
    {
        "stores": STORES,
        "certificate": pem("current"),
        "environments": [
            {"name": "dev", "paths": ["apps/*/overlays/dev"]},
            {"name": "production", "paths": ["apps/*/overlays/prod*"]},
        ],
    },
    {
        **application("apps/shop/base", "shop", "pay/shop/{environment}/db"),
        **application("apps/till/base", "till", "pay/till/{environment}/db"),
        **layer("apps/shop/overlays/dev", "shop-dev", "../../base"),
        **layer("apps/shop/overlays/production", "shop", "../../base"),
        **layer("apps/till/overlays/prod-eu", "till", "../../base"),
    },
    {"pay/shop/dev/db": "sd", "pay/shop/production/db": "sp", "pay/till/production/db": "tp"},
    (
        Overlay("apps/shop/overlays/dev", "krmfn/derivation/dev", {"shop-dev/shop-db": "sd"}),
        Overlay(
            "apps/shop/overlays/production", "krmfn/derivation/production", {"shop/shop-db": "sp"}
        ),
        Overlay(
            "apps/till/overlays/prod-eu", "krmfn/derivation/production", {"till/till-db": "tp"}
        ),
    ),
)
CLUSTERS = Estate(
    "clusters",
    {
        "stores": STORES,
        "environments": [
            {"name": "eu", "paths": ["clusters/eu"], "certificate": pem("current")},
            {"name": "us", "paths": ["clusters/us"], "certificate": pem("previous")},
        ],
    },
    {
        **application("base", "shop", "{environment}/shop"),
        **layer("clusters/eu/shop", "shop", "../../../base"),
        **layer("clusters/us/shop", "shop", "../../../base"),
    },
    {"eu/shop": "e", "us/shop": "u"},
    (
        Overlay("clusters/eu/shop", "krmfn/derivation/eu", {"shop/shop-db": "e"}),
        Overlay("clusters/us/shop", "krmfn/derivation/us", {"shop/shop-db": "u"}, "previous"),
    ),
)
REVIEWS = Estate(
    "reviews",
    {
        "stores": STORES,
        "certificate": pem("current"),
        "environments": [
            {"name": "review", "namespaces": ["review-*"]},
            {"name": "live", "namespaces": ["shop"]},
        ],
    },
    {
        **application("base", "shop", "shop/{environment}"),
        **layer("review", "review-17", "../base"),
        **layer("live", "shop", "../base"),
    },
    {"shop/review": "r", "shop/live": "l"},
    (
        Overlay("review", "krmfn/derivation/review", {"review-17/shop-db": "r"}),
        Overlay("live", "krmfn/derivation/live", {"shop/shop-db": "l"}),
    ),
)
FLUX = Estate(
    "flux",
    {
        "stores": STORES,
        "certificate": pem("current"),
        "environments": [
            {"name": "staging", "paths": ["apps/staging"]},
            {"name": "production", "paths": ["apps/production"]},
        ],
    },
    {
        **application("apps/base/shop", "shop", "shop/{environment}"),
        **application("apps/base/till", "till", "till/{environment}"),
        **layer("apps/staging", "staging", "../base/shop", "../base/till"),
        **layer("apps/production", "production", "../base/shop"),
    },
    {"shop/staging": "s", "till/staging": "t", "shop/production": "p"},
    (
        Overlay(
            "apps/staging",
            "krmfn/derivation/staging",
            {"staging/shop-db": "s", "staging/till-db": "t"},
        ),
        Overlay("apps/production", "krmfn/derivation/production", {"production/shop-db": "p"}),
    ),
)
ESTATES = (TEAM, MONOREPO, CLUSTERS, REVIEWS, FLUX)


def opened(sealed: dict[str, Any], recipient: str) -> str:
    """Open the only value of a SealedSecret, with a recipient's private key."""
    key = load_pem_private_key((KEYS / f"{recipient}.key").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    place = sealed["metadata"]
    ((_, item),) = sealed["spec"]["encryptedData"].items()
    label = f"{place['namespace']}/{place['name']}".encode()
    return (hybrid_decrypt([key], base64.b64decode(item), label) or b"").decode()
