"""Jobs for tests: what a build may use, without a command around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.deadline import Deadline
from krmfn.files.read import Place
from krmfn.sealing.job import Job
from krmfn.stores.access import Access
from krmfn.stores.pool import StorePool
from krmfn.warned import Warnings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def job(
    base: Path | None = None,
    environ: Mapping[str, str] | None = None,
    warnings: Warnings | None = None,
) -> Job:
    """A job with a minute, a pool of its own, and the policy that the environment names."""
    place = Place() if base is None else Place(base, base.resolve())
    found = Warnings() if warnings is None else warnings
    return Job.start(Access(environ or {}, Deadline(60), place, found), StorePool())
