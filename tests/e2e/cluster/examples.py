"""The examples as a table: how each overlay is built, and the Secrets that it must become.

A new example is one line of `EXAMPLES` (and of `VAULT`, for what it reads).
"""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from tests.e2e.cluster.api import KUBECTL
from tests.e2e.cluster.server import DEMO_CERTIFICATE
from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool
from tests.support import estate, repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.openbao import OpenBao

HERE = Path(__file__).resolve().parents[3] / "examples"
Environ = dict[str, str]
# (namespace, name) -> type and data of a Secret
Secrets = dict[tuple[str, str], tuple[str, dict[str, str]]]

# Path -> versions, oldest first.
VAULT: dict[str, list[dict[str, str]]] = {
    "krmfn/derivation": [{"key": repository.DERIVATION_KEY}],
    "logto/production/backup": [
        {"access_key_id": "AKIAEXAMPLE00000001", "secret_access_key": "9Gv+notarealsecret/01234"}
    ],
    "shop/db": [{"user": "shop", "password": "p@ss/word"}],  # the old layout's
    "shop/staging/db": [{"user": "shop", "password": "p@ss/word"}],
    "shop/production/db": [{"user": "shop_prod", "password": "s3cr3t"}],
    "shop/registry": [{"token": "t0k3n"}],
    **{p: [f] for space in ("dev", "production") for p, f in estate.stored(space).items()},
}


def seed(bao: OpenBao) -> None:
    """Write the vault's values anew, with their versions counted from 1."""
    for path, versions in VAULT.items():
        bao.renew("secret", path, *versions)


# --- routes: directory and environment to a stream


def kustomize(directory: Path, environ: Environ) -> str:
    """krmfn as an exec function of kustomize."""
    flags = ("--enable-alpha-plugins", "--enable-exec")
    return _run(tool("kustomize", KUSTOMIZE_VERSIONS[-1]), "build", *flags, directory, env=environ)


def kubectl(directory: Path, environ: Environ) -> str:
    """krmfn as a legacy plugin of kubectl."""
    return _run(KUBECTL, "kustomize", "--enable-alpha-plugins", directory, env=environ)


def build(directory: Path, environ: Environ) -> str:
    """`krmfn build`."""
    kustomize_ = str(tool("kustomize", KUSTOMIZE_VERSIONS[-1]))
    return krmfn("build", directory, environ={**environ, "KRMFN_KUSTOMIZE": kustomize_})


def seal(directory: Path, environ: Environ) -> str:
    """`kustomize build | krmfn seal`, with the nearest sealing.yaml above."""
    config = next(p / "sealing.yaml" for p in directory.parents if (p / "sealing.yaml").exists())
    plain = _run(tool("kustomize", KUSTOMIZE_VERSIONS[-1]), "build", directory, env=environ)
    return krmfn("seal", "--config", config, environ=environ, stdin=plain)


def krmfn(*arguments: str | Path, environ: Environ, stdin: str = "") -> str:
    """Standard output of a krmfn that must succeed without a word."""
    return _run(sys.executable, "-P", "-m", "krmfn", *arguments, env=environ, stdin=stdin)


def _run(*command: str | Path, env: Environ, stdin: str = "") -> str:
    done = subprocess.run(
        command, input=stdin, env=env, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def sealed(
    root: Path, environ: Environ, *claims: Any, certificate: Path = DEMO_CERTIFICATE, **sealing: Any
) -> list[Any]:
    """Claims of one's own by `krmfn seal`, without any kustomization.

    Args:
        root: a directory for the configuration.
        sealing: fields of ``spec.sealing`` beside certificate and derivation key.
    """
    (root / ".git").mkdir(exist_ok=True)
    (root / "certs").mkdir(exist_ok=True)
    (root / "certs/c.pem").write_bytes(certificate.read_bytes())
    spec = {"sealing": {**repository.SEALING, **sealing}, "stores": repository.STORES}
    config = repository.config("SealedSecretTransformer", spec, "")
    file = repository.write(root / "sealing.yaml", config)
    stream = yaml.safe_dump_all(claims)
    return list(yaml.safe_load_all(krmfn("seal", "--config", file, environ=environ, stdin=stream)))


def claim(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    """A claim for user and password of the shop's database."""
    data = [
        {"secretKey": key, "remoteRef": {"key": "shop/staging/db", "property": key}}
        for key in ("user", "password")
    ]
    return {
        "apiVersion": repository.API,
        "kind": "SecretClaim",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"store": "main", "data": data, **spec},
    }


# --- what the Secrets are, said by hand


def _logto() -> Secrets:
    value = VAULT["logto/production/backup"][0]
    data = {
        "ACCESS_KEY_ID": value["access_key_id"],
        "ACCESS_SECRET_KEY": value["secret_access_key"],
    }
    return {("production", "logto-backup-storage-credentials"): ("Opaque", data)}


def _shop(namespace: str, prefix: str, path: str) -> Secrets:
    value = VAULT[path][0]
    password = quote(value["password"], safe="")
    url = f"postgres://{value['user']}:{password}@db:5432/shop"
    token = VAULT["shop/registry"][0]["token"]
    auth = base64.b64encode(f"shop-puller:{token}".encode()).decode()
    docker = (
        '{"auths":{"registry.example":{"username":"shop-puller",'
        f'"password":"{token}", "auth":"{auth}"}}}}}}'
    )
    return {
        (namespace, f"{prefix}shop-db"): ("Opaque", {"url": url}),
        (namespace, f"{prefix}shop-registry"): (
            "kubernetes.io/dockerconfigjson",
            {".dockerconfigjson": docker},
        ),
    }


def _age() -> Secrets:
    import pyrage

    identity = pyrage.x25519.Identity.from_str(age_identity())
    store = yaml.safe_load(pyrage.decrypt((HERE / "age/secrets.age").read_bytes(), [identity]))
    value: dict[str, str] = store["secrets"]["app/db"]
    url = f"postgres://{value['username']}:{value['password']}@db:5432/app"
    return {("production", "app-db"): ("Opaque", {"DB_URL": url})}


def age_identity() -> str:
    """The example's own."""
    lines = (HERE / "age/demo-identity.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith("AGE-SECRET-KEY-"))


@dataclass(frozen=True)
class Example:
    """One overlay by one route."""

    directory: str
    route: Callable[[Path, Environ], str]
    secrets: Callable[[], Secrets]

    def __str__(self) -> str:
        return f"{self.directory}-by-{self.route.__name__}"

    def objects(self, environ: Environ) -> list[Any]:
        """What the build prints."""
        own = {"KRMFN_AGE_IDENTITY": age_identity()}
        if self.directory.startswith("shop/"):  # its .krmfn.yaml is at the root of a repository
            own["KRMFN_ROOT"] = str(HERE / "shop")
        stream = self.route(HERE / self.directory, {**environ, **own})
        return list(yaml.safe_load_all(stream))


def _estate(overlay: str) -> Secrets:
    namespace = estate.NAMESPACES[overlay]
    types = {one["name"]: one["type"] for one in estate.documented(overlay)["seal"]}
    data = estate.contents(namespace)
    return {(namespace, name): (type_, data[name]) for name, type_ in types.items()}


def _production() -> Secrets:
    return _shop("production", "", "shop/production/db")


def _staging() -> Secrets:
    return _shop("staging", "stg-", "shop/staging/db")


LOGTO_PROD = Example("logto/overlays/prod", kustomize, _logto)
SHOP_STAGING = Example("shop/overlays/staging", kustomize, _staging)
SHOP_PRODUCTION = Example("shop/overlays/production", kustomize, _production)
SHOP_SEAL = Example("../tests/upgrade/examples/shop/overlays/seal/production", seal, _production)
AGE = Example("age", kubectl, _age)
# logto's prod-container is not here: tests/e2e/test_container.py holds its bytes to those of prod.
EXAMPLES = (
    Example("logto/overlays/dev", kubectl, dict),
    LOGTO_PROD,
    Example("logto/overlays/prod", build, _logto),
    Example("logto/overlays/prod-legacy", kubectl, _logto),
    SHOP_STAGING,
    SHOP_PRODUCTION,
    Example("shop/overlays/staging", build, _staging),
    Example("shop/overlays/production", build, _production),
    SHOP_SEAL,
    AGE,
    Example("estate/overlays/dev", kustomize, lambda: _estate("dev")),
    Example("estate/overlays/dev", build, lambda: _estate("dev")),
    Example("estate/overlays/prod", kustomize, lambda: _estate("prod")),
    Example("estate/overlays/prod-legacy", kubectl, lambda: _estate("prod")),
    Example("estate/overlays/prod-barman-plugin", build, lambda: _estate("prod-barman-plugin")),
)
