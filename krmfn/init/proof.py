"""Build and audit a proposal in a copy of the repository, before anybody sees it.

Rules enforced here: the copy is private and is removed; nothing is read from a store; a proposal
that does not build, or that leaves a Secret missing that it claims, is refused.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.audit.enforce import audit_stream
from krmfn.audit.inventory import wanted
from krmfn.build import finished
from krmfn.build.validate import validate
from krmfn.errors import CheckError, Failure, raise_all
from krmfn.files.private import private_folder
from krmfn.files.read import MAX_FILE, Place
from krmfn.init.survey import glance
from krmfn.kustomize.checkout import PASSED_BY
from krmfn.objects import stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet


@contextlib.contextmanager
def copied(root: Path, texts: Mapping[Path, str | None]) -> Iterator[Path]:
    """Copy a repository, with some files changed.

    Args:
        texts: path to new text; None removes the file.

    Yields:
        The copy's root.
    """
    with private_folder() as home:
        copy = home / (root.name or "root")
        _copy(root, copy)
        for path, text in texts.items():
            file = copy / path.relative_to(root)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)  # it may be a link
            if text is not None:
                file.write_bytes(text.encode())
        yield copy


def prove(
    root: Path,
    texts: Mapping[Path, str | None],
    overlays: Mapping[Path, AbstractSet[str]],
    command: tuple[str, ...],
) -> None:
    """Check that every changed overlay builds, and has the Secrets that it is to claim.

    Args:
        overlays: directory to the names of those Secrets.

    Raises:
        Failure: it does not; `CheckError` with the id ``proposal`` where a Secret is still missing.
    """
    with copied(root, texts) as copy:
        for directory, asked in overlays.items():
            short = directory.relative_to(root).as_posix()
            place = Place(copy / short, copy)
            try:
                seen = glance(place, command)
                finished.check(seen.run.items, seen.run.calls, claims=False, governed=False)
            except Failure as failure:
                for error in failure.errors:
                    error.at(where=short)
                raise
            items = stream.stream(seen.output, "the build")
            specs = [each.spec for each in seen.validators]
            audited = audit_stream(items, specs, place=place, refers=seen.refers)
            for spec in specs:
                found = validate(items, plain_secrets=spec.plain_secrets).findings
                raise_all([each for each in found if each.id == "plain-secret"])
            missing = {w.name for w in wanted(audited)}
            if left := sorted(missing & asked):
                raise CheckError(
                    "proposal",
                    "the proposed claims do not create " + ", ".join(left),
                    where=short,
                    remedy="claim it by hand, or list it with --assume",
                )


def _copy(root: Path, copy: Path) -> None:
    """Copy what a build may read: no vendored files, none over the limit, and none of git's own.

    A file that cannot be copied is left out; a build that needs it says so.
    """
    for place, directories, files in os.walk(root):
        here = Path(place)
        # The copy itself may be below the repository, where TMPDIR is.
        skipped = {".git", *PASSED_BY, *(n for n in directories if here / n == copy.parent)}
        directories[:] = [one for one in directories if one not in skipped]
        there = copy / here.relative_to(root)
        there.mkdir(mode=0o700, exist_ok=True)
        for one in (*directories, *files):
            source = here / one
            with contextlib.suppress(OSError):
                found = source.lstat()
                if stat.S_ISLNK(found.st_mode):
                    (there / one).symlink_to(source.readlink())
                elif stat.S_ISREG(found.st_mode) and found.st_size <= MAX_FILE:
                    shutil.copyfile(source, there / one)
