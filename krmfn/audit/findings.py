"""Findings about a reference or a Secret, as facts; the rules have the words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn import errors
from krmfn.fieldpath import dotted
from krmfn.warned import Warned

if TYPE_CHECKING:
    from krmfn.audit.objects import Resource
    from krmfn.fieldpath import Place
    from krmfn.spec.catalogue import Level


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        rule: the rule's id, also an id of `krmfn.errors.CATALOGUE`.
        resource: the object to change; None for an assumption.
        place: the field in it.
        producer: who would produce the Secret, or does.
        near: the nearest name or key that exists.
    """

    rule: str
    severity: Level
    message: str
    resource: Resource | None = None
    place: Place = ()
    namespace: str = ""
    secret: str = ""
    key: str = ""
    producer: str = ""
    near: str = ""
    remedy: str = ""

    @property
    def at(self) -> str:
        """The field's path."""
        return dotted(self.place)

    @property
    def where(self) -> str:
        """``Kind/name`` of the object."""
        return self.resource.title if self.resource else ""

    def error(self) -> errors.CheckError:
        """Return the finding as an error of one line."""
        near = f"did you mean {self.near}?" if self.near else ""
        return errors.CheckError(
            self.rule,
            self.message,
            where=": ".join(part for part in (self.where, self.at) if part),
            secret=self.secret,
            key=self.key,
            remedy="; ".join(part for part in (near, self.remedy) if part),
        )

    def warned(self) -> Warned:
        """The same as a warning."""
        one = self.error()
        subject = ": ".join(part for part in (one.where, self.secret, self.key) if part)
        return Warned(self.rule, subject, self.message, one.remedy, secret=self.secret)

    def line(self) -> str:
        """One line: where, which Secret and key, what, remedy, id."""
        return self.error().line()


def place_of(finding: Finding) -> tuple[str, str, str, str, str]:
    """Sort key of a finding: object, field, rule, Secret and key."""
    return finding.where, finding.at, finding.rule, finding.secret, finding.key
