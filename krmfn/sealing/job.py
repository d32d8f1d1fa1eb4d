"""What sealing one configuration may use: access to the world, stores, the policy and its limits.

Rules enforced here: a store is opened by `Job.open` or `Job.stores` and nowhere else, after its
definition was completed by the policy, or refused if only a policy could define it. The policy is
loaded once, before anything else is looked at.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from krmfn.plan.make import refuse_platforms, standalone
from krmfn.policy.file import load
from krmfn.stores.opened import OpenedStores
from krmfn.warned import Warnings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from krmfn.plan.make import Plan
    from krmfn.policy.application import Policy
    from krmfn.policy.judge import Ruling
    from krmfn.policy.usage import Usage
    from krmfn.sealing.render import Rendered
    from krmfn.spec.platform import AnyPlatformStore
    from krmfn.spec.stores import Store
    from krmfn.stores.access import Access
    from krmfn.stores.pool import StorePool


@dataclass(frozen=True)
class Job:
    """One configuration to seal, or several of one build.

    Attributes:
        pool: the stores that are open; its owner closes it.
        policy: the platform's; None without one.
        usage: what the build has used of the policy's limits; None without a policy.
    """

    access: Access
    pool: StorePool
    policy: Policy | None = None
    usage: Usage | None = None

    @classmethod
    def start(cls, access: Access, pool: StorePool) -> Job:
        """Load the policy, and shorten the deadline to its limit.

        Raises:
            PolicyError: ``policy-file``, the policy cannot be used or trusted.
        """
        policy = load(access.environ, access.place.root)
        if policy is None:
            return cls(access, pool)
        access.deadline.shorten(policy.spec.limits.seconds)
        return cls(access, pool, policy).fresh()

    def at(self, directory: Path) -> Job:
        """Return the job of another configuration of the same build."""
        return replace(self, access=replace(self.access, place=self.access.place.at(directory)))

    def fresh(self) -> Job:
        """Return a job with unused limits, as each build has them."""
        if self.policy is None:
            return self
        from krmfn.policy.usage import Usage  # lazy: only those who have a policy pay for it

        return replace(self, usage=Usage(self.policy.spec.limits))

    def aside(self) -> Job:
        """Return a job whose warnings are not given."""
        return replace(self, access=replace(self.access, warnings=Warnings()))

    def keeping(self) -> Job:
        """Return a job that reads each file once, as `Place.keeping`."""
        return replace(self, access=replace(self.access, place=self.access.place.keeping()))

    @contextmanager
    def open(self, plan: Plan) -> Iterator[tuple[Plan, OpenedStores]]:
        """Complete a plan by the policy, and give its stores for the block.

        Raises:
            PolicyError: the plan defines what is the platform's, or names what it does not have.
            SpecError: the plan names what only a platform defines, and there is no policy.
        """
        plan = self.complete(plan)
        with self._opened(plan.stores) as stores:
            yield plan, stores

    @contextmanager
    def stores(self, specs: Mapping[str, Store | AnyPlatformStore]) -> Iterator[OpenedStores]:
        """Complete stores by the policy, and give them for the block, to callers without a plan.

        Raises:
            PolicyError, SpecError: as `open`.
        """
        if self.policy is None:
            refuse_platforms(specs)
        else:
            from krmfn.policy.complete import governed_stores  # lazy, as in `fresh`

            specs = governed_stores(specs, self.policy.spec)
        with self._opened(specs) as stores:
            yield stores

    @contextmanager
    def _opened(self, specs: Mapping[str, Store | AnyPlatformStore]) -> Iterator[OpenedStores]:
        stores = OpenedStores(specs, self.access, self.pool)
        try:
            yield stores
        finally:
            stores.close()

    def complete(self, plan: Plan) -> Plan:
        """Return the plan with the platform's definitions, or the plan itself without a policy.

        Raises:
            PolicyError, SpecError: as `open`.
        """
        if self.policy is None:
            return standalone(plan)
        from krmfn.policy.complete import governed  # lazy, as in `fresh`

        return governed(plan, self.policy.spec)

    def rulings(self, plan: Plan, recipient: str) -> list[Ruling]:
        """Return the policy's rulings on a completed plan, in its order; none without a policy.

        Args:
            recipient: the certificate's fingerprint.

        Raises:
            SpecError: a path is not canonical.
        """
        if self.policy is None:
            return []
        from krmfn.policy.judge import verdicts  # lazy, as in `fresh`

        return verdicts(plan, recipient, self.policy)

    def allow(self, plan: Plan, recipient: str) -> None:
        """Raise the policy's denials of a completed plan, if any.

        Raises:
            PolicyError, ErrorList: something is denied.
        """
        if self.policy is not None:
            from krmfn.policy.judge import allow  # lazy, as in `fresh`

            allow(plan, recipient, self.policy)

    def permit(self, plan: Plan, recipient: str) -> None:
        """Go on only if the policy allows all of a completed plan, within the build's limits.

        Raises:
            PolicyError, ErrorList: something is denied, or too much.
        """
        self.allow(plan, recipient)
        self.count_plan(plan, recipient)

    def count_plan(self, plan: Plan, recipient: str) -> None:
        """Count a plan's reads and targets.

        Raises:
            PolicyError: ``policy-limit``.
        """
        if self.usage is not None:
            self.usage.add_plan(plan, recipient)

    def count(self, rendered: Iterable[Rendered]) -> None:
        """Count values, and the keys that are known only after a read.

        Raises:
            PolicyError: ``policy-limit``.
        """
        if self.usage is None:
            return
        keys = size = 0
        for one in rendered:
            keys += max(0, len(one.items) - one.target.named)
            size += sum(len(item.content.reveal()) for item in one.items.values())
        self.usage.add_values(keys, size)
