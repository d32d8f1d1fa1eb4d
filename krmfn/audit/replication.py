"""Secrets that a replicator copies to other namespaces, as their annotations say. Pure.

Whether a replicator runs is not in the build, so that a copy is an uncertain producer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from krmfn import fieldpath
from krmfn.audit.productions import GUESS
from krmfn.documents.strict import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from krmfn.audit.productions import Production

# Annotations of a Secret that is copied without more, with values that do not ask for it.
_PUSHED = {
    "reflector.v1.k8s.emberstack.com/reflection-auto-enabled": ("", "false"),
    "replicator.v1.mittwald.de/replicate-to": ("",),
    "replicator.v1.mittwald.de/replicate-to-matching": ("",),
    "kubed.appscode.com/sync": (),
}
_AT = (
    "metadata.annotations",
    "spec.secretTemplate.annotations",
    "spec.template.metadata.annotations",
    "spec.target.template.metadata.annotations",
)
COPY = GUESS.model_copy(
    update={"note": "the Secret's annotations ask a replicator to copy it from another namespace"}
)


def copies(made: Iterable[Production]) -> Iterator[Production]:
    """Yield the copies that replicators make of Secrets, in namespaces that are not known."""
    for one in made:
        value: Any = one.resource.value if one.resource else {}
        found = (mapping(here) for path in _AT for _, here in fieldpath.walk(value, path))
        if any(map(_is_pushed, found)):
            yield replace(one, how="operator", namespace=None, open=True, entry=COPY)


def _is_pushed(annotations: Mapping[str, Any]) -> bool:
    return any(
        name in annotations and str(annotations[name]) not in off for name, off in _PUSHED.items()
    )
