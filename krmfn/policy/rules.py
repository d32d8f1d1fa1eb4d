"""Decide whether the platform's rules allow one read and seal. Pure: facts in, a decision out.

Rules enforced here: what no rule allows is denied; one rule has to match in everything, and nothing
is put together of two; an empty fact matches no pattern. A verdict speaks of the rules of the
asker's own project and of nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn.spec.pattern import REST, matches_any
from krmfn.spec.platform import DESTINATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from krmfn.policy.application import Application
    from krmfn.spec.platform import PlatformSpec, Rule


@dataclass(frozen=True)
class Request:
    """A build's request to seal one Secret and to read one path for it.

    Attributes:
        namespace: the final one; may be empty for cluster-wide.
        recipient: SHA-256 of the certificate's public key, hex.
        derivation_key: the name of the platform's; empty for random sealing.
        store, path: what is read, in canonical form; both empty when nothing is.
        pinned: whether the read names a version.
        templates, decoding: whether the Secret's values are composed, or decoded.
        labels, annotations: names in the Secret's own metadata.
    """

    application: Application
    namespace: str
    scope: str
    mode: str
    recipient: str
    derivation_key: str
    store: str = ""
    path: str = ""
    pinned: bool = False
    templates: bool = False
    decoding: bool = False
    labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """The rules' decision on a request.

    Attributes:
        rule: the one that allows it; empty when none does.
        nearest: else the rule of the same project that fails in the fewest conditions; empty when
            no rule is for the project.
        failed: the conditions in which that one fails, as the fields of a rule are called.
    """

    rule: str = ""
    nearest: str = ""
    failed: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether a rule allows the request."""
        return self.rule != ""


def decide(spec: PlatformSpec, request: Request) -> Decision:
    """Return the first rule that allows the request, or the nearest one."""
    nearest = Decision()
    for rule in spec.rules:
        failed = failed_conditions(spec, rule, request)
        if not failed:
            return Decision(rule=rule.name)
        if "projects" not in failed and not 0 < len(nearest.failed) <= len(failed):
            nearest = Decision(nearest=rule.name, failed=failed)
    return nearest


def failed_conditions(spec: PlatformSpec, rule: Rule, request: Request) -> tuple[str, ...]:
    """Return the conditions of a rule that the request does not meet; none if it is allowed."""
    return tuple(name for name, holds in CONDITIONS.items() if not holds(spec, rule, request))


def _namespace(_: PlatformSpec, rule: Rule, request: Request) -> bool:
    if request.scope == "cluster-wide":
        # It can be opened in every namespace, whichever it is put into.
        return REST in rule.namespaces
    wanted = request.namespace
    patterns = tuple(p for p in rule.namespaces if p != DESTINATION)
    own = DESTINATION in rule.namespaces and wanted == request.application.destination
    return (own and wanted != "") or matches_any(patterns, wanted)


def _recipient(spec: PlatformSpec, rule: Rule, request: Request) -> bool:
    return any(request.recipient in spec.recipients[name].sha256 for name in rule.recipients)


def _read(_: PlatformSpec, rule: Rule, request: Request) -> bool:
    return request.store == "" or any(
        read.store == request.store and matches_any(read.paths, request.path) for read in rule.reads
    )


def _key(_: PlatformSpec, rule: Rule, request: Request) -> bool:
    return request.mode == "random" or request.derivation_key in rule.derivation_keys


# Field of a rule -> whether the request meets it.
CONDITIONS: dict[str, Callable[[PlatformSpec, Rule, Request], bool]] = {
    "projects": lambda _, rule, r: matches_any(rule.projects, r.application.project),
    "repositories": lambda _, rule, r: matches_any(rule.repositories, r.application.repository),
    "namespaces": _namespace,
    "scopes": lambda _, rule, r: r.scope in rule.scopes,
    "modes": lambda _, rule, r: r.mode in rule.modes,
    "recipients": _recipient,
    "derivationKeys": _key,
    "reads": _read,
    "pinnedVersions": lambda _, rule, r: r.pinned or r.store == "" or not rule.pinned_versions,
    "templates": lambda _, rule, r: rule.templates or not r.templates,
    "decoding": lambda _, rule, r: rule.decoding or not r.decoding,
    "labels": lambda _, rule, r: all(matches_any(rule.labels, n) for n in r.labels),
    "annotations": lambda _, rule, r: all(matches_any(rule.annotations, n) for n in r.annotations),
}
