"""Count one build's use of the platform's limits. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from krmfn.errors import PolicyError

if TYPE_CHECKING:
    from krmfn.plan.make import Plan
    from krmfn.spec.platform import Limits


@dataclass
class Usage:
    """One build's requests so far, for all of its configurations together.

    Every method raises `PolicyError` ``policy-limit`` when that is too much.
    """

    limits: Limits
    secrets: int = 0
    keys: int = 0
    value_bytes: int = 0
    reads: set[tuple[str, str, int | None]] = field(default_factory=set)
    certificates: set[str] = field(default_factory=set)

    def add_input(self, size: int) -> None:
        """Add bytes of a function's input, or of files that a build has copied."""
        _within("inputBytes", size, self.limits.input_bytes)

    def add_plan(self, plan: Plan, recipient: str) -> None:
        """Add planned reads and targets."""
        self.secrets += len(plan.targets)
        for target in plan.targets:
            self.reads |= {(read.store, read.key, read.version) for read in target.reads()}
            self.keys += target.named
        self.certificates.add(recipient)
        _within("secrets", self.secrets, self.limits.secrets)
        _within("reads", len(self.reads), self.limits.reads)
        _within("keys", self.keys, self.limits.keys)
        _within("certificates", len(self.certificates), self.limits.certificates)

    def add_values(self, keys: int, size: int) -> None:
        """Add values.

        Args:
            keys: how many keys are known only after a read.
            size: of all values, in bytes.
        """
        self.keys += keys
        self.value_bytes += size
        _within("keys", self.keys, self.limits.keys)
        _within("valueBytes", self.value_bytes, self.limits.value_bytes)


def _within(name: str, found: int, limit: int) -> None:
    if found > limit:
        raise PolicyError(
            "policy-limit",
            f"the build is over the platform's limit {name}",
            expected=f"at most {limit}",
            remedy="split it, or ask the platform's owners",
        )
