"""Checks in the cluster: controller, SealedSecrets, and the Secrets beside them.

Rules enforced here: nothing is changed; of a Secret only names are known here. What the controller
says in a condition or an event may quote a value, by a template that fails: only sentences that
cannot are shown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from krmfn.build.one import build
from krmfn.cluster.questions import CONFLICT, Questions
from krmfn.crypto.certificate import choose
from krmfn.doctor.diagnosis import Diagnosis, failed
from krmfn.doctor.overlay import mismatch, title
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import Failure
from krmfn.objects import stream
from krmfn.objects.kinds import NamespacedName, each, place_of
from krmfn.objects.sealed_secret import API_VERSION, CERTIFICATE, KIND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from krmfn.audit.judge import Audit, Judged
    from krmfn.cluster.questions import Controller, SecretFacts
    from krmfn.doctor.diagnosis import Patient
    from krmfn.doctor.overlay import Examined

PREFIX = "sealedsecrets.bitnami.com/"
_NO_KEY = "no key could decrypt secret"
_NOT_MANAGED = "already exists and is not managed by SealedSecret"
# The whole of what the controller says is shown only where it can hold no value.
_SAFE = re.compile(rf'{_NO_KEY}|(Resource "[-.a-z0-9]+" )?{_NOT_MANAGED}|field is immutable')
_SHOWN = 3  # events


@dataclass(frozen=True)
class Controlled:
    """The controller, and its current public key's SHA-256 (hex; may be empty)."""

    controller: Controller
    newest: str


def examine(
    patient: Patient,
    found: Examined,
    context: str | None,
    namespaces: Sequence[str],
    names: Sequence[str],
) -> Iterator[Diagnosis]:
    """All of the cluster's checks."""
    try:
        ask = Questions(context, patient.access.deadline)
        controller = ask.controller(namespaces, names)
    except Failure as failure:
        yield from failed("controller", failure, "the cluster")
        return
    if controller is None:
        tried = f"Services {' and '.join(names)} in {' and '.join(namespaces)}"
        cause = "there is no sealed-secrets controller, or its Service may not be looked at"
        fix = "say --controller-namespace and --controller-name, or install sealed-secrets"
        yield Diagnosis("controller", "error", "the cluster", cause, f"tried {tried}", fix)
    told, newest = _certificate(ask, controller, patient, found) if controller else ([], "")
    yield from told
    sealed = found.sealed
    try:
        # The other areas report a failed build.
        text = build(patient.directory, patient.command, (), patient.job()).text
        items = stream.stream(text, "the build")
        values = [value for item in items for _, value in each(item.document.value())]
        sealed = [v for v in values if (v.get("apiVersion"), v.get("kind")) == (API_VERSION, KIND)]
    except Failure as failure:
        cause = "only what is committed can be verified: the overlay does not build with its values"
        yield _skipped("verify", failure, patient.name, cause)
    if controller:
        yield from _verified(ask, Controlled(controller, newest), sealed)
    for value in sealed:
        try:
            yield from _deployed(ask, value, controller, newest)
        except Failure as failure:
            yield _skipped("synced", failure, title(value))
    if found.audit is not None:
        yield from _operators(ask, found.audit)


def _skipped(check: str, failure: Failure, subject: str, cause: str = "") -> Diagnosis:
    error = failure.errors[0]
    return Diagnosis(check, "skipped", subject, cause or error.message, error.line(), error.remedy)


def _certificate(
    ask: Questions, controller: Controller, patient: Patient, found: Examined
) -> tuple[list[Diagnosis], str]:
    """Compare the controller's newest key with the overlay's certificate."""
    subject = f"{controller.namespace}/{controller.name}"
    try:
        pem = ask.certificate(controller)
        newest = choose(pem, patient.now).fingerprint if pem else ""
    except Failure as failure:
        return list(failed("controller", failure, subject)), ""
    if not newest:
        cause = "its Service is there, and its proxy does not give the certificate"
        fix = f"kubectl get pods -n {controller.namespace}; ask for get on services/proxy"
        return [Diagnosis("controller", "error", subject, cause, f"{controller.proxy}", fix)], ""
    told = [Diagnosis("controller", "ok", subject, "it answers")]
    for certificate in found.certificates:
        pinned = certificate.fingerprint
        if pinned == newest:
            text = "the overlay seals for the controller's newest key"
            told.append(Diagnosis("cluster-certificate", "ok", pinned[:16], text))
            continue
        cause = "the controller seals with another key by now, or it never had this one"
        evidence = f"pinned {pinned}, newest {newest}; verify says whether it has the pinned one"
        fix = "krmfn cert fetch -o FILE, review the diff, commit"
        told.append(Diagnosis("cluster-certificate", "warning", pinned[:16], cause, evidence, fix))
    return told, newest


def _verified(
    ask: Questions, there: Controlled, sealed: Sequence[dict[str, Any]]
) -> Iterator[Diagnosis]:
    for value in sealed:
        try:
            status = ask.verify(there.controller, value)
        except Failure as failure:
            yield _skipped("verify", failure, title(value))
            continue
        if status == HTTPStatus.OK:
            yield Diagnosis("verify", "ok", title(value), "the controller can open it")
        elif status == CONFLICT:
            wrong = unopened(value, there.newest)
            yield Diagnosis("verify", "error", title(value), *wrong)
        else:
            cause = f"the controller answers {status}"
            fix = "ask for create on services/proxy"
            yield Diagnosis("verify", "skipped", title(value), cause, "", fix)


def unopened(value: dict[str, Any], newest: str) -> tuple[str, str, str]:
    """Return cause, evidence and fix for a SealedSecret that no key opens. Pure."""
    if wrong := mismatch(value):
        return *wrong, "build again, with krmfn in the outermost kustomization"
    mark = mapping(mapping(value.get("metadata")).get("annotations")).get(CERTIFICATE)
    if mark is None:
        cause = "it was sealed for another namespace, name or key; it has no record of which"
        return cause, "it has no krmfn annotation", "krmfn import sealedsecret FILE"
    if mark == newest:
        cause = "its content was changed after it was sealed"
        return cause, f"it is sealed for the controller's newest key, {mark}", "build it again"
    cause = "the controller does not have the key that it is sealed for"
    evidence = f"sealed for {mark}, newest {newest or 'not known'}"
    return cause, evidence, "krmfn cert fetch -o FILE, commit, and build again; or restore the key"


def _deployed(
    ask: Questions, value: dict[str, Any], controller: Controller | None, newest: str
) -> Iterator[Diagnosis]:
    """Check a SealedSecret in the cluster, and a Secret that blocks it."""
    namespace, name = place_of(value)
    if not namespace:
        yield Diagnosis("synced", "skipped", title(value), "the overlay does not say its namespace")
        return
    there = ask.sealed(namespace, name)
    if there is None:
        yield Diagnosis("synced", "skipped", title(value), "it is not deployed")
    else:
        events = ask.events(namespace, name)
        yield judge_status(there, events, newest)
    facts = ask.secret(namespace, name)
    if facts is not None:
        yield judge_secret(namespace, name, facts, controller)


def judge_status(
    there: dict[str, Any], events: Sequence[tuple[str, str]], newest: str
) -> Diagnosis:
    """Judge the controller's status of a SealedSecret. Pure."""
    namespace, name = place_of(there)
    status = mapping(there.get("status"))
    listed = status.get("conditions")
    conditions = [mapping(one) for one in sequence(listed)]
    synced = next((one for one in conditions if one.get("type") == "Synced"), None)
    generation = mapping(there.get("metadata")).get("generation")
    look = f"kubectl describe sealedsecret -n {namespace} {name}"
    told = "; ".join(dict.fromkeys(_event(*one) for one in events[-_SHOWN:]))
    history = f"; events: {told}" if told else ""
    if synced is None or status.get("observedGeneration") != generation:
        cause = "the controller has not looked at it as it is now"
        evidence = f"generation {generation}, seen {status.get('observedGeneration')}{history}"
        fix = "look whether it runs, watches this namespace, or has given up"
        return Diagnosis("synced", "warning", title(there), cause, evidence, fix)
    if synced.get("status") == "True":
        return Diagnosis("synced", "ok", title(there), "the controller has opened it")
    message = str(synced.get("message"))
    said = _said(message)
    evidence = f"Synced is False: {said or 'its message may quote a value, and is not shown'}"
    if _NO_KEY in message:
        cause, more, fix = unopened(there, newest)
        return Diagnosis(
            "synced", "error", title(there), cause, f"{evidence}; {more}{history}", fix
        )
    if _NOT_MANAGED in message:
        cause = "another owner has created a Secret of that name"
        fix = adopt(namespace, name)
        return Diagnosis("synced", "error", title(there), cause, f"{evidence}{history}", fix)
    cause = "the controller could not make the Secret"
    return Diagnosis("synced", "error", title(there), cause, f"{evidence}{history}", look)


def _said(message: str) -> str:
    """Return the part of a message that cannot contain a value; empty if there is none."""
    found = _SAFE.search(message)
    return found.group() if found else ""


def _event(reason: str, message: str) -> str:
    word = reason if re.fullmatch(r"[A-Za-z]{1,40}", reason) else "?"
    said = _said(message)
    return f"{word}: {said}" if said else word


def adopt(namespace: str, name: str) -> str:
    """Return the command that lets the controller adopt a manually created Secret."""
    return f"kubectl annotate secret -n {namespace} {name} {PREFIX}managed=true"


def judge_secret(
    namespace: str, name: str, facts: SecretFacts, controller: Controller | None
) -> Diagnosis:
    """Judge whether an existing Secret is, or may become, the SealedSecret's. Pure."""
    subject = f"Secret/{namespace}/{name}"
    if f"{KIND}/{name}" in facts.owners:
        return Diagnosis("in-the-way", "ok", subject, "it is the SealedSecret's")
    for mark in ("managed", "patch"):
        if facts.annotations.get(f"{PREFIX}{mark}") == "true":
            return Diagnosis("in-the-way", "ok", subject, f"the controller may write it ({mark})")
    if facts.owners:
        owner = ", ".join(facts.owners)
        cause = f"it belongs to {owner}, which would change it back"
        fix = "seal under another name, or leave it to its owner"
        return Diagnosis("in-the-way", "error", subject, cause, f"ownerReferences: {owner}", fix)
    cause = "it was made by hand: the controller leaves it as it is, and the SealedSecret fails"
    evidence = f"no owner, no annotation {PREFIX}managed or {PREFIX}patch"
    fix = adopt(namespace, name)
    if controller is not None:
        # It does not try again by itself: only a new spec or a new start makes it look.
        where = f"-n {controller.namespace} deployment/{controller.name}"
        fix += f" && kubectl rollout restart {where}"
    return Diagnosis("in-the-way", "error", subject, cause, evidence, fix)


def _operators(ask: Questions, audit: Audit) -> Iterator[Diagnosis]:
    """Check the Secrets that operators must create, with the keys in use."""
    needed: dict[NamespacedName, list[Judged]] = defaultdict(list)
    for one in audit.judged:
        if one.verdict == "operator" and one.reference.namespace and not one.reference.optional:
            needed[NamespacedName(one.reference.namespace, one.reference.secret)].append(one)
    for (namespace, name), uses in sorted(needed.items()):
        holds = dict(pair for one in uses for maker in one.makers for pair in maker.holds)
        try:
            facts = ask.secret(namespace, name, holds)
        except Failure as failure:
            yield _skipped("operator-secret", failure, f"Secret/{namespace}/{name}")
            continue
        keys = {key for one in uses for key in one.reference.keys}
        makers = sorted({one.maker.by for one in uses if one.maker})
        yield judge_operator(namespace, name, facts, Expected(keys, holds), makers)


@dataclass(frozen=True)
class Expected:
    """The requirements of an operator's Secret.

    Attributes:
        keys: the keys in use.
        holds: key to what the operator's object says of it.
    """

    keys: set[str]
    holds: Mapping[str, str]


def judge_operator(
    namespace: str,
    name: str,
    facts: SecretFacts | None,
    expected: Expected,
    makers: Sequence[str],
) -> Diagnosis:
    """Judge whether an operator's Secret exists with its keys and content. Pure."""
    subject, who = f"Secret/{namespace}/{name}", ", ".join(makers)
    fix = "; ".join(
        f"kubectl describe {kind.lower()} -n {namespace} {own}"
        for kind, _, own in (maker.partition("/") for maker in makers)
    )
    if facts is None:
        cause = f"{who} has not made it"
        return Diagnosis("operator-secret", "error", subject, cause, "there is no such Secret", fix)
    if missing := sorted(expected.keys - facts.keys):
        cause = f"{who} made it without {', '.join(missing)}"
        evidence = f"it has {', '.join(sorted(facts.keys)) or 'no key'}"
        return Diagnosis("operator-secret", "error", subject, cause, evidence, fix)
    if other := sorted(facts.differing):
        said = ", ".join(f"{key} {expected.holds[key]}" for key in other)
        cause = f"its {', '.join(other)} is not what {who} says"
        evidence = f"{who} says {said}; what the Secret has is not shown"
        return Diagnosis("operator-secret", "error", subject, cause, evidence, fix)
    return Diagnosis(
        "operator-secret", "ok", subject, f"{who} made it, with the keys that are read"
    )
