"""The type of a rule, and functions that make its findings. Pure.

Rules enforced here: a finding is at most as severe as the catalogue's entry that found the reference,
so that what is only guessed at (the shape rule) never fails a build.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from krmfn.audit.findings import Finding
from krmfn.audit.references import SHAPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from krmfn.audit.judge import Audit, Judged
    from krmfn.audit.productions import Production
    from krmfn.audit.references import Reference
    from krmfn.spec.catalogue import Level

    Check: TypeAlias = Callable[[Audit], Iterator[Finding]]


@dataclass(frozen=True)
class AuditRule:
    """One rule.

    Attributes:
        severity: of its findings, where the entry that applies says no other.
        title: what is wrong, in a few words.
        check: finds it; its docstring explains the rule.
    """

    id: str
    severity: Level
    title: str
    check: Check

    @property
    def explanation(self) -> str:
        """Return the explanation and the remedy as paragraphs."""
        text = self.check.__doc__ or ""
        return "\n".join(line.strip() for line in text.strip().splitlines())


RULES: dict[str, AuditRule] = {}


def rule(id_: str, severity: Level, title: str) -> Callable[[Check], Check]:
    """Make a function a rule."""

    def register(check: Check) -> Check:
        RULES[id_] = AuditRule(id_, severity, title, check)
        return check

    return register


def about_reference(
    rule: str,
    reference: Reference,
    message: str,
    *,
    severity: Level | None = None,
    key: str | None = None,
    producer: str = "",
    near: str = "",
    remedy: str = "",
) -> Finding:
    """Return a finding about a reference, at most as severe as the entry that found it."""
    own = severity or RULES[rule].severity
    order = ("info", "warning", "error")
    level = min(own, reference.entry.level, key=order.index)
    guessed = reference.entry is SHAPE or not reference.sure
    looks = "looks like a reference: " if guessed else ""
    return Finding(
        rule,
        level,
        looks + message,
        resource=reference.resource,
        place=reference.place,
        namespace=reference.namespace or "",
        secret=reference.secret,
        key=", ".join(reference.keys) if key is None else key,
        producer=producer,
        near=near,
        remedy=remedy,
    )


def about_secret(
    rule: str,
    made: Production,
    message: str,
    *,
    key: str = "",
    producer: str = "",
    near: str = "",
    remedy: str = "",
) -> Finding:
    """Return a finding about the object that creates a Secret."""
    return Finding(
        rule,
        RULES[rule].severity,
        message,
        resource=made.resource,
        namespace=made.namespace or "",
        secret=made.secret,
        key=key,
        producer=producer,
        near=near,
        remedy=remedy,
    )


def nearest(word: str, known: list[str]) -> str:
    """Return the probable known word, or nothing: one with the same parts, else a similar one."""
    parts = sorted(re.split(r"[-_.]", word))
    same = [one for one in known if one != word and sorted(re.split(r"[-_.]", one)) == parts]
    return next(iter(same or difflib.get_close_matches(word, known, n=1, cutoff=0.8)), "")


def unmet(audit: Audit) -> list[Judged]:
    """Return the references to Secrets without a producer in their namespace."""
    return [one for one in audit.judged if one.verdict == "unmet"]
