"""Index of the texts in a namespace's objects, to find Secret names in unknown fields. Pure.

A name counts where it is a whole text: a field's value, a command's argument behind ``=``, or the
last part of ``namespace/name``. Names and labels of objects do not count: an app's Secret is often
called like the app.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from krmfn import fieldpath
from krmfn.documents import strict
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from krmfn.audit.entries import Entries
    from krmfn.audit.objects import Resource

_SECRETS = ("core/Secret", "bitnami.com/SealedSecret", "krmfn.dev/SecretClaim")
_LABELS = ("labels", "matchLabels", "selector", "podLabels", "commonLabels")
_ARGUMENT = re.compile(r"--?[-\w.]+=(.+)")
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_ANYWHERE = ""


class Mentions:
    """The texts of a stream, by namespace."""

    def __init__(self, resources: Iterable[Resource], entries: Entries) -> None:
        self._texts: dict[str, set[str]] = {}
        for one in resources:
            if one.group_kind not in _SECRETS:
                texts = {name for text in _texts(one.value) for name in _names(text)}
                for namespace in _namespaces(one, entries):
                    self._texts.setdefault(namespace, set()).update(texts)

    def has(self, namespace: str | None, name: str) -> bool:
        """Whether an object that is or may be in the namespace contains the name as a whole text."""
        where = [namespace, _ANYWHERE] if namespace else [*self._texts]
        return any(name in self._texts.get(one or "", ()) for one in where)


def _namespaces(resource: Resource, entries: Entries) -> set[str]:
    """Return the object's own namespace, and those into which it installs."""
    targets = {
        found
        for entry in entries.consumers_of(resource.group_kind)
        if entry.form == "helm" and entry.namespace
        for _, found in fieldpath.walk(resource.value, entry.namespace)
        if isinstance(found, str)
    }
    return {resource.namespace, *targets}


def _texts(value: dict[str, Any]) -> Iterator[str]:
    for field, item in value.items():
        if field == "metadata" and isinstance(item, dict):
            yield from _inside(item.get("annotations"))
        elif field not in ("apiVersion", "kind", "status"):
            yield from _inside(item)


def _inside(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        if "\n" in value and ":" in value:
            yield from _inside(_parsed(value))
    for step, item in fieldpath.children(value):
        if step not in _LABELS:
            yield from _inside(item)


def _parsed(text: str) -> Any:
    """Parse a text that contains YAML, such as a chart's values."""
    try:
        value = strict.load(text, "text")
    except SpecError:
        return None
    return value if isinstance(value, (dict, list)) else None


def _names(text: str) -> Iterator[str]:
    argument = _ARGUMENT.fullmatch(text)
    last = (argument[1] if argument else text).rpartition("/")[2]
    if _NAME.fullmatch(last):
        yield last
