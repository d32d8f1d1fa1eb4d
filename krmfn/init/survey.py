"""Find an overlay's references, and their producers in it and beside it, for `krmfn init`.

Rules enforced here: a Secret that another kustomization of the repository makes in the same namespace
is made elsewhere; kustomizations that share a base are variants of one thing, of which a cluster has
one, and so make nothing for each other.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from krmfn.audit.enforce import audit_stream
from krmfn.audit.inventory import Wanted, wanted
from krmfn.audit.productions import SERVICE_ACCOUNT_TOKEN
from krmfn.build.one import look_at
from krmfn.deadline import Deadline
from krmfn.documents.strict import mapping
from krmfn.errors import Failure
from krmfn.files.read import Place
from krmfn.init.committed import SOPS, SOURCES, Committed, places, values_in
from krmfn.init.destinations import Destination, destinations
from krmfn.init.environments import environment
from krmfn.kustomize.checkout import Checkout, overlays
from krmfn.kustomize.kustomization import read_overlay
from krmfn.kustomize.overlay import Kustomization
from krmfn.kustomize.renaming import Names
from krmfn.names import ENVIRONMENT
from krmfn.objects import stream
from krmfn.objects.kinds import NamespacedName
from krmfn.sealing.job import Job
from krmfn.stores.access import Access
from krmfn.stores.pool import StorePool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from krmfn.audit.judge import Audit, Judged
    from krmfn.audit.productions import Production
    from krmfn.build.one import Look
    from krmfn.kustomize.checkout import KustomizationFile


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
        spaces: the namespaces that its objects name themselves.
        unclear: no environment of `.krmfn.yaml` matches it.
    """

    failed: str = ""
    position: str = ""
    overlay: Kustomization = field(default_factory=Kustomization)
    where: list[Destination] = field(default_factory=list)
    made: tuple[Production, ...] = ()
    wanted: list[Wanted] = field(default_factory=list)
    spaces: frozenset[str] = frozenset()
    unclear: bool = False

    @property
    def namespace(self) -> str:
        """Return the default namespace: the kustomization's, else the one of its deployment."""
        if self.overlay.namespace or len(self.where) != 1:
            return self.overlay.namespace
        return self.where[0].namespace


class Survey:
    """A repository's kustomizations, each examined once and only if needed."""

    def __init__(self, root: Path, command: tuple[str, ...], environment: str = "") -> None:
        """Prepare a survey.

        Args:
            environment: one that exists, to look at overlays of one that is yet to be added.
        """
        self.root = root
        self._environment = environment
        self._command = command
        self._seen: dict[Path, Seen] = {}
        self._names: dict[Path, Names] = {}
        self._contents: dict[Path, frozenset[tuple[str, str]]] = {}

    @cached_property
    def checkout(self) -> Checkout:
        """The repository's kustomizations."""
        return Checkout(self.root)

    @cached_property
    def _destinations(self) -> dict[Path, list[Destination]]:
        return destinations(self.root)

    def covered(self) -> set[Path]:
        """Return the files of all kustomizations but those that only failed builds take in."""
        unknown: set[Path] = set()
        for directory, seen in self._seen.items():
            if seen.failed:
                unknown |= self.checkout.below(directory).keys()
        for directory, seen in self._seen.items():
            if not seen.failed:
                unknown -= self.checkout.below(directory).keys()
        return {
            file
            for one in self.checkout.at.values()
            if one.directory not in unknown
            for file in (one.file, *one.included())
        }

    def taking(self, directory: Path) -> set[Path]:
        """Return the overlays of the repository that take a kustomization in."""
        return {one for one in self.outermost if directory in self.checkout.below(one)}

    @cached_property
    def outermost(self) -> list[Path]:
        """The directories of the repository's overlays.

        One that another overlay takes in counts too, if its directory is an environment's.
        """
        known = list(self.checkout.at.values())
        outer = [one.directory for one in overlays(known)]
        inner = [
            one.directory
            for one in known
            if one.value.get("namespace") and not one.is_component and self._is_environment(one)
        ]
        return list(dict.fromkeys([*outer, *inner]))

    def _is_environment(self, one: KustomizationFile) -> bool:
        short = one.directory.relative_to(self.root).as_posix()
        return environment(short)[1] == short

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
            place = Place(directory, self.root)
            seen.overlay = read_overlay(place)
            look, seen.unclear = self._glance(place)
            items = stream.stream(look.output, "the build")
            specs = [one.spec for one in look.validators]
            audited = audit_stream(items, specs, place=place, refers=look.refers)
        except Failure as failure:
            seen.position, seen.failed = self._told(failure, directory)
            return seen
        self._names[directory] = look.names
        seen.made = audited.productions
        seen.wanted = missing(audited, seen.overlay.namespace)
        seen.spaces = frozenset(one.namespace for one in audited.resources) - {""}
        return seen

    def _glance(self, place: Place) -> tuple[Look, bool]:
        """Build an overlay; return also whether its environment is not known yet."""
        try:
            return glance(place, self._command), False
        except Failure as failure:
            if not self._environment or failure.errors[0].id != "environment-unclear":
                raise
        return glance(place, self._command, self._environment), True

    def _told(self, failure: Failure, directory: Path) -> tuple[str, str]:
        """Return an error's position in the overlay's own file, and its line without that file."""
        line, position = failure.errors[0].line(), ""
        file = self.checkout.at[directory].file if directory in self.checkout.at else directory
        for place in (directory, file, os.path.relpath(file, self.root)):
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
                    short = other.relative_to(self.root).as_posix()
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

    def deployed(self, directory: Path) -> set[str]:
        """Return the namespaces to which Flux and Argo CD deploy a directory, or one above it."""
        for place in (directory, *directory.parents):
            if place in self._destinations:
                return {one.namespace for one in self._destinations[place]}
            if place == self.root:
                break
        return set()

    def home(self, directory: Path, users: Iterable[str]) -> list[Path]:
        """Return where a claim may be listed: beside its users, else in what takes all of them in.

        Args:
            directory: of the overlay.
            users: ``Kind/name``, as the build shows them.

        Returns:
            Directories of kustomizations, the innermost first; the last is the overlay.
        """
        below = self.checkout.below(directory)
        names = self._names.get(directory, Names())
        titles = {(kind, name) for kind, _, name in (one.partition("/") for one in users)}
        bare = {(kind, names.bare(name)) for kind, name in titles}
        holding = {
            one.directory
            for one in below.values()
            if (titles | bare) & set().union(*map(self._objects, one.included()))
        }
        found = [
            place
            for place in below
            if holding
            and holding <= self.checkout.below(place).keys()
            and (place in holding or not below[place].is_component)
        ]
        found.sort(key=lambda place: (len(self.checkout.below(place)), str(place)))
        return [*(one for one in found if one != directory), directory]

    def _objects(self, file: Path) -> frozenset[tuple[str, str]]:
        """Return kind and name of each object in a file."""
        if file not in self._contents:
            self._contents[file] = frozenset(
                (str(v.get("kind")), str(mapping(v.get("metadata")).get("name")))
                for v in values_in(file)
            )
        return self._contents[file]

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
        for at in places(self.checkout.below(directory).values()):
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


def glance(place: Place, command: tuple[str, ...], environment: str = "") -> Look:
    """Build an overlay with its claims unsealed; nothing is read from a store.

    Args:
        environment: where `.krmfn.yaml` has none for the overlay.

    Raises:
        Failure: it does not build.
    """
    # Each has its own deadline: a repository may have hundreds.
    environ = {**os.environ, **({ENVIRONMENT: environment} if environment else {})}
    access = Access(environ, Deadline.from_environment(time.monotonic()), place)
    with StorePool() as pool:  # from which a look takes nothing
        return look_at(place.base, command, Job.start(access, pool))


def missing(audited: Audit, namespace: str) -> list[Wanted]:
    """Return the Secrets to claim, of those that a build lacks.

    Only what an object refers to in its own namespace is claimed, and nothing for an object without
    a namespace, whose controller decides where it looks.

    Args:
        namespace: of the overlay; may be empty.
    """

    def is_own(one: Judged) -> bool:
        resource, space = one.reference.resource, one.reference.namespace
        return not resource.cluster_scoped and space == (namespace or resource.namespace)

    own = replace(audited, judged=tuple(filter(is_own, audited.judged)))
    return [one for one in wanted(own) if not one.guessed]


def in_git(made: Production) -> bool:
    """Whether a Secret's values are in the build; the cluster itself fills some."""
    return made.how == "plain" and made.has_content and made.type != SERVICE_ACCOUNT_TOKEN


def _meets(made: Production, seen: Seen, sought: set[NamespacedName]) -> set[NamespacedName]:
    """Return the possible places of another build's Secret; some operators fill many namespaces."""
    if made.namespace is None:
        return {place for place in sought if place.name == made.secret}
    return {NamespacedName(made.namespace or seen.namespace, made.secret)}
