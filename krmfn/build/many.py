"""Several builds by one process, which share a login and read each secret once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.build.one import Built, build
from krmfn.build.sandbox import find_kustomize
from krmfn.errors import Failure, SpecError
from krmfn.files.read import Place, find_root
from krmfn.sealing.job import Job
from krmfn.stores.access import Access
from krmfn.stores.pool import StorePool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krmfn.deadline import Deadline
    from krmfn.errors import KrmfnError
    from krmfn.warned import Warned, Warnings


@dataclass(frozen=True)
class Builds:
    """The results of building several overlays.

    Attributes:
        built: each under the path that `krmfn build --output` writes it to.
        warnings: with the directory that each is about.
        sealed: the namespace of every SealedSecret; may be empty for cluster-wide.
        reads: how many secrets were read.
    """

    built: dict[Path, Built]
    warnings: list[Warned]
    sealed: list[str]
    reads: int


def build_all(
    directories: Sequence[Path],
    flags: Sequence[str],
    deadline: Deadline,
    *,
    claims_only: bool = False,
    root: Path | None = None,
) -> Builds:
    """Build several overlays, with one login and one read of each secret.

    Args:
        root: the repository's root, where it is not found as usual.

    Raises:
        Failure: any; nothing is returned then.
    """
    built: dict[Path, Built] = {}
    given: list[tuple[str, Warnings]] = []
    sealed: list[str] = []
    with StorePool() as pool:
        for directory in directories:
            name = _named(directory)
            top = root or find_root(directory, os.environ)
            command = find_kustomize(os.environ, top)
            access = Access(os.environ, deadline, Place(directory, top))
            given.append((name, access.warnings))
            if not directory.is_dir():
                raise SpecError("file", f"{directory} is not a directory")
            try:
                job = Job.start(access, pool)
                one = build(directory, command, flags, job, claims_only=claims_only)
            except Failure as failure:
                for error in failure.errors:
                    _place(error, name, alone=len(directories) == 1)
                raise
            place = _rendered_as(directory.resolve(), top)
            if place in built:
                raise SpecError("usage", f"two directories would be written to {place}")
            built[place] = one
            sealed += one.sealed
    warnings = [one.at(name) for name, warned in given for one in warned.found]
    return Builds(built, warnings, sealed, pool.reads)


def _named(directory: Path) -> str:
    """A directory in messages; the working directory needs no name."""
    return "" if directory == Path() else str(directory)


def _place(error: KrmfnError, name: str, *, alone: bool) -> None:
    """Add the overlay to an error, unless there is only one or the error already has a path."""
    if name and not alone and error.where and f"/{name}/" not in f"/{error.where}":
        error.where = f"{name}: {error.where}"
    error.at(where=name)


def _rendered_as(directory: Path, root: Path) -> Path:
    """Where a directory's output goes, relative to --output."""
    inside = directory.relative_to(root)
    name = inside.name or "build"
    return inside.parent / f"{name}.yaml"
