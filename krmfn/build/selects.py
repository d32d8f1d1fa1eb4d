"""Whether anything in a copied tree picks out SealedSecrets: then their keys may change the build.

A hint for a good error, and cautious: a pattern counts as one that fits. What depends on a value all
the same is found when the real run is held against its rehearsal (`krmfn.build.bind`).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import Failure
from krmfn.objects.sealed_secret import KIND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from krmfn.kustomize.reach import Reached, Tree

_WORD = re.compile(r"[A-Za-z0-9]+")
_PATCHES = ("patches", "patchesJson6902", "patchesStrategicMerge", "paths")


def selects_sealed(tree: Tree) -> bool:
    """Whether a patch, replacement or var of a tree picks SealedSecrets out."""
    for reached in tree.kustomizations.values():
        documents = partial(_documents, tree, reached)
        listed = (d for name in reached.value.get("resources") or () for d in documents(name))
        functions = (one.value for entry in reached.entries for one in entry.functions)
        builtins = (one for one in (*functions, *listed) if _is_builtin(one))
        if any(
            _picks(one) for value in (reached.value, *builtins) for one in _of(value, documents)
        ):
            return True
    return False


def _of(value: Any, documents: Callable[[Any], Iterator[Any]]) -> Iterator[Any]:
    """Every selector of a kustomization or of a builtin config."""
    patches = [p for name in _PATCHES for p in sequence(value.get(name))]
    for patch in [*patches, value] if _is_builtin(value) else patches:
        if target := mapping(patch).get("target"):
            yield target
            continue
        yield from documents(
            patch if isinstance(patch, str) else patch.get("patch") or patch.get("path")
        )
    yield from (mapping(one).get("objref") for one in sequence(value.get("vars")))
    for one in map(mapping, sequence(value.get("replacements"))):
        inside = [one] if "path" not in one else next(documents(one["path"]), None)
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


def _documents(tree: Tree, reached: Reached, entry: Any) -> Iterator[Any]:
    """Yield the documents of a file that a kustomization names, or of the inline entry; else nothing."""
    if not isinstance(entry, str):
        return
    content = tree.content(reached.directory, entry)
    try:
        for document in strict.documents(entry if content is None else content, ""):
            yield document.value()
    except (Failure, ValueError):
        return
