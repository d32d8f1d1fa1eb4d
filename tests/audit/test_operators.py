"""What operators make and read, on manifests as their users write them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from krmfn.audit.rules import check
from tests.support.synthesis import judged

CNPG = """
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: cluster-eu, namespace: a}
spec:
  bootstrap: {recovery: {source: cluster-us}}
  replica: %s
  externalClusters: []
"""


def makes(text: str) -> set[str]:
    return {made.secret for made in judged(yaml.safe_load(text)).productions}


@pytest.mark.parametrize(
    ("replica", "primary"),
    [
        ("{primary: cluster-eu, source: cluster-us}", True),
        ("{primary: cluster-us, source: cluster-us}", False),
        ("{self: eu, primary: eu, source: cluster-us}", True),
        ("{self: eu, primary: us, source: cluster-us}", False),
        ("{enabled: true, source: cluster-us}", False),
        ("{enabled: false, source: cluster-us}", True),
        ("{enabled: true, primary: cluster-eu, source: cluster-us}", False),
        ("{source: cluster-us}", False),
    ],
)
def test_the_primary_of_a_distributed_topology_makes_its_secret(
    replica: str, primary: bool
) -> None:
    """CloudNativePG: a replica cluster has no application's Secret, its primary has."""
    assert ("cluster-eu-app" in makes(CNPG % replica)) is primary


PXC = """
apiVersion: pxc.percona.com/v1
kind: PerconaXtraDBCluster
metadata: {name: cluster1, namespace: a}
spec:
  secretsName: my-secrets
  sslSecretName: my-ssl
  vaultSecretName: vault
  backup: {storages: {s3: {type: s3, s3: {credentialsSecret: s3-credentials}}}}
"""
PSMDB = """
apiVersion: psmdb.percona.com/v1
kind: PerconaServerMongoDB
metadata: {name: db, namespace: a}
spec: {secrets: {users: db-users, encryptionKey: db-key, ssl: db-tls}}
"""
PG = """
apiVersion: pgv2.percona.com/v2
kind: PerconaPGCluster
metadata: {name: pg, namespace: a}
spec: {users: %s}
"""
ZALANDO = """
apiVersion: acid.zalan.do/v1
kind: postgresql
metadata: {name: acid-minimal, namespace: a}
spec:
  enableConnectionPooler: true
  users: {zalando: [superuser, createdb], foo_user: []}
  tls: {secretName: pg-tls, caSecretName: pg-ca}
  env: [{name: X, valueFrom: {secretKeyRef: {name: pg-env, key: x}}}]
"""
REDIS = """
apiVersion: redis.redis.opstreelabs.in/v1beta2
kind: RedisReplication
metadata: {name: r, namespace: a}
spec:
  kubernetesConfig: {redisSecret: {name: redis-secret, key: password}, imagePullSecrets: [{name: regcred}]}
  TLS: {secret: {secretName: redis-tls}}
"""
FAILOVER = """
apiVersion: databases.spotahome.com/v1
kind: RedisFailover
metadata: {name: r, namespace: a}
spec: {auth: {secretPath: redis-auth}, redis: {imagePullSecrets: [{name: regcred}]}}
"""
TRAEFIK = """
apiVersion: %s/v1alpha1
kind: ServersTransport
metadata: {name: t, namespace: a}
spec: {rootCAsSecrets: [ca-one, ca-two], certificatesSecrets: [client]}
"""
CENTRAL = """
apiVersion: platform.stackrox.io/v1alpha1
kind: Central
metadata: {name: c, namespace: a}
spec: {central: {%s}}
"""
SUFFIX = "acid-minimal.credentials.postgresql.acid.zalan.do"


@pytest.mark.parametrize(
    ("text", "made", "read"),
    [
        (PXC, {"my-secrets", "my-ssl", "cluster1-ssl-internal"}, {"s3-credentials", "vault"}),
        (PSMDB, {"db-users", "db-key", "db-tls", "db-ssl-internal"}, set()),
        (PG % "[{name: app}]", {"pg-pguser-app"}, set()),
        (PG % "[{name: app, secretName: mine}]", {"mine"}, set()),
        (PG % "[]", {"pg-pguser-pg"}, set()),
        (
            ZALANDO,
            {f"{user}.{SUFFIX}" for user in ("zalando", "foo-user", "postgres", "pooler")},
            {"pg-tls", "pg-ca", "pg-env"},
        ),
        (REDIS, set(), {"redis-secret", "regcred", "redis-tls"}),
        (FAILOVER, set(), {"redis-auth", "regcred"}),
        (TRAEFIK % "traefik.io", set(), {"ca-one", "ca-two", "client"}),
        (TRAEFIK % "traefik.containo.us", set(), {"ca-one", "ca-two", "client"}),
        (CENTRAL % "", {"central-htpasswd"}, set()),
        (CENTRAL % "adminPasswordSecret: {name: pw}", set(), {"pw"}),
        (CENTRAL % "adminPasswordGenerationDisabled: true", set(), set()),
        (CENTRAL % "defaultTLSSecret: {name: tls}", {"central-htpasswd"}, {"tls"}),
    ],
)
def test_an_operators_manifest(text: str, made: set[str], read: set[str]) -> None:
    """The Secrets that it makes, and those that it needs from somebody else."""
    audit = judged(yaml.safe_load(text))
    assert made <= {one.secret for one in audit.productions}
    if not made:
        assert not audit.productions
    assert {one.secret for one in check(audit) if one.rule == "unmet-reference"} == read


def test_what_an_operator_makes_meets_its_users() -> None:
    """A pod that uses Zalando's or Percona's Secret has no error."""
    env: list[Any] = [
        {"name": "P", "valueFrom": {"secretKeyRef": {"name": name, "key": "password"}}}
        for name in (f"foo-user.{SUFFIX}", "pg-pguser-app")
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "a"},
        "spec": {"containers": [{"name": "c", "env": env}]},
    }
    audit = judged(pod, yaml.safe_load(ZALANDO), yaml.safe_load(PG % "[{name: app}]"))
    assert {one.where for one in check(audit) if one.severity == "error"} == {
        "postgresql/acid-minimal"
    }
