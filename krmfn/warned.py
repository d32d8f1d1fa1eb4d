"""Warnings: id, subject, reason and remedy. Pure.

Rules enforced here: a warning contains names and never a value; every id is in `WARNINGS` or is a
rule of the audit; warnings of one kind are one line with a count and the first three, unless all are
asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from krmfn.errors import CATALOGUE, ending
from krmfn.text import natural, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# id -> what it says; those of the audit are its rules.
WARNINGS: dict[str, str] = {
    "claims-printed": "kustomize build prints claims, because only krmfn build seals them",
    "data-path": "a store's path ends with /data, which krmfn adds itself",
    "equal-value": "environments share a value",
    "inexact-number": "a number may have been rounded",
    "large-secret": "a SealedSecret comes near the limit of the API server",
    "lease-not-revoked": "a lease could not be given back",
    "namespace-from-environment": "a namespace comes from the environment",
    "nul-byte": "a value holds a NUL byte",
    "plain-secret": "a Secret is unencrypted in the output",
    "skip-marker": "nothing deletes the skip marker",
    "stale-file": "a file of an earlier build remains",
    "token-not-revoked": "the login's token could not be revoked",
    "trailing-newline": "a value ends with a newline",
    "unknown-parameter": "an Application has a parameter that krmfn does not know",
    "version-unreadable": "the token may not read the versions of a secret",
}
SHOWN = 3


@dataclass(frozen=True)
class Warned:
    """One warning.

    Attributes:
        id: a key of `WARNINGS`, or a rule of the audit.
        subject: the object, Secret or store that it is about, with what is in front of it.
        text: what is the matter, the same for all of one kind where that is possible.
        remedy: what to do, beginning with a verb.
        secret: the Secret's name, by which the warning can be silenced alone.
    """

    id: str
    subject: str
    text: str
    remedy: str = ""
    secret: str = ""

    def at(self, place: str) -> Warned:
        """The same, with a place in front of its subject."""
        return replace(self, subject=": ".join(p for p in (place, self.subject) if p))

    def line(self) -> str:
        """Return one line: subject, text, remedy, id."""
        return _line([self.subject], self.text, self.remedy, self.id)

    __str__ = line


@dataclass
class Warnings:
    """Collects warnings, each once.

    Attributes:
        silenced: ids, or ``id/secret``, that are not wanted.
    """

    silenced: Collection[str] = ()
    found: list[Warned] = field(default_factory=list)

    def add(self, one: Warned) -> None:
        """Collect a warning, unless it is silenced or already collected."""
        if not is_silenced(one, self.silenced) and one not in self.found:
            self.found.append(one)


def is_silenced(one: Warned, silenced: Collection[str]) -> bool:
    """Whether a configuration's ``silence`` covers a warning."""
    return one.id in silenced or (bool(one.secret) and f"{one.id}/{one.secret}" in silenced)


def lines(
    warnings: Iterable[Warned], *, everything: bool = False, hint: str = "-v shows each"
) -> list[str]:
    """Return the lines to print, in the order of their ids and subjects.

    Stores are read side by side, so the order in which warnings arise tells nothing.

    Args:
        everything: one line for each, however many there are of a kind.
        hint: how to see each warning.
    """
    kinds: dict[str, list[Warned]] = {}
    for one in sorted(warnings, key=lambda one: (one.id, natural(one.subject), one.text)):
        kinds.setdefault(one.id, []).append(one)
    if everything:
        return [one.line() for found in kinds.values() for one in found]
    return [_together(found, hint) for found in kinds.values()]


def _together(found: list[Warned], hint: str) -> str:
    """Return one line for all warnings of a kind."""
    first = found[0]
    if len(found) == 1:
        return first.line()
    more = len(found) - SHOWN
    subjects = ", ".join(one.subject or one.text for one in found[:SHOWN])
    subjects += f" and {more} more" if more > 0 else ""
    same = len({one.remedy for one in found}) == 1
    alike = len({one.text for one in found}) == 1
    remedies = [first.remedy] if same and first.remedy else []
    remedies += [] if same and alike and more <= 0 else [hint]
    text = first.text if alike else _title(first)
    return _line([f"{len(found)} times", subjects], text, "; ".join(remedies), first.id)


def _title(one: Warned) -> str:
    known = CATALOGUE.get(one.id)
    return WARNINGS.get(one.id) or (known[1] if known else one.text)


def _line(places: list[str], text: str, remedy: str, id_: str) -> str:
    said = ": ".join(part for part in (*places, text) if part)
    whole = f"{said}; {remedy}" if remedy else said
    return printable(" ".join(f"{whole} {ending(id_)}".split()))
