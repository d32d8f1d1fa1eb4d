"""Manifests for argocd-vault-plugin: Secrets with ``<placeholders>``. Pure.

Rules enforced here: what the plugin would replace in a Secret's data becomes a reference, or a
template over references; what it would replace anywhere else is refused, since krmfn makes Secrets
alone. A placeholder is found as the plugin finds it: ``<path:…#key>`` always, any other ``<key>``
only beside the annotation with the path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from krmfn.documents import go_base64
from krmfn.importer.avp_text import Piece, Ref, Text, compose
from krmfn.importer.entry import Entry, Imported, escaped, shape
from krmfn.importer.entry import template as make_template
from krmfn.importer.secret import check_plaintext, checked_type, without_bookkeeping
from krmfn.objects.sealed_secret import scope_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from krmfn.importer.entry import Options, Wire
    from krmfn.importer.source import Path, Source

PREFIX = "avp.kubernetes.io/"
_NEW = "new:"  # before a mount that has no store yet: no store's name has a colon
_KNOWN = frozenset({"path", "ignore", "kv-version", "secret-version", "remove-missing"})
_FIELDS = frozenset({"apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData"})
_SPECIFIC = re.compile(r"<path:[^#<>]+#[^#<>]+(?:#[^<>]+)?>")
_GENERIC = re.compile(r"<[^>\n]*>")
_JSON_PATH = re.compile(r"\{?\$?((?:\.[A-Za-z0-9_-]+)+)\}?")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_MODIFIERS = {"base64encode": "b64enc", "base64decode": "b64dec", "sha256sum": "sha256sum"}
_REFUSED = {
    "indent": "it trims lines too; write the template with nindent by hand",
    "jsonParse": "name the field with jsonPath",
    "yamlParse": "keep the value as an object in the vault",
}


@dataclass
class _PlaceholderReader:
    """Reads one Secret, with its annotations and refusals."""

    source: Source
    options: Options
    imported: Imported
    annotations: dict[str, str]
    mounts: dict[str, str]

    @property
    def pattern(self) -> re.Pattern[str]:
        return _GENERIC if f"{PREFIX}path" in self.annotations else _SPECIFIC

    # --- placeholders

    def pieces(self, text: str, at: Path) -> Text:
        """The text and placeholders of a string, in turn."""
        found: list[Piece] = []
        end = 0
        for match in self.pattern.finditer(text):
            if match.start() > end:
                found.append(text[end : match.start()])
            ref = self.placeholder(match.group()[1:-1], at)
            found += [ref] if ref is not None else []
            end = match.end()
        return tuple(found + ([text[end:]] if end < len(text) else []))

    def placeholder(self, text: str, at: Path) -> Ref | None:
        """Return a placeholder's reference; None if it was refused."""
        head, *modifiers = (part.strip() for part in text.split("|"))
        version = self.annotations.get(f"{PREFIX}secret-version", "")
        if head.startswith("path:"):
            path, _, rest = head.removeprefix("path:").partition("#")
            key, _, own = rest.partition("#")
            version = own or version
        else:
            path, key = self.annotations.get(f"{PREFIX}path", ""), head
        if not path or not key.strip():
            self.source.wrong(at, "a placeholder without a path or a key")
            return None
        if version and not _VERSION.fullmatch(version):
            self.source.refuse(at, "a version that is no number", "write the number")
            return None
        place = self.place(path.strip(), at)
        if place is None:
            return None
        ref: Ref | None = Ref(*place, escaped(key.strip()), int(version or 0))
        for modifier in modifiers:
            if ref is not None:
                ref = self.modified(ref, modifier, at)
        return ref

    def modified(self, ref: Ref, modifier: str, at: Path) -> Ref | None:
        """Return the reference with one more modifier."""
        name, _, argument = modifier.partition(" ")
        if name in _MODIFIERS and not argument.strip():
            return ref.then(_MODIFIERS[name])
        path = _JSON_PATH.fullmatch(argument.strip())
        if name == "jsonPath" and path and not ref.functions:
            self.imported.note(
                f"Secret/{self.source.name}: jsonPath: the vault has to hold an object there, "
                "not JSON in a string"
            )
            return ref.within(path.group(1))
        known = name in _MODIFIERS or name in _REFUSED or name == "jsonPath"
        message = f"krmfn has nothing like the modifier {name}"
        if not known:  # what it is called may be anything
            message = "krmfn knows no such modifier"
        if name == "jsonPath":
            message += " with more than field names, or behind another modifier"
        self.source.refuse(at, message, _REFUSED.get(name, ""))
        return None

    def place(self, path: str, at: Path) -> tuple[str, str] | None:
        """Return store and key for a path in the plugin's notation."""
        version = self.annotations.get(f"{PREFIX}kv-version", "2")
        mount, data, key = path.partition("/data/")
        if version == "1":
            known = [m for m in self.mounts if path.startswith(f"{m}/")]
            mount = max(known, key=len, default=path.partition("/")[0])
            data, key = "/", path.removeprefix(f"{mount}/")
        if not (mount and data and key) or mount == path:
            self.source.refuse(
                at,
                "the path has no /data/, so that its mount is not known",
                "write mount/data/path",
            )
            return None
        return self.mounts.setdefault(mount, f"{_NEW}{mount}"), key

    # --- fields

    def texts(self) -> dict[str, Text]:
        """Return the parts of each key's value."""
        found: dict[str, Text] = {}
        for field in ("data", "stringData"):
            for key in self.source.mapping((field,)):
                at, refused = (field, key), len(self.source.errors)
                text = self.source.text(at)
                made = self.encoded(text, at) if field == "data" else self.pieces(text, at)
                literal = all(isinstance(piece, str) for piece in made)
                if made and literal and len(self.source.errors) == refused:
                    self.literal(key, at)
                found[key] = made
        return found

    def encoded(self, text: str, at: Path) -> Text:
        """A value of ``data``: base64 around placeholders, or placeholders for base64."""
        decoded = _decoded(text)
        if decoded is not None and (_GENERIC.search(decoded) or not self.pattern.search(text)):
            return self.pieces(decoded, at)
        if not self.pattern.search(text):
            self.source.refuse(at, "a value that is no text", "put it into the vault, as base64")
            return ()
        pieces = self.pieces(text, at)
        if len(pieces) == 1 and isinstance(pieces[0], Ref):
            return (pieces[0].decoded(),)
        self.source.refuse(at, "base64 that is put together of parts", "use stringData")
        return ()

    def literal(self, key: str, at: Path) -> None:
        value = self.source.text(at)
        decoded = _decoded(value) if at[0] == "data" else None
        if not check_plaintext(self.source, at, (value if decoded is None else decoded).encode()):
            return
        if not self.options.literals:
            self.source.refuse(
                at,
                "the value is unencrypted",
                "put it into the vault, or keep it as value: with --keep-literals",
            )
        self.imported.note(f"Secret/{self.source.name}: {key} stays unencrypted")


def read(found: Iterable[Source], options: Options) -> Imported:
    """An entry for each Secret with placeholders; placeholders elsewhere are refused."""
    imported = Imported()
    vaults = {n: s["vault"] for n, s in options.stores.items() if "vault" in s}
    mounts = {vault["path"].strip("/"): name for name, vault in vaults.items()}
    for source in found:
        annotations = source.texts(("metadata", "annotations"))
        reader = _PlaceholderReader(source, options, imported, annotations, mounts)
        if annotations.get(f"{PREFIX}ignore", "").lower() == "true":
            imported.note(
                f"{source.kind}/{source.name}: left alone, as avp.kubernetes.io/ignore says"
            )
            continue
        secret = (source.group, source.kind) == ("", "Secret")
        for at in _placeholders(source.value, reader, ()):
            if not secret or at[0] not in ("data", "stringData") or len(at) != 2:  # noqa: PLR2004
                source.refuse(at, "a placeholder outside the values of a Secret")
        if secret and any(True for _ in _placeholders(source.value, reader, ())):
            imported.entries.append(_entry(reader))
    _name_stores(imported, mounts, options)
    return imported


def _placeholders(value: Any, reader: _PlaceholderReader, at: Path) -> Iterator[Path]:
    """Yield the paths of placeholders in an object's strings, and in a Secret's base64 data."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _placeholders(inner, reader, (*at, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _placeholders(inner, reader, (*at, number))
    elif isinstance(value, str):
        decoded = _decoded(value) if reader.source.kind == "Secret" and at[0] == "data" else None
        if reader.pattern.search(value) or (decoded and reader.pattern.search(decoded)):
            yield at


def _entry(reader: _PlaceholderReader) -> Entry:
    source, options = reader.source, reader.options
    source.only((), _FIELDS)
    labels, annotations = source.metadata()
    for key in sorted(annotations):
        if key.startswith(PREFIX) and key.removeprefix(PREFIX) not in _KNOWN:
            source.refuse(("metadata", "annotations", key))
    if annotations.get(f"{PREFIX}remove-missing", "false").lower() != "false":
        source.refuse(
            ("metadata", "annotations", f"{PREFIX}remove-missing"),
            "a missing value fails the build",
            "drop it, and the keys that may be missing",
        )
    kept = {k: t for k, t in without_bookkeeping(annotations).items() if not k.startswith(PREFIX)}
    texts = reader.texts()
    data, templates, merge = compose(texts)
    stores = sorted({e["store"] for e in data if "store" in e})
    common = stores[0] if len(stores) == 1 else ""
    return Entry(
        source.name,
        source.text(("metadata", "namespace"), options.namespace),
        shape(
            store=common,
            scope=scope_of(annotations),
            data=[_without(entry, common) for entry in data],
            template=make_template(
                type=checked_type(source, ("type",)),
                immutable=source.flag(("immutable",)),
                metadata=(labels, kept),
                data=templates,
                merge=merge,
            ),
        ),
        source.where(),
    )


def _without(entry: Wire, store: str) -> Wire:
    """Return the entry without the store that the secret names."""
    return {k: v for k, v in entry.items() if k != "store" or v != store}


def _name_stores(imported: Imported, mounts: dict[str, str], options: Options) -> None:
    """Name a store for each unknown mount: the caller's name if there is only one."""
    new = sorted(mount for mount, name in mounts.items() if name.startswith(_NEW))
    names: dict[str, str] = {}
    for mount in new:
        wanted = options.store if len(mounts) == 1 else mount.replace("/", "-")
        taken = {*options.stores, *imported.stores}
        numbered = (f"{wanted}-{number}" for number in count(2))
        name = next(name for name in chain([wanted], numbered) if name not in taken)
        imported.stores[name] = {"vault": {"path": mount}}
        names[mounts[mount]] = name
    for entry in imported.entries:
        for holder in (entry.shape, *entry.shape.get("data", [])):
            if holder.get("store") in names:
                holder["store"] = names[holder["store"]]


def _decoded(text: str) -> str | None:
    """Return decoded base64; None if it is invalid or not text."""
    try:
        return go_base64.decode(text).decode() if text else None
    except ValueError:
        return None
