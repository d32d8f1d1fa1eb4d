"""References to Secrets: fields in the catalogue, and fields with a reference's shape. Pure.

Rules enforced here: each place in an object is one reference, and the catalogue's word counts first;
what an object makes itself is no reference of its own; a name that another tool fills in later is
left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from krmfn import fieldpath
from krmfn.audit.entries import Scope
from krmfn.audit.shapes import helm_certificates, helm_shapes, keyed_shapes, shapes
from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.fieldpath import dotted, first
from krmfn.spec.catalogue import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from krmfn.audit.entries import Entries
    from krmfn.audit.objects import Resource
    from krmfn.audit.shapes import Shape
    from krmfn.fieldpath import Place
    from krmfn.spec.catalogue import Form

EXTERNAL = "external"


def _guess(form: Form) -> Consumer:
    return Consumer.model_construct(
        kinds=(), at=(), under=(), form=form, level="warning", keys=(), any_of=(), types=()
    )


SHAPE = _guess("shape")  # a name and a key
NAMED = _guess("ref")  # a name, in a field that is called like one for Secrets
# Their fields hold other things, such as keys of a vault, Secrets themselves, or krmfn's own words.
_FOREIGN = ("kubernetes-client.io/ExternalSecret", "bitnami.com/SealedSecret")
_OWN_GROUP = "krmfn.dev/"
_DOLLAR = re.compile(r"""(?m)(?:^|:\s+|- )["']?\$([-.\w]+)(?::([-.\w]+))?["']?\s*$""")
# A name that some other tool fills in later: Flux's ${var}, a template's {{ }}, <placeholders>.
_VALUES_FILES = ("values.yaml", "values.yml")
_RELEASE = re.compile(r"\{\{-?\s*\$?\.Release\.(Name|Namespace)\s*-?\}\}")
UNFINISHED = re.compile(r"[^-.a-z0-9]")


@dataclass(frozen=True, eq=False)
class Reference:
    """One field that refers to a Secret.

    Attributes:
        at: its place in the object.
        namespace: where the Secret has to be; None where that cannot be known.
        keys: the keys that are read; none: whatever is in it.
    """

    resource: Resource
    place: Place
    namespace: str | None
    secret: str
    keys: tuple[str, ...]
    optional: bool
    entry: Consumer

    @property
    def sure(self) -> bool:
        """Whether a claim may be proposed for it, because more than a field's name suggests a Secret."""
        return self.entry is not NAMED and self.entry.form != "helm"

    @property
    def writes(self) -> bool:
        """Whether the field may instead name a Secret that its own object writes."""
        last = self.place[-1] if self.place else ""
        return self.entry is NAMED and isinstance(last, str) and last.endswith("ecretName")

    @property
    def at(self) -> str:
        """The field's path."""
        return dotted(self.place)


def references(
    resource: Resource, entries: Entries, own: Collection[str] = ()
) -> Iterator[Reference]:
    """Yield every reference to a Secret in an object; each path once.

    Args:
        own: the names of the Secrets that the object makes.
    """
    seen: set[Place] = set()
    for found in map(_released, _known(resource, entries)):
        if found.place not in seen and not UNFINISHED.search(found.secret):
            seen.add(found.place)
            yield found
    around = {place[:length] for place in seen for length in range(1, len(place))}
    for found in _guessed(resource, entries):
        inside = any(found.place[:length] in seen for length in range(1, len(found.place) + 1))
        if inside or found.place in around or found.secret in own:
            continue
        if not UNFINISHED.search(found.secret):
            yield found


def _known(resource: Resource, entries: Entries) -> Iterator[Reference]:
    kind = resource.group_kind
    for path in entries.pod_specs.get(kind, ()):
        for entry in entries.pod_spec_refs:
            for at in entry.at:
                yield from _at(resource, f"{path}.{at}", entry, entries)
    for entry in entries.consumers_of(kind):
        for path in _paths(entry):
            yield from _at(resource, path, entry, entries)


def _paths(entry: Consumer) -> Iterator[str]:
    """Yield each path of an entry, below each of its prefixes."""
    for at in entry.at:
        for prefix in entry.under or ("",):
            yield f"{prefix}.{at}" if prefix else at


def _configured(resource: Resource, entries: Entries) -> Iterator[Reference]:
    """Yield references in fields named by the build's own configurations."""
    for spec in entries.refers:
        for place, name, namespace in spec.find(resource):
            yield Reference(resource, place, resource.beside(namespace), name, (), False, NAMED)


def _guessed(resource: Resource, entries: Entries) -> Iterator[Reference]:
    yield from _configured(resource, entries)
    kind = resource.group_kind
    if resource.group in entries.groups or kind in _FOREIGN or kind.startswith(_OWN_GROUP):
        return
    if any(entry.form == "helm" for entry in entries.consumers_of(kind)):
        return
    for field, value in resource.value.items():
        if field not in ("apiVersion", "kind", "metadata", "status"):
            for shape in shapes(value, (field,)):
                entry = SHAPE if shape.keyed else NAMED
                yield _shaped(resource, shape, entry, resource.beside(shape.namespace))


def _at(resource: Resource, path: str, entry: Consumer, entries: Entries) -> Iterator[Reference]:
    for place, value in fieldpath.walk(resource.value, path):
        scope = Scope(resource.value, value, place, "", entries.versions)
        if scope.holds(entry.when):
            yield from _read(resource, scope, entry)


def _read(resource: Resource, scope: Scope, entry: Consumer) -> Iterator[Reference]:
    """Yield the references in a value, read in the entry's form."""
    value, place = scope.here, scope.place
    if entry.form == "shape":
        for shape in keyed_shapes(value, place):
            yield _shaped(resource, shape, entry, resource.beside(shape.namespace))
    elif entry.form == "helm":
        yield from _helm(resource, scope, entry)
    elif entry.form == "argocd-dollar":
        yield from _dollars(resource, place, value, entry)
    elif entry.form == "clickhouse":
        yield from _clickhouse(resource, place, value, entry)
    elif entry.form == "custom":
        yield from _custom(resource, scope, entry)
    else:
        yield from _named(resource, scope, entry)


def _custom(resource: Resource, scope: Scope, entry: Consumer) -> Iterator[Reference]:
    """Read a reference by the entry's own paths."""
    keys = tuple(k for path in entry.key_at for k in scope.find(path) if isinstance(k, str))
    optional = bool(entry.optional) and True in scope.find(entry.optional or "")
    for name in scope.find(entry.name or ""):
        if isinstance(name, str):
            yield _reference(resource, scope, entry, name, keys, optional=optional)


def _named(resource: Resource, scope: Scope, entry: Consumer) -> Iterator[Reference]:
    """Yield the name from a text, or from a mapping that contains it."""
    value = scope.here
    if isinstance(value, str) and value and entry.form in ("name", "nsname"):
        namespace, _, name = value.rpartition("/") if entry.form == "nsname" else ("", "", value)
        yield _reference(resource, scope, entry, name, (), namespace=namespace)
    elif isinstance(value, dict) and entry.form not in ("name", "nsname"):
        name = _text(value.get("secretName" if entry.form == "file" else "name"))
        if name:
            yield _reference(
                resource,
                scope,
                entry,
                name,
                _keys(value, entry),
                namespace=_text(value.get("namespace")),
                optional=value.get("optional") is True,
            )


def _keys(value: dict[str, Any], entry: Consumer) -> tuple[str, ...]:
    if entry.form in ("file", "proj"):
        return tuple(k for k in (_text(k) for _, k in fieldpath.walk(value, "items[].key")) if k)
    key = _text(value.get("key")) if entry.form == "key" else ""
    return (key,) if key else ()


def _reference(
    resource: Resource,
    scope: Scope,
    entry: Consumer,
    secret: str,
    keys: tuple[str, ...],
    *,
    namespace: str = "",
    optional: bool = False,
) -> Reference:
    if not keys:
        keys = (entry.key_default,) if entry.key_default else entry.keys
    where = resource.beside(namespace)
    if entry.namespace == EXTERNAL:
        where = namespace or None
    elif entry.namespace and not namespace:
        where = resource.beside(next((_text(n) for n in scope.find(entry.namespace)), ""))
    return Reference(resource, scope.place, where, secret, keys, optional, entry)


def _shaped(resource: Resource, shape: Shape, entry: Consumer, where: str | None) -> Reference:
    return Reference(resource, shape.place, where, shape.name, shape.keys, shape.optional, entry)


def chart_certificates(resource: Resource, entries: Entries) -> Iterator[Reference]:
    """Yield the Secrets of certificates in the values of the charts that an object installs."""
    for entry in entries.consumers_of(resource.group_kind):
        for path in _paths(entry) if entry.form == "helm" else ():
            for place, value in fieldpath.walk(resource.value, path):
                scope = Scope(resource.value, value, place, "", entries.versions)
                if scope.holds(entry.when):
                    found = _helm(resource, scope, entry, helm_certificates)
                    yield from map(_released, found)


def _helm(
    resource: Resource,
    scope: Scope,
    entry: Consumer,
    find: Callable[[Any, Place], Iterator[Shape]] = helm_shapes,
) -> Iterator[Reference]:
    """Yield what is found in a chart's values, or in one parameter ``{name, value}``."""
    where = resource.beside()
    if entry.namespace:
        where = next((_text(n) for n in scope.find(entry.namespace)), None)
    if where and UNFINISHED.search(where):
        where = None
    if resource.kind == "ConfigMap" and not scope.key.endswith(_VALUES_FILES):
        return
    for shape in find(_values(scope.here), scope.place):
        yield _shaped(resource, shape, entry, shape.namespace or where)


def _values(here: Any) -> Any:
    """The values of a chart; nothing where a text is not YAML."""
    if isinstance(here, str):
        try:
            return strict.load(here, "values")
        except SpecError:
            return None
    if isinstance(here, dict) and here.keys() <= {"name", "value", "forceString"}:
        *way, last = re.split(r"(?<!\\)\.", _text(here.get("name")))
        value: Any = {last: here.get("value")}
        for step in reversed(way):
            value = {step: value}
        return value
    return here


def _released(found: Reference) -> Reference:
    """Return the reference, with the release's name filled into its Secret's name."""
    if found.entry.form != "helm" or "{{" not in found.secret:
        return found
    paths = ("spec.releaseName", "spec.source.helm.releaseName", "metadata.name")
    release = next((n for p in paths if (n := first(found.resource.value, p))), "")
    known = {"Name": _text(release), "Namespace": found.namespace or ""}
    name = _RELEASE.sub(lambda match: known[match[1]] or match[0], found.secret)
    return replace(found, secret=name)


def _dollars(resource: Resource, place: Place, value: Any, entry: Consumer) -> Iterator[Reference]:
    """Yield references ``$key`` (of argocd-secret) and ``$name:key``, which Argo CD replaces."""
    for step, text in fieldpath.children(value):
        for match in _DOLLAR.finditer(text if isinstance(text, str) else ""):
            name, key = (match[1], match[2]) if match[2] else ("argocd-secret", match[1])
            where = (*place, step)
            yield Reference(resource, where, resource.namespace, name, (key,), False, entry)


def _clickhouse(
    resource: Resource, place: Place, value: Any, entry: Consumer
) -> Iterator[Reference]:
    """``<user>/k8s_secret_password: [namespace/]secret/key``."""
    for step, text in fieldpath.children(value):
        if isinstance(step, str) and "/k8s_secret_" in step and isinstance(text, str):
            namespace, name, key = ["", *text.split("/")][-3:] if text.count("/") else ("", "", "")
            if name:
                where = resource.beside(namespace)
                yield Reference(resource, (*place, step), where, name, (key,), False, entry)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
