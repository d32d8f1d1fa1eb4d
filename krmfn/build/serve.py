"""Answers kustomize's calls with the function's own code.

Rules enforced here: a call is for a judged configuration, by its number, and for the directory that
lists it, mapped back from the copy to the repository; what it does is what the function does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from krmfn.audit.enforce import configured_fields
from krmfn.build import answer, hold
from krmfn.build.answer import Answer, Call
from krmfn.build.called import Called
from krmfn.build.estate import completed
from krmfn.build.followed import followed
from krmfn.build.rehearse import rehearse
from krmfn.build.transform import claims_of
from krmfn.documents import strict
from krmfn.documents.strict import mapping
from krmfn.errors import Failure, SpecError, raise_all
from krmfn.kustomize.kustomization import read_overlay
from krmfn.names import API_VERSION, CLAIM, GENERATOR
from krmfn.objects import stream
from krmfn.objects.sealed_secret import (
    IDENTITY,
    SEALED_FOR,
    claim_companion,
    name_companion,
    skip_marker,
)
from krmfn.plan.make import plan_claims
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.parse import name_of
from krmfn.spec.transformer import SealedSecretTransformer
from krmfn.spec.validator import SealedSecretValidator

if TYPE_CHECKING:
    from krmfn.build.bind import Binding
    from krmfn.build.copy import CopiedConfig, Copy
    from krmfn.kustomize.overlay import Kustomization
    from krmfn.objects.sealed_secret import Object
    from krmfn.plan.make import Plan
    from krmfn.sealing.job import Job
    from krmfn.sealing.pipeline import Sealed

Mode: TypeAlias = Literal["real", "rehearsal", "look", "claims-only"]
# Stands for a namespace that is not known yet.
_LATER = "later"


class Calls:
    """The calls of one run of kustomize.

    Attributes:
        made: those that were made, in their order.
    """

    def __init__(self, copied: Copy, job: Job, mode: Mode, binding: Binding | None = None) -> None:
        self._copied = copied
        self._job = job
        self._mode = mode
        self._binding = binding
        self.made: list[Called] = []

    def answer(self, directory: bytes, stub: bytes, items: bytes) -> str:
        """Return the output of one call.

        Args:
            directory: the client's working directory.
            stub: the configuration that kustomize gave it.
            items: a stream of resources.

        Raises:
            Failure: the call's own.
        """
        place, value = Path(os.fsdecode(directory)), strict.load(stub, "the call")
        config = self._copied.called(place, value)
        if config is None:
            raise SpecError(
                "kustomize",
                "kustomize calls krmfn with a configuration that no kustomization lists",
            )
        kind = config.value.get("kind")
        given = () if kind == GENERATOR else stream.stream(items, "the build")
        job = self._job.at(config.directory)
        called = Called(config, given, job)
        number = len(self.made)
        if self._binding:
            self._binding.call(number, called)
        self.made.append(called)
        where = name_of(config.value)
        try:
            overlay = read_overlay(job.access.place)
            where = answer.where_of(where, overlay)
            found = self._answer(called, overlay)
        except Failure as failure:
            raise answer.placed(self._advised(failure, config), where) from None
        if called.plan and not all(target.referenced for target in called.plan.targets):
            self._check_references(found.text)
        called.digests = found.digests
        if self._binding:
            self._binding.learn(number, called)
        return found.text

    def _answer(self, called: Called, overlay: Kustomization) -> Answer:
        call = Call(called.config.value, called.items, implied=called.config.implied)
        config = completed(call.config, call.items, overlay, called.job)
        if isinstance(config, SealedSecretValidator):
            self._check(config, called, overlay)
            return Answer("")
        if self._mode == "claims-only":
            return Answer(claims_only(call, overlay, called.job))

        def seal(plan: Plan, job: Job) -> list[Sealed]:
            called.plan = plan
            if self._mode == "real":
                if self._binding:
                    self._binding.plan(len(self.made) - 1, plan)
                called.made = answer.seal(plan, job)
            else:
                called.made = rehearse(plan, job, strict=self._mode == "rehearsal")
            return called.made

        # The outermost transformer's checks are of the finished stream, as those of validators.
        outermost = called.config.directory == self._copied.directories[self._copied.place]
        holds = self._mode == "real" and not outermost
        return answer.answer(call, overlay, called.job, seal, holds=holds)

    def _check(self, config: SealedSecretValidator, called: Called, overlay: Kustomization) -> None:
        """Hold the stream against a validator, without the warnings that the finished stream gives."""
        real = self._mode == "real"
        outermost = called.config.directory == self._copied.directories[self._copied.place]
        job = called.job if real and not outermost else called.job.aside()
        refers = configured_fields(self._copied.tree)
        hold.check(config, called.items, overlay, job, sealed=real, refers=refers)

    def _check_references(self, text: str) -> None:
        """Refuse references that kustomize would move to another Secret, in a transformer's stream.

        Raises:
            Failure: a reference would be followed to another Secret.
        """
        raise_all(list(followed(stream.stream(text, "the build"))))

    def _advised(self, failure: Failure, config: CopiedConfig) -> Failure:
        """Return the failure, with the line to move if a configuration is nested too deeply."""
        outermost = self._copied.directories[self._copied.place]
        for error in failure.errors:
            if error.id == "namespace-missing" and config.directory != outermost:
                error.remedy = move(config)
            elif error.id == "sealed-for" and (made := maker(self.made, error.found)):
                error.remedy = move(made.config)
        return failure


def maker(calls: list[Called], sealed_for: str) -> Called | None:
    """Return the call that sealed for a place, written like the annotation."""
    for called in calls:
        for one in called.made:
            if one.object["metadata"]["annotations"][SEALED_FOR] == sealed_for:
                return called
    return None


def move(config: CopiedConfig) -> str:
    """Return the remedy for a configuration that seals before names and namespaces are final."""
    if config.list == "generators":
        return (
            f"declare claims in place of {config.where}, and list a SealedSecretTransformer "
            "under transformers: of the outermost kustomization"
        )
    return f"move {config.where} to transformers: of the outermost kustomization"


def claims_only(call: Call, overlay: Kustomization, job: Job) -> str:
    """Return the output of a generator or transformer without sealing: claims and companions."""
    config = completed(call.config, call.items, overlay, job)
    if isinstance(config, SealedSecretGenerator):
        plan = answer.planned(config, call, overlay, job)
        claims = [
            _claim(target.namespace, target.scope, target.mode, raw)
            for target, raw in zip(plan.targets, call.config["spec"]["secrets"], strict=True)
        ]
        companions = [_companion(mapping(claim["metadata"])) for claim in claims]
        return stream.write([*claims, *companions, skip_marker()])
    if not isinstance(config, SealedSecretTransformer):
        return answer.answer(call, overlay, job).text
    overlay.check_list(config.kind, config.metadata.name, "transformers")
    kept = [i for i in call.items if (i.api_version, i.kind) != (API_VERSION, config.kind)]
    _, claims_ = claims_of(call.items, config, overlay, job)
    if claims_:
        plan_claims(config, [(claim, namespace or _LATER) for claim, namespace in claims_])
    companions = [
        _companion(mapping(item.header().get("metadata")))
        for item in kept
        if (item.api_version, item.kind) == (API_VERSION, CLAIM)
    ]
    marker = [] if call.implied else [skip_marker()]
    return stream.rewrite_stream(kept, [*companions, *marker])


def _claim(namespace: str, scope: str, mode: str, raw: Object) -> Object:
    """Return the claim for a generator's secret, with its own scope and mode."""
    own = mapping(raw.get("metadata"))
    metadata = {"name": raw["name"]}
    metadata |= {k: own[k] for k in ("annotations", "labels") if own.get(k)}
    metadata |= {"namespace": namespace} if namespace else {}
    spec = {k: v for k, v in raw.items() if k not in ("name", "metadata")}
    spec |= {"scope": scope, "mode": mode}
    return {"apiVersion": API_VERSION, "kind": CLAIM, "metadata": metadata, "spec": spec}


def _companion(metadata: Object) -> Object:
    """The name companion of a claim with this metadata."""
    annotations = mapping(metadata.get("annotations"))
    place = {k: v for k, v in metadata.items() if k in ("name", "namespace")}
    if not any(name in annotations for name in IDENTITY):
        return name_companion({"metadata": {**place, "annotations": annotations}})
    history = {k: v for k, v in annotations.items() if k in IDENTITY}
    return claim_companion({"metadata": {**place, "annotations": annotations}}, history)
