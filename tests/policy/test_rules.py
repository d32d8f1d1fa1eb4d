"""What the platform's rules allow: one rule in everything, or nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krmfn.policy.application import Application
from krmfn.policy.rules import CONDITIONS, Request, decide, failed_conditions
from krmfn.spec.parse import check
from krmfn.spec.platform import PlatformConfig, PlatformSpec
from tests.support.platform import PIN, REPOSITORY, RULE, platform

ALLOWED = Request(
    application=Application("shop", REPOSITORY, "production"),
    namespace="production",
    scope="strict",
    mode="deterministic",
    recipient=PIN,
    derivation_key="shop",
    store="main",
    path="build/db",
)


def spec(*rules: dict[str, Any], **changes: Any) -> PlatformSpec:
    """A platform with these rules, each the usual one with changes."""
    value = platform(rules=[{**RULE, **rule} for rule in rules], **changes)
    return check(PlatformConfig, value, name="p").spec


def elsewhere(**facts: str) -> Application:
    return replace(ALLOWED.application, **facts)


def test_what_matches_in_everything_is_allowed() -> None:
    """One rule, all of its conditions."""
    assert decide(spec({}), ALLOWED).rule == "shop-production"


def test_no_rule_allows_nothing() -> None:
    """Default deny."""
    assert not decide(spec(), ALLOWED).allowed


# condition -> a request that fails in it and in nothing else
ONE_OFF: dict[str, Request] = {
    "projects": replace(ALLOWED, application=elsewhere(project="other")),
    "repositories": replace(ALLOWED, application=elsewhere(repository="https://evil.example/x")),
    "namespaces": replace(ALLOWED, namespace="staging"),
    "scopes": replace(ALLOWED, scope="namespace-wide"),
    "modes": replace(ALLOWED, mode="random", derivation_key=""),
    "recipients": replace(ALLOWED, recipient="0" * 64),
    "derivationKeys": replace(ALLOWED, derivation_key="other"),
    "reads": replace(ALLOWED, path="other/db"),
    "templates": replace(ALLOWED, templates=True),
    "decoding": replace(ALLOWED, decoding=True),
    "labels": replace(ALLOWED, labels=("team",)),
    "annotations": replace(ALLOWED, annotations=("replicator.example/replicate-to",)),
}


@pytest.mark.parametrize("condition", ONE_OFF)
def test_each_condition_counts(condition: str) -> None:
    """A request that is right but for one thing is denied, and the thing is told."""
    decision = decide(spec({}), ONE_OFF[condition])
    assert not decision.allowed
    if condition == "projects":
        # Rules of other projects are nobody else's business.
        assert decision.nearest == ""
    else:
        assert (decision.nearest, decision.failed) == ("shop-production", (condition,))


def test_every_condition_has_its_test() -> None:
    """A new condition comes with a request that only it denies."""
    assert set(ONE_OFF) | {"pinnedVersions"} == set(CONDITIONS)


def test_pinned_versions() -> None:
    """A rule can ask for reads that name a version."""
    pinned = spec({"pinnedVersions": True})
    assert decide(pinned, ALLOWED).failed == ("pinnedVersions",)
    assert decide(pinned, replace(ALLOWED, pinned=True)).allowed


def test_two_rules_are_not_put_together() -> None:
    """One rule for the namespace and another for the path are none for both."""
    rules = (
        {"name": "a", "namespaces": ["staging"]},
        {"name": "b", "reads": [{"store": "main", "paths": ["other/**"]}]},
    )
    request = replace(ALLOWED, namespace="staging", path="other/db")
    decision = decide(spec(*rules), request)
    assert (decision.allowed, decision.nearest, decision.failed) == (False, "a", ("reads",))


def test_store_and_path_match_together() -> None:
    """A path of one store is not allowed in another."""
    stores = {n: {"vault": {"path": n, "id": n}} for n in ("main", "other")}
    reads = [{"store": "main", "paths": ["build/*"]}, {"store": "other", "paths": ["x"]}]
    two = spec({"reads": reads}, stores=stores)
    assert decide(two, ALLOWED).allowed
    assert decide(two, replace(ALLOWED, store="other")).failed == ("reads",)


@pytest.mark.parametrize(
    ("namespaces", "scope", "namespace", "expected"),
    [
        (["$destination"], "strict", "production", True),
        (["$destination"], "strict", "staging", False),
        (["$destination", "shop-*"], "strict", "shop-eu", True),
        (["shop-*"], "strict", "production", False),
        (["**"], "cluster-wide", "", True),
        (["production"], "cluster-wide", "production", False),
        (["$destination"], "cluster-wide", "", False),
    ],
)
def test_namespaces(namespaces: list[str], scope: str, namespace: str, *, expected: bool) -> None:
    """The destination or what the rule says; cluster-wide is every namespace."""
    rule = {"namespaces": namespaces, "scopes": ["strict", "cluster-wide"]}
    request = replace(ALLOWED, scope=scope, namespace=namespace)
    assert decide(spec(rule), request).allowed is expected


@pytest.mark.parametrize("fact", ["project", "repository", "destination"])
def test_what_nobody_tells_matches_nothing(fact: str) -> None:
    """Not even the pattern that stands for everything."""
    rule = {"projects": ["**"], "repositories": ["**"], "namespaces": ["$destination"]}
    request = replace(ALLOWED, application=elsewhere(**{fact: ""}))
    if fact == "destination":
        request = replace(request, namespace="")
    assert decide(spec(rule), ALLOWED).allowed
    assert not decide(spec(rule), request).allowed


def test_the_nearest_rule_is_the_one_with_fewest_failures() -> None:
    """And the first of those."""
    rules = (
        {"name": "far", "namespaces": ["x"], "recipients": ["production"], "templates": False},
        {"name": "near", "templates": True},
        {"name": "later", "templates": True},
    )
    request = replace(ALLOWED, templates=True, path="other/x")
    decision = decide(spec(*rules), request)
    assert (decision.nearest, decision.failed) == ("near", ("reads",))


# --- narrowing a rule never allows more

WORDS = st.sampled_from(["production", "staging", "*", "pro*", "**", "$destination"])
PATHS = st.sampled_from(["build/db", "build/*", "build/**", "other/**", "**", "*/db"])
RULES = st.fixed_dictionaries(
    {
        "projects": st.lists(st.sampled_from(["shop", "*", "other"]), min_size=1, max_size=2),
        "repositories": st.lists(
            st.sampled_from([REPOSITORY, "https://git.example/**", "x"]), min_size=1, max_size=2
        ),
        "namespaces": st.lists(WORDS, min_size=1, max_size=3),
        "scopes": st.lists(st.sampled_from(["strict", "namespace-wide", "cluster-wide"])),
        "modes": st.lists(st.sampled_from(["deterministic", "random"])),
        "reads": st.lists(
            st.fixed_dictionaries(
                {"store": st.just("main"), "paths": st.lists(PATHS, min_size=1, max_size=2)}
            ),
            max_size=2,
        ),
        "templates": st.booleans(),
        "decoding": st.booleans(),
        "pinnedVersions": st.booleans(),
        "labels": st.lists(st.sampled_from(["team", "app.example/*", "**"]), max_size=2),
        "annotations": st.lists(st.sampled_from(["note", "app.example/*"]), max_size=2),
    }
)
REQUESTS = st.builds(
    Request,
    application=st.builds(
        Application,
        project=st.sampled_from(["shop", "other", ""]),
        repository=st.sampled_from([REPOSITORY, "https://git.example/other", ""]),
        destination=st.sampled_from(["production", "staging", ""]),
    ),
    namespace=st.sampled_from(["production", "staging", ""]),
    scope=st.sampled_from(["strict", "namespace-wide", "cluster-wide"]),
    mode=st.sampled_from(["deterministic", "random"]),
    recipient=st.sampled_from([PIN, "0" * 64]),
    derivation_key=st.sampled_from(["shop", "other"]),
    store=st.sampled_from(["main", "other", ""]),
    path=st.sampled_from(["build/db", "build/a/b", "other/db"]),
    pinned=st.booleans(),
    templates=st.booleans(),
    decoding=st.booleans(),
    labels=st.sampled_from([(), ("team",), ("app.example/x", "team")]),
    annotations=st.sampled_from([(), ("note",), ("replicator.example/to",)]),
)


@settings(deadline=None)
@given(RULES, REQUESTS, st.data())
def test_a_condition_more_never_allows_more(
    rule: dict[str, Any], request_: Request, data: st.DataObject
) -> None:
    """An alternative less, a switch closed or a version asked for: what was denied stays denied."""
    narrow = dict(rule)
    field = data.draw(st.sampled_from(sorted(rule)))
    if field == "pinnedVersions":
        narrow[field] = True
    elif isinstance(rule[field], bool):
        narrow[field] = False
    elif rule[field]:
        one_less = data.draw(st.integers(0, len(rule[field]) - 1))
        narrow[field] = [v for n, v in enumerate(rule[field]) if n != one_less] or rule[field]
    before, after = spec(rule), spec(narrow)
    failed = set(failed_conditions(before, before.rules[0], request_))
    assert failed <= set(failed_conditions(after, after.rules[0], request_))
    assert decide(before, request_).allowed or not decide(after, request_).allowed


@settings(deadline=None)
@given(st.lists(RULES, max_size=3), REQUESTS)
def test_a_rule_less_never_allows_more(rules: list[dict[str, Any]], request_: Request) -> None:
    """And whether something is allowed does not depend on the order of the rules."""
    named = [{**rule, "name": f"r{number}"} for number, rule in enumerate(rules)]
    whole = decide(spec(*named), request_).allowed
    assert whole == decide(spec(*reversed(named)), request_).allowed
    assert whole or not decide(spec(*named[1:]), request_).allowed
    assert whole == any(decide(spec(one), request_).allowed for one in named)
