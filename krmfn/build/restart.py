"""Checksums on the pod templates that use a Secret, so that pods restart when its values change.

Rules enforced here: only workloads of the Secret's own namespace that refer to it by a name that it
has or had; only the template's annotations change, node by node, and the rest of the item stays as
it was written. Where a PodSpec sits and what refers to Secrets is data: krmfn/catalogue/pods.yaml.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from krmfn import catalogue, fieldpath
from krmfn.crypto.derive import text, tlv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from krmfn.objects.stream import Item

ANNOTATION = "krmfn.dev/checksum"
_STR = "tag:yaml.org,2002:str"
# Where the name stands in what a catalogue's path finds, by its form.
_NAMES = {"key": "name", "ref": "name", "proj": "name", "file": "secretName", "name": ""}


@dataclass(frozen=True)
class Stamp:
    """A Secret's checksum, and what workloads call the Secret.

    Attributes:
        names: its names so far, before any hash suffix.
        checksum: hex.
    """

    namespace: str
    names: frozenset[str]
    checksum: str


def stamped(item: Item, stamps: Sequence[Stamp]) -> tuple[Item, list[str]]:
    """The item, with a checksum on its pod templates if they use one of the Secrets; and these."""
    group = item.api_version.rpartition("/")[0] or "core"
    paths = [p for p in pod_specs().get(f"{group}/{item.kind}", ()) if p.endswith(".spec")]
    if not paths or not stamps:
        return item, []
    document = item.document
    value = document.value()
    namespace = str((value.get("metadata") or {}).get("namespace") or "")
    written: list[str] = []
    for path in paths:
        names = set(references(value, path))
        used = {
            (min(s.names), s.checksum)
            for s in stamps
            if s.namespace in ("", namespace) and s.names & names
        }
        if used:
            fields = [text(word) for pair in sorted(used) for word in pair]
            digest = hashlib.sha512(tlv(*fields)).hexdigest()[:32]
            template = path.removesuffix(".spec").split(".")
            _annotate(document.node, [*template, "metadata", "annotations"], digest)
            written.append(digest)
    return (replace(item, raw=_written(document.node, item)) if written else item), written


def references(value: Any, pod_spec: str) -> Iterator[str]:
    """The names of the Secrets that a PodSpec of the resource refers to."""
    for ref in catalogue.pods()["podSpecRefs"]:
        for at in ref["at"]:
            path = ".".join(part for part in (pod_spec, at, _NAMES[ref["form"]]) if part)
            for _, name in fieldpath.walk(value, path):
                if isinstance(name, str):
                    yield name


def pod_specs() -> dict[str, list[str]]:
    """``group/Kind`` to the paths of its PodSpecs."""
    specs: dict[str, list[str]] = catalogue.pods()["podSpecs"]
    return specs


def _annotate(node: yaml.Node, path: Sequence[str], digest: str) -> None:
    """Set the annotation below ``path``, making the mappings that are not there."""
    for step in path:
        found = _child(node, step)
        if not isinstance(found, yaml.MappingNode):
            made = yaml.MappingNode("tag:yaml.org,2002:map", [], flow_style=False)
            _set(node, step, made)
            found = made
        node = found
    _set(node, ANNOTATION, yaml.ScalarNode(_STR, digest, style='"'))


def _child(node: yaml.Node, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _set(node: yaml.Node, key: str, value: yaml.Node) -> None:
    pairs = [pair for pair in node.value if pair[0].value != key]
    node.value = [*pairs, (yaml.ScalarNode(_STR, key), value)]


def _written(node: yaml.Node, item: Item) -> str:
    """The node in block style, in the place where the item stood."""
    written = str(yaml.serialize(node, Dumper=yaml.BaseDumper, width=2**31, allow_unicode=True))
    if not item.in_list:
        return written
    margin = " " * (len(item.raw) - len(item.raw.lstrip(" ")))
    first, *rest = written.splitlines(keepends=True)
    return f"{margin}- {first}" + "".join(
        f"{margin}  {line}" if line.strip() else line for line in rest
    )
