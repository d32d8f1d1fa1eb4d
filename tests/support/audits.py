"""Audits of a few objects, for tests of what is made of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from krmfn.audit.judge import Audit, audit
from krmfn.audit.objects import groups
from krmfn.catalogue import packaged
from krmfn.objects import stream
from krmfn.spec.validator import Assumption

if TYPE_CHECKING:
    from collections.abc import Sequence


def audited(*objects: dict[str, Any], assume: Sequence[dict[str, Any]] = ()) -> Audit:
    """The objects as one stream, judged by the packaged catalogue."""
    items = stream.stream("---\n".join(json.dumps(one) + "\n" for one in objects), "test")
    return audit(items, packaged(groups(items)), assume=[Assumption(**one) for one in assume])


def secret(name: str, *keys: str, namespace: str = "n", type: str = "Opaque") -> dict[str, Any]:  # noqa: A002
    """A Secret in clear."""
    data = dict.fromkeys(keys, "MQ==")
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type, "data": data}


def claim(name: str, *keys: str, namespace: str = "n") -> dict[str, Any]:
    """A claim for literals."""
    return {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SecretClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"data": [{"secretKey": key, "value": "x"} for key in keys]},
    }


def pod(
    *refs: tuple[str, str], name: str = "app", namespace: str = "n", optional: bool = False
) -> dict[str, Any]:
    """A Pod that reads keys of Secrets."""
    more = {"optional": True} if optional else {}
    env = [
        {"name": f"E{i}", "valueFrom": {"secretKeyRef": {"name": secret, "key": key, **more}}}
        for i, (secret, key) in enumerate(refs)
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "c", "env": env}]},
    }


def cluster(name: str = "pg", namespace: str = "n") -> dict[str, Any]:
    """A CloudNativePG cluster, which makes <name>-app and more."""
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"instances": 1, "bootstrap": {"initdb": {"database": "d", "owner": "o"}}},
    }
