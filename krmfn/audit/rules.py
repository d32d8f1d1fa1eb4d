"""The rules of the audit. A rule is a function from an `Audit` to findings; its docstring explains it.

Rules enforced here: a rule that cannot be sure warns; what the catalogue only guesses at (the shape
rule) never fails; sealing over a Secret that an operator makes always does.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

from krmfn.audit.findings import Finding, place_of
from krmfn.audit.productions import OPAQUE
from krmfn.audit.references import SHAPE
from krmfn.secrettypes import missing_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from krmfn.audit.judge import Audit, Judged
    from krmfn.audit.productions import Production
    from krmfn.audit.references import Reference
    from krmfn.spec.catalogue import Level

    Check: TypeAlias = Callable[[Audit], Iterator[Finding]]

SKIP_OWNER = "sealedsecrets.bitnami.com/skip-set-owner-references"
MANAGED = "sealedsecrets.bitnami.com/managed"
PATCH = "sealedsecrets.bitnami.com/patch"


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        severity: of its findings, where the entry that applies says no other.
        title: what is wrong, in a few words.
    """

    id: str
    severity: Level
    title: str
    check: Check

    @property
    def explanation(self) -> str:
        """Why it matters and what to do, as paragraphs."""
        text = self.check.__doc__ or ""
        return "\n".join(line.strip() for line in text.strip().splitlines())


def check(audit: Audit, *, only: str | None = None) -> list[Finding]:
    """All findings, by object; of one rule when it is named."""
    rules = [RULES[only]] if only else RULES.values()
    return sorted((f for rule in rules for f in rule.check(audit)), key=place_of)


def unmet_reference(audit: Audit) -> Iterator[Finding]:
    """A field refers to a Secret that nobody in the build produces.

    The pod stays in CreateContainerConfigError, or the operator waits. Produce it: claim it, let an
    operator make it, or correct the name. If it is made elsewhere (by hand, by Terraform, by a
    replicator), say so under assume: in the SealedSecretValidator, where a reviewer sees it.
    """
    for one in _unmet(audit):
        if _moved(one.reference, audit) or _elsewhere(one.reference, audit):
            continue
        names = audit.index.names(one.reference.namespace)
        yield _finding(
            "unmet-reference",
            one.reference,
            "nobody produces this Secret",
            near=_near(one.reference.secret, names),
            remedy="claim it, correct the name, or list it under assume:",
        )


def unmet_key(audit: Audit) -> Iterator[Finding]:
    """A field needs a key that the Secret will not have.

    The container does not start, the volume is not mounted, or the operator reports a missing key.
    Which keys an operator writes is in the catalogue and may depend on its version: set cnpgVersion
    in the SealedSecretValidator where CloudNativePG is not the newest.
    """
    for one in audit.judged:
        for key in one.missing:
            keys = sorted({k for made in one.makers for k in made.keys})
            yield _finding(
                "unmet-key",
                one.reference,
                f"{_makers(one)} produces no such key",
                key=key,
                producer=_makers(one),
                near=_near(key, keys),
                remedy=f"it has {', '.join(keys)}" if keys else "it has no key at all",
            )


def wrong_namespace(audit: Audit) -> Iterator[Finding]:
    """The Secret is produced, but in another namespace than the object that refers to it.

    A Secret can be used in its own namespace only. Produce it there, which for a SealedSecret means
    to seal it for there.
    """
    for one in _unmet(audit):
        if made := _elsewhere(one.reference, audit):
            places = sorted({f"{p.by} in {p.namespace}" for p in made})
            yield _finding(
                "wrong-namespace",
                one.reference,
                f"the Secret is needed in {one.reference.namespace}",
                producer=", ".join(places),
                remedy=f"produced by {', '.join(places)}",
            )


def moved_producer(audit: Audit) -> Iterator[Finding]:
    """namePrefix or nameSuffix renamed the object whose operator makes the Secret.

    An operator derives the Secret's name from its object's name. kustomize renames the object and
    does not know of the Secret, so that references keep the old name. Drop the prefix there, or patch
    the references.
    """
    for one in _unmet(audit):
        if made := _moved(one.reference, audit):
            yield _finding(
                "moved-producer",
                one.reference,
                f"{made.by} was renamed, and so its operator makes {made.secret}",
                producer=made.by,
                near=made.secret,
                remedy="patch the reference, or leave namePrefix and nameSuffix to other objects",
            )


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
            and reference.namespace not in ("", None, reference.resource.namespace)
            and reference.namespace not in grants
        ):
            yield _finding(
                "reference-grant",
                reference,
                f"another namespace needs a ReferenceGrant in {reference.namespace}",
                remedy=f"add one for {reference.resource.kind} and Secret there",
            )


def uncertain_producer(audit: Audit) -> Iterator[Finding]:
    """The Secret is made only where the operator is set up for it.

    The build cannot tell. If it is, say so under assume: in the SealedSecretValidator.
    """
    for one in audit.judged:
        if one.makers and not any(made.certain for made in one.makers):
            note = next((m.entry.note for m in one.makers if m.entry and m.entry.note), "")
            yield _finding(
                "uncertain-producer",
                one.reference,
                f"{_makers(one)} may or may not produce it",
                producer=_makers(one),
                remedy="; ".join(p for p in (note, "list it under assume: if it is there") if p),
            )


def operator_owned(audit: Audit) -> Iterator[Finding]:
    """A SealedSecret or claim has the name of a Secret that an operator makes.

    It breaks in either order. Sealed first, the operator leaves a Secret alone that it did not make,
    so that its other keys never appear; or it fails, or writes over it. Operator first, the controller
    reports that the Secret "already exists and is not managed by SealedSecret". Refuse the name: use
    the Secret that the operator makes, or tell the operator to take another one.
    """
    for names in _by_name(audit).values():
        for made in (m for m in names if m.how in ("sealed", "claim")):
            for owner in names:
                if not _refuses(owner) or not owner.certain or _waived(made, owner):
                    continue
                why = owner.entry.why if owner.entry else None
                yield _about(
                    "operator-owned",
                    made,
                    f"the operator of {owner.by} makes this Secret",
                    producer=owner.by,
                    remedy="; ".join(p for p in (why, "use the Secret that it makes") if p),
                )


def ambiguous_producer(audit: Audit) -> Iterator[Finding]:
    """Two objects each make the same Secret, and would take it from one another.

    Whichever comes last wins, or one of them reports a conflict for ever. Give them different names.
    An empty Secret that only carries labels is no second producer, nor is one that an operator
    documents to be made in advance.
    """
    for names in _by_name(audit).values():
        for first, second in combinations(names, 2):
            if _collide(first, second):
                yield _about(
                    "ambiguous-producer",
                    second,
                    f"{first.by} makes this Secret too",
                    producer=first.by,
                    remedy="give one of them another name",
                )


def reserved_name(audit: Audit) -> Iterator[Finding]:
    """A SealedSecret has a name that something else uses for Secrets of its own.

    Choose another name.
    """
    for made in audit.productions:
        for entry in audit.entries.reserved:
            if made.how in ("sealed", "claim") and fnmatchcase(made.secret, entry.pattern):
                yield _about(
                    "reserved-name",
                    made,
                    f"names like {entry.pattern} are those of {entry.by}",
                    producer=entry.by,
                    remedy="choose another name",
                )


def unused_secret(audit: Audit) -> Iterator[Finding]:
    """A SealedSecret or claim that nothing in the build refers to.

    A left-over, a misspelt name, or something that finds the Secret by a label that the catalogue
    does not know. Remove it, or add the label to a SecretCatalogue of your own as a finder.
    """
    used = {(j.reference.namespace, j.reference.secret) for j in audit.judged}
    anywhere = {name for namespace, name in used if not namespace}
    wanted = {p.secret for p in audit.productions if p.how == "operator" and not _refuses(p)}
    makers = {id(made) for judged in audit.judged for made in judged.makers}
    for made in audit.productions:
        if made.how not in ("sealed", "claim") or id(made) in makers:
            continue
        if made.secret in anywhere | wanted or _found_by_label(made, audit):
            continue
        names = [j.reference.secret for j in _unmet(audit)]
        yield _about(
            "unused-secret",
            made,
            "nothing refers to this Secret",
            near=_near(made.secret, names),
            remedy="remove it, or correct the name",
        )


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
        yield _finding(
            "wrong-type",
            one.reference,
            f"{maker.by} has type {maker.type}",
            severity=one.reference.entry.types_level,
            producer=maker.by,
            remedy=f"set template.type: {types[0]}",
        )


def type_keys(audit: Audit) -> Iterator[Finding]:
    """A Secret lacks keys that the API server demands for its type.

    The API server refuses it, and for a SealedSecret only when the controller unseals it.
    """
    for made in audit.productions:
        if not made.declared or made.type is None or made.open:
            continue
        for key in missing_keys(made.type, made.keys):
            yield _about(
                "type-keys",
                made,
                f"type {made.type} needs the key {key}",
                key=key,
                remedy=f"add {key}, or choose another type",
            )


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
        if maker is None or not maker.declared or one.reference.secret == "argocd-secret":
            continue
        labels = dict(maker.labels)
        for label, value in wanted.items():
            if (label in labels and value in ("", labels[label])) or (id(maker), label) in told:
                continue
            told.add((id(maker), label))
            yield _about(
                "missing-label",
                maker,
                f"{one.reference.resource.title} looks for the label {label}",
                remedy=f'add {label}: "{value or "true"}" to template.metadata.labels',
            )


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
            yield _about(
                "owns-input",
                maker,
                f"the operator of {one.reference.resource.title} claims this Secret's ownership",
                producer=one.reference.resource.title,
                remedy=f'add {" and ".join(lacking)}: "true" to template.metadata.annotations',
            )


def unused_assumption(audit: Audit) -> Iterator[Finding]:
    """An entry of assume: that no reference needs, or for a Secret that the build produces itself.

    Remove it, so that the list keeps saying what is true.
    """
    makers = {id(made) for judged in audit.judged for made in judged.makers[:1]}
    for made in audit.productions:
        if made.how == "assumed" and id(made) not in makers:
            yield Finding(
                "unused-assumption",
                "warning",
                "the assumption is not needed",
                namespace=made.namespace or "",
                secret=made.secret,
                remedy="remove it from assume:",
            )


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


def _unmet(audit: Audit) -> list[Judged]:
    return [one for one in audit.judged if one.verdict == "unmet"]


def _finding(
    rule: str,
    reference: Reference,
    message: str,
    *,
    severity: Level | None = None,
    key: str | None = None,
    producer: str = "",
    near: str = "",
    remedy: str = "",
) -> Finding:
    """A finding about a reference, at most as severe as the entry that found it."""
    own = severity or RULES[rule].severity
    order = ("info", "warning", "error")
    level = min(own, reference.entry.level, key=order.index)
    looks = "looks like a reference: " if reference.entry is SHAPE else ""
    return Finding(
        rule,
        level,
        looks + message,
        resource=reference.resource,
        place=reference.place,
        namespace=reference.namespace or "",
        secret=reference.secret,
        key=", ".join(reference.keys) if key is None else key,
        producer=producer,
        near=near,
        remedy=remedy,
    )


def _about(
    rule: str,
    made: Production,
    message: str,
    *,
    key: str = "",
    producer: str = "",
    near: str = "",
    remedy: str = "",
) -> Finding:
    """A finding about the object that makes a Secret."""
    return Finding(
        rule,
        RULES[rule].severity,
        message,
        resource=made.resource,
        namespace=made.namespace or "",
        secret=made.secret,
        key=key,
        producer=producer,
        near=near,
        remedy=remedy,
    )


def _makers(one: Judged) -> str:
    return ", ".join(dict.fromkeys(made.by for made in one.makers))


def _near(word: str, known: list[str]) -> str:
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.8)), "")


def _elsewhere(reference: Reference, audit: Audit) -> list[Production]:
    """The makers of the Secret in other namespaces."""
    return [made for made in audit.index.named(reference.secret) if made.how != "assumed"]


def _moved(reference: Reference, audit: Audit) -> Production | None:
    """The operator's Secret that a reference means, if its object got a prefix or suffix."""
    for made in audit.productions:
        source, entry = made.resource, made.entry
        if entry is None or source is None or made.namespace not in (reference.namespace, None, ""):
            continue
        for template in entry.names or entry.name[-1:]:
            before, field, after = template.partition("{metadata.name}")
            if not field or "{" in before + after:
                continue
            base = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", reference.secret)
            if base and base[1] != source.name and _renamed(base[1], source.name):
                return made
    return None


def _renamed(base: str, name: str) -> bool:
    return name.endswith(f"-{base}") or name.startswith(f"{base}-")


def _by_name(audit: Audit) -> dict[tuple[str, str], list[Production]]:
    """The productions of each Secret that has a namespace of its own, or none."""
    found: dict[tuple[str, str], list[Production]] = defaultdict(list)
    for made in audit.productions:
        if made.how != "assumed" and made.namespace is not None:
            found[made.namespace, made.secret].append(made)
    return found


def _refuses(made: Production) -> bool:
    return made.entry is not None and made.entry.policy == "refuse"


def _waived(made: Production, owner: Production) -> bool:
    """Both sides say that the controller may patch the operator's Secret."""
    return owner.waived and dict(made.annotations).get(PATCH) == "true"


def _collide(first: Production, second: Production) -> bool:
    kinds = Counter(made.how in ("sealed", "claim") for made in (first, second))
    if first.declared and second.declared:
        return first.has_content and second.has_content
    if first.declared or second.declared:
        plain, other = (first, second) if first.declared else (second, first)
        # A sealed one is told by operator-owned.
        return kinds[True] == 0 and plain.has_content and _refuses(other) and other.certain
    if not (_refuses(first) and _refuses(second) and first.certain and second.certain):
        return False
    if first.operator == second.operator or "cert-manager" in (first.operator, second.operator):
        same = first.entry is second.entry and first.entry is not None
        return same and not first.entry.shared and first.resource is not second.resource
    return True


def _found_by_label(made: Production, audit: Audit) -> bool:
    labels, annotations = dict(made.labels), dict(made.annotations)
    for finder in audit.entries.finders:
        name, said = (
            (finder.label, labels) if finder.label else (finder.annotation or "", annotations)
        )
        if name in said and (not finder.values or said[name] in finder.values):
            return True
    return False


RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule("unmet-reference", "error", "nobody produces the Secret", unmet_reference),
        Rule("unmet-key", "error", "the Secret will not have the key", unmet_key),
        Rule("wrong-namespace", "error", "the Secret is in another namespace", wrong_namespace),
        Rule("moved-producer", "error", "the producer was renamed", moved_producer),
        Rule("reference-grant", "error", "no ReferenceGrant allows it", reference_grant),
        Rule("uncertain-producer", "warning", "it may not be made", uncertain_producer),
        Rule("operator-owned", "error", "an operator makes this Secret", operator_owned),
        Rule("ambiguous-producer", "error", "two objects make this Secret", ambiguous_producer),
        Rule("reserved-name", "error", "the name is somebody else's", reserved_name),
        Rule("unused-secret", "warning", "nothing refers to the Secret", unused_secret),
        Rule("wrong-type", "error", "the Secret's type does not fit its use", wrong_type),
        Rule("type-keys", "error", "the type needs other keys", type_keys),
        Rule("missing-label", "warning", "the consumer looks for a label", missing_label),
        Rule("owns-input", "error", "the consumer claims the Secret's ownership", owns_input),
        Rule("unused-assumption", "warning", "an assumption is not needed", unused_assumption),
        Rule("unknown-kind", "info", "the catalogue does not know the kind", unknown_kind),
    )
}
