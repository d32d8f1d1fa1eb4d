"""All rules of the audit, and what they find. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

# Importing them registers their rules.
from krmfn.audit import reference_rules, secret_rules  # noqa: F401
from krmfn.audit.findings import place_of
from krmfn.audit.rule import RULES

if TYPE_CHECKING:
    from krmfn.audit.findings import Finding
    from krmfn.audit.judge import Audit

__all__ = ["RULES", "check"]


def check(audit: Audit, *, only: str | None = None) -> list[Finding]:
    """All findings, by object; of one rule when it is named."""
    rules = [RULES[only]] if only else RULES.values()
    return sorted((f for rule in rules for f in rule.check(audit)), key=place_of)
