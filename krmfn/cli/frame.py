"""What every command shares: a clock, stores that are opened once, and warnings.

Rules enforced here: warnings of commands are printed here and nowhere else, whether the command
succeeds or fails, before its errors; stores are closed whatever happens; an error says the
directory that it is about.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from krmfn.cli.console import say
from krmfn.deadline import Deadline
from krmfn.errors import Failure
from krmfn.files.read import Place
from krmfn.warned import Warnings, lines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from krmfn.sealing.job import Job
    from krmfn.stores.access import Access
    from krmfn.stores.pool import StorePool
    from krmfn.warned import Warned


class Run:
    """One run of a command.

    Attributes:
        name: as messages begin, ``krmfn plan``.
    """

    def __init__(
        self, name: str, start: float, *, verbose: bool = False, quiet: bool = False
    ) -> None:
        self.name = name
        self._start = start
        self._verbose = verbose
        self._quiet = quiet
        self._warnings = Warnings()
        self._given: list[tuple[str, Warnings]] = []
        self._pool: StorePool | None = None

    @cached_property
    def deadline(self) -> Deadline:
        """The deadline, counted from the start of the process.

        Raises:
            SpecError: ``KRMFN_DEADLINE`` is not a number of seconds.
        """
        return Deadline.from_environment(self._start)

    @property
    def pool(self) -> StorePool:
        """The stores, shared by all configurations."""
        if self._pool is None:
            from krmfn.stores.pool import StorePool  # lazy: not every command has stores

            self._pool = StorePool()
        return self._pool

    def warn(self, *warnings: Warned, where: str = "") -> None:
        """Print each warning once, at the end of the command, grouped by kind."""
        for warning in warnings:
            self._warnings.add(warning.at(where))

    def note(self, text: str) -> None:
        """Print a line on standard error, now; nothing with ``--quiet``."""
        if not self._quiet:
            say(text, stderr=True)

    def error(self, line: str) -> None:
        """Print an error that does not end the command."""
        say(f"[error] {self.name}: {line}", stderr=True)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Limit the block to a few seconds past the deadline. The block writes nothing."""
        watch = self.deadline.watch(self.name)
        try:
            yield
        finally:
            watch.cancel()

    @contextmanager
    def access(
        self,
        directory: Path,
        root: Path,
        *,
        where: str = "",
        environ: Mapping[str, str] = os.environ,
    ) -> Iterator[Access]:
        """Return what a configuration in ``directory`` may use; its warnings are printed.

        Args:
            root: the repository's root.
            where: what errors and warnings say the directory is.
        """
        from krmfn.stores.access import Access

        access = Access(environ, self.deadline, Place(directory, root))
        self._given.append((where, access.warnings))
        try:
            yield access
        except Failure as failure:
            for error in failure.errors:
                error.at(where=where)
            raise

    @contextmanager
    def job(
        self,
        directory: Path,
        root: Path,
        *,
        where: str = "",
        environ: Mapping[str, str] = os.environ,
    ) -> Iterator[Job]:
        """Return the job of a configuration in ``directory``, under the platform's policy.

        Args:
            root, where: as `access` has them.
        """
        from krmfn.sealing.job import Job

        with self.access(directory, root, where=where, environ=environ) as access:
            yield Job.start(access, self.pool)

    def close(self) -> None:
        """Close the stores, then print the warnings."""
        if self._pool is not None:
            self._pool.close()
        for where, warnings in self._given:  # closing a store may warn, too
            self.warn(*warnings.found, where=where)
        found = () if self._quiet else self._warnings.found
        for line in lines(found, everything=self._verbose):
            say(f"[warning] {self.name}: {line}", stderr=True)


@contextmanager
def command(options: argparse.Namespace, name: str) -> Iterator[Run]:
    """Run a command in its frame: clock, stores and warnings.

    Args:
        name: without ``krmfn``.
    """
    run = Run(f"krmfn {name}", options.start, verbose=options.verbose, quiet=options.quiet)
    try:
        yield run
    finally:
        run.close()
