"""Rules about Secrets and who makes them. Each function's docstring explains its rule. Pure."""

from __future__ import annotations

from collections import defaultdict
from fnmatch import fnmatchcase
from itertools import combinations
from typing import TYPE_CHECKING

from krmfn.audit.findings import Finding
from krmfn.audit.judge import lacking
from krmfn.audit.references import UNFINISHED
from krmfn.audit.rule import about_secret, nearest, rule, unmet
from krmfn.objects.kinds import NamespacedName
from krmfn.objects.secret_types import missing_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.audit.judge import Audit, Judged
    from krmfn.audit.productions import Production

SKIP_OWNER = "sealedsecrets.bitnami.com/skip-set-owner-references"
MANAGED = "sealedsecrets.bitnami.com/managed"
ARGOCD_OWN = "argocd-secret"  # a name; Argo CD reads it whatever its labels
PATCH = "sealedsecrets.bitnami.com/patch"


@rule("operator-owned", "error", "an operator creates this Secret")
def operator_owned(audit: Audit) -> Iterator[Finding]:
    """A SealedSecret or claim has the name of a Secret that an operator creates.

    It breaks in either order. Sealed first, the operator leaves a Secret alone that it did not make,
    so that its other keys never appear; or it fails, or writes over it. Operator first, the controller
    reports that the Secret "already exists and is not managed by SealedSecret". Refuse the name: use
    the Secret that the operator creates, or tell the operator to take another one.
    """
    for names in _by_name(audit).values():
        for made in (m for m in names if m.how in ("sealed", "claim")):
            for owner in names:
                if not _refuses(owner) or not owner.certain or _waived(made, owner):
                    continue
                why = owner.entry.why if owner.entry else None
                yield about_secret(
                    "operator-owned",
                    made,
                    f"the operator of {owner.by} creates this Secret",
                    producer=owner.by,
                    remedy="; ".join(p for p in (why, "use the Secret that it creates") if p),
                )


@rule("ambiguous-producer", "error", "two objects make this Secret")
def ambiguous_producer(audit: Audit) -> Iterator[Finding]:
    """Two objects each make the same Secret, and would take it from one another.

    Whichever comes last wins, or one of them reports a conflict for ever. Give them different names.
    An empty Secret that only carries labels is not a second producer, nor is one that an operator
    documents to be made in advance.
    """
    for names in _by_name(audit).values():
        for first, second in combinations(_rivals(names), 2):
            if UNFINISHED.search(second.secret):
                continue  # an overlay or another tool fills it in
            if _collide(first, second):
                yield about_secret(
                    "ambiguous-producer",
                    second,
                    f"{first.by} creates this Secret too",
                    producer=first.by,
                    remedy="give one of them another name",
                )


@rule("reserved-name", "error", "the name belongs to something else")
def reserved_name(audit: Audit) -> Iterator[Finding]:
    """A SealedSecret has a name that something else uses for Secrets of its own.

    Choose another name.
    """
    for made in audit.productions:
        for entry in audit.entries.reserved:
            if made.how in ("sealed", "claim") and fnmatchcase(made.secret, entry.pattern):
                yield about_secret(
                    "reserved-name",
                    made,
                    f"names like {entry.pattern} are those of {entry.by}",
                    producer=entry.by,
                    remedy="choose another name",
                )


@rule("unused-secret", "warning", "nothing refers to the Secret")
def unused_secret(audit: Audit) -> Iterator[Finding]:
    """A SealedSecret or claim that nothing in the build refers to, and whose name appears nowhere else.

    A left-over, a misspelt name, or something that finds the Secret by a label that the catalogue
    does not know. Remove it, or add the label to a SecretCatalogue of your own as a finder.
    """
    used = {(j.reference.namespace, j.reference.secret) for j in audit.judged}
    anywhere = {name for namespace, name in used if not namespace}
    wanted = {p.secret for p in audit.productions if p.how == "operator" and not _refuses(p)}
    makers = {id(made) for judged in audit.judged for made in judged.makers}
    names = [one.reference.secret for one in unmet(audit)]
    for made in audit.productions:
        if made.how not in ("sealed", "claim") or id(made) in makers:
            continue
        if made.secret in anywhere | wanted or _found_by_label(made, audit):
            continue
        if audit.mentions.has(made.namespace, made.secret):
            continue
        yield about_secret(
            "unused-secret",
            made,
            "nothing refers to this Secret",
            near=nearest(made.secret, names),
            remedy="remove it, or correct the name",
        )


@rule("type-keys", "error", "the type needs other keys")
def type_keys(audit: Audit) -> Iterator[Finding]:
    """A Secret lacks keys that the API server demands for its type.

    The API server refuses it, and for a SealedSecret only when the controller unseals it.
    """
    for made in audit.productions:
        if not made.declared or made.type is None or made.open:
            continue
        for key in missing_keys(made.type, made.keys):
            yield about_secret(
                "type-keys",
                made,
                f"type {made.type} needs the key {key}",
                key=key,
                remedy=f"add {key}, or choose another type",
            )


@rule("missing-label", "warning", "the consumer looks for a label")
def missing_label(audit: Audit) -> Iterator[Finding]:
    """The Secret lacks a label that its consumer looks for.

    Without cnpg.io/reload CloudNativePG does not notice that a password has changed; without
    app.kubernetes.io/part-of: argocd Argo CD does not read a Secret at all. The label belongs on the
    Secret, so under template.metadata.labels of the claim.
    """
    told: set[tuple[int, str]] = set()
    for one in audit.judged:
        entry, maker = one.reference.entry, one.maker
        wanted = {**entry.labels, **({entry.reload: ""} if entry.reload else {})}
        if maker is None or not maker.declared or one.reference.secret == ARGOCD_OWN:
            continue
        labels = dict(maker.labels)
        for label, value in wanted.items():
            if (label in labels and value in ("", labels[label])) or (id(maker), label) in told:
                continue
            told.add((id(maker), label))
            yield about_secret(
                "missing-label",
                maker,
                f"{one.reference.resource.title} looks for the label {label}",
                remedy=f'add {label}: "{value or "true"}" to template.metadata.labels',
            )


@rule("owns-input", "error", "the consumer claims the Secret's ownership")
def owns_input(audit: Audit) -> Iterator[Finding]:
    """The consumer claims the Secret for itself, which a SealedSecret owns already.

    It fails with "already owned by another SealedSecret controller". Two annotations under
    template.metadata.annotations make the controller leave the owner out, and yet update the Secret.
    """
    for one in audit.judged:
        maker = one.maker
        if not one.reference.entry.owns_input or maker is None or not maker.declared:
            continue
        annotations = dict(maker.annotations)
        lacking = [a for a in (SKIP_OWNER, MANAGED) if annotations.get(a) != "true"]
        if maker.how != "plain" and lacking:
            yield about_secret(
                "owns-input",
                maker,
                f"the operator of {one.reference.resource.title} claims this Secret's ownership",
                producer=one.reference.resource.title,
                remedy=f'add {" and ".join(lacking)}: "true" to template.metadata.annotations',
            )


@rule("unused-assumption", "warning", "an assumption is not needed")
def unused_assumption(audit: Audit) -> Iterator[Finding]:
    """An entry of assume: that no reference needs, or for a Secret that the build produces itself.

    Remove it, so that the list keeps saying what is true.
    """
    needed = {id(made) for one in audit.judged if _assumes(one) for made in one.makers}
    for made in audit.productions:
        if made.how == "assumed" and id(made) not in needed:
            yield Finding(
                "unused-assumption",
                "warning",
                "the assumption is not needed",
                namespace=made.namespace or "",
                secret=made.secret,
                remedy="remove it from assume:",
            )


def _assumes(one: Judged) -> bool:
    """Whether what is assumed makes a difference to a reference."""
    others = [made for made in one.makers if made.how != "assumed"]
    return not any(made.certain for made in others) or bool(lacking(one.reference, others))


def _by_name(audit: Audit) -> dict[NamespacedName, list[Production]]:
    """The productions of each Secret that has a namespace of its own, or none."""
    found: dict[NamespacedName, list[Production]] = defaultdict(list)
    for made in audit.productions:
        if made.how != "assumed" and made.namespace is not None:
            found[NamespacedName(made.namespace, made.secret)].append(made)
    return found


def _rivals(names: list[Production]) -> Iterator[Production]:
    """Those that may take a Secret from one another; of an entry that shares it, one stands for all."""
    shared: set[int] = set()
    for made in names:
        if made.declared:
            yield made
        elif made.entry and _refuses(made) and made.certain and id(made.entry) not in shared:
            shared |= {id(made.entry)} if made.entry.shared else set()
            yield made


def _refuses(made: Production) -> bool:
    return made.entry is not None and made.entry.policy == "refuse"


def _waived(made: Production, owner: Production) -> bool:
    """Both sides say that the controller may patch the operator's Secret."""
    return owner.waived and dict(made.annotations).get(PATCH) == "true"


def _collide(first: Production, second: Production) -> bool:
    if first.declared and second.declared:
        return first.has_content and second.has_content
    if first.declared or second.declared:
        plain = first if first.declared else second
        # operator-owned reports a sealed one.
        return plain.how == "plain" and plain.has_content
    if _same_object(first, second):
        return False
    if first.operator == second.operator or "cert-manager" in (first.operator, second.operator):
        entry = first.entry
        if entry is None or entry is not second.entry:
            return False
        return not entry.shared
    return True


def _same_object(first: Production, second: Production) -> bool:
    """Whether two items are the same object, which is in the stream twice."""
    one, other = first.resource, second.resource
    return (
        one is not None
        and other is not None
        and (one.group_kind, one.namespace, one.name)
        == (other.group_kind, other.namespace, other.name)
    )


def _found_by_label(made: Production, audit: Audit) -> bool:
    labels, annotations = dict(made.labels), dict(made.annotations)
    for finder in audit.entries.finders:
        name, said = (
            (finder.label, labels) if finder.label else (finder.annotation or "", annotations)
        )
        if name in said and (not finder.values or said[name] in finder.values):
            return True
    return False
