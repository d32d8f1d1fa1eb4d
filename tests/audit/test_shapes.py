"""References by the shape and name of fields: unknown kinds, PodSpecs, Helm values, and whole texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from krmfn.audit.inventory import wanted
from krmfn.audit.rules import check
from tests.support.synthesis import judged


def of(kind: str, spec: Any, namespace: str = "a", name: str = "thing") -> dict[str, Any]:
    """An object of ``group/version/Kind`` with a spec."""
    version, _, kind = kind.rpartition("/")
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def unknown(spec: Any) -> dict[str, Any]:
    """An object that no catalogue knows, with a spec as JSON or as YAML."""
    return of("x.example/v1/Anything", yaml.safe_load(spec) if isinstance(spec, str) else spec)


def sealed(name: str, *keys: str, namespace: str = "a") -> dict[str, Any]:
    spec = {"encryptedData": dict.fromkeys(keys or ("k",), "AgA=")}
    return of("bitnami.com/v1alpha1/SealedSecret", spec, namespace, name)


def seen(*objects: Any) -> set[str]:
    """The names that the objects refer to."""
    return {one.reference.secret for one in judged(*objects).judged}


SEEN = {
    "a map under secret": "storage: {secret: {name: want, type: s3}}",
    "a map under …Secret": "oidc: {clientSecret: {name: want}}",
    "with a namespace": "s3: {secret: {name: want, namespace: a}}",
    "a map under …SecretRef": "auth: {apiTokenSecretRef: {name: want}}",
    "a map under …SecretReference": "auth: {credentialsSecretReference: {name: want}}",
    "secretRef, a text": "appRole: {secretRef: want}",
    "envFrom": "envFrom: [{secretRef: {name: want}}]",
    "secretKeyRef": "env: [{valueFrom: {secretKeyRef: {name: want, key: k}}}]",
    "a key of any field": "login: {name: want, key: k}",
    "secretName": "tls: {secretName: want}",
    "…SecretName": "sslSecretName: want",
    "…Secret, a text": "http: {tlsSecret: want}",
    "config secret": "configSecret: want",
    "api key secret": "apiKeySecret: want",
    "pull secrets": "imagePullSecrets: [{name: want}]",
    "pull secrets, texts": "pullSecrets: [want]",
    "secrets": "secrets: [want]",
    "an object reference": "source: {apiVersion: v1, kind: Secret, name: want}",
    "with a list": "users: [{passwordSecret: {name: want, keys: [k]}}]",
    "a volume": "template: {volumes: [{name: v, secret: {secretName: want}}]}",
    "a projection": "volumes: [{name: v, projected: {sources: [{secret: {name: want}}]}}]",
    "an init container": "pod: {initContainers: [{name: c, envFrom: [{secretRef: {name: want}}]}]}",
    "csi": "volumes: [{csi: {nodePublishSecretRef: {name: want}}}]",
    "deep": "a: [{b: [{c: {d: {passwordSecret: {name: want, key: k}}}}]}]",
}


@pytest.mark.parametrize("spec", SEEN.values(), ids=SEEN)
def test_a_field_of_an_unknown_kind_is_seen(spec: str) -> None:
    """It is a warning when nobody makes the Secret, nothing when somebody does."""
    audit = judged(unknown(spec))
    assert [one.reference.secret for one in audit.judged] == ["want"]
    found = {(one.rule, one.severity) for one in check(audit)}
    assert found == {("unmet-reference", "warning"), ("unknown-kind", "info")}
    assert {one.rule for one in check(judged(unknown(spec), sealed("want")))} == {"unknown-kind"}


NOT_SEEN = {
    "a value": "oidc: {clientSecret: d41d8cd98f00}",
    "a webhook's secret": "github: {webhookSecret: hunter2}",
    "another kind": "source: {secretRef: {kind: ConfigMap, name: want}}",
    "a ConfigMap's key": "configMapRef: {name: want, key: k}",
    "a store": "secretStoreRef: {name: want}",
    "a whole object": "object: {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {secretName: want}}",
    "a variable": "tls: {secretName: '${NAME}-tls'}",
    "a template": "tls: {secretName: '{{ .Values.name }}'}",
    "a switch": "secret: {enabled: true}",
    "to be written": "writeConnectionSecretToRef: {name: want, namespace: a}",
}


@pytest.mark.parametrize("spec", NOT_SEEN.values(), ids=NOT_SEEN)
def test_what_is_no_reference_is_not_seen(spec: str) -> None:
    """A secret value above all: it would stand in the message."""
    assert seen(unknown(spec)) == set()


def test_keys_and_optional_count_in_a_shape() -> None:
    """As in the fields that the catalogue knows."""
    volume = "v: [{secret: {secretName: s, items: [{key: other, path: p}]}}]"
    (found,) = [
        one for one in check(judged(unknown(volume), sealed("s"))) if one.severity != "info"
    ]
    assert (found.rule, found.severity, found.key) == ("unmet-key", "warning", "other")
    optional = "env: [{secretKeyRef: {name: s, key: k, optional: true}}]"
    assert {one.rule for one in check(judged(unknown(optional)))} == {"unknown-kind"}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("cert-manager.io/v1/Certificate", {"secretName": "own"}),
        ("k8s.mariadb.com/v1alpha1/Connection", {"secretName": "own"}),
        ("onepassword.com/v1/OnePasswordItem", {"secretName": "thing"}),
    ],
)
def test_what_an_object_makes_itself_is_no_reference(kind: str, spec: Any) -> None:
    """The field says where to write."""
    assert seen(of(kind, spec)) == set()


def test_a_known_field_counts_once() -> None:
    """The catalogue's entry stands, with its keys and level."""
    tls = of("traefik.io/v1alpha1/IngressRoute", {"tls": {"secretName": "s"}})
    (one,) = judged(tls).judged
    assert (one.reference.entry.level, one.reference.keys) == ("error", ("tls.crt", "tls.key"))


@pytest.mark.parametrize(
    "spec",
    [
        {
            "deployment": {
                "spec": {
                    "template": {
                        "spec": {"containers": [{"envFrom": [{"secretRef": {"name": "want"}}]}]}
                    }
                }
            }
        },
        {
            "deployment": {
                "spec": {"template": {"spec": {"volumes": [{"secret": {"secretName": "want"}}]}}}
            }
        },
        {"deployment": {"spec": {"template": {"spec": {"imagePullSecrets": [{"name": "want"}]}}}}},
    ],
)
def test_a_pod_in_a_known_kind_is_seen(spec: Any) -> None:
    """Wherever it stands, also where the catalogue knows other fields of the kind."""
    assert "want" in seen(of("grafana.integreatly.org/v1beta1/Grafana", spec))


VALUES = {
    "existingSecret": "auth: {existingSecret: want}",
    "existingSecretName": "auth: {existingSecretName: want}",
    "Bitnami's extraEnvVarsSecret": "web: {extraEnvVarsSecret: want}",
    "Bitnami's certificatesSecret": "tls: {enabled: true, certificatesSecret: want}",
    "Bitnami's configurationSecret": "primary: {configurationSecret: want}",
    "Harbor's admin password": "existingSecretAdminPassword: want",
    "Harbor's secret key": "core: {existingSecretSecretKey: want}",
    "deploy key": "git: {deployKeySecret: want}",
    "Prometheus' mounted secrets": "prometheus: {prometheusSpec: {secrets: [want]}}",
    "Alertmanager's mounted secrets": "alertmanager: {alertmanagerSpec: {secrets: [want]}}",
    "…ExistingSecret": "adminExistingSecret: want",
    "secretKeyRef": "env: {P: {valueFrom: {secretKeyRef: {name: want, key: k}}}}",
    "envFrom": "controllers: {m: {containers: {c: {envFrom: [{secretRef: {name: want}}]}}}}",
    "a mounted Secret": "persistence: {c: {type: secret, name: want}}",
    "a volume": "extraVolumes: [{name: v, secret: {secretName: want}}]",
    "secretName": "config: {secretName: want}",
    "pull secrets": "imagePullSecrets: [{name: want}]",
    "githubConfigSecret": "githubConfigSecret: want",
    "envFromSecret": "envFromSecret: want",
    "secret and key": "extraEnvSecrets: {USER: {secret: want, key: k}}",
    "names": "main: {extraSecretNamesForEnvFrom: [want]}",
    "credentialsName": "connect: {credentialsName: want}",
    "after the release": "envFrom: [{secretRef: {name: '{{ .Release.Name }}-key'}}]",
}


def release(values: Any, **spec: Any) -> dict[str, Any]:
    return of("helm.toolkit.fluxcd.io/v2/HelmRelease", {**spec, "values": values}, name="app")


def application(**helm: Any) -> dict[str, Any]:
    spec = {"destination": {"namespace": "a"}, "source": {"helm": helm}}
    return of("argoproj.io/v1alpha1/Application", spec, "argocd", "app")


def several(**helm: Any) -> dict[str, Any]:
    spec = {"destination": {"namespace": "a"}, "sources": [{"repoURL": "x"}, {"helm": helm}]}
    return of("argoproj.io/v1alpha1/Application", spec, "argocd", "app")


def chart(text: str) -> dict[str, Any]:
    spec = {"targetNamespace": "a", "valuesContent": text}
    return of("helm.cattle.io/v1/HelmChart", spec, "kube-system", "app")


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_values_refer_to_secrets(values: str) -> None:
    """In a HelmRelease, an Application and a HelmChart: a warning, a use, and no claim."""
    value, name = yaml.safe_load(values), "app-key" if "Release" in values else "want"
    configmap = {**of("v1/ConfigMap", {}, name="app"), "data": {"values.yaml": values}}
    other = {**of("v1/ConfigMap", {}, name="app"), "data": {"base-values.yaml": values}}
    assert [
        j.reference.secret for j in judged({**other, "data": {"other.yaml": values}}).judged
    ] == []
    releases = [
        release(value),
        application(values=values),
        application(valuesObject=value),
        several(valuesObject=value),
        chart(values),
        configmap,
        other,
    ]
    for one in releases:
        audit = judged(one)
        assert [j.reference.secret for j in audit.judged] == [name], one["kind"]
        assert [(f.rule, f.severity) for f in check(audit)] == [("unmet-reference", "warning")]
        assert all(each.guessed for each in wanted(audit))
        assert check(judged(one, sealed(name))) == []


def test_a_parameter_of_a_chart_refers_to_a_secret() -> None:
    """A parameter is a path and a value."""
    parameters = [
        {"name": "auth.existingSecret", "value": "one"},
        {"name": "env[0].valueFrom.secretKeyRef.name", "value": "two"},
        {"name": "image.tag", "value": "three"},
    ]
    assert seen(application(parameters=parameters)) == {"one", "two"}


@pytest.mark.parametrize(
    "values",
    [
        "auth: {clientSecret: d41d8cd98f00}",
        "ingress: {tls: [{secretName: want, hosts: [h]}]}",
        "secret: {enabled: true, name: want, data: {k: v}}",
        "{{ if true }} secretName: x {{ end }}",
        "existingSecretKey: want",
    ],
)
def test_other_helm_values_are_none(values: str) -> None:
    """What is no unmistakable reference, and what is no YAML."""
    assert seen(application(values=values)) == set()


def test_values_count_where_the_release_goes() -> None:
    """In the target's namespace; one that cannot be known is not judged."""
    values = {"auth": {"existingSecret": "want"}}
    there = release(values, targetNamespace="b")
    assert check(judged(there, sealed("want", namespace="b"))) == []
    assert [f.rule for f in check(judged(there, sealed("want")))] == ["wrong-namespace"]
    nowhere = of("argoproj.io/v1alpha1/Application", {"source": {"helm": {"valuesObject": values}}})
    assert [one.verdict for one in judged(nowhere).judged] == ["external"]


USED = {
    "a field": of("x.example/v1/Anything", {"anything": "s"}),
    "an item": of("x.example/v1/Anything", {"list": ["other", "s"]}),
    "an argument": of("v1/Pod", {"containers": [{"name": "c", "args": ["--tls-secret=s"]}]}),
    "with a namespace": of("v1/Pod", {"containers": [{"name": "c", "args": ["--cert=a/s"]}]}),
    "a variable": of(
        "v1/Pod", {"containers": [{"name": "c", "env": [{"name": "N", "value": "s"}]}]}
    ),
    "an annotation": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "namespace": "a", "annotations": {"example.org/login": "s"}},
    },
    "values": of(
        "argoproj.io/v1alpha1/Application",
        {"destination": {"namespace": "a"}, "source": {"helm": {"values": "x:\n  y: s\n"}}},
        "argocd",
    ),
    "a config file": {**of("v1/ConfigMap", {}), "data": {"c.yaml": "login:\n- s\n"}},
    "no namespace": {
        "apiVersion": "x.example/v1",
        "kind": "Wide",
        "metadata": {"name": "w"},
        "spec": {"x": "s"},
    },
}


@pytest.mark.parametrize("one", USED.values(), ids=USED)
def test_a_secret_whose_name_is_a_whole_text_is_used(one: Any) -> None:
    """Whatever the field means."""
    assert check(judged(one, sealed("s"))) == []
    assert "unused-secret" in [f.rule for f in check(judged(one, sealed("other-s")))]


UNUSED = {
    "another namespace": of("x.example/v1/Anything", {"anything": "s"}, "b"),
    "a part of a text": of("x.example/v1/Anything", {"anything": "s s"}),
    "a name": of("apps/v1/Deployment", {}, name="s"),
    "labels": of("v1/Service", {"selector": {"app": "s"}}),
    "another Secret": {**of("v1/Secret", {}), "stringData": {"k": "s"}, "type": "s"},
}


@pytest.mark.parametrize("one", UNUSED.values(), ids=UNUSED)
def test_other_texts_use_no_secret(one: Any) -> None:
    """They are no sign of a use."""
    assert "unused-secret" in [f.rule for f in check(judged(one, sealed("s")))]


def test_no_message_holds_a_text_that_may_be_a_value() -> None:
    """What stands in a field for secret values is printed nowhere."""
    canary = "c4n4ry-v4lue"
    fields = ("clientSecret", "secret", "sharedSecret", "webhookSecret", "secretKey", "appSecret")
    spec = dict.fromkeys(fields, canary)
    for one in (unknown(spec), release(spec), application(valuesObject=spec)):
        said = json.dumps([finding.line() for finding in check(judged(one))])
        assert canary not in said
