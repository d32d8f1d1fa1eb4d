"""Rules about fields that refer to Secrets. Each function's docstring explains its rule. Pure."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from krmfn.audit.findings import Finding
from krmfn.audit.productions import OPAQUE
from krmfn.audit.rule import about_reference, nearest, rule, unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.audit.judge import Audit, Judged
    from krmfn.audit.productions import Production
    from krmfn.audit.references import Reference


@rule("unmet-reference", "error", "nothing creates the Secret")
def unmet_reference(audit: Audit) -> Iterator[Finding]:
    """A field refers to a Secret that nothing in the build creates.

    The pod stays in CreateContainerConfigError, or the operator waits. Produce it: claim it, let an
    operator make it, or correct the name. If it is made elsewhere (by hand, by Terraform, by a
    replicator), say so under assume: in the SealedSecretValidator, where a reviewer sees it.
    """
    yield from _beyond(audit)
    movable, names = _movable(audit), cache(audit.index.names)
    for one in unmet(audit):
        if _moved(one.reference, movable) or _elsewhere(one.reference, audit):
            continue
        yield about_reference(
            "unmet-reference",
            one.reference,
            "nothing in this build creates this Secret",
            near=nearest(one.reference.secret, names(one.reference.namespace)),
            remedy="claim it with krmfn init, fix the name, or list it under assume:",
        )


@rule("unmet-key", "error", "the Secret will not have the key")
def unmet_key(audit: Audit) -> Iterator[Finding]:
    """A field needs a key that the Secret will not have.

    The container does not start, the volume is not mounted, or the operator reports a missing key.
    Which keys an operator writes is in the catalogue and may depend on its version: set cnpgVersion
    in the SealedSecretValidator where CloudNativePG is not the newest.
    """
    for one in audit.judged:
        for key in one.missing:
            keys = sorted({k for made in one.makers for k in made.keys})
            yield about_reference(
                "unmet-key",
                one.reference,
                f"{_makers(one)} produces no such key",
                key=key,
                producer=_makers(one),
                near=nearest(key, keys),
                remedy=f"it has {', '.join(keys)}" if keys else "it has no key at all",
            )


@rule("wrong-namespace", "error", "the Secret is in another namespace")
def wrong_namespace(audit: Audit) -> Iterator[Finding]:
    """The Secret is produced, but in another namespace than the object that refers to it.

    A Secret can be used in its own namespace only. Produce it there, which for a SealedSecret means
    to seal it for there.
    """
    for one in unmet(audit):
        if made := _elsewhere(one.reference, audit):
            places = sorted({f"{p.by} in {p.namespace}" for p in made})
            yield about_reference(
                "wrong-namespace",
                one.reference,
                f"the Secret is needed in {one.reference.namespace}",
                producer=", ".join(places),
                remedy=f"produced by {', '.join(places)}",
            )


@rule("moved-producer", "error", "the producer was renamed")
def moved_producer(audit: Audit) -> Iterator[Finding]:
    """namePrefix or nameSuffix renamed the object whose operator creates the Secret.

    An operator derives the Secret's name from its object's name. kustomize renames the object and
    does not know of the Secret, so that references keep the old name. Drop the prefix there, or patch
    the references.
    """
    movable = _movable(audit)
    for one in unmet(audit):
        if made := _moved(one.reference, movable):
            yield about_reference(
                "moved-producer",
                one.reference,
                f"{made.by} was renamed, and so its operator creates {made.secret}",
                producer=made.by,
                near=made.secret,
                remedy="patch the reference, or leave namePrefix and nameSuffix to other objects",
            )


@rule("reference-grant", "error", "no ReferenceGrant allows it")
def reference_grant(audit: Audit) -> Iterator[Finding]:
    """A Gateway refers to a Secret in another namespace, and no ReferenceGrant there allows it.

    The listener stays unready with the reason RefNotPermitted. Add a ReferenceGrant in the Secret's
    namespace.
    """
    grants = {r.namespace for r in audit.resources if r.kind == "ReferenceGrant"}
    for one in audit.judged:
        reference = one.reference
        if (
            reference.entry.grant
            and reference.resource.namespace
            and reference.namespace not in ("", None, reference.resource.namespace)
            and reference.namespace not in grants
        ):
            yield about_reference(
                "reference-grant",
                reference,
                f"another namespace needs a ReferenceGrant in {reference.namespace}",
                remedy=f"add one for {reference.resource.kind} and Secret there",
            )


@rule("uncertain-producer", "warning", "it may not be made")
def uncertain_producer(audit: Audit) -> Iterator[Finding]:
    """The Secret is made only where the operator is set up for it.

    The build cannot tell. If it is, say so under assume: in the SealedSecretValidator.
    """
    for one in audit.judged:
        if one.makers and not any(made.certain for made in one.makers):
            note = next((m.entry.note for m in one.makers if m.entry and m.entry.note), "")
            yield about_reference(
                "uncertain-producer",
                one.reference,
                f"{_makers(one)} may or may not produce it",
                producer=_makers(one),
                remedy="; ".join(p for p in (note, "list it under assume: if it is there") if p),
            )


@rule("wrong-type", "error", "the Secret's type does not fit its use")
def wrong_type(audit: Audit) -> Iterator[Finding]:
    """The Secret has another type than its use needs.

    A pull secret of type Opaque is silently useless; others are refused by the operator that reads
    them. Set template.type of the claim.
    """
    for one in audit.judged:
        types, maker = one.reference.entry.types, one.maker
        if not types or maker is None or maker.type is None or maker.type in types:
            continue
        if maker.how == "operator" and maker.type == OPAQUE:
            continue  # an operator knows what it writes
        yield about_reference(
            "wrong-type",
            one.reference,
            f"{maker.by} has type {maker.type}",
            severity=one.reference.entry.types_level,
            producer=maker.by,
            remedy=f"set template.type: {types[0]}",
        )


@rule("unknown-kind", "info", "the catalogue does not know the kind")
def unknown_kind(audit: Audit) -> Iterator[Finding]:
    """A kind that the catalogue does not know has fields that look like references to Secrets.

    They are checked, and reported as warnings. Entries of your own make them exact: in a file of kind
    SecretCatalogue that the validator names under catalogue:, or in the annotation
    krmfn.dev/secret-catalogue of the CRD.
    """
    first = {one.reference.resource.group_kind: one.reference for one in reversed(audit.judged)}
    for kind, fields in audit.unknown.items():
        yield Finding(
            "unknown-kind",
            "info",
            f"the catalogue does not know {kind}: {fields} of its fields look like references",
            resource=first[kind].resource,
            remedy="add it to a SecretCatalogue",
        )


def _beyond(audit: Audit) -> Iterator[Finding]:
    """Yield the unmet references of an object without a namespace."""
    for one in audit.judged:
        resource = one.reference.resource
        if one.verdict == "external" and resource.cluster_scoped and not one.reference.optional:
            yield about_reference(
                "unmet-reference",
                one.reference,
                "nothing in this build creates this Secret, which is read in the namespace of "
                f"{resource.kind}'s controller",
                severity="warning",
                remedy="claim it there, or list it under assume:",
            )


def _makers(one: Judged) -> str:
    return ", ".join(dict.fromkeys(made.by for made in one.makers))


def _elsewhere(reference: Reference, audit: Audit) -> list[Production]:
    """The makers of the Secret in other namespaces."""
    named = audit.index.named(reference.secret)
    return [made for made in named if made.how != "assumed" and made.certain]


def _movable(audit: Audit) -> list[tuple[Production, str, str, str]]:
    """Return operators' Secrets named after their object: its name, and the text around it."""
    found = []
    for made in audit.productions:
        if made.entry is None or made.resource is None:
            continue
        for template in made.entry.names or made.entry.name[-1:]:
            before, name, after = template.partition("{metadata.name}")
            if name and "{" not in before + after:
                found.append((made, made.resource.name, before, after))
    return found


def _moved(
    reference: Reference, movable: list[tuple[Production, str, str, str]]
) -> Production | None:
    """The operator's Secret that a reference means, if its object got a prefix or suffix."""
    secret = reference.secret
    for made, name, before, after in movable:
        if not (secret.startswith(before) and secret.endswith(after)):
            continue
        base = secret[len(before) : len(secret) - len(after)]
        if base and _renamed(base, name) and made.namespace in (reference.namespace, None, ""):
            return made
    return None


def _renamed(base: str, name: str) -> bool:
    return name.endswith(f"-{base}") or name.startswith(f"{base}-")
