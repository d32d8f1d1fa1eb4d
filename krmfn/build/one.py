"""Build an overlay of an untrusted repository, with one run of kustomize.

Rules enforced here: kustomize reads a judged copy, and every call that it makes is answered here, by
the function's own code; under a policy everything is rehearsed and judged before anything is read,
and the real run may do only what was rehearsed; nothing is returned before the finished stream has
passed its checks.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING

from krmfn.audit.enforce import configured_fields, refuse_owned
from krmfn.build import finished, hold
from krmfn.build.bind import Binding
from krmfn.build.channel import Server
from krmfn.build.copy import copy
from krmfn.build.estate import completed, read_settings
from krmfn.build.followed import went_elsewhere
from krmfn.build.implied import add_transformer
from krmfn.build.rehearse import suffix_of
from krmfn.build.sandbox import Sandbox
from krmfn.build.selects import selects_sealed
from krmfn.build.serve import Calls
from krmfn.build.validate import validate
from krmfn.errors import Failure, KrmfnError, PolicyError, SpecError, raise_all
from krmfn.files.private import private_folder
from krmfn.kustomize.kustomization import read_overlay
from krmfn.kustomize.limits import TreeLimits
from krmfn.kustomize.overlay import Kustomization
from krmfn.kustomize.renaming import Names, names_in
from krmfn.objects import stream
from krmfn.objects.kinds import NamespacedName
from krmfn.sealing.pipeline import refuse_denied, values
from krmfn.spec.transformer import SealedSecretTransformer
from krmfn.spec.validator import SealedSecretValidator, as_validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from krmfn.audit.name_references import FieldSpec
    from krmfn.build.called import Called
    from krmfn.build.copy import Copy
    from krmfn.build.serve import Mode
    from krmfn.objects.stream import Item
    from krmfn.plan.make import Plan
    from krmfn.sealing.job import Job
    from krmfn.sealing.render import Rendered


@dataclass(frozen=True)
class Built:
    """One overlay's finished stream.

    Attributes:
        sealed: the namespace of every SealedSecret; may be empty for cluster-wide.
        random: namespace and name of what was sealed at random: its bytes say nothing.
    """

    text: str
    sealed: tuple[str, ...] = ()
    random: frozenset[NamespacedName] = frozenset()


@dataclass(frozen=True)
class KustomizeRun:
    """One run of kustomize."""

    output: str
    calls: list[Called]

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The finished stream."""
        return stream.stream(self.output, "the build")


@dataclass(frozen=True)
class Look:
    """An overlay before anything is read.

    Attributes:
        output: the finished stream, unchecked; what would be sealed stands there as a claim, and
            names are without the hashes that a build will add.
        validators: of the outermost kustomization.
        names: what the build adds to names.
        refers: fields that refer to Secrets according to its ``configurations:``.
        plans: what would be read and sealed, with what each configuration may use.
        run: as kustomize ran.
    """

    output: str
    validators: tuple[SealedSecretValidator, ...]
    names: Names
    refers: tuple[FieldSpec, ...]
    plans: list[tuple[Plan, Job]]
    run: KustomizeRun

    @property
    def implied(self) -> bool:
        """Whether no kustomization lists a transformer for the claims, so that only krmfn seals them."""
        return _is_implied(self.run)


@dataclass(frozen=True)
class _Pass:
    """A copied overlay, with everything that its runs need."""

    copied: Copy
    sandbox: Sandbox
    flags: Sequence[str]
    job: Job
    directory: Path

    def run(self, mode: Mode, binding: Binding | None = None) -> KustomizeRun:
        """Run kustomize once.

        Raises:
            Failure: of a call, else of kustomize.
        """
        calls = Calls(self.copied, self.job, mode, binding)
        output = _served(self.sandbox, self.copied.place, self.flags, calls.answer)
        return KustomizeRun(output, calls.made)

    def validators(self, items: Sequence[Item]) -> Iterator[SealedSecretValidator]:
        """Yield the validators of the outermost kustomization, and its transformer's own checks.

        They check the finished stream.
        """
        inside = self.job.at(self.directory)
        overlay = read_overlay(inside.access.place)
        for config in self.copied.configs:
            if config.directory == self.directory and config.list != "generators":
                found = completed(config.value, items, overlay, inside)
                if isinstance(found, SealedSecretValidator):
                    yield found
                elif isinstance(found, SealedSecretTransformer) and found.spec.validate_:
                    yield as_validator(found.metadata, found.spec.validate_)


def build(
    directory: Path,
    command: tuple[str, ...],
    flags: Sequence[str],
    job: Job,
    *,
    claims_only: bool = False,
) -> Built:
    """Build one overlay and return its finished stream.

    Args:
        command, flags: as `krmfn.build.sandbox` gives them.
        job: with the repository's root; its base is not used.
        claims_only: read nothing, and leave the claims.

    Raises:
        Failure: any; nothing is returned then.
    """
    with _pass(directory, command, flags, job) as whole:
        if claims_only:
            run = whole.run("claims-only")
        elif job.policy is None:
            run = whole.run("real")
        else:
            run = _bound(whole)
        if not run.items:
            raise SpecError("kustomize", "the build holds no resource", where=str(directory))
        _check(whole, run, claims_only=claims_only)
    sealed = [one for called in run.calls for one in called.made]
    targets = [target for called in run.calls if called.plan for target in called.plan.targets]
    return Built(
        run.output,
        tuple(one.object["metadata"].get("namespace", "") for one in sealed),
        frozenset(
            NamespacedName(target.namespace, one.object["metadata"]["name"])
            for target, one in zip(targets, sealed, strict=True)
            if target.mode == "random"
        ),
    )


def look_at(directory: Path, command: tuple[str, ...], job: Job) -> Look:
    """Build an overlay with its claims unsealed, including those for `krmfn seal`.

    Claims that nothing would seal, and earlier SealedSecrets, are not errors in a report.

    Raises:
        Failure: kustomize or one of krmfn's functions fails.
    """
    with _pass(directory, command, (), job) as whole:
        run = whole.run("look")
        if not run.items:
            raise SpecError("kustomize", "the build holds no resource", where=str(directory))
        output = finished.as_claims(run.items, run.calls)
        for called in run.calls:
            for one in called.made:
                if suffix := suffix_of(one):
                    output = output.replace(f"-{suffix}", "")
        names = names_in(whole.copied.tree, whole.directory)
        refers = configured_fields(whole.copied.tree)
        return Look(output, tuple(whole.validators(run.items)), names, refers, _plans(run), run)


def values_of(look: Look) -> list[Rendered]:
    """Read the values that a build of the overlay would seal. The result holds plaintext.

    Raises:
        Failure: any; nothing is returned then.
    """
    _judge(look.run)
    return [
        one for plan, inside in look.plans for one in values(plan, inside, now=datetime.now(UTC))
    ]


def plans(
    directory: Path, command: tuple[str, ...], flags: Sequence[str], job: Job
) -> tuple[list[tuple[Plan, Job]], bool]:
    """Return the plans of an overlay's build, with the context of each configuration.

    Returns:
        The plans, and whether no kustomization lists a transformer for its claims.

    Raises:
        Failure: any that is known before something is read, but for what a policy denies.
    """
    with _pass(directory, command, flags, job) as whole:
        run = whole.run("look")
        finished.check(run.items, run.calls, claims=False, governed=False)
        return _plans(run), _is_implied(run)


def _is_implied(run: KustomizeRun) -> bool:
    return any(called.config.implied for called in run.calls)


def _plans(run: KustomizeRun) -> list[tuple[Plan, Job]]:
    return [(called.plan, called.job) for called in run.calls if called.plan is not None]


def _bound(whole: _Pass) -> KustomizeRun:
    """Run for real what the rehearsal did, after the policy has allowed all of it."""
    rehearsed = replace(whole, job=whole.job.fresh().aside()).run("rehearsal")
    _refuse_open(whole.copied, rehearsed)
    _judge(rehearsed)
    _refuse_owned(rehearsed)
    binding = Binding(rehearsed.calls)
    run = whole.run("real", binding)
    binding.finish(run.calls, rehearsed.items, run.items)
    return run


def _refuse_open(copied: Copy, run: KustomizeRun) -> None:
    """Refuse keys that are known only after a read, if anything may depend on them.

    Raises:
        PolicyError: ``cannot-rehearse``.
    """
    targets = (target for c in run.calls if c.plan for target in c.plan.targets if target.open)
    if (target := next(targets, None)) and selects_sealed(copied.tree):
        raise PolicyError(
            "cannot-rehearse",
            "only a read tells which keys dataFrom gives, and something selects SealedSecrets",
            secret=target.name,
            key="dataFrom",
            remedy="name the keys under data",
        )


def _judge(run: KustomizeRun) -> None:
    """Let the policy judge every SealedSecret of a run, as sealed and as in the finished stream.

    Raises:
        Failure: the finished stream is wrong, or something in it is denied.
    """
    found = finished.check(run.items, run.calls, claims=False, governed=True)
    errors: dict[str, KrmfnError] = {}
    for called in run.calls:
        if called.plan is None:
            continue
        by_now = [finished.now(made, value) for made, value in found if made.called is called]
        for targets in (called.plan.targets, tuple(by_now)):
            try:
                plan = replace(called.plan, targets=targets)
                refuse_denied(plan, called.job, now=datetime.now(UTC))
            except Failure as failure:
                errors |= {
                    error.line(): error for error in failure.errors if error.line() not in errors
                }
    raise_all(list(errors.values()))


def _check(whole: _Pass, run: KustomizeRun, *, claims_only: bool) -> None:
    """Check a finished stream: the fixed rules, then the outermost validators."""
    job, items = whole.job, run.items
    governed = job.policy is not None
    finished.check(items, run.calls, claims=claims_only, governed=governed)
    alone = {
        NamespacedName(target.namespace, one.object["metadata"]["name"])
        for called in run.calls
        for target, one in zip(called.plan.targets if called.plan else (), called.made, strict=True)
        if not target.referenced
    }
    if alone:
        names = names_in(whole.copied.tree, whole.directory)
        raise_all(list(went_elsewhere(items, alone, names.base)))
    validators = [] if claims_only else list(whole.validators(items))
    inside = job.at(whole.directory)
    overlay = read_overlay(inside.access.place) if validators else Kustomization()
    refers = configured_fields(whole.copied.tree) if validators else ()
    for config in validators:
        hold.check(config, items, overlay, inside, in_build=False, refers=refers)
    if not validators:
        _refuse_owned(run)
        # The kustomization's own validator judges unencrypted Secrets; krmfn has added none.
        verdict = validate(items, plain_secrets="warn")
        raise_all([f for f in verdict.findings if not (claims_only and f.id == "claim-left")])
        for warning in verdict.warnings:
            job.access.warnings.add(warning)


def _refuse_owned(run: KustomizeRun) -> None:
    """Refuse generated Secrets that operators make; a transformer has seen its own claims' stream.

    Raises:
        Failure: ``operator-owned``.
    """
    if any(called.plan and called.config.list == "generators" for called in run.calls):
        refuse_owned(run.items)


def _served(
    sandbox: Sandbox,
    place: Path,
    flags: Sequence[str],
    answer: Callable[[bytes, bytes, bytes], str],
) -> str:
    """Run kustomize on a directory, and answer its calls.

    Raises:
        Failure: of a call, else of kustomize.
    """
    server = Server(answer, sandbox.deadline)
    try:
        output = sandbox.run(place, flags, answer=server.serve)
    except Failure:
        if server.failure is None:
            raise
    if server.failure is not None:
        raise server.failure
    return output


def _loaded(sandbox: Sandbox, place: Path) -> tuple[Item, ...]:
    """Return the items that kustomize passes to a directory's only transformer."""
    given: list[Item] = []

    def take(_directory: bytes, _stub: bytes, items: bytes) -> str:
        given.extend(stream.stream(items, "the configurations"))
        return items.decode()

    _served(sandbox, place, (), take)
    return tuple(given)


@contextmanager
def _pass(
    directory: Path, command: tuple[str, ...], flags: Sequence[str], job: Job
) -> Iterator[_Pass]:
    """Copy an overlay into a private folder, which is removed afterwards."""
    policy, usage, access = job.policy, job.usage, job.access
    directory, root = directory.resolve(), access.place.root
    with private_folder() as home:
        names = {str(home / "tree" / (root.name or "root")): str(root)}
        required = policy is not None and policy.spec.sandbox == "required"
        sandbox = Sandbox(command, home, access.deadline, names, required=required)
        sandbox.prepare()

        limits = TreeLimits(add_input=usage.add_input) if usage else TreeLimits()
        load = partial(_loaded, sandbox)
        kept = job.keeping()  # rehearsal and real run use the same bytes
        place = kept.access.place.at(directory)
        copied = copy(place, home, limits=limits, load=load)
        if read_settings(place) is not None:
            add_transformer(copied)
        yield _Pass(copied, sandbox, flags, kept, directory)
