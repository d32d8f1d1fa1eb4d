"""What must hold of the finished stream before it is printed.

Rules enforced here: every SealedSecret of krmfn's is one that this run made, and stands under the
name, namespace and scope that it was sealed for; nothing else says that krmfn made it; no claim is
left, also inside of lists; under a policy, labels, annotations and template are judged as they are by
now, since patches of the repository reach them after they were sealed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from krmfn.build.serve import move
from krmfn.build.validate import CLAIM_GROUP
from krmfn.documents.strict import mapping
from krmfn.errors import Finding, KrmfnError, PolicyError, SpecError, raise_all
from krmfn.names import CLAIM
from krmfn.objects.sealed_secret import (
    API_VERSION,
    CERTIFICATE,
    KIND,
    SCOPE_ANNOTATIONS,
    SEALED_FOR,
    scope_of,
    sealed_for,
)
from krmfn.plan.make import KUSTOMIZE_OWN
from krmfn.spec.generator import ItemMetadata, Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from krmfn.build.serve import Called
    from krmfn.objects.sealed_secret import Object
    from krmfn.objects.stream import Item
    from krmfn.plan.make import SealTarget

# Annotations that only krmfn writes, and that say something of what it did in this run.
OURS = (SEALED_FOR, CERTIFICATE)
_ADDED = {*OURS, *SCOPE_ANNOTATIONS.values()}
_SPEC, _TEMPLATE = {"encryptedData", "template"}, {"metadata", "type", "immutable"}
_METADATA = {"name", "namespace", "labels", "annotations"}


@dataclass(frozen=True)
class Made:
    """A SealedSecret that a call of this run made.

    Attributes:
        object: as it was made.
    """

    called: Called
    target: SealTarget
    object: Object


def each(items: Iterable[Item]) -> Iterator[Object]:
    """The objects of a stream as values, lists taken apart."""
    waiting = [item.document.value() for item in items]
    waiting.reverse()
    while waiting:
        value = mapping(waiting.pop())
        inside = value.get("items")
        if str(value.get("kind")).endswith("List") and isinstance(inside, list):
            waiting.extend(reversed(inside))
        elif value:
            yield value


def check(
    items: Iterable[Item], calls: Sequence[Called], *, claims: bool, governed: bool
) -> list[tuple[Made, Object]]:
    """Hold a finished stream against the calls that made it.

    Args:
        claims: they are left on purpose.
        governed: there is a policy, so krmfn's annotations may not be taken off.

    Returns:
        What this run made, each with what it has become.

    Raises:
        KrmfnError, ErrorList: something in the stream is not of this run, or not where it opens.
    """
    known: dict[str, list[Made]] = defaultdict(list)
    for called in calls:
        for target, one in zip(
            called.plan.targets if called.plan else (), called.made, strict=True
        ):
            known[data(one.object)].append(Made(called, target, one.object))
    found: list[tuple[Made, Object]] = []
    errors: list[KrmfnError] = []
    for value in each(items):
        try:
            ours = _made(value, known, claims=claims, governed=governed)
        except KrmfnError as error:
            errors.append(error.at(where=_title(value)))
        else:
            found += [(ours, value)] if ours else []
    raise_all(errors)
    return found


def _made(
    value: Object, known: dict[str, list[Made]], *, claims: bool, governed: bool
) -> Made | None:
    """What this run made of an object; None for what is no business of krmfn's."""
    kind, version = value.get("kind"), str(value.get("apiVersion"))
    annotations = mapping(mapping(value.get("metadata")).get("annotations"))
    marks = [name for name in OURS if name in annotations]
    if kind == CLAIM and version.startswith(CLAIM_GROUP) and not claims:
        raise SpecError(
            "wrong-list",
            "no SealedSecretTransformer has seen the claim",
            remedy="list one under transformers: of the outermost kustomization",
        )
    is_sealed = (kind, version) == (KIND, API_VERSION)
    candidates = known.get(data(value), []) if is_sealed else []
    if not marks and not (governed and candidates):
        return None
    if is_sealed and (ours := next((c for c in candidates if _same(c.object, value)), None)):
        _check_place(ours, value)
        return ours
    if not marks:
        raise SpecError(
            "annotation",
            f"{SEALED_FOR} was taken off",
            remedy="let no patch remove krmfn's annotations",
        )
    raise SpecError(
        "annotation",
        f"{marks[0]} is krmfn's to write, and was not written in this build",
        remedy="remove the annotation, or declare a claim instead of what was sealed before",
    )


def _same(made: Object, value: Object) -> bool:
    """Whether scope and recipient are those that it was made with; its data are."""
    annotations = made["metadata"]["annotations"]
    found = mapping(mapping(value.get("metadata")).get("annotations"))
    return scope_of(annotations) == scope_of(found) and all(
        annotations.get(name) == found.get(name) for name in OURS
    )


def _check_place(made: Made, value: Object) -> None:
    """Refuse a SealedSecret that was renamed or moved after it was sealed."""
    metadata = mapping(value.get("metadata"))
    scope = scope_of(mapping(metadata.get("annotations")))
    sealed = made.object["metadata"]["annotations"][SEALED_FOR]
    final = sealed_for(scope, str(metadata.get("namespace") or ""), str(metadata.get("name")))
    if sealed != final:
        raise Finding(
            "sealed-for",
            "it cannot be opened under its final name, namespace and scope",
            expected=f"sealed for {final}",
            found=sealed,
            remedy=move(made.called.config),
        )


def now(made: Made, value: Object) -> SealTarget:
    """The target with name, labels, annotations and template as they have become, for the policy.

    Raises:
        PolicyError: there is more in it than krmfn writes.
    """
    metadata, spec = mapping(value.get("metadata")), mapping(value.get("spec"))
    template = mapping(spec.get("template"))
    inside = mapping(template.get("metadata"))
    for place, fields, known in (
        ("spec", spec, _SPEC),
        ("spec.template", template, _TEMPLATE),
        ("spec.template.metadata", inside, _METADATA),
    ):
        if more := sorted(fields.keys() - known):
            raise PolicyError(
                "policy-denied",
                f"{place}.{more[0]} was added to what krmfn made",
                where=_title(value),
                secret=made.target.name,
                remedy="let no patch add it",
            )
    shape = Template.model_construct(
        type=template.get("type"),
        immutable=template.get("immutable"),
        metadata=_metadata(inside),
        data=made.target.secret.template.data if made.target.secret.template else {},
    )
    secret = made.target.secret.model_copy(
        update={"metadata": _metadata(metadata), "template": shape}
    )
    return replace(
        made.target,
        name=str(metadata.get("name")),
        namespace=str(metadata.get("namespace") or ""),
        secret=secret,
    )


def _metadata(metadata: dict[str, Any]) -> ItemMetadata:
    """Labels and annotations without those that krmfn and kustomize add."""
    annotations = {
        name: value
        for name, value in mapping(metadata.get("annotations")).items()
        if name not in _ADDED and not name.startswith(KUSTOMIZE_OWN)
    }
    return ItemMetadata.model_construct(
        labels=mapping(metadata.get("labels")), annotations=annotations
    )


def data(value: Object) -> str:
    """The encrypted data, to compare."""
    return json.dumps(mapping(value.get("spec")).get("encryptedData"), sort_keys=True)


def _title(value: Object) -> str:
    return f"{value.get('kind')}/{mapping(value.get('metadata')).get('name')}"
