"""Turn the values into the items of each Secret, each with its source. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn.crypto.derive import LITERAL, composed_source, remote_source
from krmfn.errors import KrmfnError, ProviderError, SealingError, raise_all
from krmfn.objects.secret_types import check_type
from krmfn.plaintext import Plaintext
from krmfn.plan.make import Read, SealTarget, read_of
from krmfn.sealing.values import components, decode, inexact_number, pick, to_bytes
from krmfn.spec.base import is_secret_key
from krmfn.warned import Warned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from krmfn.plan.template import ValueTemplate
    from krmfn.spec.stores import ExtractRef, RemoteRef
    from krmfn.stores.content import Json, Location


@dataclass(frozen=True)
class SealItem:
    """One key of a Secret: its value, and the source that the derivation binds."""

    content: Plaintext
    source: bytes


@dataclass(frozen=True)
class Rendered:
    """A target with its items, in key order, and its warnings."""

    target: SealTarget
    items: dict[str, SealItem]
    warnings: tuple[Warned, ...]


def render(
    target: SealTarget,
    secrets: Mapping[Read, dict[str, Json]],
    locations: Mapping[Read, Location],
) -> Rendered:
    """Return the items of one Secret.

    Args:
        secrets: what each read gave; holds plaintext.
        locations: where each read was.

    Raises:
        KrmfnError, ErrorList: a property is missing, a value cannot be used, a template cannot be
            rendered, or the type does not fit; with secret and key, without values.
    """
    values: dict[str, SealItem] = {}
    warnings: list[Warned] = []
    errors: list[KrmfnError] = []
    for number, source in enumerate(target.secret.data_from):
        try:
            values |= _extract(target, number, values, secrets, locations)
        except KrmfnError as error:
            text = locations[read_of(target.secret, source)].text
            path = f"{target.path}.dataFrom[{number}]"
            errors.append(error.at(secret=target.name, key=path, source=text))
    for entry in target.secret.data:
        key, ref = entry.secret_key, entry.remote_ref
        if ref is None:
            values[key] = SealItem(Plaintext((entry.value or "").encode()), LITERAL)
            continue
        read = read_of(target.secret, entry)
        try:
            found = pick(secrets[read], components(ref.property))
            content = _content(found, ref, as_json=ref.as_ == "json")
        except KrmfnError as error:
            errors.append(target.at(error, key, locations[read].text))
            continue
        if inexact_number(found):
            warnings.append(_inexact(target, key))
        values[key] = SealItem(content, _source(locations[read], ref))
    raise_all(errors)
    visible = {key: item.content.reveal() for key, item in values.items()}
    try:
        items = _compose(target, values, lambda template: Plaintext(template.render(visible)))
        items = dict(sorted(items.items()))
        _check(target, items)
    except KrmfnError as error:
        raise error.at(secret=target.name) from None
    return Rendered(target, items, (*warnings, *_doubts(target, values)))


def known_sources(target: SealTarget, locations: Mapping[Read, Location]) -> dict[str, bytes]:
    """Return the source of every item that is known before a value is read.

    Returns:
        Data key to source; nothing when the keys themselves depend on what is read.
    """
    if target.secret.data_from:
        return {}
    nothing = Plaintext(b"")
    values = {
        entry.secret_key: SealItem(
            nothing,
            _source(locations[read_of(target.secret, entry)], entry.remote_ref)
            if entry.remote_ref
            else LITERAL,
        )
        for entry in target.secret.data
    }
    return {key: item.source for key, item in _compose(target, values, lambda _: nothing).items()}


def _extract(
    target: SealTarget,
    number: int,
    before: Mapping[str, SealItem],
    secrets: Mapping[Read, dict[str, Json]],
    locations: Mapping[Read, Location],
) -> dict[str, SealItem]:
    """Return every field of one secret as an item."""
    entry = target.secret.data_from[number]
    read = read_of(target.secret, entry)
    fields = pick(secrets[read], components(entry.extract.property))
    if not isinstance(fields, dict):
        raise ProviderError("value-shape", "what should be extracted is not an object")
    items: dict[str, SealItem] = {}
    for name in sorted(fields):
        if not is_secret_key(name):
            # The name itself is not shown: it may be a value that was stored as one by mistake.
            raise SealingError("value", "a field's name is not a valid key of a Secret")
        if name in before:
            raise SealingError("value", f"the key {name} comes from two extracts")
        try:
            content = _content(fields[name], entry.extract)
        except KrmfnError as error:
            error.message = f"{name}: {error.message}"
            raise
        items[name] = SealItem(content, _source(locations[read], entry.extract, name))
    return items


def _content(value: Json, ref: RemoteRef | ExtractRef, *, as_json: bool = False) -> Plaintext:
    return Plaintext(decode(to_bytes(value, as_json=as_json), ref.decoding_strategy))


def _source(location: Location, ref: RemoteRef | ExtractRef, *field_: str) -> bytes:
    """Return the source of one value; decoding is a transform."""
    source = remote_source(location.source, (*components(ref.property), *field_))
    if ref.decoding_strategy == "None":
        return source
    return composed_source("", ("decode", ref.decoding_strategy), (source,))


def _compose(
    target: SealTarget,
    values: dict[str, SealItem],
    fill: Callable[[ValueTemplate], Plaintext],
) -> dict[str, SealItem]:
    """The templates' results in place of the values, or beside them."""
    if not target.templates or target.secret.template is None:
        return values
    sources = [item.source for item in values.values()]
    made = {
        key: SealItem(fill(template), composed_source(template.text, (), sources))
        for key, template in target.templates.items()
    }
    return {**values, **made} if target.secret.template.merge_policy == "Merge" else made


def _check(target: SealTarget, items: Mapping[str, SealItem]) -> None:
    """Refuse an empty Secret, or data that does not fit the type."""
    if not items and not target.secret.allow_empty:
        raise SealingError(
            "empty", "the secret would have no data", remedy="set allowEmpty if that is meant"
        )
    template = target.secret.template
    check_type(template.type if template else None, {k: i.content for k, i in items.items()})


def _doubts(target: SealTarget, values: Mapping[str, SealItem]) -> list[Warned]:
    """Warnings about values: one trailing newline, or a NUL byte."""
    warnings = []
    for key, item in sorted(values.items()):
        value = item.content.reveal()
        # A file ends with a newline; a password that does was piped through `echo`.
        if value.endswith(b"\n") and value.count(b"\n") == 1:
            text, remedy = "the value ends with a newline", "store it without one"
            warnings.append(_about("trailing-newline", target, key, text, remedy))
        if b"\0" in value:
            text, remedy = "the value holds a NUL byte", "no environment variable can hold one"
            warnings.append(_about("nul-byte", target, key, text, remedy))
    return warnings


def _inexact(target: SealTarget, key: str) -> Warned:
    text = "a number over 2^53 may have been rounded"
    return _about("inexact-number", target, key, text, "store it as a string")


def _about(id_: str, target: SealTarget, key: str, text: str, remedy: str) -> Warned:
    return Warned(id_, f"{target.name}: {key}", text, remedy, secret=target.name)
