"""Building overlays of a repository that need not be trusted, in three phases.

Rules enforced here:
1. Shape: kustomize builds a copy in which nothing can run but krmfn, which reads no store there and
   leaves each claim with the configuration to seal it with.
2. Power: what this run did not mark is refused; the claims of that stream are sealed here, in the
   one process that has the credential, once the platform's policy allows all of them.
3. References: stream, SealedSecrets and name companions go through kustomize once more, without any
   plugin, for order, style and references to names that depend on values. Then the whole is checked.

Plaintext is in phase 2 alone, and never in a file.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn import shape
from krmfn.audit.enforce import enforce, refuse_owned
from krmfn.build.restart import stamped
from krmfn.build.sandbox import Sandbox
from krmfn.build.transform import transform
from krmfn.build.validate import validate
from krmfn.documents.strict import mapping
from krmfn.errors import SpecError, raise_all
from krmfn.files.private import private_folder
from krmfn.kustomize import reach
from krmfn.kustomize.kustomization import FILE_NAMES, Overlay
from krmfn.kustomize.renaming import Names, names_in
from krmfn.marks import Group, groups_of, known_by, text_of, unmarked
from krmfn.objects import stream
from krmfn.policy.file import platform_of
from krmfn.sealing.pipeline import permit, values
from krmfn.sealing.read import Stores
from krmfn.sealing.recipient import load_certificate
from krmfn.spec.parse import parse
from krmfn.spec.validator import SealedSecretValidator
from krmfn.stores.store import Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krmfn.build.restart import Stamp
    from krmfn.objects.sealed_secret import Object
    from krmfn.objects.stream import Item
    from krmfn.plan.make import Plan
    from krmfn.sealing.render import Rendered
    from krmfn.stores.store import Surroundings

_MEMORY = Path("/dev/shm")  # noqa: S108  # a private folder is made in it
_LIST_PLACE = 0o700


@dataclass(frozen=True)
class Built:
    """One overlay's finished stream.

    Attributes:
        random: namespace and name of what was sealed at random: its bytes say nothing.
    """

    text: str
    random: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Shape:
    """What phase 1 gives.

    Attributes:
        items: the stream of resources, claims among them.
        validators: the configurations of the outermost kustomization.
        sort: its ``sortOptions``.
        key: of this run.
        names: what the build adds to names.
    """

    items: tuple[Item, ...]
    validators: tuple[dict[str, Any], ...]
    sort: Any
    key: str
    names: Names


@dataclass(frozen=True)
class Look:
    """An overlay before anything is read.

    Attributes:
        output: the stream with its claims unsealed, unchecked.
        validators: of the outermost kustomization.
    """

    output: str
    validators: tuple[SealedSecretValidator, ...]
    shape: Shape


def build(
    directory: Path,
    command: tuple[str, ...],
    flags: Sequence[str],
    around: Surroundings,
    *,
    claims_only: bool = False,
) -> Built:
    """The finished stream of one overlay.

    Args:
        command, flags: as `krmfn.build.sandbox` gives them.
        around: with the repository's root; its base is not used.
        claims_only: stop before anything is read, and leave the claims.

    Raises:
        Failure: any; nothing is returned then.
    """
    shaped = _shaped(directory, command, flags, around)
    random: set[tuple[str, str]] = set()
    if claims_only:
        pieces = [unmarked(item, shaped.key) for item in shaped.items]
    else:
        refuse_owned(shaped.items)
        pieces, companions, random = _power(shaped, around)
        pieces += [text_of(one) for one in companions]
    output = references(pieces, shaped.sort, command, flags, around)
    _check(output, shaped, directory, around, claims_only=claims_only)
    return Built(output, frozenset(random))


def look_at(directory: Path, command: tuple[str, ...], around: Surroundings) -> Look:
    """An overlay with its claims unsealed, also those that wait for `krmfn seal`.

    Claims that nothing would seal, and what was sealed before, are no error to whoever only looks.

    Raises:
        Failure: kustomize or one of krmfn's functions fails.
    """
    shaped = _shaped(directory, command, (), around)
    pieces = [_shown(item, shaped.key) for item in shaped.items]
    validators = [c for c in map(parse, shaped.validators) if isinstance(c, SealedSecretValidator)]
    return Look("---\n".join(pieces), tuple(validators), shaped)


def values_of(shaped: Shape, around: Surroundings) -> list[Rendered]:
    """What building an overlay would seal, read as a build reads it; holds plaintext.

    Raises:
        Failure: any; nothing is returned then.
    """
    refuse_owned(shaped.items)
    groups, now = _permitted(shaped, around)[0], datetime.now(UTC)
    return [one for group in groups for one in values(group.plan(), group.around, now=now)]


def _permitted(shaped: Shape, around: Surroundings) -> tuple[list[Group], dict[int, Item]]:
    """The claims by their configurations, and the rest.

    All are judged before one is read, so that nothing is sent for a build that is refused.
    """
    groups, kept = groups_of(shaped.items, shaped.key, around)
    for group in groups:
        permit(group.plan(), group.around, now=datetime.now(UTC))
    return groups, kept


def _shown(item: Item, key: str) -> str:
    """A document of `look_at`: a claim without its plan, anything else as it came."""
    annotations = mapping(mapping(item.header().get("metadata")).get("annotations"))
    return unmarked(item, key) if shape.PLAN in annotations else item.raw


def plans(
    directory: Path, command: tuple[str, ...], flags: Sequence[str], around: Surroundings
) -> list[tuple[Plan, Surroundings]]:
    """What building an overlay would read and seal, with what each configuration may use.

    Raises:
        Failure: any that is known before something is read.
    """
    shaped = _shaped(directory, command, flags, around)
    groups, _ = groups_of(shaped.items, shaped.key, around)
    return [(group.plan(), group.around) for group in groups]


def references(
    pieces: Sequence[str],
    sort: Any,
    command: tuple[str, ...],
    flags: Sequence[str],
    around: Surroundings,
) -> str:
    """Documents as kustomize writes them, with references that follow the name companions.

    Args:
        pieces: resources, SealedSecrets and companions, one document each.
        sort: ``sortOptions`` of the outermost kustomization, or None.
    """
    with private_folder(_in_memory()) as home:
        sandbox = Sandbox(command, home, "", around.deadline, {f"{home}/": ""})
        sandbox.prepare()
        place = home / "tree"
        place.mkdir(mode=_LIST_PLACE)
        (place / "stream.yaml").write_bytes("---\n".join(pieces).encode())
        value = {"resources": ["stream.yaml"]} | ({"sortOptions": sort} if sort else {})
        (place / FILE_NAMES[0]).write_text(json.dumps(value))
        return sandbox.build(place, [f for f in flags if f.startswith("--reorder")], root=place)


def _shaped(
    directory: Path, command: tuple[str, ...], flags: Sequence[str], around: Surroundings
) -> Shape:
    """Phase 1, in a folder of its own."""
    platform_of(around)
    with private_folder() as home:
        key = secrets.token_hex(32)
        names = {str(home / "tree"): str(around.root)}
        sandbox = Sandbox(command, home, key, around.deadline, names)
        sandbox.prepare()
        return _shape(directory.resolve(), sandbox, flags, around)


def _shape(directory: Path, sandbox: Sandbox, flags: Sequence[str], around: Surroundings) -> Shape:
    """Phase 1."""
    root, platform = around.root, platform_of(around)
    limit = platform.spec.limits.input_bytes if platform else reach.MAX_BYTES
    reached = reach.reach(directory, root)
    copied = sandbox.home / "tree"
    copied.mkdir()
    size = reach.copy(reached, copied, limit)
    if platform is not None:
        platform.usage.add_input(size)
    validators = reach.plain_functions(reached, copied, lambda d: sandbox.build(d, root=copied))
    output = sandbox.build(copied / directory.relative_to(root), flags, plugins=True, root=copied)
    items = stream.stream(output, "the build")
    if not items:
        raise SpecError("kustomize", "the build holds no resource", where=str(directory))
    _, value = reached.kustomizations[directory]
    sort = value.get("sortOptions")
    names = names_in(reached, directory)
    return Shape(items, tuple(validators.get(directory, ())), sort, sandbox.key, names)


def _power(
    shaped: Shape, around: Surroundings
) -> tuple[list[str], list[Object], set[tuple[str, str]]]:
    """Phase 2: the documents, each claim's SealedSecret among them, and the name companions.

    A generator's stand where its claims stood, a transformer's behind everything, as the functions
    themselves put them. The third is what is sealed at random, by namespace and name.
    """
    groups, kept = _permitted(shaped, around)
    pieces: dict[int, str] = {}
    behind: list[str] = []
    companions: list[Object] = []
    stamps: list[Stamp] = []
    random: set[tuple[str, str]] = set()
    for group in groups:
        done = transform(group.items(), group.config, Overlay(), group.around, kept.values())
        around.sealed += [one["metadata"].get("namespace", "") for one in done.sealed]
        companions += done.companions
        stamps += known_by(done.stamps, group.members)
        usual = group.config.spec.sealing.mode if group.config.spec.sealing else ""
        for (number, _, claim), one in zip(group.members, done.sealed, strict=True):
            if (claim["spec"].get("mode") or usual) == "random":
                random.add((one["metadata"].get("namespace", ""), one["metadata"]["name"]))
            if group.kind == shape.GENERATOR:
                pieces[number] = text_of(one)
            else:
                behind.append(text_of(one))
    pieces |= {number: stamped(item, stamps).raw for number, item in kept.items()}
    return [*(pieces[number] for number in sorted(pieces)), *behind], companions, random


def _check(
    output: str, shaped: Shape, directory: Path, around: Surroundings, *, claims_only: bool
) -> None:
    """What the outermost kustomization's validators say of the final stream, and what always holds."""
    items = stream.stream(output, "the build")
    # Secrets in clear are judged by the kustomization's own validator; krmfn has added none.
    checks: list[tuple[str | None, str]] = [(None, "warn")]
    for value in () if claims_only else shaped.validators:
        config = parse(value)
        if isinstance(config, SealedSecretValidator):
            wanted = config.spec.certificate
            inside = replace(around, base=directory.resolve())
            now = datetime.now(UTC)
            found = load_certificate(wanted, Stores({}, inside), inside, now) if wanted else None
            checks.append((found.fingerprint if found else None, config.spec.plain_secrets))
            enforce(items, config.spec, around.warn, base=inside.base, root=around.root)
    for fingerprint, plain_secrets in checks[1:] or checks:
        verdict = validate(items, fingerprint=fingerprint, plain_secrets=plain_secrets)
        raise_all([f for f in verdict.findings if not (claims_only and f.id == "claim-left")])
        for warning in verdict.warnings:
            around.warn(warning)


def _in_memory() -> Path | None:
    """A directory in memory for a private folder, where there is enough of it."""
    enough = 256 * 1024 * 1024
    usable = os.access(_MEMORY, os.W_OK | os.X_OK)
    return _MEMORY if usable and shutil.disk_usage(_MEMORY).free > enough else None
