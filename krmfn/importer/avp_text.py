"""From strings with references in them to `data` entries and templates. Pure.

Rules enforced here: a string that is one reference needs no template; any other becomes one, over
variables that are the Secret's own keys where that does, so that nothing else has to change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.importer.entry import Wire

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"[^-._A-Za-z0-9]")


@dataclass(frozen=True)
class Ref:
    """A value in a store, and the template functions applied to it.

    Attributes:
        field: the property, as in `remoteRef`.
        version: 0 for the newest.
        functions: of krmfn's templates, the first one first.
    """

    store: str
    key: str
    field: str
    version: int = 0
    functions: tuple[str, ...] = ()

    def then(self, function: str) -> Ref:
        """Add one function; encoding and decoding base64 cancel out."""
        if function == "b64dec" and self.functions[-1:] == ("b64enc",):
            return replace(self, functions=self.functions[:-1])
        return replace(self, functions=(*self.functions, function))

    def decoded(self) -> Ref:
        """Return the reference to the decoded base64."""
        return self.then("b64dec")

    def within(self, path: str) -> Ref:
        """Return the reference to an inner field, ``.a.b``."""
        return replace(self, field=self.field + path)

    @property
    def bare(self) -> Ref:
        """Without the functions."""
        return replace(self, functions=())


Piece: TypeAlias = "str | Ref"
Text: TypeAlias = "tuple[Piece, ...]"


def _is_reference(text: Text) -> bool:
    """Whether a string is a single stored value, at most decoded."""
    return len(text) == 1 and isinstance(text[0], Ref) and text[0].functions in ((), ("b64dec",))


def compose(texts: Mapping[str, Text]) -> tuple[list[Wire], dict[str, str], bool]:
    """Compose the strings of a Secret from references and templates.

    Returns:
        The `data` entries, the templates by key, and whether they merge with the data.
    """
    literals = {k: "".join(map(str, t)) for k, t in texts.items() if not _refs(t)}
    simple = {k: _refs(t)[0] for k, t in texts.items() if _is_reference(t)}
    mixed = {k: t for k, t in texts.items() if k not in literals and k not in simple}
    names = {ref: key for key, ref in simple.items() if not ref.functions}
    taken = set(texts)
    for key, text in mixed.items():
        wanted = list(dict.fromkeys(ref.bare for ref in _refs(text)))
        for ref in wanted:
            if ref not in names:
                # Under its own key a variable gives way to what the template makes of it.
                names[ref] = key if len(wanted) == 1 else _unused(ref, taken)
                taken.add(names[ref])
    data = [{"secretKey": key, "value": text} for key, text in literals.items()]
    data += [_entry(key, ref) for key, ref in simple.items()]
    data += [_entry(name, ref) for ref, name in names.items() if name not in simple]
    templates = {k: "".join(_written(piece, names) for piece in t) for k, t in mixed.items()}
    merge = set(names.values()) <= set(texts)
    if templates and not merge:
        templates |= {key: _variable(key) for key in (*literals, *simple)}
    return data, templates, merge


def _refs(text: Text) -> list[Ref]:
    return [piece for piece in text if isinstance(piece, Ref)]


def _unused(ref: Ref, taken: set[str]) -> str:
    """Return an unused variable name: the field's, with a number if it is taken."""
    name = _KEY.sub("_", ref.field.replace("\\", ""))
    number = 1
    while (found := name if number == 1 else f"{name}_{number}") in taken:
        number += 1
    return found


def _entry(key: str, ref: Ref) -> Wire:
    remote: Wire = {"key": ref.key, "property": ref.field}
    if ref.version:
        remote["version"] = ref.version
    if ref.functions:
        remote["decodingStrategy"] = "Base64"
    return {"secretKey": key, "remoteRef": remote, "store": ref.store}


def _written(piece: Piece, names: Mapping[Ref, str]) -> str:
    if isinstance(piece, str):
        return piece.replace("{{", '{{ "{{" }}')
    return " | ".join([_variable(names[piece.bare])[:-3], *piece.functions]) + " }}"


def _variable(name: str) -> str:
    return f"{{{{ .{name} }}}}" if _IDENTIFIER.fullmatch(name) else f'{{{{ index . "{name}" }}}}'
