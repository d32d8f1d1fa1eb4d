"""Each rule, by what happens to the estate when somebody makes the mistake, and when they do it right.

A case says everything that the audit finds after the change; what it says of the right way is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from krmfn.audit.enforce import audit_stream
from krmfn.audit.rules import RULES, check
from krmfn.files.read import Place
from krmfn.objects import stream
from krmfn.spec.parse import parse
from tests.support import estate
from tests.support.estate import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from krmfn.audit.findings import Finding

    Change = Callable[[list[Any]], None]


def put(title: str, path: str, value: Any) -> Change:
    """Set a field of an object; None takes it out. Steps are separated by ``/``."""

    def change(found: list[Any]) -> None:
        here = estate.find(found, title)
        *way, last = (int(s) if s.isdigit() else s for s in path.split("/"))
        for step in way:
            here = here[step] if isinstance(step, int) else here.setdefault(step, {})
        if value is None:
            del here[last]
        else:
            here[last] = value

    return change


def add(text: str, namespace: str = "production") -> Change:
    """More objects."""

    def change(found: list[Any]) -> None:
        for one in yaml.safe_load_all(text):
            one["metadata"].setdefault("namespace", namespace)
            found.append(one)

    return change


def drop(title: str) -> Change:
    """An object is left out."""

    def change(found: list[Any]) -> None:
        found.remove(estate.find(found, title))

    return change


def claim(name: str, *keys: str, namespace: str = "production", **template: Any) -> Change:
    """One more claim."""
    data = [{"secretKey": key, "remoteRef": {"key": "k", "property": "p"}} for key in keys]
    value = {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SecretClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"store": "main", "data": data, "template": template},
    }
    return lambda found: found.append(value)


@dataclass(frozen=True)
class Case:
    """One mistake.

    Attributes:
        wrong, right: changes to the estate; without ``right`` it is right as it stands.
        found: rule, severity, object, field, Secret and key of each finding.
        says: parts of the first one's line.
        spec, right_spec: what the validator says, in the wrong case and in the right one.
    """

    name: str
    wrong: tuple[Change, ...]
    found: list[tuple[str, str, str, str, str, str]]
    says: tuple[str, ...] = ()
    right: tuple[Change, ...] = ()
    overlay: str = "prod"
    spec: dict[str, Any] = field(default_factory=dict)
    right_spec: dict[str, Any] = field(default_factory=dict)


LOGTO = "Deployment/logto"
ENV = "spec.template.spec.containers[0].env[{}].valueFrom.secretKeyRef"
SEED = "spec.template.spec.initContainers[0].env[1].valueFrom.secretKeyRef"
S3 = "spec.backup.barmanObjectStore.s3Credentials"
APP = "logto-postgres-app"
BACKUP = "logto-backup-storage-credentials"


def app(rule: str) -> list[tuple[str, str, str, str, str, str]]:
    """The same about all four references to the operator's Secret."""
    keys = {ENV.format(0): "uri", ENV.format(1): "username", ENV.format(2): "password", SEED: "uri"}
    return [(rule, "error", LOGTO, at, APP, key) for at, key in keys.items()]


def uri(rule: str) -> list[tuple[str, str, str, str, str, str]]:
    """The same about both references to its key ``uri``."""
    return [one for one in app(rule) if one[-1] == "uri"]


REPLICA = {"recovery": {"source": "other", "owner": "logto"}}
AZURE = {
    "destinationPath": "https://example.invalid/backups",
    "azureCredentials": {
        "connectionString": {"name": "azure-creds", "key": "AZURE_CONNECTION_STRING"}
    },
}
GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: courier}
spec:
  listeners:
  - name: https
    tls: {certificateRefs: [{name: edge-tls, namespace: edge}]}
"""
GRANT = """
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: courier, namespace: edge}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: production}]
  to: [{group: "", kind: Secret}]
"""
WIDGET = """
apiVersion: widgets.example.test/v1
kind: Widget
metadata: {name: round}
spec:
  login: {name: %s, key: password}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.widgets.example.test
  annotations:
    krmfn.dev/secret-catalogue: |
      consumers: [{at: [spec.login], form: key}]
spec:
  group: widgets.example.test
  names: {kind: Widget}
"""
ARGOCD = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data:
  oidc.config: |
    issuer: https://id.example.test
    clientSecret: $argocd-oidc:client
"""
USER = """
apiVersion: rabbitmq.com/v1beta1
kind: User
metadata: {name: courier}
spec:
  importCredentialsSecret: {name: courier-queue}
"""
CERTIFICATES = """
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: one}
spec: {secretName: shared-tls}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: two}
spec: {secretName: %s}
"""
EMPTY = """
apiVersion: v1
kind: Secret
metadata: {name: courier-tls, labels: {cnpg.io/reload: ""}}
"""
EXTERNAL = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: courier}
spec:
  target: {name: courier-redis, creationPolicy: %s}
  data: [{secretKey: redis-password, remoteRef: {key: k}}]
"""
EXTRACT = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: courier-redis}
spec:
  dataFrom: [{extract: {key: k}}]
"""
ARGO_LABEL = {"labels": {"app.kubernetes.io/part-of": "argocd"}}
OWNED = {
    "annotations": {
        "sealedsecrets.bitnami.com/skip-set-owner-references": "true",
        "sealedsecrets.bitnami.com/managed": "true",
    }
}
SMTP = [
    ("error", "Deployment/courier-api", ENV.format(0), "courier-smtp", "username"),
    ("error", "Deployment/courier-api", ENV.format(1), "courier-smtp", "password"),
]


def redis(rule: str, severity: str = "error") -> list[tuple[str, str, str, str, str, str]]:
    """The same about both references to courier's Redis password."""
    places = {"Deployment/courier-api": ENV.format(2), "StatefulSet/courier-redis": ENV.format(0)}
    return [
        (rule, severity, where, at, "courier-redis", "redis-password")
        for where, at in places.items()
    ]


PULL = "spec/template/spec/imagePullSecrets"

CASES = [
    # --- nobody makes it
    Case(
        "a claim is forgotten",
        (drop("SecretClaim/courier-smtp"),),
        [("unmet-reference", *one) for one in SMTP],
        ("nothing in this build creates this Secret", "claim it with krmfn init"),
    ),
    Case(
        "a claim's name is misspelt",
        (put("SecretClaim/courier-redis", "metadata/name", "courier-redi"),),
        [
            ("unused-secret", "warning", "SecretClaim/courier-redi", "", "courier-redi", ""),
            *redis("unmet-reference"),
        ],
        ("did you mean courier-redis?",),
    ),
    Case(
        "CloudNativePG makes no -app when it is given initdb.secret",
        (
            put(
                "Cluster/logto-postgres",
                "spec/bootstrap/initdb/secret",
                {"name": "courier-postgres-owner"},
            ),
        ),
        app("unmet-reference"),
    ),
    Case(
        "CloudNativePG makes no -app for a replica cluster",
        (
            put("Cluster/logto-postgres", "spec/bootstrap", REPLICA),
            put("Cluster/logto-postgres", "spec/replica", {"enabled": True, "source": "other"}),
        ),
        app("unmet-reference"),
        right=(put("Cluster/logto-postgres", "spec/bootstrap", REPLICA),),
    ),
    Case(
        "CloudNativePG makes -app without spec.bootstrap, but not for a pg_basebackup with a secret",
        (
            put(
                "Cluster/logto-postgres",
                "spec/bootstrap",
                {"pg_basebackup": {"source": "o", "secret": {"name": "courier-postgres-owner"}}},
            ),
        ),
        app("unmet-reference"),
        right=(put("Cluster/logto-postgres", "spec/bootstrap", None),),
    ),
    Case(
        "what is absent on purpose is not optional any more",
        (
            put(
                LOGTO,
                "spec/template/spec/containers/0/env/3/valueFrom/secretKeyRef/optional",
                False,
            ),
        ),
        [("unmet-reference", "error", LOGTO, ENV.format(3), "logto-status", "api-key")],
    ),
    Case(
        "what is assumed is something else",
        (drop("SecretClaim/courier-redis"),),
        [
            ("unused-assumption", "warning", "", "", "courier-reddis", ""),
            *redis("unmet-reference"),
        ],
        spec={"assume": [{"secret": "courier-reddis", "because": "Terraform"}]},
        right=(drop("SecretClaim/courier-redis"),),
        right_spec={"assume": [{"secret": "courier-redis", "because": "Terraform"}]},
    ),
    Case(
        "what is assumed is in another namespace",
        (drop("SecretClaim/courier-redis"),),
        [
            ("unused-assumption", "warning", "", "", "courier-redis", ""),
            *redis("unmet-reference"),
        ],
        spec={"assume": [{"secret": "courier-redis", "namespace": "dev", "because": "by hand"}]},
        right=(drop("SecretClaim/courier-redis"),),
        right_spec={
            "assume": [{"secret": "courier-redis", "namespace": "production", "because": "by hand"}]
        },
    ),
    # --- the key
    Case(
        "M1: another key than the claim's",
        (
            put(
                "Cluster/logto-postgres",
                "spec/backup/barmanObjectStore/s3Credentials/secretAccessKey/key",
                "SECRET_ACCESS_KEY",
            ),
        ),
        [
            (
                "unmet-key",
                "error",
                "Cluster/logto-postgres",
                f"{S3}.secretAccessKey",
                BACKUP,
                "SECRET_ACCESS_KEY",
            )
        ],
        (
            f"SecretClaim/{BACKUP} produces no such key",
            "did you mean ACCESS_SECRET_KEY?",
            "it has ACCESS_KEY_ID, ACCESS_SECRET_KEY",
        ),
    ),
    Case(
        "the operators' own documentation creates one key and refers to another",
        (
            put("Cluster/logto-postgres", "spec/backup/barmanObjectStore", AZURE),
            drop(f"SecretClaim/{BACKUP}"),
            claim("azure-creds", "AZURE_STORAGE_CONNECTION_STRING"),
        ),
        [
            (
                "unmet-key",
                "error",
                "Cluster/logto-postgres",
                "spec.backup.barmanObjectStore.azureCredentials.connectionString",
                "azure-creds",
                "AZURE_CONNECTION_STRING",
            )
        ],
        ("did you mean AZURE_STORAGE_CONNECTION_STRING?",),
        right=(
            put("Cluster/logto-postgres", "spec/backup/barmanObjectStore", AZURE),
            drop(f"SecretClaim/{BACKUP}"),
            claim("azure-creds", "AZURE_CONNECTION_STRING"),
        ),
    ),
    Case(
        "what is assumed has another key",
        (drop("SecretClaim/courier-redis"),),
        [*redis("unmet-key")],
        spec={
            "assume": [{"secret": "courier-redis", "keys": ["password"], "because": "Terraform"}]
        },
        right=(drop("SecretClaim/courier-redis"),),
        right_spec={
            "assume": [
                {"secret": "courier-redis", "keys": ["redis-password"], "because": "Terraform"}
            ]
        },
    ),
    Case(
        "External Secrets would have added the key",
        (put("SecretClaim/courier-redis", "spec/data/0/secretKey", "other"),),
        [*redis("unmet-key")],
        right=(
            put("SecretClaim/courier-redis", "spec/data/0/secretKey", "other"),
            add(EXTERNAL % "Merge"),
        ),
    ),
    Case(
        "External Secrets makes exactly the keys that it lists",
        (
            drop("SecretClaim/courier-redis"),
            add((EXTERNAL % "Owner").replace("redis-pass", "pass")),
        ),
        redis("unmet-key"),
        ("ExternalSecret/courier produces no such key", "it has password"),
        # All fields of a vault's secret: nobody can tell which, so that any will do.
        right=(drop("SecretClaim/courier-redis"), add(EXTRACT)),
    ),
    # --- elsewhere
    Case(
        "the claim stands in another namespace",
        (put("SecretClaim/courier-redis", "metadata/namespace", "dev"),),
        [
            ("unused-secret", "warning", "SecretClaim/courier-redis", "", "courier-redis", ""),
            *redis("wrong-namespace"),
        ],
    ),
    Case(
        "a prefix has moved the Cluster and not the references",
        (put("Cluster/logto-postgres", "metadata/name", "eu-logto-postgres"),),
        app("moved-producer"),
        ("was renamed", "did you mean eu-logto-postgres-app?"),
    ),
    Case(
        "a suffix has",
        (put("Cluster/logto-postgres", "metadata/name", "logto-postgres-eu"),),
        app("moved-producer"),
        ("did you mean logto-postgres-eu-app?",),
    ),
    Case(
        "nobody has granted it to another namespace",
        (
            add(GATEWAY),
            claim("edge-tls", "tls.crt", "tls.key", namespace="edge", type="kubernetes.io/tls"),
        ),
        [
            (
                "reference-grant",
                "error",
                "Gateway/courier",
                "spec.listeners[0].tls.certificateRefs[0]",
                "edge-tls",
                "tls.crt, tls.key",
            )
        ],
        right=(
            add(GATEWAY + "---" + GRANT),
            claim("edge-tls", "tls.crt", "tls.key", namespace="edge", type="kubernetes.io/tls"),
        ),
    ),
    # --- perhaps
    Case(
        "the operator makes it only when it is set up to",
        (put(LOGTO, PULL, [{"name": "logto-postgres-pull"}]),),
        [
            (
                "uncertain-producer",
                "warning",
                LOGTO,
                "spec.template.spec.imagePullSecrets[0]",
                "logto-postgres-pull",
                "",
            )
        ],
        ("PULL_SECRET_NAME",),
        right=(put(LOGTO, PULL, [{"name": "logto-postgres-pull"}]),),
        right_spec={
            "assume": [{"secret": "logto-postgres-pull", "because": "set in the operator"}]
        },
    ),
    Case(
        "External Secrets adds to a Secret that nobody makes",
        (drop("SecretClaim/courier-redis"), add(EXTERNAL % "Merge")),
        [*redis("uncertain-producer", "warning")],
        right=(drop("SecretClaim/courier-redis"), add(EXTERNAL % "CreateOrMerge")),
    ),
    Case(
        "a kind that the catalogue does not know",
        (add(WIDGET % "courier-smpt"),),
        [
            ("unknown-kind", "info", "Widget/round", "", "", ""),
            (
                "unmet-reference",
                "warning",
                "Widget/round",
                "spec.login",
                "courier-smpt",
                "password",
            ),
        ],
        right=(add(CRD + "---" + WIDGET % "courier-smtp"),),
    ),
    Case(
        "a kind that its CRD explains",
        (add(CRD + "---" + WIDGET % "courier-smpt"),),
        [("unmet-reference", "error", "Widget/round", "spec.login", "courier-smpt", "password")],
        ("did you mean courier-smtp?",),
        right=(add(CRD + "---" + WIDGET % "courier-smtp"),),
    ),
    # --- types
    Case(
        "a pull secret of type Opaque",
        (put("SecretClaim/courier-registry", "spec/template/type", "Opaque"),),
        [
            (
                "wrong-type",
                "error",
                "CronJob/courier-content-sync",
                "spec.jobTemplate.spec.template.spec.imagePullSecrets[0]",
                "courier-registry",
                "",
            ),
            (
                "wrong-type",
                "error",
                "ServiceAccount/courier",
                "imagePullSecrets[0]",
                "courier-registry",
                "",
            ),
        ],
        ("has type Opaque", "set template.type: kubernetes.io/dockerconfigjson"),
    ),
    Case(
        "a password that CloudNativePG would read all the same",
        (put("SecretClaim/courier-postgres-owner", "spec/template/type", "Opaque"),),
        [
            (
                "wrong-type",
                "warning",
                "Cluster/courier-postgres",
                "spec.bootstrap.initdb.secret",
                "courier-postgres-owner",
                "username, password",
            )
        ],
    ),
    Case(
        "a type that needs another key",
        (put("SecretClaim/courier-deploy-key", "spec/data/0/secretKey", "id_ed25519"),),
        [
            (
                "unmet-key",
                "error",
                "CronJob/courier-content-sync",
                "spec.jobTemplate.spec.template.spec.volumes[0].secret",
                "courier-deploy-key",
                "ssh-privatekey",
            ),
            (
                "type-keys",
                "error",
                "SecretClaim/courier-deploy-key",
                "",
                "courier-deploy-key",
                "ssh-privatekey",
            ),
        ],
    ),
    # --- whose it is
    Case(
        "M3: a claim over the operator's Secret",
        (claim(APP, "username", "password", type="kubernetes.io/basic-auth"),),
        [("operator-owned", "error", f"SecretClaim/{APP}", "", APP, "")],
        (
            "the operator of Cluster/logto-postgres creates this Secret",
            "uri, host and the rest never appear",
        ),
    ),
    Case(
        "a claim over a certificate of cert-manager's",
        (claim("courier-tls", "tls.crt", "tls.key", namespace="dev", type="kubernetes.io/tls"),),
        [("operator-owned", "error", "SecretClaim/courier-tls", "", "courier-tls", "")],
        ("the operator of Certificate/courier creates this Secret",),
        overlay="dev",
    ),
    Case(
        "a claim over what External Secrets makes",
        (add(EXTERNAL % "Owner"),),
        [("operator-owned", "error", "SecretClaim/courier-redis", "", "courier-redis", "")],
        ("the operator of ExternalSecret/courier creates this Secret",),
        right=(add(EXTERNAL % "Owner"), drop("SecretClaim/courier-redis")),
    ),
    Case(
        "two Certificates on one name",
        (add(CERTIFICATES % "shared-tls"),),
        [("ambiguous-producer", "error", "Certificate/two", "", "shared-tls", "")],
        ("Certificate/one creates this Secret too",),
        right=(add(CERTIFICATES % "other-tls"),),
    ),
    Case(
        "an unencrypted Secret beside a Certificate",
        (add(EMPTY + "data: {tls.crt: YQ==, tls.key: YQ==}\ntype: kubernetes.io/tls\n", "dev"),),
        [("ambiguous-producer", "error", "Secret/courier-tls", "", "courier-tls", "")],
        ("Certificate/courier creates this Secret too",),
        overlay="dev",
        # cert-manager's documented way to label its Secret.
        right=(add(EMPTY, "dev"),),
    ),
    Case(
        "a name of Helm's",
        (
            claim("sh.helm.release.v1.logto.v1", "release"),
            put(
                LOGTO,
                "spec/template/spec/volumes",
                [{"secret": {"secretName": "sh.helm.release.v1.logto.v1"}}],
            ),
        ),
        [
            (
                "reserved-name",
                "error",
                "SecretClaim/sh.helm.release.v1.logto.v1",
                "",
                "sh.helm.release.v1.logto.v1",
                "",
            )
        ],
        ("Helm",),
        right=(
            claim("helm-release", "release"),
            put(LOGTO, "spec/template/spec/volumes", [{"secret": {"secretName": "helm-release"}}]),
        ),
    ),
    Case(
        "M8: a claim that nobody uses",
        (claim("courier-old", "password"),),
        [("unused-secret", "warning", "SecretClaim/courier-old", "", "courier-old", "")],
        right=(
            claim(
                "repository",
                "url",
                metadata={"labels": {"argocd.argoproj.io/secret-type": "repository"}},
            ),
        ),
    ),
    # --- what the consumer looks for
    Case(
        "CloudNativePG would not notice a new password",
        (put("SecretClaim/courier-postgres-owner", "spec/template/metadata", None),),
        [
            (
                "missing-label",
                "warning",
                "SecretClaim/courier-postgres-owner",
                "",
                "courier-postgres-owner",
                "",
            )
        ],
        ("Cluster/courier-postgres looks for the label cnpg.io/reload",),
    ),
    Case(
        "Argo CD would not read it",
        (add(ARGOCD), claim("argocd-oidc", "client")),
        [("missing-label", "warning", "SecretClaim/argocd-oidc", "", "argocd-oidc", "")],
        ('app.kubernetes.io/part-of: "argocd"',),
        right=(add(ARGOCD), claim("argocd-oidc", "client", metadata=ARGO_LABEL)),
    ),
    Case(
        "an operator that claims what it reads",
        (add(USER), claim("courier-queue", "username", "password")),
        [("owns-input", "error", "SecretClaim/courier-queue", "", "courier-queue", "")],
        ("User/courier", "skip-set-owner-references"),
        right=(add(USER), claim("courier-queue", "username", "password", metadata=OWNED)),
    ),
    Case(
        "an assumption that nobody needs",
        (),
        [("unused-assumption", "warning", "", "", "courier-redis", "")],
        spec={"assume": [{"secret": "courier-redis", "because": "it was so once"}]},
    ),
]


def findings(found: list[Any], **spec: Any) -> list[Finding]:
    """All findings about objects, under a validator's specification."""
    config = {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SealedSecretValidator",
        "metadata": {"name": "estate"},
        "spec": spec,
    }
    items = stream.stream(estate.text(found), "the estate")
    return check(audit_stream(items, [parse(config).spec], place=Place(ROOT, ROOT)))


def changed(overlay: str, changes: tuple[Change, ...]) -> list[Any]:
    """The estate with changes."""
    found = estate.objects(overlay)
    for change in changes:
        change(found)
    return found


each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_case
def test_the_mistake_is_found(case: Case) -> None:
    """Exactly the expected findings: rule, severity, object, field, Secret, key, and what they say."""
    found = findings(changed(case.overlay, case.wrong), **case.spec)
    told = [(f.rule, f.severity, f.where, f.at, f.secret, f.key) for f in found]
    assert sorted(told) == sorted(case.found)
    lines = [f.line() for f in found if f.rule == case.found[0][0]]
    assert all(part in lines[0] for part in case.says), lines
    assert all(f.remedy for f in found)


@each_case
def test_the_right_way_is_not(case: Case) -> None:
    """Done right, nothing is found."""
    found = findings(changed(case.overlay, case.right), **case.right_spec)
    assert [f.line() for f in found] == []


def test_every_rule_has_a_case() -> None:
    """No rule is left without a mistake that shows it."""
    assert {one[0] for case in CASES for one in case.found} == set(RULES)
    assert len(RULES) == 16


@pytest.mark.parametrize(
    ("version", "key", "there"),
    [
        ("1.18", "password", True),
        ("1.18", "uri", False),
        ("1.19.4", "uri", False),
        ("1.19.5", "uri", True),
        ("1.20", "uri", False),
        ("1.20.2", "jdbc-uri", False),
        ("1.20.3", "jdbc-uri", True),
        ("1.21", "uri", True),
        ("1.24.4", "fqdn-uri", False),
        ("1.25", "fqdn-uri", False),
        ("1.25.2", "fqdn-uri", False),
        ("1.25.3", "fqdn-uri", True),
        ("1.26.0", "fqdn-uri", False),
        ("1.26.1", "fqdn-jdbc-uri", True),
        ("1.27", "fqdn-uri", True),
        ("1.30.0", "fqdn-uri", True),
        (None, "fqdn-uri", True),
    ],
)
def test_the_keys_of_each_release(version: str | None, key: str, there: bool) -> None:
    """What CloudNativePG writes depends on its release, and the validator says which one it is."""
    found = changed(
        "dev",
        (put(LOGTO, "spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/key", key),),
    )
    told = findings(found, **({"cnpgVersion": version} if version else {}))
    at = ENV.format(0)
    assert [(f.rule, f.key) for f in told if f.at == at] == ([] if there else [("unmet-key", key)])


@pytest.mark.parametrize(("version", "there"), [("1.20.3", True), ("1.21.0", False)])
def test_the_superusers_secret(version: str, there: bool) -> None:
    """Up to 1.20 the operator makes it unless told otherwise, and from 1.21 only when asked."""
    found = changed(
        "prod",
        (
            put("Cluster/logto-postgres", "spec/enableSuperuserAccess", None),
            put(
                LOGTO,
                "spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/name",
                "logto-postgres-superuser",
            ),
        ),
    )
    told = [f.rule for f in findings(found, cnpgVersion=version)]
    assert told == ([] if there else ["unmet-reference"])


def test_a_waived_operators_secret() -> None:
    """Where both sides say that the controller may patch the operator's Secret, it is let."""
    patch = {"sealedsecrets.bitnami.com/patch": "true"}
    inherited = put("Cluster/logto-postgres", "spec/inheritedMetadata", {"annotations": patch})
    agreed = claim(APP, "password", "more", metadata={"annotations": patch})
    assert findings(changed("prod", (inherited, agreed))) == []
    for one in ((inherited, claim(APP, "password")), (agreed,)):
        assert [f.rule for f in findings(changed("prod", one))] == ["operator-owned"]
