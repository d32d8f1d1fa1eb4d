"""From entries to the text of krmfn's files. Pure.

Rules enforced here: what is printed has been read back as krmfn reads it and checked by its own
models; entries stand in the order of namespace and name; a string is plain only where every YAML
reader takes it as that string.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.dump import dump
from krmfn.errors import Failure, KrmfnError, SpecError, raise_all
from krmfn.names import API_VERSION, CLAIM, GENERATOR, TRANSFORMER
from krmfn.plan.annotations import check_annotations
from krmfn.plan.template import ValueTemplate
from krmfn.spec.generator import stores_of_secret
from krmfn.spec.parse import check, parse
from krmfn.spec.transformer import SecretClaim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from krmfn.importer.entry import Entry, Imported, Wire

FORMS = ("claims", "generator", "transformer")
SEALING: dict[str, Any] = {
    "certificate": {"file": "certs/controller.pem"},
    "derivationKey": {"store": "", "key": "krmfn/derivation", "property": "key"},
}
_FUNCTION = {"config.kubernetes.io/function": "exec: {path: krmfn}\n"}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
# What a block of text would hide, or not keep: white space at its ends and at the ends of lines.
_AWKWARD = re.compile(r"\A\s|[ \t]$|[^\n -~\xa0-\U0010ffff]", re.MULTILINE)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def render(
    imported: Imported, form: str, *, stores: Mapping[str, Wire], sealing: Wire | None
) -> str:
    """The text of the files.

    Args:
        form: of `FORMS`: claims for a base; a generator for each namespace; or the transformer
            that an overlay needs beside claims.
        stores: the stores at hand, by name, in wire form.
        sealing: how to seal, in wire form; None: as `SEALING`.

    Raises:
        KrmfnError, ErrorList: an entry is not what the models take, or names an unknown store.
    """
    entries = sorted(imported.entries, key=lambda entry: (entry.namespace, entry.name))
    _check(entries, stores)
    used = _used(entries)
    first = next(iter(sorted(used)), next(iter(stores), "main"))
    if sealing is None:
        sealing = SEALING | {"derivationKey": SEALING["derivationKey"] | {"store": first}}
    derivation = sealing.get("derivationKey") or {}
    named = {*used, derivation.get("store"), (derivation.get("transit") or {}).get("store")}
    named.add((sealing.get("certificate") or {}).get("store"))
    spec = {"sealing": sealing, "stores": {n: stores[n] for n in sorted(stores) if n in named}}
    documents: list[Wire]
    if form == "claims":
        documents = [_claim(entry) for entry in entries]
    elif form == "transformer":
        documents = [_config(TRANSFORMER, "", spec)]
    else:
        documents = [
            _config(GENERATOR, space, spec | {"secrets": _secrets(entries, space)})
            for space in sorted({entry.namespace for entry in entries})
        ]
    return _text(documents)


def _check(entries: Sequence[Entry], stores: Mapping[str, Wire]) -> None:
    """Check each entry by itself, so that an error can name its source."""
    errors: list[KrmfnError] = []
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if (entry.namespace, entry.name) in seen:
            errors.append(SpecError("spec", "the Secret is defined twice", where=entry.where))
        seen.add((entry.namespace, entry.name))
        try:
            _check_entry(entry, stores)
        except Failure as failure:
            errors += failure.errors
    raise_all(errors)


def _check_entry(entry: Entry, stores: Mapping[str, Wire]) -> None:
    shape = check(SecretClaim, _claim(entry), name="", where=entry.where).spec
    try:
        check_annotations(shape)
        for text in (shape.template.data if shape.template else {}).values():
            ValueTemplate(text)
    except KrmfnError as error:
        raise error.at(where=entry.where) from None
    for store in sorted(stores_of_secret(shape) - set(stores)):
        raise SpecError(
            "spec",
            f"the store {store} is not defined",
            where=entry.where,
            remedy="give its file too, or a --config that defines it",
        )


def _used(entries: Iterable[Entry]) -> set[str]:
    shapes = [entry.shape for entry in entries]
    inner = [e for s in shapes for field in ("data", "dataFrom") for e in s.get(field, [])]
    return {found["store"] for found in (*shapes, *inner) if found.get("store")}


def _claim(entry: Entry) -> Wire:
    place = {"name": entry.name} | ({"namespace": entry.namespace} if entry.namespace else {})
    head = {"apiVersion": API_VERSION, "kind": CLAIM, "metadata": place}
    return head | {"spec": entry.shape}


def _config(kind: str, namespace: str, spec: Wire) -> Wire:
    metadata: Wire = {"name": "imported"}
    if namespace:
        metadata["namespace"] = namespace
    metadata["annotations"] = _FUNCTION
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _secrets(entries: Sequence[Entry], namespace: str) -> list[Wire]:
    return [{"name": e.name, **e.shape} for e in entries if e.namespace == namespace]


def _text(documents: Sequence[Wire]) -> str:
    """Write the documents as YAML, and check that it parses to the same values."""
    text = "---\n".join(dump(each, _style) for each in documents)
    for document, meant in zip(strict.documents(text, "<output>"), documents, strict=True):
        if document.value() != meant:
            raise AssertionError("the output would not read back as it was meant")
        parse(meant)
    return text


def _style(text: str) -> str | None:
    """Quote every ambiguous scalar; write lines as a block where that keeps them."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return None if plain else "|" if "\n" in text and not _AWKWARD.search(text) else '"'
