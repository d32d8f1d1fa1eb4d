"""What krmfn emits, in a real cluster: the right Secrets and nothing else.

Every assertion here is printed in a table after the run, by its docstring: see tests/support/table.py.
"""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.cluster.examples import (
    AGE,
    EXAMPLES,
    LOGTO_PROD,
    SHOP_SEAL,
    SHOP_STAGING,
    VAULT,
    claim,
    kustomize,
    sealed,
)
from tests.support import repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.cluster.examples import Environ, Example, Secrets
    from tests.e2e.cluster.server import Cluster
    from tests.support.openbao import OpenBao

pytestmark = pytest.mark.e2e

SECRETS = "/api/v1/secrets"
DB = ("production", "db")
BACKUP = ("production", "logto-backup-storage-credentials")


def sealed_of(objects: list[Any]) -> list[Any]:
    """The SealedSecrets of a build."""
    return [one for one in objects if one["kind"] == "SealedSecret"]


def place(one: Any) -> tuple[str, str]:
    """Namespace and name."""
    return one["metadata"]["namespace"], one["metadata"]["name"]


def applied(cluster: Cluster, objects: list[Any]) -> None:
    """Apply a build, and see every SealedSecret of it opened."""
    cluster.api.apply(*objects)
    assert [place(one) for one in sealed_of(objects) if not cluster.opens(one)] == []


def versions(cluster: Cluster, places: list[tuple[str, str]]) -> dict[Any, str]:
    """The resourceVersion of each SealedSecret and its Secret."""
    return {
        (read.__name__, *each): read(*each)["metadata"]["resourceVersion"]
        for each in places
        for read in (cluster.sealed, cluster.secret)
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example(example: Example, cluster: Cluster, environ: Environ) -> None:
    """An example applied becomes exactly the vault's Secrets, byte for byte; nothing else appears."""
    objects = example.objects(environ)
    secrets: Secrets = example.secrets()
    assert {place(one) for one in sealed_of(objects)} == set(secrets)
    applied(cluster, objects)
    for each, (kind, data) in secrets.items():
        secret = cluster.secret(*each)
        assert (secret["type"], cluster.values(*each)) == (
            kind,
            {key: value.encode() for key, value in data.items()},
        )
        assert [owner["kind"] for owner in secret["metadata"]["ownerReferences"]] == [
            "SealedSecret"
        ]
    made = {(SECRETS, *each) for each in secrets}
    assert cluster.api.everything() == cluster.baseline | cluster.api.found(objects) | made


@pytest.mark.parametrize("example", [LOGTO_PROD, SHOP_STAGING, SHOP_SEAL, AGE], ids=str)
def test_again(example: Example, cluster: Cluster, environ: Environ) -> None:
    """A second build applied again changes no resourceVersion, of no SealedSecret and no Secret."""
    objects = example.objects(environ)
    applied(cluster, objects)
    places = [place(one) for one in sealed_of(objects)]
    before = versions(cluster, places)
    applied(cluster, example.objects(environ))
    assert versions(cluster, places) == before
    assert len(before) == 2 * len(places) > 0


def test_another_namespace(cluster: Cluster, environ: Environ) -> None:
    """Production's SealedSecret applied in dev stays Synced=False, and makes no Secret."""
    (one,) = sealed_of(LOGTO_PROD.objects(environ))
    one["metadata"]["namespace"] = "dev"
    cluster.api.apply(one)
    condition = cluster.condition("dev", BACKUP[1])
    assert condition["status"] == "False"
    assert "no key could decrypt secret" in condition["message"]
    assert "ACCESS_KEY_ID" in condition["message"]
    assert cluster.secret("dev", BACKUP[1]) is None
    assert cluster.secret(*BACKUP) is None


def test_rotation(cluster: Cluster, environ: Environ, openbao: OpenBao) -> None:
    """One value rotated in the vault changes one key of one Secret, and one item of ciphertext."""
    before = LOGTO_PROD.objects(environ)
    others = SHOP_SEAL.objects(environ)
    applied(cluster, [*before, *others])
    untouched = [place(one) for one in sealed_of(others)]
    versions_before = versions(cluster, untouched)
    values_before = cluster.values(*BACKUP)
    path = "logto/production/backup"
    openbao.write("secret", path, VAULT[path][0] | {"access_key_id": "AKIAROTATED00000002"})

    after = LOGTO_PROD.objects(environ)
    assert [one for one in after if one not in before] == sealed_of(after)
    items, items_before = (sealed_of(o)[0]["spec"]["encryptedData"] for o in (after, before))
    assert [key for key in items if items[key] != items_before[key]] == ["ACCESS_KEY_ID"]
    assert set(items) == set(items_before)
    applied(cluster, [*after, *SHOP_SEAL.objects(environ)])
    assert cluster.values(*BACKUP) == {**values_before, "ACCESS_KEY_ID": b"AKIAROTATED00000002"}
    assert versions(cluster, untouched) == versions_before


def test_hashed_name(cluster: Cluster, environ: Environ, openbao: OpenBao, tmp_path: Path) -> None:
    """With nameSuffixHash a rotation makes another Secret, which the workload names; the old one stays."""
    overlay = repository.repository(tmp_path)
    repository.hash_names(tmp_path, "transformer")
    names, values = [], ["one", "two", "one"]
    for value in values:
        openbao.write("secret", "build/db", {"password": value})
        objects = list(yaml.safe_load_all(kustomize(overlay, environ)))
        (one,) = sealed_of(objects)
        applied(cluster, [one])
        (workload,) = (each for each in objects if each["kind"] == "Deployment")
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        names.append(one["metadata"]["name"])
        assert container["envFrom"] == [{"secretRef": {"name": names[-1]}}]
    assert names[0] == names[2] != names[1]
    for name, value in zip(names, values, strict=True):
        assert cluster.values("production", name) == {"password": value.encode()}


def test_every_byte(cluster: Cluster, environ: Environ, openbao: OpenBao, tmp_path: Path) -> None:
    """Binary, long, empty and non-ASCII values arrive as they are in the vault, to the last newline."""
    wanted = {
        "binary": bytes(range(1, 256)),  # krmfn warns of a NUL byte
        "long": bytes(range(1, 256)) * 256,
        "empty": b"",
        "text": "käse\r\n\t 🔑\n\n".encode(),
    }
    fields = {key: base64.b64encode(value).decode() for key, value in wanted.items()}
    openbao.write("secret", "bytes", fields)
    extract = {"key": "bytes", "decodingStrategy": "Base64"}
    (one,) = sealed(tmp_path, environ, claim(*DB, data=[], dataFrom=[{"extract": extract}]))
    applied(cluster, [one])
    assert cluster.values(*DB) == wanted


@pytest.mark.parametrize("sealing", [{"epoch": "2"}, {"mode": "random"}], ids=["epoch", "random"])
def test_resealed(
    sealing: dict[str, Any], cluster: Cluster, environ: Environ, tmp_path: Path
) -> None:
    """The same values under other ciphertext leave the Secret as it is, resourceVersion and all."""
    (one,) = sealed(tmp_path, environ, claim(*DB))
    applied(cluster, [one])
    secret = cluster.secret(*DB)
    (again,) = sealed(tmp_path, environ, claim(*DB), **sealing)
    items, items_before = (each["spec"]["encryptedData"] for each in (again, one))
    assert all(items[key] != items_before[key] for key in items)
    applied(cluster, [again])
    assert cluster.secret(*DB) == secret
    assert cluster.sealed(*DB)["spec"] == again["spec"]


@pytest.mark.parametrize(
    ("scope", "elsewhere"),
    [
        ("strict", []),
        ("namespace-wide", [("production", "other")]),
        ("cluster-wide", [("production", "other"), ("dev", "db"), ("dev", "other")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_scope(
    scope: str,
    elsewhere: list[tuple[str, str]],
    cluster: Cluster,
    environ: Environ,
    tmp_path: Path,
) -> None:
    """A strict seal opens in its place, namespace-wide under any name there, cluster-wide anywhere."""
    (one,) = sealed(tmp_path, environ, claim(*DB, scope=scope), scope=scope)
    for there in itertools.product(("production", "dev"), ("db", "other")):
        opens = there == DB or there in elsewhere
        one["metadata"] |= {"namespace": there[0], "name": there[1]}
        cluster.api.apply(one)
        assert cluster.opens(one) is opens, there
        found = cluster.values(*there) if cluster.secret(*there) else None
        assert found == ({"user": b"shop", "password": b"p@ss/word"} if opens else None)
