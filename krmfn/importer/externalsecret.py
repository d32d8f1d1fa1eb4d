"""Import ExternalSecrets and their stores. Pure.

Rules enforced here: an entry reads what the operator would read, or there is none. What depends on
the vault's state (find), on patterns (rewrite), on chance (generators) or on a cluster
(templateFrom) is refused, and so is a property that could mean two things.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from krmfn.errors import SpecError
from krmfn.importer.entry import Entry, Imported, escaped, present, shape, template
from krmfn.importer.secretstore import KINDS, store
from krmfn.plan.annotations import SEALED_SECRETS
from krmfn.plan.template import ValueTemplate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from krmfn.importer.entry import Options, Wire
    from krmfn.importer.source import Path, Source

GROUP = "external-secrets.io"
_SPEC = frozenset(
    {"secretStoreRef", "target", "data", "dataFrom", "refreshInterval", "refreshPolicy"}
)
_REF = frozenset(
    {"key", "property", "version", "decodingStrategy", "conversionStrategy", "metadataPolicy"}
    | {"nullBytePolicy"}
)
# The operator's defaults, which objects from a cluster spell out.
_DEFAULTS = {"conversionStrategy": "Default", "metadataPolicy": "None", "nullBytePolicy": "Ignore"}
_NOT_HERE = {
    "find": "name each key: what it finds depends on the vault's state",
    "rewrite": "name each key with the secretKey that it is to have",
    "sourceRef": "krmfn reads stores; let a generator's value be kept in the vault",
    "manifest": "krmfn creates only Secrets",
    "templateFrom": "put the template into template.data",
    "finalizers": "",
    "syncWindows": "a value follows with the next build",
}
_OWNERLESS = {
    f"{SEALED_SECRETS}managed": "true",
    f"{SEALED_SECRETS}skip-set-owner-references": "true",
}
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_SIMPLE = re.compile(r"(?:[^.\\|#@*?!{}\[\]()<>=%~\"'\s]|\\\.)+")  # one step of gjson, and no query


def read(found: Iterable[Source], options: Options) -> Imported:
    """Read each ExternalSecret and store; refuse other kinds of the operator."""
    imported = Imported()
    secrets = []
    for source in found:
        if not f".{source.group}".endswith(f".{GROUP}"):
            continue
        if source.kind == "ExternalSecret":
            secrets.append(source)
        elif source.kind in KINDS:
            spec = store(source, imported)
            if imported.stores.setdefault(source.name, spec) != spec:
                source.refuse(
                    ("metadata", "name"),
                    "another store of the same name is defined",
                    "import the files of one namespace at a time",
                )
        else:
            source.refuse(("kind",))
    paths = _mounts({**imported.stores, **options.stores})
    for source in secrets:
        imported.entries.append(_entry(source, options, paths, imported))
    return imported


def _mounts(stores: Mapping[str, Wire]) -> dict[str, tuple[str, ...]]:
    """Map each store to the prefixes that the operator ignores in keys: mount and ``data/``."""
    found: dict[str, tuple[str, ...]] = {}
    for name, spec in stores.items():
        vault = spec.get("vault", {})
        mount = str(vault.get("path", "")).strip("/")
        version_1 = vault.get("version") == "v1"
        prefixes = (f"{mount}/",) if version_1 else (f"{mount}/data/", f"{mount}/")
        found[name] = prefixes if mount else ()
    return found


def _entry(
    source: Source, options: Options, paths: Mapping[str, tuple[str, ...]], imported: Imported
) -> Entry:
    source.only((), {"apiVersion", "kind", "metadata", "spec", "status"})
    source.only(("spec",), _SPEC, _NOT_HERE)
    if source.text(("spec", "refreshPolicy")) == "CreatedOnce":
        source.refuse(("spec", "refreshPolicy"), remedy="name versions: they do not change")
    if source.find(("spec", "refreshInterval")) is not None:
        imported.note("refreshInterval is gone: a value follows with the next build")
    default = _store_name(source, ("spec", "secretStoreRef"), options.store)
    data = [
        _data(source, ("spec", "data", n), default, paths, options)
        for n in source.items(("spec", "data"))
    ]
    extracts = [
        _extract(source, ("spec", "dataFrom", n), default, paths, options)
        for n in source.items(("spec", "dataFrom"))
    ]
    made = shape(
        store=default,
        data=data,
        data_from=[extract for extract in extracts if extract],
        metadata=source.metadata(),
        template=_target(source),
    )
    if not data and not extracts:
        source.wrong(("spec",), "there is neither data nor dataFrom")
    name = source.text(("spec", "target", "name")) or source.name
    namespace = source.text(("metadata", "namespace"), options.namespace)
    return Entry(name, namespace, made, source.where())


def _store_name(source: Source, at: Path, default: str) -> str:
    source.only(at, {"name", "kind"})
    return source.text((*at, "name")) or default


def _own_store(source: Source, at: Path, default: str) -> str:
    """Return the store of one reference, if it differs from the secret's."""
    ref = (*at, "sourceRef")
    source.only(ref, {"storeRef"}, {"generatorRef": _NOT_HERE["sourceRef"]})
    return _store_name(source, (*ref, "storeRef"), default)


def _data(
    source: Source, at: Path, default: str, paths: Mapping[str, tuple[str, ...]], options: Options
) -> Wire:
    source.only(at, {"secretKey", "remoteRef", "sourceRef"})
    name = _own_store(source, at, default)
    ref = _ref(source, (*at, "remoteRef"), paths.get(name, ()), options)
    if "property" not in ref:
        ref["as"] = "json"  # the operator gives the whole secret as JSON
    entry = {"secretKey": source.text((*at, "secretKey")), "remoteRef": ref}
    return entry | ({"store": name} if name != default else {})


def _extract(
    source: Source, at: Path, default: str, paths: Mapping[str, tuple[str, ...]], options: Options
) -> Wire:
    source.only(at, {"extract", "sourceRef"}, _NOT_HERE)
    if source.find((*at, "extract")) is None:
        _own_store(source, at, default)
        return {}
    name = _own_store(source, at, default)
    found: Wire = {"extract": _ref(source, (*at, "extract"), paths.get(name, ()), options)}
    return found | ({"store": name} if name != default else {})


def _ref(source: Source, at: Path, prefixes: tuple[str, ...], options: Options) -> Wire:
    """A reference's key, property, version and decoding."""
    source.only(at, _REF)
    for field, default in _DEFAULTS.items():
        if source.text((*at, field), default) != default:
            source.refuse((*at, field))
    decoding = source.text((*at, "decodingStrategy"), "None")
    if decoding == "Auto":
        source.refuse(
            (*at, "decodingStrategy"),
            "guessing corrupts values that merely look like base64",
            "write None, Base64 or Base64URL",
        )
    ref = present(
        key=_below(source.text((*at, "key")), prefixes),
        property=_property(source, (*at, "property"), options),
        decodingStrategy="" if decoding == "None" else decoding,
    )
    if version := source.text((*at, "version")):
        if _VERSION.fullmatch(version):
            ref["version"] = int(version)
        else:
            source.wrong((*at, "version"), "must be a number, as KV version 2 counts")
    return ref


def _below(key: str, prefixes: tuple[str, ...]) -> str:
    """The path below the mount."""
    return next((key.removeprefix(each) for each in prefixes if key.startswith(each)), key)


def _property(source: Source, at: Path, options: Options) -> str:
    """Convert a gjson property to krmfn's, if both have the same meaning."""
    text = source.text(at)
    steps = text.split(".") if "\\." not in text else [text]
    if not text:
        return ""
    if not all(_SIMPLE.fullmatch(step) for step in steps):
        source.refuse(at, "a query, or a character that means something in one", "name one field")
        return ""
    if len(steps) > 1 and not options.dots:
        source.refuse(
            at,
            "a dot may be part of the field's name, or lead into a nested object",
            "say which: --dots literal or --dots nested",
        )
    return escaped(text) if len(steps) > 1 and options.dots == "literal" else text


def _target(source: Source) -> Wire:
    """Read the Secret's own shape: `target` and its template."""
    at: Path = ("spec", "target")
    known = {"name", "creationPolicy", "deletionPolicy", "immutable", "template"}
    source.only(at, known, _NOT_HERE)
    creation = source.text((*at, "creationPolicy"), "Owner")
    if creation not in ("Owner", "Orphan"):
        source.refuse((*at, "creationPolicy"), f"{creation} would change a Secret of another owner")
    if source.text((*at, "deletionPolicy"), "Retain") != "Retain":
        source.refuse((*at, "deletionPolicy"), remedy="a missing value fails the build instead")
    owner = _OWNERLESS if creation == "Orphan" else {}
    inner = (*at, "template")
    immutable = source.flag((*at, "immutable"))
    if source.find(inner) is None:  # the operator copies its own metadata then
        labels, annotations = source.metadata()
        return template(immutable=immutable, metadata=(labels, annotations | owner))
    fields = {"engineVersion", "type", "metadata", "data", "mergePolicy"}
    source.only(inner, fields, _NOT_HERE)
    if source.text((*inner, "engineVersion"), "v2") != "v2":
        source.refuse((*inner, "engineVersion"), remedy="write it for v2")
    source.only((*inner, "metadata"), {"labels", "annotations"}, _NOT_HERE)
    texts = {f: source.texts((*inner, "metadata", f)) for f in ("labels", "annotations")}
    for field, found in texts.items():
        for key, text in found.items():
            if "{{" in text:
                source.refuse(
                    (*inner, "metadata", field, key), "values never reach labels or annotations"
                )
    return template(
        type=source.text((*inner, "type")),
        immutable=immutable,
        metadata=(texts["labels"], texts["annotations"] | owner),
        data=_templates(source, (*inner, "data")),
        merge=source.text((*inner, "mergePolicy"), "Replace") == "Merge",
    )


def _templates(source: Source, at: Path) -> dict[str, str]:
    """The templates, all within the closed language."""
    texts = source.texts(at)
    for key, text in texts.items():
        try:
            ValueTemplate(text)
        except SpecError as error:
            source.add((*at, key), error)
    return texts
