"""References and producers of an overlay as plain values: for JSON, graphs and proposals. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.objects.kinds import NamespacedName
from krmfn.objects.secret_types import type_for

if TYPE_CHECKING:
    from krmfn.audit.findings import Finding
    from krmfn.audit.judge import Audit, Judged
    from krmfn.audit.productions import Production


@dataclass
class Wanted:
    """A referenced Secret without a producer, with the content of a claim for it.

    Attributes:
        type: as its users need it, or as its keys suggest.
        keys: as far as references name them.
        whole: something uses all of it, so that there may be more keys.
        labels: that its users look for, for the Secret's own metadata.
        users: ``Kind/name`` of who refers to it.
        guessed: nothing but the name of a field says that it is a Secret, or a chart's values do.
    """

    namespace: str
    name: str
    type: str = "Opaque"
    keys: list[str] = field(default_factory=list)
    whole: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)
    guessed: bool = False


def wanted(audit: Audit) -> list[Wanted]:
    """Return the missing Secrets, by namespace and name.

    A permission, or a list of what may be mounted, asks for nothing (level ``info``).
    """
    found: dict[NamespacedName, list[Judged]] = defaultdict(list)
    for one in audit.judged:
        if one.verdict == "unmet" and one.reference.entry.level != "info":
            place = NamespacedName(one.reference.namespace or "", one.reference.secret)
            found[place].append(one)
    return [_wanted(*place, found[place]) for place in sorted(found)]


def _wanted(namespace: str, name: str, asking: list[Judged]) -> Wanted:
    result = Wanted(namespace, name)
    types: list[str] = []
    result.guessed = not any(one.reference.sure for one in asking)
    for reference in (one.reference for one in _sorted(asking)):
        result.keys += [key for key in reference.keys if key not in result.keys]
        result.whole = result.whole or not (reference.keys or reference.entry.types)
        types += reference.entry.types[:1]
        result.labels |= reference.entry.labels
        result.labels |= {reference.entry.reload: "true"} if reference.entry.reload else {}
        if reference.resource.title not in result.users:
            result.users.append(reference.resource.title)
    result.type = types[0] if types else type_for(result.keys)
    if result.type == "kubernetes.io/dockerconfigjson" and not result.keys:
        result.keys = [".dockerconfigjson"]
    return result


def inventory(audit: Audit, findings: list[Finding]) -> dict[str, Any]:
    """Return references, Secrets by producer, and findings.

    Returns:
        ``counts`` of the verdicts; ``references`` by object and field; ``sealed``, ``operator``,
        ``plain`` and ``assumed``: the Secrets by how they are made; ``wanted``: those that nobody
        makes; ``unknownKinds``; ``findings``.
    """
    made = defaultdict(list)
    for one in audit.productions:
        made["sealed" if one.how == "claim" else one.how].append(_secret(one))
    return {
        "counts": {"refs": len(audit.judged), **Counter(one.verdict for one in audit.judged)},
        "references": [_reference(one) for one in _sorted(audit.judged)],
        **{
            how: sorted(made[how], key=lambda s: (s["namespace"] or "", s["name"], s["by"]))
            for how in ("sealed", "operator", "plain", "assumed")
        },
        "wanted": [vars(one) for one in wanted(audit)],
        "unknownKinds": dict(audit.unknown),
        "findings": [_finding(one) for one in findings],
    }


def _sorted(judged: list[Judged] | tuple[Judged, ...]) -> list[Judged]:
    return sorted(
        judged,
        key=lambda one: (
            one.reference.resource.title,
            one.reference.resource.namespace,
            one.reference.at,
        ),
    )


def _reference(one: Judged) -> dict[str, Any]:
    reference, maker = one.reference, one.maker
    by = one.verdict
    if maker is not None and one.verdict in ("operator", "plain"):
        by = f"{one.verdict} {maker.by}"  # type: ignore[assignment]  # words for people
    value: dict[str, Any] = {
        "from": reference.resource.title,
        "namespace": reference.namespace,
        "at": reference.at,
        "secret": reference.secret,
    }
    value |= {"keys": list(reference.keys)} if reference.keys else {}
    value |= {"optional": True} if reference.optional else {}
    value |= {"missing": list(one.missing)} if one.missing else {}
    return value | {"by": by}


def _secret(made: Production) -> dict[str, Any]:
    value: dict[str, Any] = {
        "namespace": made.namespace,
        "name": made.secret,
        "type": made.type,
        "keys": sorted(made.keys),
        "by": made.by,
    }
    value |= {"open": True} if made.open else {}
    value |= {"certain": False} if not made.certain else {}
    return value | ({"labels": dict(made.labels)} if made.labels else {})


def _finding(one: Finding) -> dict[str, Any]:
    facts = {
        "rule": one.rule,
        "severity": one.severity,
        "object": one.where,
        "at": one.at,
        "namespace": one.namespace,
        "secret": one.secret,
        "key": one.key,
        "message": one.message,
        "producer": one.producer,
        "near": one.near,
        "remedy": one.remedy,
    }
    return {name: value for name, value in facts.items() if value}
