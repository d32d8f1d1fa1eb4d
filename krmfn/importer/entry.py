"""The result of an import: entries, their stores, and the values to write. Pure.

Rules enforced here: an entry is written in the wire form of `SecretShape`, its keys in order, and
without what is the default; a place in a store takes one value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.errors import SpecError
from krmfn.spec.store_path import canonical_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from krmfn.importer.source import Path, Source
    from krmfn.plaintext import Plaintext

PLACEHOLDERS = ("{namespace}", "{name}")
Wire = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """The caller's options.

    Attributes:
        store: the store that entries name whose source names none.
        path_template: where a Secret's values are, with `PLACEHOLDERS` in it.
        namespace: of objects that name none.
        stores: those of the configuration at hand, by name, in wire form.
        dots: what a dot in an ExternalSecret's property is: ``literal``, ``nested`` or nothing.
        literals: whether a literal in a manifest may be written into an entry.
    """

    store: str = "main"
    path_template: str = "{namespace}/{name}"
    namespace: str = ""
    stores: Mapping[str, Wire] = field(default_factory=dict)
    dots: str = ""
    literals: bool = False


@dataclass(frozen=True)
class Entry:
    """One Secret.

    Attributes:
        shape: as in `SecretClaim.spec`.
        where: the object that it was made of.
    """

    name: str
    namespace: str
    shape: Wire
    where: str


@dataclass
class Imported:
    """The import of one source.

    Attributes:
        stores: those that the source defines, by name, in wire form.
        values: path and field in the store to value.
        notes: what somebody should know, one line each, without values.
    """

    entries: list[Entry] = field(default_factory=list)
    stores: dict[str, Wire] = field(default_factory=dict)
    values: dict[tuple[str, str], Plaintext] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)


def shape(
    *,
    store: str = "",
    scope: str = "strict",
    data: Iterable[Wire] = (),
    data_from: Iterable[Wire] = (),
    metadata: tuple[dict[str, str], dict[str, str]] = ({}, {}),
    template: Wire | None = None,
    name_suffix_hash: bool = False,
) -> Wire:
    """An entry's shape, its `data` in key order.

    Args:
        metadata: labels and annotations of the SealedSecret.
    """
    entries = sorted(data, key=lambda entry: str(entry["secretKey"]))
    extracts = list(data_from)
    return present(
        store=store,
        scope="" if scope == "strict" else scope,
        data=entries,
        dataFrom=extracts,
        metadata=item_metadata(metadata),
        template=template,
        allowEmpty=not entries and not extracts,
        nameSuffixHash=name_suffix_hash,
    )


def template(
    *,
    type: str = "",  # noqa: A002  # the field's name
    immutable: bool | None = None,
    metadata: tuple[dict[str, str], dict[str, str]] = ({}, {}),
    data: Wire | None = None,
    merge: bool = False,
) -> Wire:
    """Return an entry's template; empty if it has no fields."""
    found = present(type=type)
    if immutable is not None:
        found["immutable"] = immutable
    texts = dict(sorted((data or {}).items()))
    policy = "Merge" if merge and texts else ""
    return found | present(metadata=item_metadata(metadata), data=texts, mergePolicy=policy)


def item_metadata(metadata: tuple[dict[str, str], dict[str, str]]) -> Wire:
    """Labels and annotations in key order."""
    labels, annotations = (dict(sorted(each.items())) for each in metadata)
    return present(labels=labels, annotations=annotations)


def present(**fields: Any) -> Wire:
    """Return the fields that are not empty."""
    return {name: value for name, value in fields.items() if value}


def remote(key: str, property_: str, *, secret_key: str, decoding: str = "") -> Wire:
    """Return a `data` entry that reads one field of a secret."""
    ref = {"key": key, "property": escaped(property_)}
    if decoding:
        ref["decodingStrategy"] = decoding
    return {"secretKey": secret_key, "remoteRef": ref}


def escaped(name: str) -> str:
    """Return the property for exactly this field, with special characters escaped."""
    return name.replace("\\", "\\\\").replace(".", "\\.")


def place_of(source: Source, name: str, namespace: str, options: Options) -> str:
    """Return the store path from the path template; add a refusal to ``source`` if it is invalid."""
    if "{namespace}" in options.path_template and not namespace:
        source.wrong(
            ("metadata",),
            "the path template asks for a namespace, and none is known",
            "give --namespace, or --path-template without {namespace}",
        )
        return "unknown"
    path = options.path_template.replace("{namespace}", namespace).replace("{name}", name)
    try:
        return canonical_path(path, key="--path-template")
    except SpecError as error:
        source.add((), error)
        return path


def put(
    imported: Imported, source: Source, path: Path, place: tuple[str, str], value: Plaintext
) -> None:
    """Record a value for a path in the store; refuse a second value for the same path."""
    if imported.values.setdefault(place, value) != value:
        source.wrong(
            path,
            f"two values would go to {place[0]}",
            "choose a --path-template that tells the Secrets apart",
        )
