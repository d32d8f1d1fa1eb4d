"""Producers of Secrets: SealedSecrets, claims, plain Secrets, operators and assumptions. Pure.

A claim produces the keys that it declares, so that a build can be audited before anything is sealed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from krmfn import fieldpath
from krmfn.audit.entries import Scope
from krmfn.documents.strict import mapping
from krmfn.names import API_VERSION, CLAIM
from krmfn.objects import sealed_secret
from krmfn.objects.kinds import is_secret
from krmfn.spec.catalogue import Producer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from krmfn.audit.entries import Entries
    from krmfn.audit.objects import Resource
    from krmfn.spec.validator import Assumption

How: TypeAlias = Literal["sealed", "claim", "plain", "operator", "assumed"]
OPAQUE = "Opaque"
SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105  # a type
_TOKEN_KEYS = ("token", "ca.crt", "namespace", "service-ca.crt")  # the last one on OpenShift

# Annotations of an empty Secret that a replicator fills.
_PULLED = (
    "reflector.v1.k8s.emberstack.com/reflects",
    "replicator.v1.mittwald.de/replicate-from",
    "secretgen.carvel.dev/image-pull-secret",
)


@dataclass(frozen=True, eq=False)
class Production:
    """One Secret that will exist.

    Attributes:
        namespace: None for any, or for one that cannot be known.
        type: None when it is not known.
        open: it may have other keys than these.
        former: names that it had before kustomize renamed it.
        resource: what makes it; None for what is assumed.
        labels, annotations: of the Secret itself.
        entry: of the catalogue, for an operator's.
        holds: what keys of an operator's Secret hold, as the object says it; no secrets.
    """

    how: How
    secret: str
    namespace: str | None
    type: str | None
    keys: frozenset[str]
    open: bool = False
    former: tuple[str, ...] = ()
    resource: Resource | None = None
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    entry: Producer | None = None
    operator: str = ""
    waived: bool = False
    holds: tuple[tuple[str, str], ...] = ()

    @property
    def by(self) -> str:
        """Return the producer as ``Kind/name``."""
        return self.resource.title if self.resource else "assumed"

    @property
    def certain(self) -> bool:
        """Whether the Secret will certainly exist."""
        return self.entry is None or self.entry.certain

    @property
    def declared(self) -> bool:
        """Whether git contains the Secret or its source, in contrast to an operator's object."""
        return self.how in ("sealed", "claim", "plain")

    @property
    def has_content(self) -> bool:
        """Whether it has any key; an empty Secret only carries labels."""
        return bool(self.keys) or self.open


def productions(resource: Resource, entries: Entries) -> Iterator[Production]:
    """Yield the Secrets that an object creates."""
    kind, version = resource.kind, resource.value["apiVersion"]
    if kind == sealed_secret.KIND and version == sealed_secret.API_VERSION:
        yield _sealed(resource)
    elif kind == CLAIM and version == API_VERSION:
        yield _claim(resource)
    elif is_secret(resource.value):
        yield _plain(resource)
    else:
        for operator, entry in entries.producers_of(resource.group_kind):
            if not entry.guess:
                yield from _operators(resource, entry, operator, entries)


GUESS = Producer.model_construct(
    names=("{metadata.name}",),
    name=(),
    type=(),
    keys=(),
    more=(),
    open=True,
    certain=False,
    guess=True,
    policy="input",
    shared=True,
    note="the catalogue does not know this kind, and the object has or says the Secret's name",
)


CHART = GUESS.model_copy(
    update={"note": "a chart's values name it under tls: the chart, or cert-manager, may make it"}
)


def guesses(resource: Resource, entries: Entries) -> Iterator[Production]:
    """Yield the Secrets that an object may create: an installer, or an object of unknown kind."""
    if entries.may_make(resource.group_kind) and resource.name:
        yield named(resource, resource.name, resource.namespace)
    for operator, entry in entries.producers_of(resource.group_kind):
        if entry.guess:
            yield from _operators(resource, entry, operator, entries)


def named(
    resource: Resource, name: str, namespace: str | None, entry: Producer = GUESS
) -> Production:
    """Return the Secret that an object of unknown kind may create, because it has or contains the name."""
    return Production(
        "operator",
        name,
        namespace,
        None,
        frozenset(),
        open=True,
        resource=resource,
        entry=entry,
        operator=resource.group,
    )


def assumed(assumptions: Iterable[Assumption]) -> Iterator[Production]:
    """Yield the Secrets that a configuration assumes to exist."""
    for one in assumptions:
        keys = frozenset(one.keys)
        yield Production("assumed", one.secret, one.namespace, one.type, keys, open=not keys)


def _sealed(resource: Resource) -> Production:
    spec = mapping(resource.value.get("spec"))
    template = mapping(spec.get("template"))
    keys = frozenset([*mapping(spec.get("encryptedData")), *mapping(template.get("data"))])
    return _made("sealed", resource, _type(template), keys, mapping(template.get("metadata")))


def _claim(resource: Resource) -> Production:
    spec = mapping(resource.value.get("spec"))
    template = mapping(spec.get("template"))
    composed = mapping(template.get("data"))
    keys = {str(key) for _, key in fieldpath.walk(spec, "data[].secretKey")}
    short = spec.get("keys")
    keys |= {str(key) for key in short} if isinstance(short, dict | list) else set()
    replaced = composed and template.get("mergePolicy", "Replace") == "Replace"
    keys = set(composed) if replaced else keys | set(composed)
    found = _made(
        "claim", resource, _type(template), frozenset(keys), mapping(template.get("metadata"))
    )
    unknown = bool(spec.get("dataFrom")) and not replaced
    return replace(found, open=unknown)


def _plain(resource: Resource) -> Production:
    value = resource.value
    keys = [*mapping(value.get("data")), *mapping(value.get("stringData"))]
    if value.get("type") == SERVICE_ACCOUNT_TOKEN:
        keys += _TOKEN_KEYS
    metadata = mapping(value.get("metadata"))
    found = _made("plain", resource, _type(value), frozenset(keys), metadata)
    return replace(found, open=_is_filled(resource.annotations))


def _made(
    how: How, resource: Resource, type_: str, keys: frozenset[str], metadata: dict[str, Any]
) -> Production:
    return Production(
        how,
        resource.name,
        resource.namespace,
        type_,
        keys,
        former=resource.former,
        resource=resource,
        labels=_pairs(metadata.get("labels")),
        annotations=_pairs(metadata.get("annotations")),
    )


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(k), str(v)) for k, v in mapping(value).items())


def _type(value: dict[str, Any]) -> str:
    return str(value.get("type") or OPAQUE)


def _operators(
    resource: Resource, entry: Producer, operator: str, entries: Entries
) -> Iterator[Production]:
    found = fieldpath.walk(resource.value, entry.each) if entry.each else [((), resource.value)]
    for place, here in found:
        scope = Scope(resource.value, here, place, operator, entries.versions)
        if not scope.holds(entry.when) or any(scope.has(path) for path in entry.unless):
            continue
        names = entry.names or ((scope.first(entry.name) or ""),)
        for name in (scope.fill(template) for template in names):
            if name:
                yield _operator(resource, entry, operator, scope, name)


def _operator(
    resource: Resource, entry: Producer, operator: str, scope: Scope, name: str
) -> Production:
    keys = {key for key in map(scope.fill, entry.keys) if key}
    unknown = entry.open
    holds: dict[str, str] = {}
    for more in entry.more:
        if scope.holds(more.when):
            keys |= {key for key in map(scope.fill, more.keys) if key}
            keys |= {k for path in more.values_at for k in scope.find(path) if isinstance(k, str)}
            keys |= {
                str(k) for path in more.fields_of for m in scope.find(path) for k in mapping(m)
            }
            holds |= {k: v for k, t in more.holds.items() if (v := scope.fill(t)) is not None}
            unknown = unknown or more.open
    namespace: str | None = resource.namespace
    if entry.namespace in ("*", "external"):
        namespace = None
    elif entry.namespace:
        namespace = scope.fill(entry.namespace) or namespace
    return Production(
        "operator",
        name,
        namespace,
        scope.first(entry.type),
        frozenset(keys),
        open=unknown,
        resource=resource,
        entry=entry,
        operator=operator or resource.group,
        waived=entry.waived is not None and scope.holds(entry.waived),
        holds=tuple(holds.items()),
    )


def _is_filled(annotations: Mapping[str, Any]) -> bool:
    """Whether a replicator fills the Secret with keys that it does not have in the build."""
    return any(name in annotations for name in _PULLED)
