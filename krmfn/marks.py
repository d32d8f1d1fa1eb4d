"""The claims of a build, each by the configuration that krmfn's functions of the same run put on it.

Rules enforced here: what this run did not mark is refused, whether it is a claim that no transformer
has seen or an annotation that only krmfn writes; one configuration's claims are sealed together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from krmfn import shape
from krmfn.build.transform import claims_of
from krmfn.errors import KrmfnError, SpecError, raise_all
from krmfn.kustomize.kustomization import Overlay
from krmfn.names import API_VERSION
from krmfn.objects import stream
from krmfn.objects.sealed_secret import CERTIFICATE, SEALED_FOR
from krmfn.plan.make import plan_claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from krmfn.build.restart import Stamp
    from krmfn.objects.sealed_secret import Object
    from krmfn.objects.stream import Item
    from krmfn.plan.make import Plan
    from krmfn.spec.transformer import SealedSecretTransformer
    from krmfn.stores.store import Surroundings

# Annotations that only krmfn writes, and that say something of what it did in this run.
OURS = (shape.PLAN, SEALED_FOR, CERTIFICATE)

# The claim's place in the stream, its former names, and itself.
Member: TypeAlias = tuple[int, str, dict[str, Any]]


@dataclass(frozen=True)
class Group:
    """Claims that one configuration seals, with what that may use of the world.

    Attributes:
        kind: of the configuration in the repository.
        config: the same as a transformer.
    """

    kind: str
    config: SealedSecretTransformer
    around: Surroundings
    members: tuple[Member, ...]

    def items(self) -> tuple[Item, ...]:
        """The claims as a stream."""
        text = stream.rewrite_stream((), [claim for _, _, claim in self.members])
        return stream.stream(text, "the build")

    def plan(self) -> Plan:
        """What sealing them reads and makes."""
        _, claims = claims_of(self.items(), self.config, Overlay(), self.around)
        return plan_claims(self.config, claims)


def groups_of(
    items: Iterable[Item], key: str, around: Surroundings
) -> tuple[list[Group], dict[int, Item]]:
    """The claims by the configuration that seals them, and what is no claim by its place.

    Args:
        items: what kustomize gave, with marks.
        key: of this run.

    Raises:
        KrmfnError, ErrorList: something in the stream is not of this run.
    """
    found: dict[str, list[Member]] = {}
    kept: dict[int, Item] = {}
    errors: list[KrmfnError] = []
    for number, item in enumerate(items):
        try:
            if _is_claim(item):
                plan, claim = _claim(item, key)
                former = plan.pop("former", "")
                found.setdefault(json.dumps(plan), []).append((number, former, claim))
            else:
                _refuse_marks(item)
                kept[number] = item
        except KrmfnError as error:
            errors.append(error)
    raise_all(errors)
    groups = []
    for text, members in found.items():
        plan = json.loads(text)
        inside = replace(around, base=around.root / plan["directory"])
        groups.append(Group(plan["kind"], shape.config_of(plan), inside, tuple(members)))
    return groups, kept


def known_by(stamps: Sequence[Stamp], claims: Sequence[Member]) -> Iterator[Stamp]:
    """The stamps with the names that each claim had when the transformer saw it, as that has them."""
    asking = [former for _, former, claim in claims if claim["spec"].get("checksumAnnotation")]
    for stamp, former in zip(stamps, asking, strict=True):
        yield replace(stamp, names=stamp.names | frozenset(former.split(",")) - {""})


def _claim(item: Item, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A claim's plan, and the claim without it."""
    value = item.document.value()
    metadata = value["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    where = f"{item.kind}/{metadata.get('name')}"
    if shape.PLAN not in annotations:
        raise SpecError(
            "wrong-list",
            "no SealedSecretTransformer has seen the claim",
            where=where,
            remedy="list one under transformers: of the outermost kustomization",
        )
    try:
        plan = shape.read_mark(annotations.pop(shape.PLAN), key)
    except KrmfnError as error:
        raise error.at(where=where) from None
    value["metadata"] = metadata | {"annotations": annotations}
    if not annotations:
        del value["metadata"]["annotations"]
    return plan, value


def unmarked(item: Item, key: str) -> str:
    """A document of --claims-only: a claim without its plan, anything else as it came."""
    if not _is_claim(item):
        _refuse_marks(item)
        return item.raw
    return text_of(_claim(item, key)[1])


def _refuse_marks(item: Item) -> None:
    """Nothing that krmfn did not make in this run may say that it did."""
    metadata = item.header().get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    for name in OURS:
        if name in annotations:
            raise SpecError(
                "annotation",
                f"{name} is krmfn's to write, and was not written in this build",
                where=f"{item.kind}/{metadata.get('name')}",
                remedy="remove the annotation, or declare a claim instead of what was sealed before",
            )


def _is_claim(item: Item) -> bool:
    return item.api_version == API_VERSION and item.kind == shape.CLAIM


def text_of(one: Object) -> str:
    """One document, as JSON."""
    return json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n"
