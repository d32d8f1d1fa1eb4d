"""What a configuration under a policy does not name, from the one rule that matches."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.errors import PolicyError
from krmfn.policy.application import Application
from krmfn.policy.offer import offered
from krmfn.spec.parse import check
from krmfn.spec.platform import PlatformSpec
from tests.support.platform import REPOSITORY, RULE, SPEC

ALL = ("certificate", "derivationKey", "stores")


def offer(*rules: dict[str, Any], namespace: str = "production", missing: Any = ALL) -> Any:
    spec = {
        **SPEC,
        "recipients": dict.fromkeys(("production", "b"), SPEC["recipients"]["production"]),
    }
    found = check(PlatformSpec, spec | {"rules": [RULE | one for one in rules]}, name="p")
    return offered(found, Application("shop", REPOSITORY), {namespace}, missing)


def test_one_of_each() -> None:
    """By the names that the platform has for them; nothing that is not missing."""
    other = {"name": "other", "namespaces": ["other"], "recipients": ["b"]}
    assert offer({}, other) == {
        "certificate": {"platform": "production"},
        "derivationKey": {"platform": "shop"},
        "stores": {"main": {"platform": True}},
    }
    assert offer({}, missing=()) == {}


@pytest.mark.parametrize(
    ("rules", "namespace", "said"),
    [
        ([{"recipients": ["production", "b"]}], "production", "expected one of b, production"),
        ([{}, {"name": "two", "recipients": ["b"]}], "production", "expected one of b, production"),
        ([{}], "other", "the policy has none for it; ask for a rule"),
        ([{"projects": ["other"]}], "production", "the policy has none for it"),
        ([{"repositories": ["https://x/**"]}], "production", "the policy has none for it"),
    ],
)
def test_several_or_none(rules: list[dict[str, Any]], namespace: str, said: str) -> None:
    """The error lists the names that the policy has for the asker."""
    with pytest.raises(PolicyError) as caught:
        offer(*rules, namespace=namespace)
    assert said in caught.value.line()
