"""Every entry of the packaged catalogue finds what it speaks of, in an object made out of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.audit.references import EXTERNAL
from krmfn.audit.rules import check
from krmfn.catalogue import ALWAYS, files_for
from tests.support.synthesis import (
    FIELD,
    HOME,
    NAME,
    files,
    judged,
    new,
    put,
    satisfy,
    violations,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.audit.productions import Production
    from krmfn.audit.references import Reference
    from krmfn.spec.catalogue import Consumer, Producer

FILES = dict(files())
# What stands at an entry's path, by its form; and the keys that are read there.
LEAVES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "name": ("wanted", ()),
    "nsname": ("wanted", ()),
    "ref": ({"name": "wanted"}, ()),
    "key": ({"name": "wanted", "key": "k"}, ("k",)),
    "file": ({"secretName": "wanted", "items": [{"key": "k"}]}, ("k",)),
    "proj": ({"name": "wanted", "items": [{"key": "k"}]}, ("k",)),
    "custom": ({}, ()),
    "shape": ({"deep": {"inside": [{"name": "wanted", "key": "k"}]}}, ("k",)),
    "helm": ({"auth": {"existingSecret": "wanted"}}, ()),
    "argocd-dollar": ({"dex.config": "secret: $wanted:k\n"}, ("k",)),
    "clickhouse": ({"user/k8s_secret_password": "wanted/k"}, ("k",)),
}


def _consumers() -> Iterator[Any]:
    """Kind, path and entry of every consumer, with every prefix."""
    for name, file in FILES.items():
        # Those of data{} go by the field's name: tests/audit/test_shapes.py.
        consumers = [entry for entry in file.spec.consumers if "data{}" not in entry.at]
        for number, entry in enumerate(consumers):
            for kind in entry.kinds:
                for at in entry.at:
                    for under in entry.under or ("",):
                        path = f"{under}.{at}" if under else at
                        yield pytest.param(
                            kind, path, entry, id=f"{name}-{number}-{kind.split('/')[1]}-{path}"
                        )
    pods = FILES["pods"].spec
    for kind, prefixes in pods.pod_specs.items():
        for prefix in prefixes:
            for entry in pods.pod_spec_refs:
                for at in entry.at:
                    path = f"{prefix}.{at}"
                    yield pytest.param(kind, path, entry, id=f"pods-{kind}-{path}")


def _producers() -> Iterator[Any]:
    """Kind and entry of every producer, with each of its names."""
    for file, catalogue in FILES.items():
        for number, entry in enumerate(catalogue.spec.producers):
            if entry.guess:  # tests/audit/test_guesses.py
                continue
            for kind in entry.from_:
                for template in entry.names or entry.name:
                    yield pytest.param(
                        kind, template, entry, id=f"{file}-{number}-{kind}-{template}"
                    )


CONSUMERS, PRODUCERS = list(_consumers()), list(_producers())


def conditional(found: list[Any]) -> list[Any]:
    return [case for case in found if case.values[2].when is not None]


def referring(path: str, entry: Consumer, kind: str, **changed: Any) -> Any:
    """An object with one reference at a path; no condition is seen to yet."""
    leaf, _ = LEAVES[entry.form]
    root = put(new(kind), path, {**leaf, **changed} if isinstance(leaf, dict) else leaf)
    if entry.form == "custom":
        root = put(root, entry.name or "", "wanted", here=path)
        for key_at in entry.key_at:
            root = put(root, key_at, f"k-{key_at}", here=path)
    if entry.namespace and entry.namespace != EXTERNAL:
        root = put(root, entry.namespace, "elsewhere", here=path)
    return root


def references(root: Any) -> list[Reference]:
    return [one.reference for one in judged(root).judged]


def expected_keys(entry: Consumer) -> tuple[str, ...]:
    said = LEAVES[entry.form][1] or tuple(f"k-{path}" for path in entry.key_at)
    return said or ((entry.key_default,) if entry.key_default else entry.keys)


CLUSTER_SCOPED = {kind for file in FILES.values() for kind in file.spec.cluster_scoped}


def where_to(entry: Consumer, kind: str) -> str | None:
    if entry.namespace and entry.namespace != EXTERNAL:
        return "elsewhere"
    cluster_scoped = {kind, f"{kind.partition('/')[0]}/*"} & CLUSTER_SCOPED
    return None if entry.namespace or cluster_scoped else HOME


@pytest.mark.parametrize("name", FILES)
def test_kinds_are_in_the_file_of_their_group(name: str) -> None:
    """A stream's groups lead to the files that speak of its kinds."""
    spec = FILES[name].spec
    assert FILES[name].metadata.name == name
    kinds = [kind for entry in spec.consumers for kind in entry.kinds]
    kinds += [kind for entry in spec.producers for kind in entry.from_]
    kinds += [*spec.pod_specs, *(kind for one in spec.renamed for kind in one.kinds)]
    kinds += [*spec.cluster_scoped, *spec.inert]
    groups = {kind.rpartition("/")[0] for kind in kinds} - {"", "*"}
    assert all(name in files_for(group) or name in ALWAYS for group in groups)


@pytest.mark.parametrize(("kind", "path", "entry"), CONSUMERS)
def test_a_consumer_finds_its_reference(kind: str, path: str, entry: Consumer) -> None:
    """What stands at the entry's path is one reference, and nothing else in the object is."""
    root = satisfy(referring(path, entry, kind), entry.when, here=path)
    (found,) = references(root)
    assert found.entry is entry
    assert (found.secret, found.namespace) == ("wanted", where_to(entry, kind))
    assert (found.keys, found.optional) == (expected_keys(entry), False)


@pytest.mark.parametrize(("kind", "path", "entry"), CONSUMERS)
def test_a_consumer_reads_optional_and_namespace(kind: str, path: str, entry: Consumer) -> None:
    """`optional` is honoured where the form has it, and a namespace that is given counts."""
    if entry.form in ("ref", "key", "file", "proj"):
        root = referring(path, entry, kind, optional=True, namespace="given")
    elif entry.form == "custom" and entry.optional:
        root = put(referring(path, entry, kind), entry.optional, True, here=path)
    elif entry.form == "nsname":
        root = put(new(kind), path, "given/wanted")
    else:
        return
    (found,) = references(satisfy(root, entry.when, here=path))
    assert found.optional is (entry.form != "nsname")
    assert found.namespace == (where_to(entry, kind) if entry.form == "custom" else "given")


@pytest.mark.parametrize(("kind", "path", "entry"), conditional(CONSUMERS))
def test_a_consumer_keeps_to_its_condition(kind: str, path: str, entry: Consumer) -> None:
    """An object that the condition does not hold for has no such reference."""
    roots = violations(referring(path, entry, kind), entry.when, here=path)
    assert any(entry not in [one.entry for one in references(root)] for root in roots)


FIELDS = re.compile(r"\{([^{}]+)\}")


def filled(root: Any, template: str, here: str) -> tuple[Any, str]:
    """``root`` with what a template needs, and the text that it then gives."""

    def text(match: re.Match[str]) -> str:
        nonlocal root
        path = match[1].split("|")[0]
        if path.startswith("key"):
            return FIELD.replace("_", "-") if path == "key:dns" else FIELD
        known = {"metadata.name": NAME, "metadata.namespace": HOME}
        value = known.get(path, f"v-{path.rpartition('.')[2].lower()}".replace("'", ""))
        root = put(root, path, value, here=here)
        return value

    result = FIELDS.sub(text, template)
    return root, result


def making(kind: str, template: str, entry: Producer) -> tuple[Any, str, set[str]]:
    """An object that makes one Secret; its name, and the keys without conditions."""
    here = entry.each or ""
    root = put(new(kind), here, {}) if here else new(kind)
    root, name = filled(root, template, here)
    keys = set()
    for key in entry.keys:
        root, text = filled(root, key, here)
        keys.add(text)
    return root, name, keys


def made(root: Any, entry: Producer, **versions: str) -> list[Production]:
    return [one for one in judged(root, versions=versions).productions if one.entry is entry]


@pytest.mark.parametrize(("kind", "template", "entry"), PRODUCERS)
def test_a_producer_makes_its_secret(kind: str, template: str, entry: Producer) -> None:
    """The Secret has the name, namespace, type and keys that the entry says."""
    root, name, keys = making(kind, template, entry)
    here = entry.each or ""
    where: str | None = None
    if entry.namespace and entry.namespace not in ("*", EXTERNAL):
        root, where = filled(root, entry.namespace, here)
    type_ = None
    if entry.type:
        root, type_ = filled(root, entry.type[0], here)
    root = satisfy(root, entry.when, here=here)
    found = made(root, entry)
    where = where if entry.namespace else root["metadata"]["namespace"]
    assert len(found) == max(1, len(entry.names))
    one = next(one for one in found if one.secret == name)
    later = {key for more in entry.more for key in more.keys}
    assert (one.namespace, one.type) == (where, type_)
    assert one.keys - later == keys - later
    assert one.open is entry.open or any(more.open for more in entry.more)


@pytest.mark.parametrize(("kind", "template", "entry"), conditional(PRODUCERS))
def test_a_producer_keeps_to_its_condition(kind: str, template: str, entry: Producer) -> None:
    """An object that the condition does not hold for makes no such Secret."""
    root, _, _ = making(kind, template, entry)
    assert entry.when is not None
    roots = list(violations(root, entry.when, here=entry.each or ""))
    operator = next(f.spec.operator for f in FILES.values() if entry in f.spec.producers)
    old = {operator: "0.0.1"} if operator else {}
    assert any(not made(root, entry, **old) for root in roots)


@pytest.mark.parametrize(
    ("kind", "template", "entry"), [case for case in PRODUCERS if case.values[2].unless]
)
def test_a_producer_yields(kind: str, template: str, entry: Producer) -> None:
    """With something at one of the paths under `unless`, the Secret is not made."""
    root, _, _ = making(kind, template, entry)
    root = satisfy(root, entry.when, here=entry.each or "")
    assert made(root, entry)
    for path in entry.unless:
        assert not made(put(root, path, "something"), entry), path


@pytest.mark.parametrize(
    ("kind", "template", "entry"), [case for case in PRODUCERS if case.values[2].more]
)
def test_more_keys(kind: str, template: str, entry: Producer) -> None:
    """Further keys are there when their condition holds, and otherwise not."""
    here = entry.each or ""
    operator = next(f.spec.operator for f in FILES.values() if entry in f.spec.producers) or ""
    plain, name, _ = making(kind, template, entry)
    plain = satisfy(plain, entry.when, here=here)
    for more in entry.more:
        root, keys = satisfy(plain, more.when, here=here), set(more.keys)
        for path in more.values_at:
            root, keys = put(root, path, "a-key", here=here), keys | {"a-key"}
        for path in more.fields_of:
            root, keys = put(root, path, {"a-field": "x"}, here=here), keys | {"a-field"}
        (one,) = [p for p in made(root, entry) if p.secret == name]
        assert keys <= one.keys
        assert one.open is (more.open or entry.open)
        if more.when is None:
            continue
        others = [p for p in made(plain, entry, **{operator: "0.0.1"}) if p.secret == name]
        lacking = not keys & others[0].keys if keys else not others[0].open
        assert lacking or more.when.lacks or more.when.any


FINDERS = [(name, entry) for name, file in FILES.items() for entry in file.spec.finders]
RESERVED = [(name, entry) for name, file in FILES.items() for entry in file.spec.reserved]


def sealed(name: str, **metadata: Any) -> dict[str, Any]:
    spec = {"encryptedData": {"k": "AgA="}, "template": {"metadata": metadata}}
    return {**new("bitnami.com/SealedSecret"), "metadata": {"name": name}, "spec": spec} | {
        "apiVersion": "bitnami.com/v1alpha1"
    }


def rules(*objects: Any) -> list[str]:
    return [finding.rule for finding in check(judged(*objects))]


@pytest.mark.parametrize(("name", "entry"), FINDERS)
def test_a_finder_uses_a_secret(name: str, entry: Any) -> None:
    """What is found by a label or annotation is used; with another value it is not."""
    field, kind = (entry.label, "labels") if entry.label else (entry.annotation, "annotations")
    right = entry.values[0] if entry.values else "anything"
    assert rules(sealed("x", **{kind: {field: right}})) == []
    assert rules(sealed("x", **{kind: {"other": right}})) == ["unused-secret"]
    if entry.values:
        assert rules(sealed("x", **{kind: {field: "other"}})) == ["unused-secret"]


@pytest.mark.parametrize(("name", "entry"), RESERVED)
def test_a_reserved_name_is_refused(name: str, entry: Any) -> None:
    """A name of the pattern is somebody's; one beside it is not."""
    like = entry.pattern.replace("*", "abc").replace("?", "x")
    assert "reserved-name" in rules(sealed(like))
    assert "reserved-name" not in rules(sealed("plain"))


# kustomize's own nameReference for Secret, 70 fields (one stands there twice), the same in v5.5.0
# and v5.8.1: by where a PodSpec sits, and the rest.
PODS = {
    "spec": ["Pod"],
    "template/spec": ["PodTemplate"],
    "spec/template/spec": ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job"],
    "spec/jobTemplate/spec/template/spec": ["CronJob"],
}
POD_FIELDS = (
    "volumes/secret/secretName",
    "volumes/projected/sources/secret/name",
    "containers/env/valueFrom/secretKeyRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
)
OTHERS = {
    "Ingress": [
        "spec/tls/secretName",
        "metadata/annotations/ingress.kubernetes.io|auth-secret",
        "metadata/annotations/nginx.ingress.kubernetes.io|auth-secret",
        "metadata/annotations/nginx.ingress.kubernetes.io|auth-tls-secret",
    ],
    "ServiceAccount": ["imagePullSecrets/name"],
    "StorageClass": [
        "parameters/secretName",
        "parameters/adminSecretName",
        "parameters/userSecretName",
        "parameters/secretRef",
    ],
    "Role": ["rules/resourceNames"],
    "ClusterRole": ["rules/resourceNames"],
    "Service": ["spec/template/spec/containers/env/valueFrom/secretKeyRef/name"],
    "PersistentVolume": ["spec/azureFile/secretName"],
}
# Where a reference is found is the mapping that holds the name, unless a name stands alone.
_INSIDE = re.compile(r"(?<!tls)(?<!parameters)/(name|secretName|resourceNames)$")


def test_renamed_is_what_kustomize_renames() -> None:
    """The fields under `renamed` are those of kustomize's nameReference for Secret, and no others."""
    pods = {
        (kind, f"{place}/{field}")
        for place, kinds in PODS.items()
        for kind in kinds
        for field in POD_FIELDS
    }
    theirs = pods | {(kind, path) for kind, paths in OTHERS.items() for path in paths}
    assert len(theirs) + 1 == 70
    ours = [
        (kind.rpartition("/")[2], path.replace("[]", ""))
        for file in FILES.values()
        for group in file.spec.renamed
        for kind in group.kinds
        for path in group.at
    ]
    assert len(ours) == len(set(ours))
    assert set(ours) == {(kind, _as_ours(path)) for kind, path in theirs}


def _as_ours(path: str) -> str:
    steps = _INSIDE.sub("", path).split("/")
    return ".".join(f"'{s.replace('|', '/')}'" if "." in s else s for s in steps)
