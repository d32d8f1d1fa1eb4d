"""What the platform's one matching rule says for a configuration that names nothing itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from krmfn.errors import PolicyError
from krmfn.policy.rules import CONDITIONS, Request

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from krmfn.policy.application import Application
    from krmfn.spec.platform import PlatformSpec, Rule

WORDS = {"certificate": "certificate", "derivationKey": "derivation key", "stores": "store"}


def offered(
    spec: PlatformSpec,
    application: Application,
    namespaces: Collection[str],
    missing: Collection[str],
) -> dict[str, Any]:
    """The fields that are missing, from the one rule that matches project, repository and namespaces.

    Args:
        missing: of ``certificate``, ``derivationKey`` and ``stores``.

    Raises:
        PolicyError: no rule matches or several do, or the rule has not exactly one of them.
    """
    rules = [r for r in spec.rules if all(_meets(spec, r, application, n) for n in namespaces)]
    found: dict[str, Any] = {}
    for field in missing:
        names = sorted({name for rule in rules for name in _names(rule, field)})
        if len(rules) != 1 or len(names) != 1:
            word = WORDS[field]
            raise PolicyError(
                "policy-denied",
                f"no {word} is named, and the policy has {'several' if names else 'none'} for it",
                key=field,
                expected=f"one of {', '.join(names)}" if names else "",
                remedy="name it as platform: NAME" if names else "ask for a rule",
            )
        named = {"platform": names[0]}
        found[field] = {names[0]: {"platform": True}} if field == "stores" else named
    return found


def _meets(spec: PlatformSpec, rule: Rule, application: Application, namespace: str) -> bool:
    asked = Request(application, namespace, "strict", "random", "", "")
    conditions = ("projects", "repositories", "namespaces")
    return all(CONDITIONS[name](spec, rule, asked) for name in conditions)


def _names(rule: Rule, field: str) -> Iterator[str]:
    """What a rule has of a field."""
    if field == "stores":
        yield from (read.store for read in rule.reads)
    else:
        yield from rule.recipients if field == "certificate" else rule.derivation_keys
