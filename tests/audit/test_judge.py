"""Who produces what is referred to: namespaces, keys, and names that kustomize changes."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.audit.rules import check
from krmfn.objects.sealed_secret import PREVIOUS_NAMES
from krmfn.spec.validator import Assumption
from tests.support.synthesis import judged


def secret(name: str = "s", namespace: str | None = "a", *keys: str, **more: Any) -> dict[str, Any]:
    data = {"stringData": dict.fromkeys(keys or ("k",), "x")}
    return {"apiVersion": "v1", "kind": "Secret", **_metadata(name, namespace), **data, **more}


def pod(
    name: str = "s", namespace: str | None = "a", key: str = "k", *, optional: bool = False
) -> dict[str, Any]:
    reference = {"name": name, "key": key} | ({"optional": True} if optional else {})
    env = [{"name": "V", "valueFrom": {"secretKeyRef": reference}}]
    spec = {"containers": [{"name": "c", "env": env}]}
    return {"apiVersion": "v1", "kind": "Pod", **_metadata("pod", namespace), "spec": spec}


def cluster(name: str = "db", namespace: str | None = "a", **metadata: Any) -> dict[str, Any]:
    whole = _metadata(name, namespace)["metadata"] | metadata
    return {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": whole, "spec": {}}


def _metadata(name: str, namespace: str | None) -> dict[str, Any]:
    return {"metadata": {"name": name} | ({"namespace": namespace} if namespace else {})}


def verdict(*objects: Any, **more: Any) -> tuple[str, tuple[str, ...]]:
    (one,) = judged(*objects, **more).judged
    return one.verdict, one.missing


def rules(*objects: Any, **more: Any) -> list[str]:
    return [finding.rule for finding in check(judged(*objects, **more))]


@pytest.mark.parametrize(
    ("made", "needed", "expected"),
    [
        ("a", "a", "plain"),
        ("b", "a", "unmet"),
        (None, "a", "plain"),
        ("b", None, "plain"),
        (None, None, "plain"),
    ],
)
def test_namespaces(made: str | None, needed: str | None, expected: str) -> None:
    """A Secret counts in its own namespace; one without a namespace may land in any."""
    assert verdict(secret("s", made), pod("s", needed)) == (expected, ())


def test_the_own_namespace_comes_first() -> None:
    """A Secret of the object's own namespace decides about keys, before one that may land there."""
    assert verdict(secret("s", "a", "k"), secret("s", None, "x"), pod(key="x")) == ("plain", ("x",))


def test_without_a_namespace_any_may_be_meant() -> None:
    """A reference from an object without a namespace is met by the keys of all namespaces."""
    made = secret("s", "a", "k"), secret("s", None, "x")
    assert verdict(*made, pod("s", None, "k")) == ("plain", ())
    assert verdict(*made, pod("s", None, "x")) == ("plain", ())
    assert verdict(*made, pod("s", None, "y")) == ("plain", ("y",))


def test_another_namespace_is_told() -> None:
    """A Secret that stands elsewhere is no missing one: the rule says where."""
    (found,) = check(judged(secret("s", "b"), pod("s", "a")))
    assert (found.rule, found.producer) == ("wrong-namespace", "Secret/s in b")


def test_keys_add_up() -> None:
    """Several makers of one Secret give the union of their keys."""
    assert verdict(secret("s", "a", "x"), secret("s", "a", "k"), pod()) == ("plain", ())


def test_optional_may_be_absent() -> None:
    """What is optional is absent without a finding, and so are its keys."""
    assert verdict(pod(optional=True)) == ("absent", ())
    assert verdict(secret("s", "a", "x"), pod(optional=True)) == ("plain", ())
    assert rules(pod(optional=True)) == []


def test_assumptions_count_where_they_are_made() -> None:
    """An assumption meets references of its namespace, and any key when it names none."""
    here = Assumption.model_validate({"secret": "s", "namespace": "a", "because": "by hand"})
    there = here.model_copy(update={"namespace": "b"})
    keyed = here.model_copy(update={"keys": ("x",)})
    assert verdict(pod(), assume=[here]) == ("assumed", ())
    assert verdict(pod(), assume=[there]) == ("unmet", ())
    assert verdict(pod(), assume=[keyed]) == ("assumed", ("k",))
    assert rules(pod(), secret(), assume=[here]) == ["unused-assumption"]


def renamed(**more: Any) -> dict[str, Any]:
    former = {"annotations": {PREVIOUS_NAMES: "s,x-s"}, "name": "x-s-y", "namespace": "a"}
    return {**secret(), "metadata": former, **more}


def test_former_names_count_while_kustomize_is_at_work() -> None:
    """A field that kustomize will rename is met by names that the Secret had; only in a build."""
    assert verdict(renamed(), pod("s"), in_build=True) == ("plain", ())
    assert verdict(renamed(), pod("x-s"), in_build=True) == ("plain", ())
    assert verdict(renamed(), pod("x-s-y"), in_build=True) == ("plain", ())
    assert verdict(renamed(), pod("s")) == ("unmet", ())


def test_a_new_owner_of_a_former_name_comes_first() -> None:
    """Where a Secret has the name now, one that had it before does not count."""
    made = renamed(), secret("s", "a", "other")
    assert verdict(*made, pod("s"), in_build=True) == ("plain", ("k",))


def test_only_fields_that_kustomize_renames_follow() -> None:
    """A field outside of kustomize's list keeps its name, and so its Secret is missing."""
    user = cluster(name="other")
    user["spec"] = {"superuserSecret": {"name": "s"}}
    verdicts = [one.verdict for one in judged(renamed(), user, in_build=True).judged]
    assert verdicts == ["unmet"]


def test_a_prefix_that_moved_an_operators_secret() -> None:
    """The operator's Secret follows its object's new name, and the reference does not."""
    (found,) = check(judged(cluster("eu-db"), pod("db-app", key="uri")))
    assert (found.rule, found.near) == ("moved-producer", "eu-db-app")


def test_one_object_that_stands_twice_is_no_second_producer() -> None:
    """Two versions of one object in a stream do not fight for a Secret; two objects do."""
    certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate"}
    spec = {"spec": {"secretName": "tls"}}
    first = {**certificate, **_metadata("one", "a"), **spec}
    second = {**certificate, **_metadata("two", "a"), **spec}
    assert rules(first, first) == []
    assert rules(first, second) == ["ambiguous-producer"]
    assert rules(secret(), secret()) == ["ambiguous-producer"]


def test_of_an_entry_that_shares_one_stands_for_all() -> None:
    """Ingresses that share a certificate do not fight for it; an unencrypted Secret does, once."""

    def ingress(name: str) -> dict[str, Any]:
        metadata = _metadata(name, "a")["metadata"]
        metadata["annotations"] = {"cert-manager.io/issuer": "ca"}
        head = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata}
        return {**head, "spec": {"tls": [{"secretName": "s"}]}}

    several = [ingress("one"), ingress("two"), ingress("three")]
    assert rules(*several) == []
    made = secret("s", "a", "tls.crt", "tls.key", type="kubernetes.io/tls")
    assert rules(*several, made) == ["ambiguous-producer"]


def test_what_is_local_or_no_object_is_left_out() -> None:
    """local-config never reaches a cluster; a List's items are objects of their own."""
    local = {"annotations": {"config.kubernetes.io/local-config": "true"}}
    hidden = secret()
    hidden["metadata"] = hidden["metadata"] | local
    listed = {"apiVersion": "v1", "kind": "List", "items": [secret(), "text", {"kind": "x"}]}
    assert verdict(hidden, pod()) == ("unmet", ())
    assert verdict(listed, pod()) == ("plain", ())


def test_a_token_secret_has_what_the_controller_writes() -> None:
    """A service account's token Secret has its keys without data; also OpenShift's."""
    token = secret(type="kubernetes.io/service-account-token")
    del token["stringData"]
    for key in ("token", "ca.crt", "namespace", "service-ca.crt"):
        assert verdict(token, pod(key=key)) == ("plain", ())
    assert verdict(token, pod(key="other")) == ("plain", ("other",))


def test_a_companion_tells_former_names() -> None:
    """Inside a build a name companion says what kustomize will rename; it makes no Secret itself."""
    marks = {"config.kubernetes.io/local-config": "true", PREVIOUS_NAMES: "s"}
    companion = {"apiVersion": "v1", "kind": "Secret", **_metadata("s-hash", "a")}
    companion["metadata"] |= {"annotations": marks}
    sealed = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        **_metadata("s-hash", "a"),
        "spec": {"encryptedData": {"k": "x"}},
    }
    assert verdict(sealed, companion, pod(), in_build=True) == ("sealed", ())
    assert verdict(sealed, companion, pod()) == ("unmet", ())
    assert verdict(companion, pod(), in_build=True) == ("unmet", ())
    # kustomize renames no reference to a SealedSecret that has none.
    alone = {**sealed, "metadata": {**sealed["metadata"], "annotations": {PREVIOUS_NAMES: "s"}}}
    assert verdict(alone, pod(), in_build=True) == ("unmet", ())
