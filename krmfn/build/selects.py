"""Whether anything in a copied tree picks out SealedSecrets: then their keys may change the build.

A hint for a good error, and cautious: a pattern counts as one that fits. What depends on a value all
the same is found when the real run is held against its rehearsal (`krmfn.build.bind`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import Failure
from krmfn.files.read import exists
from krmfn.kustomize.kustomization import LISTS, kustomization_in
from krmfn.objects.sealed_secret import KIND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_WORD = re.compile(r"[A-Za-z0-9]+")
_PATCHES = ("patches", "patchesJson6902", "patchesStrategicMerge")


def selects_sealed(directories: Iterable[Path]) -> bool:
    """Whether a patch, replacement or var of these kustomizations picks SealedSecrets out."""
    for directory in directories:
        file = kustomization_in(directory)
        value = mapping(next(_documents(directory, file.name), None)) if file else {}
        entries = [e for name in ("resources", *LISTS) for e in sequence(value.get(name))]
        builtins = [d for e in entries for d in _documents(directory, e) if _is_builtin(d)]
        if any(_picks(selector) for one in (value, *builtins) for selector in _of(one, directory)):
            return True
    return False


def _of(value: Any, directory: Path) -> Iterator[Any]:
    """Every selector of a kustomization or of a builtin config."""
    value = mapping(value)
    patches = [p for name in _PATCHES for p in sequence(value.get(name))]
    if _is_builtin(value):
        patches += [value, *sequence(value.get("paths"))]
    for patch in patches:
        if target := mapping(patch).get("target"):
            yield target
            continue
        text = patch if isinstance(patch, str) else patch.get("patch") or patch.get("path")
        yield from _documents(directory, text)
    yield from (mapping(one).get("objref") for one in sequence(value.get("vars")))
    for one in map(mapping, sequence(value.get("replacements"))):
        inside = [one] if "path" not in one else next(_documents(directory, one["path"]), None)
        for replacement in map(mapping, sequence(inside)):
            yield replacement.get("source")
            yield from (mapping(t).get("select") for t in sequence(replacement.get("targets")))


def _picks(selector: Any) -> bool:
    """Whether a selector, or a patch by its own kind, may fit a SealedSecret."""
    kind = mapping(selector).get("kind")
    return isinstance(selector, dict) and not (
        isinstance(kind, str) and _WORD.fullmatch(kind) and kind != KIND
    )


def _is_builtin(value: Any) -> bool:
    return bool(mapping(value).get("apiVersion") == "builtin")


def _documents(directory: Path, entry: Any) -> Iterator[Any]:
    """Yield the documents of a file in the directory, or of the inline entry; else nothing."""
    if not isinstance(entry, str):
        return
    path = directory / entry
    try:
        text = path.read_text() if exists(path) and path.is_file() else entry
        for document in strict.documents(text, ""):
            yield document.value()
    except (Failure, OSError, ValueError):
        return
