"""A configuration that uses most fields, and what stands where in it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]
GONE = object()

_GENERATOR: dict[str, Any] = {
    "apiVersion": "krmfn.dev/v1alpha1",
    "kind": "SealedSecretGenerator",
    "metadata": {"name": "logto", "namespace": "production", "labels": {"a": "b"}},
    "spec": {
        "sealing": {
            "certificate": {"file": "certificate.pem"},
            "scope": "strict",
            "mode": "deterministic",
            "epoch": "1",
            "derivationKey": {
                "store": "main",
                "key": "k",
                "property": "p",
                "id": "0123456789abcdef",
            },
        },
        "stores": {
            "main": {
                "vault": {
                    "server": "https://vault.example:8200",
                    "path": "secret",
                    "version": "v2",
                    "id": "vault-1",
                    "caFile": "ca.pem",
                    "tls": {"certRef": {"file": "/t.crt"}, "keyRef": {"file": "/t.key"}},
                    "auth": {"appRole": {"roleId": "r", "secretRef": {"env": "SECRET_ID"}}},
                }
            },
            "local": {"age": {"file": "secrets.age", "identityRef": {"file": "/id"}}},
        },
        "secrets": [
            {
                "name": "backup",
                "store": "main",
                "scope": "namespace-wide",
                "mode": "random",
                "data": [
                    {
                        "secretKey": "ID",
                        "remoteRef": {"key": "a/b", "property": "id", "version": 3},
                    },
                    {"secretKey": "REGION", "value": "eu"},
                    {"secretKey": "ALL", "store": "local", "remoteRef": {"key": "c", "as": "json"}},
                ],
                "dataFrom": [{"extract": {"key": "d", "decodingStrategy": "Base64"}}],
                "metadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}},
                "template": {
                    "type": "Opaque",
                    "immutable": True,
                    "metadata": {"labels": {"team": "x"}},
                    "data": {"url": "https://{{ .ID }}"},
                    "mergePolicy": "Merge",
                },
                "allowEmpty": False,
            }
        ],
    },
}


def generator() -> dict[str, Any]:
    """A fresh copy."""
    return copy.deepcopy(_GENERATOR)


def changed(path: Path, value: Any) -> dict[str, Any]:
    """The configuration with another value at ``path``, or without it (`GONE`)."""
    root = generator()
    parent = at(root, path[:-1])
    if value is GONE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return root


def at(value: Any, path: Sequence[str | int]) -> Any:
    """What stands at ``path``."""
    for step in path:
        value = value[step]
    return value


def paths(value: Any | None = None, before: Path = ()) -> Iterator[Path]:
    """Every path of a value, parents first."""
    value = _GENERATOR if value is None else value
    steps: Any = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for step in steps:
        yield (*before, step)
        yield from paths(value[step], (*before, step))
