"""Plain Secrets. Pure.

Rules enforced here: a value goes to the store and nowhere else; text stays text, other bytes are
kept as base64 with the entry saying so; a Secret that a controller or Helm owns is refused.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from krmfn.documents import go_base64
from krmfn.importer.entry import Entry, Imported, place_of, put, remote, shape, template
from krmfn.objects import ciphertext
from krmfn.objects.sealed_secret import SCOPE_ANNOTATIONS, scope_of
from krmfn.plaintext import Plaintext

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from krmfn.importer.entry import Options, Wire
    from krmfn.importer.source import Path, Source

NEEDS_HASH = "kustomize.config.k8s.io/needs-hash"
_FIELDS = frozenset({"apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData"})
_REASONS = {"sops": "decrypt it first: sops --decrypt FILE | krmfn import secret -"}
_OWNERS = {
    "kubernetes.io/service-account-token": "the cluster writes it; leave it to the cluster",
    "bootstrap.kubernetes.io/token": "kubeadm writes it; leave it to the cluster",
    "helm.sh/release.v1": "Helm writes it; leave it to Helm",
}


def read(found: Iterable[Source], options: Options) -> Imported:
    """An entry for each Secret, and its values; other objects are left alone."""
    imported = Imported()
    for source in found:
        if (source.group, source.kind) == ("", "Secret"):
            _read(source, options, imported)
    return imported


def _read(source: Source, options: Options, imported: Imported) -> None:
    source.only((), _FIELDS, _REASONS)
    type_ = checked_type(source, ("type",))
    labels, annotations = source.metadata()
    name = source.name
    namespace = source.text(("metadata", "namespace"), options.namespace)
    imported.entries.append(
        Entry(
            name,
            namespace,
            shape(
                store=options.store,
                scope=scope_of(annotations),
                data=stored(source, values(source), (name, namespace), options, imported),
                template=template(
                    type=type_,
                    immutable=source.flag(("immutable",)),
                    metadata=(labels, without_bookkeeping(annotations)),
                ),
                name_suffix_hash=annotations.get(NEEDS_HASH) == "true",
            ),
            source.where(),
        )
    )


def checked_type(source: Source, path: Path) -> str:
    """Return the Secret's type; refuse types that another component writes."""
    type_ = source.text(path)
    if type_ in _OWNERS:
        source.refuse(path, f"type {type_} is not for a SealedSecret", _OWNERS[type_])
    return type_


def without_bookkeeping(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the Secret's own annotations, without those for kubeseal and kustomize."""
    obeyed = {*SCOPE_ANNOTATIONS.values(), NEEDS_HASH}
    return {key: text for key, text in annotations.items() if key not in obeyed}


def values(source: Source) -> dict[str, tuple[Path, Plaintext]]:
    """Key to its field and value; ``stringData`` wins, as in the API server."""
    found: dict[str, tuple[Path, Plaintext]] = {}
    for key in source.mapping(("data",)):
        text = source.text(("data", key)).encode("utf-8", "surrogatepass")
        if not check_plaintext(source, ("data", key), text):
            continue
        try:
            found[key] = (("data", key), Plaintext(go_base64.decode(text)))
        except ValueError:
            source.wrong(("data", key), "must be base64", "plain text belongs into stringData")
    for key in source.mapping(("stringData",)):
        text = source.text(("stringData", key)).encode("utf-8", "surrogatepass")
        found[key] = (("stringData", key), Plaintext(text))
    for path, value in found.values():
        check_plaintext(source, path, value.reveal())
    return found


def check_plaintext(source: Source, path: Path, value: bytes) -> bool:
    """Return whether a value is plaintext; add a refusal to ``source`` if not."""
    kind = ciphertext.kind_of(value)
    if kind is not None:
        source.add(path, ciphertext.error(kind))
    return kind is None


def stored(
    source: Source,
    found: Mapping[str, tuple[Path, Plaintext]],
    place: tuple[str, str],
    options: Options,
    imported: Imported,
) -> list[Wire]:
    """Return the entries that read these values from the store, and record the values to write.

    Args:
        found: key to its field and value.
        place: the Secret's name and namespace.
    """
    path = place_of(source, *place, options)
    entries = []
    for key, (field, value) in found.items():
        content, decoding = value, ""
        try:
            value.reveal().decode()
        except UnicodeDecodeError:
            content, decoding = Plaintext(base64.b64encode(value.reveal())), "Base64"
        put(imported, source, field, (path, key), content)
        entries.append(remote(path, key, secret_key=key, decoding=decoding))
    return entries
