"""The validator's checks, each with the case that is clean."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from krmfn.build.validate import FUNCTIONS, Report, validate
from krmfn.errors import SpecError
from krmfn.objects.sealed_secret import name_companion, sealed_secret, skip_marker
from krmfn.objects.stream import stream

F1, F2 = "a" * 64, "b" * 64


def sealed(scope: str = "strict", *, name: str = "db", fingerprint: str = F1) -> Any:
    """A SealedSecret as krmfn emits it."""
    return sealed_secret(
        name=name,
        namespace="production",
        scope=scope,
        items={"k": b"x"},
        fingerprint=fingerprint,
        labels={},
        annotations={},
        template_labels={},
        template_annotations={"mine": "kept"},
        type=None,
        immutable=None,
    )


def check(*objects: Any, **options: Any) -> Report:
    """The verdict on a stream of these."""
    return validate(stream("---\n".join(json.dumps(o) + "\n" for o in objects)), **options)


def lines(verdict: Report) -> list[str]:
    """The findings as they print."""
    return [finding.line() for finding in verdict.findings]


@pytest.mark.parametrize("scope", ["strict", "namespace-wide", "cluster-wide"])
def test_what_krmfn_emits_is_clean(scope: str) -> None:
    """Its own output passes, in every scope, with companions and other resources beside it."""
    one = sealed(scope)
    verdict = check(one, name_companion(one), {"apiVersion": "v1", "kind": "ConfigMap"})
    assert verdict == Report()


@pytest.mark.parametrize(
    ("scope", "change", "final"),
    [
        ("strict", {"name": "p-db"}, "production/p-db"),
        ("strict", {"namespace": "dev"}, "dev/db"),
        ("namespace-wide", {"namespace": "dev"}, "dev/*"),
    ],
)
def test_a_later_change(scope: str, change: dict[str, str], final: str) -> None:
    """Another name or namespace than it was sealed for is found."""
    one = sealed(scope)
    was = one["metadata"]["annotations"]["krmfn.dev/sealed-for"]
    one["metadata"] |= change
    (line,) = lines(check(one))
    assert f"expected sealed for {final}, found {was};" in line
    assert line.endswith("[sealed-for]")


@pytest.mark.parametrize(
    ("scope", "change"),
    [("namespace-wide", {"name": "p-db"}), ("cluster-wide", {"name": "x", "namespace": "dev"})],
)
def test_a_change_that_the_scope_allows(scope: str, change: dict[str, str]) -> None:
    """What opens anyway is clean."""
    one = sealed(scope)
    one["metadata"] |= change
    assert check(one) == Report()


def test_a_scope_that_was_taken_away() -> None:
    """Without its annotation a namespace-wide SealedSecret does not open."""
    one = sealed("namespace-wide")
    del one["metadata"]["annotations"]["sealedsecrets.bitnami.com/namespace-wide"]
    assert [f.id for f in check(one).findings] == ["sealed-for", "scope-annotation"]


@pytest.mark.parametrize("place", ["metadata", "template"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_a_scope_that_was_added(place: str, value: str) -> None:
    """A second scope, or one that is said in one place only, is found."""
    one = sealed("namespace-wide")
    metadata = one["metadata"] if place == "metadata" else one["spec"]["template"]["metadata"]
    metadata["annotations"]["sealedsecrets.bitnami.com/cluster-wide"] = value
    ids = {f.id for f in check(one).findings}
    assert "scope-annotation" in ids
    assert ("sealed-for" in ids) is ((place, value) == ("metadata", "true"))


def test_a_template_without_its_scope() -> None:
    """kubeseal says the scope on the template too, and so does krmfn."""
    one = sealed("cluster-wide")
    del one["spec"]["template"]["metadata"]["annotations"]
    (line,) = lines(check(one))
    assert "its template's annotations contradict the scope cluster-wide" in line


def test_a_hand_made_sealed_secret_is_left_alone() -> None:
    """What krmfn did not seal says nothing, and nothing is said of it."""
    one = sealed()
    one["metadata"]["annotations"] = {"sealedsecrets.bitnami.com/cluster-wide": "true"}
    assert check(one) == Report()


def test_mixed_certificates() -> None:
    """One stream is sealed for one certificate, or for the one that is named."""
    one, other = sealed(), sealed(name="b", fingerprint=F2)
    assert check(one, sealed(name="b")) == Report()
    (line,) = lines(check(one, other))
    assert line.startswith("SealedSecret/b: it is sealed for another certificate")
    assert f"expected {F1}, found {F2}" in line
    assert [f.where for f in check(one, fingerprint=F2).findings] == ["SealedSecret/db"]
    assert check(other, fingerprint=F2) == Report()


@pytest.mark.parametrize("field", ["data", "stringData"])
def test_a_plain_secret(field: str) -> None:
    """A Secret with data is an error, a warning, or allowed; its data is not shown."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        field: {"k": "CANARY"},
    }
    (line,) = lines(check(secret))
    assert line.startswith("Secret/s: it is unencrypted in the output")
    assert "CANARY" not in line
    warned = check(secret, plain_secrets="warn")
    assert (warned.findings, [str(one) for one in warned.warnings]) == (
        [],
        [
            "Secret/s: it is unencrypted in the output; seal it, or say plainSecrets: allow if it "
            "is not confidential [plain-secret]"
        ],
    )
    assert check(secret, plain_secrets="allow") == Report()
    local = copy.deepcopy(secret)
    local["metadata"]["annotations"] = {"config.kubernetes.io/local-config": "true"}  # type: ignore[index]
    assert check(local) == Report()
    assert check(secret | {field: {}}) == Report()


def test_a_claim_that_was_left() -> None:
    """A claim does not leave the build."""
    claim = {"apiVersion": "krmfn.dev/v1alpha1", "kind": "SecretClaim", "metadata": {"name": "c"}}
    assert [f.id for f in check(claim).findings] == ["claim-left"]


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_config_among_the_resources(kind: str) -> None:
    """A function's configuration that was built as a resource has not run; kustomize's copy has."""
    one = {"apiVersion": "krmfn.dev/v1alpha1", "kind": kind, "metadata": {"name": "c"}}
    (line,) = lines(check(one))
    assert f"move the entry to {FUNCTIONS[kind]}: [config-left]" in line
    one["metadata"]["annotations"] = {"config.kubernetes.io/local-config": "true"}  # type: ignore[index]
    assert check(one) == Report()


def test_the_marker_that_was_left() -> None:
    """A marker that nobody deletes is warned of."""
    verdict = check(skip_marker())
    assert verdict.findings == []
    assert "does not delete the skip marker" in str(verdict.warnings[0])


def test_what_is_no_object() -> None:
    """Awkward documents are nobody's SealedSecret."""
    assert check("text", [1], {"kind": None}, {"kind": "Secret", "metadata": 1}) == Report()


def listed(*items: Any, kind: str = "List") -> dict[str, Any]:
    """A list of them."""
    return {"apiVersion": "v1", "kind": kind, "items": list(items)}


PLAIN = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "QQ=="}}


@pytest.mark.parametrize(
    "whole",
    [
        listed(PLAIN),
        listed(listed(PLAIN)),
        listed({"metadata": PLAIN["metadata"], "data": PLAIN["data"]}, kind="SecretList"),
        listed(PLAIN, kind="AnythingList"),
        listed(listed(PLAIN, kind="ConfigMapList"), kind="RoleList"),
        listed({**PLAIN, "apiVersion": None, "kind": None}, kind="SecretList"),
        {**PLAIN, "apiVersion": "/v1"},
        {**PLAIN, "apiVersion": "core/v1"},
        {k: v for k, v in PLAIN.items() if k != "apiVersion"},
    ],
)
def test_lists_are_looked_into(whole: dict[str, Any]) -> None:
    """For Secrets, claims, configurations and what was moved."""
    assert lines(check(whole)) == lines(check(PLAIN)) != []
    version = "krmfn.dev/v1alpha1"
    claim = {"apiVersion": version, "kind": "SecretClaim", "metadata": {"name": "c"}}
    config = {"apiVersion": version, "kind": "SealedSecretTransformer", "metadata": {"name": "c"}}
    moved = copy.deepcopy(sealed())
    moved["metadata"]["name"] = "other"
    for one in (claim, config, moved):
        assert lines(check(listed(one))) == lines(check(one)) != []


ENC = "ENC[AES256_GCM,data:QUJD,iv:QUJD,tag:QUJD,type:str]"
SOPS = {"mac": ENC, "version": "3.9.0"}


@pytest.mark.parametrize(
    ("change", "plain"),
    [
        ({"stringData": {"a": ENC}, "sops": SOPS}, False),
        ({"data": {"a": ENC, "b": ENC}, "sops": SOPS}, False),
        ({"stringData": {"a": ENC, "b": "canary"}, "sops": SOPS}, True),
        ({"stringData": {"a": ENC}}, True),
    ],
)
def test_a_secret_of_sops(change: dict[str, Any], plain: bool) -> None:
    """Flux decrypts it: it is unencrypted only where a value is, or where no sops block says how."""
    one = {k: v for k, v in PLAIN.items() if k != "data"} | change
    assert ["[plain-secret]" in line for line in lines(check(one))] == [True] * plain


@pytest.mark.parametrize(
    ("objects", "found"),
    [
        (["Secret", "SealedSecret"], 1),
        (["SealedSecret", "SealedSecret"], 1),
        (["SealedSecret", "list"], 1),
        (["SealedSecret", "other"], 0),
        (["SealedSecret", "companion"], 0),
        (["SealedSecret", "managed"], 0),
        (["SealedSecret"], 0),
    ],
)
def test_two_makers(objects: list[str], found: int) -> None:
    """All that can be said of a generator under kustomize alone."""
    place = {"name": "db", "namespace": "production"}
    secret: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": place}
    managed = {"annotations": {"sealedsecrets.bitnami.com/managed": "true"}}
    values: dict[str, Any] = {
        "Secret": secret,
        "SealedSecret": sealed(),
        "list": listed(sealed()),
        "other": sealed(name="other"),
        "companion": name_companion(sealed()),
        "managed": secret | {"metadata": place | managed},
    }
    verdict = check(*[values[name] for name in objects])
    assert [f.id for f in verdict.findings] == ["ambiguous-producer"] * found
    assert all("production/db" in line and "$patch: delete" in line for line in lines(verdict))


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap", "SecretClaim", "SealedSecret"])
@pytest.mark.parametrize("name", [{"a": {"b": "c"}}, ["x"], 5, True])
def test_a_name_that_is_no_text(kind: str, name: Any) -> None:
    """One line, also inside a list; never as Python writes it."""
    one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
    for value in (one, listed(one)):
        with pytest.raises(SpecError, match=r"metadata\.name: it is not text, found .*\[object\]"):
            check(value)


@pytest.mark.parametrize(
    ("place", "then", "scope", "moved"),
    [
        (("prod", "db"), {"name": "db", "namespace": "prod"}, "", ""),
        (("prod", "db"), {"name": "db", "namespace": "dev"}, "", "dev/db, and it is prod/db now"),
        (("prod", "p-db"), {"name": "db", "namespace": "prod"}, "", "prod/db, and it is prod/p-db"),
        (("prod", "p-db"), {"name": "db", "namespace": "prod"}, "namespace-wide", ""),
        (
            ("prod", "db"),
            {"name": "db", "namespace": "dev"},
            "namespace-wide",
            "dev/*, and it is prod/*",
        ),
        (("prod", "db"), {"name": "x", "namespace": "dev"}, "cluster-wide", ""),
        # Nothing is known of these.
        (("prod", "db"), {"name": "x"}, "", ""),
        (("prod", "db"), {}, "", ""),
        (("", "db"), {"name": "db", "namespace": "dev"}, "", ""),
    ],
)
def test_what_kubeseal_sealed_for_another_place(
    place: tuple[str, str], then: dict[str, str], scope: str, moved: str
) -> None:
    """A warning, with both places; krmfn's own annotations are held against what is there anyway."""
    metadata: dict[str, Any] = {"name": place[1]} | ({"namespace": place[0]} if place[0] else {})
    if scope:
        metadata["annotations"] = {f"sealedsecrets.bitnami.com/{scope}": "true"}
    one = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": metadata,
        "spec": {"encryptedData": {"k": "AgB"}, "template": {"metadata": then}},
    }
    verdict = check(one)
    assert lines(verdict) == []
    assert len(verdict.warnings) == bool(moved)
    assert all(f"kubeseal sealed it for {moved}" in str(warning) for warning in verdict.warnings)
