"""Find an overlay's references, and their producers in it and beside it, for `krmfn init`.

Rules enforced here: a Secret that another kustomization of the repository makes in the same namespace
is made elsewhere; kustomizations that share a base are variants of one thing, of which a cluster has
one, and so make nothing for each other.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from krmfn.audit.enforce import audit_stream
from krmfn.audit.inventory import Wanted, wanted
from krmfn.audit.productions import SERVICE_ACCOUNT_TOKEN
from krmfn.build.one import look_at
from krmfn.deadline import Deadline
from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import Failure, KrmfnError
from krmfn.files.read import Place, read_file
from krmfn.init.destinations import Destination, destinations
from krmfn.kustomize.checkout import Checkout
from krmfn.kustomize.kustomization import read_overlay
from krmfn.kustomize.overlay import Kustomization
from krmfn.kustomize.renaming import Names
from krmfn.objects import ciphertext, stream
from krmfn.objects.kinds import NamespacedName, each
from krmfn.sealing.job import Job
from krmfn.stores.access import Access
from krmfn.stores.pool import StorePool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from krmfn.audit.productions import Production


# Kind to what `krmfn import` calls it.
SOURCES = {"SealedSecret": "sealedsecret", "Secret": "secret"}
GENERATOR, SOPS, ENCRYPTED = "kustomization", "sops", "encrypted"


@dataclass
class Seen:
    """An examined overlay.

    Attributes:
        failed: why it could not be.
        position: of that in the overlay's own file, as ``:line:column``; empty where none is known.
        overlay: its own kustomization.
        where: what Flux and Argo CD say of its directory.
        made: the Secrets of its build.
        wanted: those that it refers to and its build does not make.
    """

    failed: str = ""
    position: str = ""
    overlay: Kustomization = field(default_factory=Kustomization)
    where: list[Destination] = field(default_factory=list)
    made: tuple[Production, ...] = ()
    wanted: list[Wanted] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """Return the default namespace: the kustomization's, else the one of its deployment."""
        if self.overlay.namespace or len(self.where) != 1:
            return self.overlay.namespace
        return self.where[0].namespace


@dataclass
class Committed:
    """Secrets in git that one kustomization lists or generates.

    Attributes:
        source: what `krmfn import` calls it; or sops, whose files are decrypted first, one by one;
            or encrypted, for a ``secretGenerator`` over files of which some are.
        directory: of that kustomization; None where it was not found.
        paths: the files, or the directory of a ``secretGenerator``.
        namespaced: all of them name a namespace themselves.
    """

    source: str
    directory: Path | None
    paths: list[Path] = field(default_factory=list)
    made: list[Production] = field(default_factory=list)
    namespaced: bool = True


class _Place(NamedTuple):
    source: str
    directory: Path
    path: Path
    secret: tuple[str, Any]  # kind and name
    namespace: Any


class Survey:
    """A repository's kustomizations, each examined once and only if needed."""

    def __init__(self, root: Path, command: tuple[str, ...]) -> None:
        self._root = root
        self._command = command
        self._seen: dict[Path, Seen] = {}
        self._names: dict[Path, Names] = {}

    @cached_property
    def checkout(self) -> Checkout:
        """The repository's kustomizations."""
        return Checkout(self._root)

    @cached_property
    def _destinations(self) -> dict[Path, list[Destination]]:
        return destinations(self._root)

    def is_done(self, directory: Path) -> bool:
        """Whether a kustomization already lists a krmfn configuration; nothing is built."""
        try:
            return bool(read_overlay(Place(directory, self._root)).listed)
        except Failure:  # `look` tells it
            return False

    def look(self, directory: Path) -> Seen:
        """Build and audit one overlay; the result contains a failure's message.

        Args:
            directory: resolved.
        """
        if directory not in self._seen:
            self._seen[directory] = self._look(directory)
        return self._seen[directory]

    def _look(self, directory: Path) -> Seen:
        seen = Seen(where=self._destinations.get(directory, []))
        try:
            seen.overlay = read_overlay(Place(directory, self._root))
            # Each has its own: a repository may have hundreds.
            deadline = Deadline.from_environment(time.monotonic())
            place = Place(directory, self._root)
            with StorePool() as pool:  # from which a look takes nothing
                job = Job.start(Access(os.environ, deadline, place), pool)
                look = look_at(directory, self._command, job)
            items = stream.stream(look.output, "the build")
            audited = audit_stream(items, place=place, refers=look.refers)
        except Failure as failure:
            seen.position, seen.failed = self._told(failure, directory)
            return seen
        self._names[directory] = look.names
        seen.made = audited.productions
        seen.wanted = [one for one in wanted(audited) if not one.guessed]
        return seen

    def _told(self, failure: Failure, directory: Path) -> tuple[str, str]:
        """Return an error's position in the overlay's own file, and its line without that file."""
        line, position = failure.errors[0].line(), ""
        file = self.checkout.at[directory].file if directory in self.checkout.at else directory
        for place in (directory, file, os.path.relpath(file, self._root)):
            if own := re.match(rf"{re.escape(str(place))}((?::\d+:\d+)?): ", line):
                position, line = own[1] or position, line[own.end() :]
        return position, line

    def beside(
        self, directory: Path, places: Iterable[NamespacedName]
    ) -> dict[NamespacedName, str]:
        """Return the other kustomizations that create a build's missing Secrets.

        Args:
            directory: of the build.
            places: namespace and name of each Secret; those without a namespace are never found.
        """
        sought = {place for place in places if place.namespace}
        found: dict[NamespacedName, str] = {}
        for other in self._others(directory, {name for _, name in sought}) if sought else ():
            seen = self.look(other)
            for made in seen.made:
                if made.has_content and made.resource and made.certain:
                    short = other.relative_to(self._root).as_posix()
                    for place in _meets(made, seen, sought) & sought:
                        found.setdefault(place, f"{made.by} in {short} creates it")
        return found

    def _others(self, directory: Path, names: set[str]) -> Iterator[Path]:
        """Yield kustomizations that mention these names, except variants of the directory."""
        checkout = self.checkout
        own = self.bases(directory)
        speak = {one.directory for one in checkout.mentioning(names)}
        for other, one in checkout.at.items():
            below = checkout.below(other)
            variant = not own or own & self.bases(other)
            if not (one.is_component or variant) and speak & below.keys():
                yield other

    def bases(self, directory: Path) -> frozenset[Path]:
        """Return a directory and the kustomizations it includes, without shared components."""
        below = self.checkout.below(directory)
        return frozenset(path for path, one in below.items() if not one.is_component)

    def origins(self, directory: Path) -> list[Committed]:
        """Return the locations of Secrets in git, sealed by hand or unencrypted."""
        names = self._names.get(directory, Names())
        left = {
            (made.resource.kind, names.base(made.secret)): made
            for made in self.look(directory).made
            if made.resource and (made.how == "sealed" or in_git(made))
        }
        found: dict[tuple[str, Path | None, Path | None], Committed] = {}
        for at in self._places(directory):
            if made := left.pop(at.secret, None):
                key = at.source, at.directory, at.path if at.source == SOPS else None
                origin = found.setdefault(key, Committed(at.source, at.directory))
                origin.made.append(made)
                origin.paths += [at.path] if at.path not in origin.paths else []
                origin.namespaced = origin.namespaced and bool(at.namespace)
        for (kind, _), made in left.items():
            source = SOURCES[kind]
            found.setdefault((source, None, None), Committed(source, None)).made.append(made)
        return list(found.values())

    def _places(self, directory: Path) -> Iterator[_Place]:
        """Yield the Secrets that a build's kustomizations list and generate."""
        for one in self.checkout.below(directory).values():
            here = one.directory
            for value in map(mapping, sequence(one.value.get("secretGenerator"))):
                namespace = value.get("namespace") or one.value.get("namespace")
                source = ENCRYPTED if _is_encrypted(value, here) else GENERATOR
                yield _Place(source, here, here, ("Secret", value.get("name")), namespace)
            for file in one.included():
                for value in _secrets(file) if file.is_file() else ():
                    source = SOPS if SOPS in value else SOURCES[value["kind"]]
                    metadata = mapping(value.get("metadata"))
                    secret = value["kind"], metadata.get("name")
                    yield _Place(source, here, file, secret, metadata.get("namespace"))


def in_git(made: Production) -> bool:
    """Whether a Secret's values are in the build; the cluster itself fills some."""
    return made.how == "plain" and made.has_content and made.type != SERVICE_ACCOUNT_TOKEN


def _meets(made: Production, seen: Seen, sought: set[NamespacedName]) -> set[NamespacedName]:
    """Return the possible places of another build's Secret; some operators fill many namespaces."""
    if made.namespace is None:
        return {place for place in sought if place.name == made.secret}
    return {NamespacedName(made.namespace or seen.namespace, made.secret)}


def _is_encrypted(generator: dict[str, Any], directory: Path) -> bool:
    """Whether any value of a ``secretGenerator`` is ciphertext or a placeholder."""
    files = [
        *sequence(generator.get("envs")),
        generator.get("env"),
        *sequence(generator.get("files")),
    ]
    values = [str(one).partition("=")[2].encode() for one in sequence(generator.get("literals"))]
    for name in files:
        if isinstance(name, str):
            file = directory / name.rpartition("=")[2]
            with contextlib.suppress(KrmfnError):
                values.append(read_file(file, name=name, key=""))
    return any(ciphertext.kind_of(value) for value in values)


def _secrets(file: Path) -> Iterator[dict[str, Any]]:
    """Yield each Secret and SealedSecret in a file; none if it cannot be read."""
    try:
        content = read_file(file, name=str(file), key="")
        for document in strict.documents(content, str(file)):
            for _, value in each(document.value()):
                if value.get("kind") in SOURCES:
                    yield value
    except KrmfnError:
        return
