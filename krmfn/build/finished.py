"""Check the finished stream before it is printed.

Rules enforced here: this run made every krmfn SealedSecret, and each is under the
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
from krmfn.errors import CheckError, KrmfnError, PolicyError, SpecError, raise_all
from krmfn.names import API_VERSION as OWN
from krmfn.names import CLAIM
from krmfn.objects import stream
from krmfn.objects.kinds import each
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
    from collections.abc import Iterable, Sequence

    from krmfn.build.called import Called
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


def check(
    items: Iterable[Item], calls: Sequence[Called], *, claims: bool, governed: bool
) -> list[tuple[Made, Object]]:
    """Compare a finished stream with the calls that made it.

    Args:
        claims: they are left on purpose.
        governed: there is a policy, so krmfn's annotations may not be taken off.

    Returns:
        What this run made, each with what it has become.

    Raises:
        KrmfnError, ErrorList: something in the stream is not of this run, or not where it opens.
    """
    known = _known(calls)
    found: list[tuple[Made, Object]] = []
    errors: list[KrmfnError] = []
    for value in (value for item in items for _, value in each(item.document.value())):
        try:
            ours = _made(value, known, claims=claims, governed=governed)
        except KrmfnError as error:
            errors.append(error.at(where=_title(value)))
        else:
            found += [(ours, value)] if ours else []
    raise_all(errors)
    return found


def as_claims(items: Iterable[Item], calls: Sequence[Called]) -> str:
    """Return a rehearsal's stream with claims in place of its SealedSecrets."""
    known = _known(calls)
    pieces: list[str] = []
    for item in items:
        value = item.document.value() if item.kind == KIND else {}
        candidates = known.get(data(value), []) if value.get("apiVersion") == API_VERSION else []
        made = next((one for one in candidates if _same(one.object, value)), None)
        pieces.append(stream.rewrite_stream([], [_claim(made, value)]) if made else item.raw)
    return "---\n".join(pieces)


def _claim(made: Made, value: Object) -> Object:
    """Return a SealedSecret's claim, with the SealedSecret's current metadata."""
    by_now = _metadata(mapping(value.get("metadata")))
    place = {k: v for k, v in value["metadata"].items() if k in ("name", "namespace")}
    spec = made.target.secret.model_dump(mode="json", by_alias=True, exclude_none=True)
    template = mapping(mapping(value.get("spec")).get("template"))
    inside = _metadata(mapping(template.get("metadata"))).model_dump()
    own = {k: v for k, v in template.items() if k in ("type", "immutable")} | {"metadata": inside}
    spec |= {"template": mapping(spec.get("template")) | own}
    return {
        "apiVersion": OWN,
        "kind": CLAIM,
        "metadata": by_now.model_dump() | place,
        "spec": {k: v for k, v in spec.items() if k != "name"},
    }


def _known(calls: Sequence[Called]) -> dict[str, list[Made]]:
    """Index a run's SealedSecrets by their encrypted data."""
    known: dict[str, list[Made]] = defaultdict(list)
    for called in calls:
        targets = called.plan.targets if called.plan else ()
        for target, one in zip(targets, called.made, strict=True):
            known[data(one.object)].append(Made(called, target, one.object))
    return known


def _made(
    value: Object, known: dict[str, list[Made]], *, claims: bool, governed: bool
) -> Made | None:
    """Return this run's record of an object; None if the object is not krmfn's."""
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
        remedy="remove the annotation, or replace the SealedSecret in git by a claim",
    )


def _same(made: Object, value: Object) -> bool:
    """Whether scope and recipient are unchanged, given equal data."""
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
        raise CheckError(
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
    """Return labels and annotations without those that krmfn and kustomize add."""
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
