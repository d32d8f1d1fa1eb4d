"""Building overlays of a repository that need not be trusted, in three phases.

Rules enforced here:
1. Shape: kustomize builds a copy in which nothing can run but krmfn, which reads no store there and
   leaves each claim with the configuration to seal it with.
2. Power: what this run did not mark is refused; the claims of that stream are sealed here, in the
   one process that has the credential.
3. References: stream, SealedSecrets and name companions go through kustomize once more, without any
   plugin, for order, style and references to names that depend on values. Then the whole is checked.

Plaintext is in phase 2 alone, and never in a file.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from krmfn import resourcelist, shape, tree
from krmfn.auditing import enforce, refuse_owned
from krmfn.basename import Names, names_in
from krmfn.certificate_source import load_certificate
from krmfn.errors import KrmfnError, SpecError, raise_all
from krmfn.kustomize import Sandbox
from krmfn.overlay import FILE_NAMES, Overlay
from krmfn.pipeline import values
from krmfn.plan import plan_claims
from krmfn.resolve import Stores
from krmfn.restart import stamped
from krmfn.sealedsecret import CERTIFICATE, SEALED_FOR
from krmfn.spec.base import API_VERSION
from krmfn.spec.parse import parse
from krmfn.spec.validator import SealedSecretValidator
from krmfn.transform import claims_of, transform
from krmfn.validate import validate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from krmfn.plan import Plan
    from krmfn.providers.base import Surroundings
    from krmfn.render import Rendered
    from krmfn.resourcelist import Item
    from krmfn.restart import Stamp
    from krmfn.sealedsecret import Object
    from krmfn.spec.transformer import SealedSecretTransformer

# Annotations that only krmfn writes, and that say something of what it did in this run.
OURS = (shape.PLAN, SEALED_FOR, CERTIFICATE)
_MEMORY = Path("/dev/shm")  # noqa: S108  # a private folder is made in it
_LIST_PLACE = 0o700


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
        stream = resourcelist.rewrite_stream((), [claim for _, _, claim in self.members])
        return resourcelist.stream(stream, "the build")

    def plan(self) -> Plan:
        """What sealing them reads and makes."""
        _, claims = claims_of(self.items(), self.config, Overlay(), self.around)
        return plan_claims(self.config, claims)


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
) -> str:
    """The finished stream of one overlay.

    Args:
        command, flags: as `krmfn.kustomize` gives them.
        around: with the repository's root; its base is not used.
        claims_only: stop before anything is read, and leave the claims.

    Raises:
        Failure: any; nothing is returned then.
    """
    shaped = _shaped(directory, command, flags, around)
    if claims_only:
        pieces = [_unmarked(item, shaped.key) for item in shaped.items]
    else:
        refuse_owned(shaped.items)
        pieces, companions = _power(shaped, around)
        pieces += [_text(one) for one in companions]
    output = references(pieces, shaped.sort, command, flags, around)
    _check(output, shaped, directory, around, claims_only=claims_only)
    return output


def look(directory: Path, command: tuple[str, ...], around: Surroundings) -> Look:
    """An overlay with its claims unsealed, also those that wait for `krmfn seal`.

    Raises:
        Failure: kustomize or one of krmfn's functions fails.
    """
    shaped = _shaped(directory, command, (), around)
    pieces = [
        item.raw if _is_claim(item) and not _is_marked(item) else _unmarked(item, shaped.key)
        for item in shaped.items
    ]
    validators = [c for c in map(parse, shaped.validators) if isinstance(c, SealedSecretValidator)]
    output = references(pieces, shaped.sort, command, (), around)
    return Look(output, tuple(validators), shaped)


def shaped_stream(
    directory: Path, command: tuple[str, ...], around: Surroundings
) -> tuple[str, list[SealedSecretValidator]]:
    """The stream of `look`, and the outermost kustomization's validators.

    Raises:
        Failure: as `look`.
    """
    seen = look(directory, command, around)
    return seen.output, list(seen.validators)


def values_of(shaped: Shape, around: Surroundings) -> list[Rendered]:
    """What building an overlay would seal, read as a build reads it; holds plaintext.

    Raises:
        Failure: any; nothing is returned then.
    """
    refuse_owned(shaped.items)
    groups, _ = _groups(shaped, around)
    now = datetime.now(UTC)
    return [one for group in groups for one in values(group.plan(), group.around, now=now)]


def _shaped(
    directory: Path, command: tuple[str, ...], flags: Sequence[str], around: Surroundings
) -> Shape:
    """Phase 1, in a private folder."""
    with _private() as home:
        names = {str(home / "tree"): str(around.root)}
        sandbox = Sandbox(command, home, secrets.token_hex(32), around.deadline, names)
        sandbox.prepare()
        return _shape(directory.resolve(), sandbox, flags, around.root)


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
    with _private(memory=True) as home:
        sandbox = Sandbox(command, home, "", around.deadline, {f"{home}/": ""})
        sandbox.prepare()
        place = home / "tree"
        place.mkdir(mode=_LIST_PLACE)
        (place / "stream.yaml").write_bytes("---\n".join(pieces).encode())
        value = {"resources": ["stream.yaml"]} | ({"sortOptions": sort} if sort else {})
        (place / FILE_NAMES[0]).write_text(json.dumps(value))
        return sandbox.build(place, [f for f in flags if f.startswith("--reorder")], root=place)


def _shape(directory: Path, sandbox: Sandbox, flags: Sequence[str], root: Path) -> Shape:
    """Phase 1."""
    reached = tree.reach(directory, root)
    copied = sandbox.home / "tree"
    copied.mkdir()
    tree.copy(reached, copied)
    validators = tree.plain_functions(reached, copied, lambda d: sandbox.build(d, root=copied))
    output = sandbox.build(copied / directory.relative_to(root), flags, plugins=True, root=copied)
    items = resourcelist.stream(output, "the build")
    if not items:
        raise SpecError("kustomize", "the build holds no resource", where=str(directory))
    _, value = reached.kustomizations[directory]
    sort = value.get("sortOptions")
    names = names_in(reached, directory)
    return Shape(items, tuple(validators.get(directory, ())), sort, sandbox.key, names)


def _power(shaped: Shape, around: Surroundings) -> tuple[list[str], list[Object]]:
    """Phase 2: the documents, each claim's SealedSecret among them, and the name companions.

    A generator's stand where its claims stood, a transformer's behind everything, as the functions
    themselves put them.
    """
    groups, kept = _groups(shaped, around)
    pieces: dict[int, str] = {}
    behind: list[str] = []
    companions: list[Object] = []
    stamps: list[Stamp] = []
    for group in groups:
        done = transform(group.items(), group.config, Overlay(), group.around)
        companions += done.companions
        stamps += _known_by(done.stamps, group.members)
        for (number, _, _), one in zip(group.members, done.sealed, strict=True):
            if group.kind == shape.GENERATOR:
                pieces[number] = _text(one)
            else:
                behind.append(_text(one))
    pieces |= {number: stamped(item, stamps).raw for number, item in kept.items()}
    return [*(pieces[number] for number in sorted(pieces)), *behind], companions


def _groups(shaped: Shape, around: Surroundings) -> tuple[list[Group], dict[int, Item]]:
    """The claims by the configuration that seals them, and what is no claim by its place.

    Raises:
        KrmfnError, ErrorList: something in the stream is not of this run.
    """
    found: dict[str, list[Member]] = {}
    kept: dict[int, Item] = {}
    errors: list[KrmfnError] = []
    for number, item in enumerate(shaped.items):
        try:
            if _is_claim(item):
                plan, claim = _claim(item, shaped.key)
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


def _known_by(stamps: Sequence[Stamp], claims: Sequence[Member]) -> Iterator[Stamp]:
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


def _unmarked(item: Item, key: str) -> str:
    """A document of --claims-only: a claim without its plan, anything else as it came."""
    if not _is_claim(item):
        _refuse_marks(item)
        return item.raw
    return _text(_claim(item, key)[1])


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


def _check(
    output: str, shaped: Shape, directory: Path, around: Surroundings, *, claims_only: bool
) -> None:
    """What the outermost kustomization's validators say of the final stream, and what always holds."""
    items = resourcelist.stream(output, "the build")
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


def _is_claim(item: Item) -> bool:
    return item.api_version == API_VERSION and item.kind == shape.CLAIM


def _is_marked(claim: Item) -> bool:
    return shape.PLAN in ((claim.header().get("metadata") or {}).get("annotations") or {})


def _text(one: Object) -> str:
    return json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n"


@contextmanager
def _private(*, memory: bool = False) -> Iterator[Path]:
    """A folder that only this user enters, gone afterwards.

    Args:
        memory: in memory, where there is enough of it.
    """
    enough = 256 * 1024 * 1024
    usable = memory and os.access(_MEMORY, os.W_OK | os.X_OK)
    where = _MEMORY if usable and shutil.disk_usage(_MEMORY).free > enough else None
    with tempfile.TemporaryDirectory(prefix="krmfn-", dir=where) as name:
        yield Path(name).resolve()
