"""What may make a Secret without the catalogue knowing it, and where Secrets of the whole cluster are."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.audit.inventory import wanted
from krmfn.audit.rules import check
from tests.support.synthesis import judged


def object_(kind: str, name: str = "thing", namespace: str = "a", **fields: Any) -> dict[str, Any]:
    """An object of ``group/version/Kind``."""
    version, _, kind = kind.rpartition("/")
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    metadata |= fields.pop("metadata", {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def pod(secret: str, namespace: str = "a") -> dict[str, Any]:
    env = [{"name": "V", "valueFrom": {"secretKeyRef": {"name": secret, "key": "k"}}}]
    return object_("v1/Pod", "pod", namespace, spec={"containers": [{"name": "c", "env": env}]})


def found(*objects: Any) -> list[tuple[str, str]]:
    """Rule and severity of what the audit says."""
    return [(one.rule, one.severity) for one in check(judged(*objects))]


UNCERTAIN = [("uncertain-producer", "warning")]
MISSING = [("unmet-reference", "error")]


@pytest.mark.parametrize(
    "kind",
    [
        "onepassword.example/v1/Item",
        "secrets.example.org/v1alpha1/AppSecret",
        "lab.example.com/v1beta2/Anything",
        "crypt.dev/v1/Sops",
    ],
)
def test_an_unknown_object_of_exactly_that_name_may_make_the_secret(kind: str) -> None:
    """It is a warning and no error, and nothing is to be claimed."""
    audit = judged(pod("thing"), object_(kind))
    assert [(one.rule, one.severity) for one in check(audit)] == UNCERTAIN
    assert not wanted(audit)
    assert found(pod("thing"), object_(kind, "thing-2")) == MISSING
    assert found(pod("thing"), object_(kind, namespace="b")) == MISSING
    assert found(pod("thing"), object_(kind, namespace="")) == UNCERTAIN


def test_an_unknown_object_that_names_the_secret_may_make_it() -> None:
    """A field secretName of a kind that nobody knows may say where the object writes to."""
    key = object_("keys.example/v1/VirtualKey", "k", spec={"secretName": "thing"})
    assert set(found(pod("thing"), key)) == {
        ("uncertain-producer", "warning"),
        ("unknown-kind", "info"),
        ("unmet-reference", "warning"),
    }
    assert ("unmet-reference", "error") not in found(pod("thing"), key)
    read = object_("keys.example/v1/VirtualKey", "k", spec={"tlsSecret": "thing"})
    assert ("unmet-reference", "error") in found(pod("thing"), read)
    known = object_("traefik.io/v1alpha1/IngressRoute", "k", spec={"tls": {"secretName": "thing"}})
    assert ("unmet-reference", "error") in found(pod("thing"), known)


def test_a_guess_is_no_maker_beside_a_real_one() -> None:
    """A key that the real Secret lacks stays missing."""
    secret = object_("v1/Secret", stringData={"other": "x"})
    assert found(pod("thing"), secret, object_("x.example/v1/Y")) == [("unmet-key", "error")]


def test_a_guess_counts_only_where_something_asks() -> None:
    """It is in no inventory and takes no Secret from anybody."""
    sealed = object_("bitnami.com/v1alpha1/SealedSecret", spec={"encryptedData": {"k": "AgA="}})
    assert judged(object_("x.example/v1/Y")).productions == ()
    assert found(pod("thing"), sealed, object_("x.example/v1/Y")) == []


@pytest.mark.parametrize(
    "kind",
    [
        "v1/ConfigMap",
        "apps/v1/Deployment",
        "networking.k8s.io/v1/Ingress",
        "gateway.networking.k8s.io/v1/HTTPRoute",
        "monitoring.coreos.com/v1/ServiceMonitor",
        "kustomize.toolkit.fluxcd.io/v1/Kustomization",
        "external-secrets.io/v1/SecretStore",
        "traefik.io/v1alpha1/Middleware",
        "cilium.io/v2/CiliumNetworkPolicy",
        "route.openshift.io/v1/Route",
    ],
)
def test_what_makes_no_secret_is_no_guess(kind: str) -> None:
    """Kinds that are known to make none do not hide a missing Secret."""
    assert found(pod("thing"), object_(kind)) == MISSING


def test_a_release_may_make_a_secret_of_its_name() -> None:
    """In the namespace that it installs into."""
    kind = "helm.toolkit.fluxcd.io/v2/HelmRelease"
    assert found(pod("thing"), object_(kind)) == UNCERTAIN
    named = object_(kind, "other", "flux", spec={"releaseName": "thing", "targetNamespace": "a"})
    assert found(pod("thing"), named) == UNCERTAIN
    assert found(pod("thing"), object_(kind, "thing", "flux")) == MISSING


CLUSTER = [
    object_(
        "cert-manager.io/v1/ClusterIssuer",
        spec={
            "acme": {
                "solvers": [{"dns01": {"x": {"apiTokenSecretRef": {"name": "s", "key": "k"}}}}]
            }
        },
    ),
    object_("cert-manager.io/v1/ClusterIssuer", spec={"ca": {"secretName": "s"}}),
    object_(
        "cert-manager.io/v1/ClusterIssuer",
        spec={"vault": {"auth": {"appRole": {"secretRef": {"name": "s", "key": "k"}}}}},
    ),
    object_(
        "cert-manager.io/v1/ClusterIssuer",
        spec={"acme": {"externalAccountBinding": {"keySecretRef": {"name": "s", "key": "k"}}}},
    ),
    object_(
        "external-secrets.io/v1/ClusterSecretStore",
        spec={"provider": {"vault": {"auth": {"tokenSecretRef": {"name": "s", "key": "k"}}}}},
    ),
    object_(
        "keda.sh/v1alpha1/ClusterTriggerAuthentication",
        spec={"secretTargetRef": [{"parameter": "p", "name": "s", "key": "k"}]},
    ),
    object_("v1/PersistentVolume", spec={"csi": {"nodeStageSecretRef": {"name": "s"}}}),
]


@pytest.mark.parametrize("one", CLUSTER, ids=lambda one: one["kind"])
@pytest.mark.parametrize("namespace", ["", "a"])
def test_what_has_no_namespace_takes_none_from_kustomize(one: Any, namespace: str) -> None:
    """A cluster-scoped object refers to some namespace that the stream does not tell."""
    one = {**one, "metadata": {"name": "x"} | ({"namespace": namespace} if namespace else {})}
    audit = judged(one)
    assert [judged_.verdict for judged_ in audit.judged] == ["external"]
    assert [(f.rule, f.severity) for f in check(audit)] == [("unmet-reference", "warning")]
    assert not wanted(audit)
    secret = object_(
        "v1/Secret", "s", "cert-manager", stringData={"k": "x", "tls.crt": "x", "tls.key": "x"}
    )
    assert not check(judged(one, secret))


def test_a_namespace_in_the_reference_counts_for_what_has_none() -> None:
    """A PersistentVolume says where its Secret is."""
    reference = {"name": "s", "namespace": "b"}
    volume = object_("v1/PersistentVolume", spec={"csi": {"nodeStageSecretRef": reference}})
    assert found(volume) == MISSING
    assert found(volume, object_("v1/Secret", "s", "b", stringData={"k": "x"})) == []


def test_a_definition_says_what_has_no_namespace() -> None:
    """Kinds that a CustomResourceDefinition of the stream makes cluster-scoped."""
    names = {"kind": "Wide", "plural": "wides"}
    definition = object_(
        "apiextensions.k8s.io/v1/CustomResourceDefinition",
        spec={"group": "x.example", "names": names, "scope": "Cluster"},
    )
    one = object_("x.example/v1/Wide", spec={"login": {"name": "s", "key": "k"}})
    assert found(definition, one) == [("unknown-kind", "info"), ("unmet-reference", "warning")]
    definition["spec"]["scope"] = "Namespaced"
    assert ("unmet-reference", "warning") in found(definition, one)


def test_what_flux_bootstrap_writes_is_there() -> None:
    """The Secret with which Flux reads its own repository, whatever its namespace is called."""
    kind = "source.toolkit.fluxcd.io/v1/GitRepository"
    for name in ("flux-system", "gitops"):
        ref = {"secretRef": {"name": name}}
        assert found(object_(kind, name, name, spec=ref)) == []
        shared = UNCERTAIN if name == "flux-system" else MISSING
        assert found(object_(kind, "apps", name, spec=ref)) == shared
    other = {"secretRef": {"name": "other"}}
    assert found(object_(kind, "flux-system", "flux-system", spec=other)) == MISSING


PUSHED = [
    {"reflector.v1.k8s.emberstack.com/reflection-auto-enabled": "true"},
    {"replicator.v1.mittwald.de/replicate-to": "a,b"},
    {"replicator.v1.mittwald.de/replicate-to-matching": "team=x"},
    {"kubed.appscode.com/sync": ""},
]


@pytest.mark.parametrize("annotations", PUSHED)
def test_a_replicator_may_copy_a_secret(annotations: dict[str, str]) -> None:
    """A Secret with a replicator's annotation is not missing in another namespace, but uncertain."""
    plain = object_("v1/Secret", namespace="b", stringData={"k": "v"})
    assert found(pod("thing"), plain) == [("wrong-namespace", "error")]
    plain["metadata"]["annotations"] = annotations
    assert found(pod("thing"), plain) == UNCERTAIN
    metadata = {"annotations": annotations}
    made = [
        object_(
            "cert-manager.io/v1/Certificate",
            namespace="b",
            spec={"secretName": "thing", "secretTemplate": metadata},
        ),
        object_(
            "external-secrets.io/v1/ExternalSecret",
            namespace="b",
            spec={
                "data": [{"secretKey": "k", "remoteRef": {"key": "x"}}],
                "target": {"template": {"metadata": metadata}},
            },
        ),
        object_(
            "bitnami.com/v1alpha1/SealedSecret",
            namespace="b",
            spec={"encryptedData": {"k": "AgA="}, "template": {"metadata": metadata}},
        ),
    ]
    for one in made:
        assert ("wrong-namespace", "error") not in found(pod("thing"), one)
        assert found(pod("thing"), one)[0] == UNCERTAIN[0]
        assert ("unmet-reference", "error") in found(pod("other"), one)


def test_a_replicator_that_is_not_asked() -> None:
    """An annotation that only allows copies, or that says no."""
    for told in (
        {"reflector.v1.k8s.emberstack.com/reflection-allowed": "true"},
        {"reflector.v1.k8s.emberstack.com/reflection-auto-enabled": "false"},
        {"replicator.v1.mittwald.de/replicate-to": ""},
    ):
        plain = object_("v1/Secret", namespace="b", stringData={"k": "v"})
        plain["metadata"]["annotations"] = told
        assert found(pod("thing"), plain) == [("wrong-namespace", "error")]


def test_a_replicator_fills_an_empty_secret() -> None:
    """Its keys are not known."""
    empty = object_("v1/Secret")
    assert found(pod("thing"), empty) == [("unmet-key", "error")]
    for name in (
        "replicator.v1.mittwald.de/replicate-from",
        "reflector.v1.k8s.emberstack.com/reflects",
    ):
        empty["metadata"]["annotations"] = {name: "b/thing"}
        assert found(pod("thing"), empty) == []


RELEASE = "helm.toolkit.fluxcd.io/v2/HelmRelease"


@pytest.mark.parametrize(
    "values",
    [
        {"ingress": {"tls": [{"hosts": ["a.example"], "secretName": "thing"}]}},
        {"ingress": {"main": {"enabled": True, "tls": [{"secretName": "thing"}]}}},
        {"server": {"ingressTls": {"secretName": "thing"}}},
        {"certificate": {"secretName": "thing"}},
    ],
)
def test_a_chart_may_make_its_certificates(values: Any) -> None:
    """Another object's certificate that a chart's values name under tls is uncertain, not missing."""
    route = object_("traefik.io/v1alpha1/IngressRoute", "r", spec={"tls": {"secretName": "thing"}})
    assert found(route) == MISSING
    assert found(route, object_(RELEASE, "r", spec={"values": values})) == UNCERTAIN
    assert found(route, object_(RELEASE, "r", "b", spec={"values": values})) == MISSING
    moved = {"values": values, "targetNamespace": "a"}
    assert found(route, object_(RELEASE, "r", "b", spec=moved)) == UNCERTAIN
    application = object_(
        "argoproj.io/v1alpha1/Application",
        namespace="argocd",
        spec={
            "destination": {"namespace": "a"},
            "source": {"helm": {"valuesObject": values}},
        },
    )
    assert found(route, application) == UNCERTAIN


def test_two_placeholders_are_no_two_makers() -> None:
    """A name that an overlay fills in later is not a Secret's name."""
    kind = "external-secrets.io/v1/ExternalSecret"

    def spec(name: str) -> Any:
        return {"data": [{"secretKey": "k", "remoteRef": {"key": "x"}}], "target": {"name": name}}

    def rules(name: str) -> list[str]:
        return [r for r, _ in found(*(object_(kind, one, spec=spec(name)) for one in ("a", "b")))]

    assert "ambiguous-producer" in rules("thing")
    assert "ambiguous-producer" not in rules("REPLACE_IN_OVERLAY")
    assert "ambiguous-producer" not in rules("${NAME}-secret")


def test_a_grant_is_asked_for_only_where_the_namespaces_are_known() -> None:
    """A Gateway without a namespace may be in that of its certificate."""
    kind = "gateway.networking.k8s.io/v1/Gateway"
    ref = {"kind": "Secret", "name": "thing", "namespace": "a"}
    spec = {"listeners": [{"tls": {"certificateRefs": [ref]}}]}
    tls = object_("v1/Secret", type="kubernetes.io/tls", data={"tls.crt": "", "tls.key": ""})
    assert found(object_(kind, "g", "", spec=spec), tls) == []
    assert found(object_(kind, "g", "b", spec=spec), tls) == [("reference-grant", "error")]


@pytest.mark.parametrize(
    "annotations",
    [
        {"kubernetes.io/tls-acme": "true"},
        {"cert-manager.io/issuer": "x"},
        {"cert-manager.io/cluster-issuer": "x"},
    ],
)
def test_contour_plus_makes_certificates(annotations: dict[str, str]) -> None:
    """For an HTTPProxy with cert-manager's annotations that is not left out."""

    def proxy(**annotations: str) -> Any:
        tls = {"virtualhost": {"tls": {"secretName": "s"}}}
        metadata = {"annotations": annotations}
        return object_("projectcontour.io/v1/HTTPProxy", metadata=metadata, spec=tls)

    assert found(proxy(**annotations)) == []
    assert found(proxy()) == MISSING
    assert found(proxy(**annotations, **{"contour-plus.cybozu.com/exclude": "true"})) == MISSING


def test_the_1password_operator_makes_secrets() -> None:
    """Of an item, and by annotations of a workload."""
    assert found(pod("thing"), object_("onepassword.com/v1/OnePasswordItem")) == []
    annotations = {
        "operator.1password.io/item-path": "vaults/v/items/i",
        "operator.1password.io/item-name": "thing",
    }
    workload = object_("apps/v1/Deployment", "d", metadata={"annotations": annotations})
    assert found(pod("thing"), workload) == []
