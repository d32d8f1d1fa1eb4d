"""One call of a run: what kustomize gave, and what was made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from krmfn.build.copy import CopiedConfig
    from krmfn.objects.stream import Item
    from krmfn.plan.make import Plan
    from krmfn.sealing.job import Job
    from krmfn.sealing.pipeline import Sealed


@dataclass
class Called:
    """One call of a run.

    Attributes:
        plan: what was sealed; None when nothing was.
        job: what its configuration may use.
        made: the SealedSecrets of the plan, in its order.
        digests: as `Answer` has them.
    """

    config: CopiedConfig
    items: tuple[Item, ...]
    job: Job
    plan: Plan | None = None
    made: list[Sealed] = field(default_factory=list)
    digests: tuple[str, ...] = ()
