"""Effects of an overlay's patches on krmfn's own objects, according to their text. Pure.

A value that a patch sets is not the value in the file: changing the file would change
nothing. Rules enforced here: both kinds of patch are read, wherever a kustomization takes them from;
a patch that names no kind may be meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# A kustomization's fields; of a builtin transformer's, and whether each entry says its target.
_FIELDS = ("patches", "patchesStrategicMerge", "patchesJson6902")
_BUILTIN = ("PatchTransformer", "PatchStrategicMergeTransformer", "PatchJson6902Transformer")
_REFERENCES = ("remoteRef", "extract", "from")


@dataclass(frozen=True)
class Patch:
    """One patch.

    Attributes:
        where: file, line and column.
        kind, name: regular expressions for what it is applied to; empty when it does not say.
        paths: of everything that it sets.
        pins: whether it sets a version of a reference.
    """

    where: str
    kind: str
    name: str
    paths: tuple[tuple[str, ...], ...]
    pins: bool

    def sets(self, kind: str, name: str, path: Sequence[str], *, renamed: bool = False) -> bool:
        """Whether the patch may change ``path``, a parent of it or a child of it.

        Args:
            renamed: whether names get a prefix or suffix, which a patch may know or not.
        """
        called = _matches(self.name, name) or (renamed and name in self.name.replace("\\", ""))
        return (
            _matches(self.kind, kind)
            and called
            and any(all(a == b for a, b in zip(one, path, strict=False)) for one in self.paths)
        )


def patches(
    value: dict[str, Any], document: strict.Document, read: Callable[[str], str]
) -> Iterator[Patch]:
    """Yield the patches of a kustomization, or of a builtin patch transformer.

    Args:
        document: what ``value`` was read from.
        read: the text of a file that it names.
    """
    if value.get("apiVersion") == "builtin" and value.get("kind") in _BUILTIN:
        entries: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
        more = value.get("paths")
        entries += [(("paths",), one) for one in sequence(more)]
    else:
        entries = [
            ((name, number), one)
            for name in _FIELDS
            for number, one in enumerate(value.get(name) or [])
        ]
    for path, entry in entries:
        target = mapping(mapping(entry).get("target"))
        texts = [entry] if isinstance(entry, str) else []
        texts += [v for k in ("patch", "path", "patches", "jsonOp") if (v := mapping(entry).get(k))]
        at = document.position(path)
        where = f"{document.name}:{at.line}:{at.column}"
        for text in texts:
            if isinstance(text, str):
                yield from _read(text, where, target, read)


def _read(
    text: str, where: str, target: dict[str, Any], read: Callable[[str], str]
) -> Iterator[Patch]:
    """Yield the patches in a text, or in the file that it names."""
    inline = "\n" in text or ": " in text or text.lstrip().startswith(("{", "["))
    name = where if inline else text
    try:
        documents = list(strict.documents(text if inline else read(text), name))
        values = [document.value() for document in documents]
    except SpecError as error:
        raise error.at(where=where) from None
    for document, value in zip(documents, values, strict=True):
        at = document.position(())
        place = where if inline else f"{text}:{at.line}:{at.column}"
        kind, called = str(target.get("kind") or ""), str(target.get("name") or "")
        if isinstance(value, list):
            yield Patch(place, kind, called, tuple(_operations(value)), _pins(value))
        elif isinstance(value, dict):
            own = (
                str(value.get("kind") or ""),
                str(mapping(value.get("metadata")).get("name") or ""),
            )
            if not target:
                kind, called = (re.escape(one) for one in own)
            yield Patch(place, kind, called, tuple(_leaves(value)), _pins(value))


def _operations(value: list[Any]) -> Iterator[tuple[str, ...]]:
    """The paths of a JSON patch's operations."""
    for one in value:
        pointer = mapping(one).get("path")
        if isinstance(pointer, str):
            steps = pointer.split("/")[1:]
            yield tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of all values in a mapping that are not mappings; a list is one value."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, (*path, key))
    else:
        yield path


def _pins(value: Any) -> bool:
    """Whether a version of a reference is set anywhere inside."""
    if isinstance(value, dict):
        pointer = value.get("path")
        if isinstance(pointer, str) and re.search(r"/(remoteRef|extract|from)/version$", pointer):
            return True
        if any("version" in mapping(value.get(name)) for name in _REFERENCES):
            return True
        return any(map(_pins, value.values()))
    return isinstance(value, list) and any(map(_pins, value))


def _matches(pattern: str, text: str) -> bool:
    """Whether a target's pattern may match, like in kustomize; a missing or invalid one may."""
    try:
        return not pattern or re.fullmatch(pattern, text) is not None
    except re.error:
        return True
