"""A plan under the policy: what is the platform's in it, and its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from krmfn.errors import PolicyError
from krmfn.kustomize.overlay import Kustomization
from krmfn.plaintext import Plaintext
from krmfn.plan.make import Plan, make_plan
from krmfn.policy.application import Application, Policy
from krmfn.policy.complete import governed
from krmfn.policy.judge import allow, verdicts
from krmfn.policy.places import place, same_mounts
from krmfn.policy.usage import Usage
from krmfn.sealing.render import Rendered, SealItem
from krmfn.spec.parse import check, parse
from krmfn.spec.platform import Limits, PlatformConfig, PlatformSpec
from tests.support import repository as repo
from tests.support.jobs import job
from tests.support.platform import PIN, REPOSITORY, RULE, SPEC, platform

SHOP = Application("shop", REPOSITORY, "production")


def planned(*secrets: dict[str, Any], **sealing: Any) -> Plan:
    value = repo.generator()
    value["spec"] = {**value["spec"], "sealing": {**repo.SEALING, **sealing}}
    if secrets:
        value["spec"]["secrets"] = [{"name": "db", "store": "main", **s} for s in secrets]
    config: Any = parse(value)
    return make_plan(config, namespace="production", overlay=Kustomization())


def spec(**changes: Any) -> PlatformSpec:
    return check(PlatformConfig, platform(**changes), name="p").spec


def denied(plan: Plan, **changes: Any) -> str:
    given = spec(**changes)
    with pytest.raises(PolicyError) as caught:
        allow(governed(plan, given), PIN, Policy(given, SHOP))
    return caught.value.line()


def entry(key: str, **more: Any) -> dict[str, Any]:
    return {"secretKey": key, "remoteRef": {"key": f"build/{key}", "property": "x"}, **more}


def test_a_key_keeps_its_pins() -> None:
    """The platform's pin or the repository's; two that differ are none."""
    key = SPEC["derivationKeys"]["shop"]
    mine = planned(derivationKey={"platform": "shop", "id": "a" * 16})
    plan = governed(mine, spec())
    assert (plan.key_name, plan.derivation_key.id if plan.derivation_key else "") == (
        "shop",
        "a" * 16,
    )
    plan = governed(planned(), spec(derivationKeys={"shop": {**key, "id": "b" * 16}}))
    assert plan.derivation_key is not None
    assert plan.derivation_key.id == "b" * 16
    with pytest.raises(PolicyError) as caught:
        governed(mine, spec(derivationKeys={"shop": {**key, "id": "b" * 16}}))
    assert caught.value.id == "policy-override"


def test_the_keys_store_need_not_be_named() -> None:
    """A configuration that names the key alone has the platform's store behind it."""
    key = {"transit": {"store": "keys", "key": "k", "version": 1}}
    stores = SPEC["stores"] | {"keys": {"vault": {"path": "transit", "id": "keys"}}}
    plan = governed(
        planned(derivationKey={"platform": "shop"}),
        spec(stores=stores, derivationKeys={"shop": key}),
    )
    assert set(plan.stores) == {"main", "keys"}


def test_a_key_spelled_by_another_store_is_a_key() -> None:
    """Two stores of one server, one of them a folder deeper: the key is no value of either."""
    stores = SPEC["stores"] | {"deep": {"vault": {"path": "secret/krmfn", "id": "deep"}}}
    reads = [{"store": "deep", "paths": ["**"]}]
    value = repo.generator()
    value["spec"] = {**value["spec"], "stores": {"deep": {"platform": True}, **repo.STORES}}
    ref = {"key": "derivation", "property": "key"}
    value["spec"]["secrets"] = [
        {"name": "db", "store": "deep", "data": [{"secretKey": "k", "remoteRef": ref}]}
    ]
    config: Any = parse(value)
    plan = make_plan(config, namespace="production", overlay=Kustomization())
    assert "a reference points at a derivation key" in denied(
        plan, stores=stores, rule={"reads": reads}
    )


def test_a_secret_that_reads_nothing_is_judged_too() -> None:
    """Sealing a literal uses the key and the certificate."""
    literal = planned({"data": [{"secretKey": "k", "value": "v"}]})
    assert [v.read for v in verdicts(governed(literal, spec()), PIN, Policy(spec(), SHOP))] == [
        None
    ]
    assert "fails in derivationKeys" in denied(literal, rule={"derivationKeys": []})


def test_whole_secrets_are_reads() -> None:
    """`dataFrom.extract` is judged by its path like any other."""
    extract = planned({"dataFrom": [{"extract": {"key": "other/db"}}]})
    assert "main:other/db: no rule allows it" in denied(extract)


def test_every_denial_is_told() -> None:
    """All of a plan's, each with its secret and key."""
    plan = planned({"data": [entry("a"), entry("b")]})
    with pytest.raises(Exception, match="2 errors") as caught:
        allow(governed(plan, spec()), PIN, Policy(spec(), Application("none")))
    assert [e.key for e in caught.value.errors] == ["a", "b"]  # type: ignore[attr-defined]


def test_two_reads_may_have_two_rules() -> None:
    """A secret is allowed if each of its reads is, by whichever one rule."""
    plan = planned({"data": [entry("a"), entry("b")]})
    one = {**RULE, "reads": [{"store": "main", "paths": ["build/a"]}]}
    two = {**RULE, "name": "two", "reads": [{"store": "main", "paths": ["build/b"]}]}
    both = spec(rules=[one, two])
    allow(governed(plan, both), PIN, Policy(both, SHOP))
    assert "main:build/b" in denied(plan, rules=[one])


@pytest.mark.parametrize("limit", ["secrets", "reads", "keys", "certificates"])
def test_limits_of_a_plan(limit: str) -> None:
    """Counted over all configurations of a build."""
    plan = planned({"data": [entry("a")]}, {"name": "db2", "data": [entry("b")]})
    name = {"keys": "keys"}.get(limit, limit)
    enough = {"certificates": 1}.get(limit, 2)
    usage = Usage(Limits.model_validate({name: enough}))
    usage.add_plan(plan, PIN)
    with pytest.raises(PolicyError) as caught:
        usage.add_plan(planned({"name": "db3", "data": [entry("c")]}), "0" * 64)
    assert caught.value.id == "policy-limit"
    assert f"limit {limit}, expected at most {enough}" in caught.value.line()


def test_each_version_is_a_read() -> None:
    """Two versions of one secret are two requests, and the same one twice is one."""

    def reads(*versions: int | None) -> Plan:
        refs = [
            {"key": "build/a", "property": "x"} | ({"version": v} if v else {}) for v in versions
        ]
        data = [{"secretKey": f"k{n}", "remoteRef": ref} for n, ref in enumerate(refs)]
        return planned({"data": data})

    Usage(Limits(reads=2)).add_plan(reads(1, 2, 1), PIN)
    for versions in ((1, 2, 3), (None, 1, 2)):
        with pytest.raises(PolicyError, match="limit reads"):
            Usage(Limits(reads=2)).add_plan(reads(*versions), PIN)


def test_limits_of_values() -> None:
    """Bytes, and the keys that only a read can tell."""
    (target,) = planned({"dataFrom": [{"extract": {"key": "build/db"}}]}).targets
    items = {k: SealItem(Plaintext(b"1234"), b"") for k in "abc"}
    rendered = [Rendered(target, items, ())]
    enough = replace(job(), usage=Usage(Limits(keys=3, valueBytes=12)))
    enough.count(rendered)
    assert enough.usage is not None
    assert (enough.usage.keys, enough.usage.value_bytes) == (3, 12)
    for limits in (Limits(keys=2), Limits(valueBytes=11)):
        with pytest.raises(PolicyError):
            replace(job(), usage=Usage(limits)).count(rendered)


@pytest.mark.parametrize(
    "kind", ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"]
)
def test_credentials_of_the_cluster_are_never_made(kind: str) -> None:
    """Whatever the rule allows."""
    plan = planned({"data": [entry("a")], "template": {"type": kind}})
    assert "a credential of the cluster's own" in denied(plan, rule={"templates": True})


@pytest.mark.parametrize("name", ["managed", "patch", "skip-set-owner-references"])
def test_what_takes_over_is_never_made(name: str) -> None:
    """An allow-list of everything does not reach that far."""
    annotations = {f"sealedsecrets.bitnami.com/{n}": "true" for n in ("managed", name)}
    plan = planned({"data": [entry("a")], "template": {"metadata": {"annotations": annotations}}})
    assert "takes over other Secrets" in denied(plan, rule={"annotations": ["**"]})


@pytest.mark.parametrize(
    ("vault", "key"),
    [
        ({"path": "secret/data"}, "krmfn/derivation"),
        ({"path": "secret", "version": "v1"}, "data/krmfn/derivation"),
        ({"path": "secret", "server": "https://VAULT.example:443/"}, "krmfn/derivation"),
        ({"path": "secret/krmfn", "server": "https://vault.example"}, "derivation"),
        ({"path": "secret", "server": "http://vault.example:443"}, "krmfn/derivation"),
    ],
)
def test_a_key_has_one_place(vault: dict[str, Any], key: str) -> None:
    """However the store of a reference is written, it does not lead to a derivation key."""
    stores = SPEC["stores"] | {"other": {"vault": {"id": "other", **vault}}}
    store: Any = spec(stores=stores).stores["other"]
    own = place(store.vault, key, "https://vault.example")
    assert own == "vault.example:443/secret/krmfn/derivation"


def test_two_stores_of_one_mount_have_one_id() -> None:
    """Else one value would have two sources, and one key two names."""
    twice = SPEC["stores"] | {"other": {"vault": {**SPEC["stores"]["main"]["vault"], "id": "x"}}}
    assert same_mounts(spec(stores=twice), "") == "main and other"
    alike = SPEC["stores"] | {"other": SPEC["stores"]["main"]}
    assert same_mounts(spec(stores=alike), "") == ""


def test_nothing_is_read_out_of_the_engine_of_a_key() -> None:
    """A transit key may be exportable: its engine is no place for values."""
    stores = SPEC["stores"] | {
        "keys": {"vault": {"path": "transit", "id": "keys", "version": "v1"}}
    }
    key = {"transit": {"store": "main", "mount": "transit", "key": "k", "version": 1}}
    value = repo.generator()
    value["spec"] = {**value["spec"], "stores": {"keys": {"platform": True}, **repo.STORES}}
    value["spec"]["secrets"] = [{"name": "db", "store": "keys", "data": [entry("x")]}]
    config: Any = parse(value)
    plan = make_plan(config, namespace="production", overlay=Kustomization())
    changes = {"stores": stores, "derivationKeys": SPEC["derivationKeys"] | {"k": key}}
    rule = {"reads": [{"store": "keys", "paths": ["**"]}]}
    assert "a reference points at a derivation key" in denied(plan, rule=rule, **changes)
