"""The result of a check, and the table of all checks, the source of docs/doctor.md.

Rules enforced here: a diagnosis contains facts and never a value; every id is in `CHECKS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from krmfn.sealing.job import Job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from krmfn.errors import Failure
    from krmfn.stores.access import Access
    from krmfn.stores.pool import StorePool

Status: TypeAlias = Literal["ok", "warning", "error", "skipped"]

# id -> (area, what it looks at)
CHECKS: dict[str, tuple[str, str]] = {
    "kustomize": ("tools", "kustomize or kubectl is there, and kustomize is 5.0.3 or newer"),
    "sandbox": ("tools", "the kernel keeps kustomize from the network and from others' files"),
    "function": ("tools", "what each configuration's annotation starts is installed"),
    "build": ("overlay", "the overlay builds, with its claims left unsealed"),
    "claims-printed": ("overlay", "`kustomize build` seals the claims, as `krmfn build` does"),
    "generate-paths": (
        "overlay",
        "an Application's `manifest-generate-paths` names `.krmfn.yaml` and what overlays share",
    ),
    "config-left": ("overlay", "no krmfn configuration is listed under `resources:`"),
    "marker": ("overlay", "the skip marker is deleted, so that a skipped krmfn stops the build"),
    "validator": ("overlay", "the outermost kustomization lists a SealedSecretValidator"),
    "sealed-for": ("overlay", "what is committed sealed opens under its final namespace and name"),
    "scope-annotation": ("overlay", "annotations agree with the scope that was sealed for"),
    "certificate-differs": ("overlay", "everything is sealed for one certificate"),
    "plain-secret": ("overlay", "no Secret is unencrypted"),
    "ambiguous-producer": ("overlay", "no two objects make one Secret"),
    "hand-made": ("overlay", "no SealedSecret is left over from before krmfn made them"),
    "audit": ("overlay", "`krmfn audit` finds no error"),
    "certificate": ("overlay", "the certificate is valid, for 30 days more, and not 30 days old"),
    "policy": ("overlay", "the platform's policy allows everything"),
    "vault": ("vault", "the vault answers, and is not sealed"),
    "vault-clock": ("vault", "this machine's clock and the vault's agree to 60 seconds"),
    "vault-login": ("vault", "the vault takes the credential"),
    "vault-token": ("vault", "the token outlives a build: five minutes or more are left"),
    "vault-revoke": ("vault", "the token of a login can be revoked when the build ends"),
    "vault-access": ("vault", "the token may read exactly what the build reads"),
    "vault-value": ("vault", "every value and the derivation key are there, and can be used"),
    "controller": ("cluster", "the controller answers, under either of its usual names"),
    "cluster-certificate": ("cluster", "the overlay seals for the controller's newest key"),
    "synced": ("cluster", "the controller has opened every SealedSecret of the overlay"),
    "verify": ("cluster", "the controller says that it can open what a build gives"),
    "in-the-way": ("cluster", "no Secret of another owner has the name of a sealed one"),
    "operator-secret": (
        "cluster",
        "operators have created their Secrets, with the keys that are read and the owners that git names",
    ),
}
AREAS = ("tools", "overlay", "vault", "cluster")


@dataclass(frozen=True)
class Diagnosis:
    """The result of one check.

    Attributes:
        id: a key of `CHECKS`.
        subject: what was looked at: an object, a file, a program, a server.
        cause: one line: what is wrong, or what was seen to be right.
        evidence: what that is known from.
        fix: a command, or what to do.
    """

    id: str
    status: Status
    subject: str
    cause: str
    evidence: str = ""
    fix: str = ""

    def __post_init__(self) -> None:
        if self.id not in CHECKS:
            raise AssertionError(f"{self.id} is not a check")

    @property
    def area(self) -> str:
        """One of `AREAS`."""
        return CHECKS[self.id][0]


@dataclass(frozen=True)
class Patient:
    """The overlay, vault and cluster to check.

    Attributes:
        name: the directory as it was written, for commands.
        access: as for a build of the directory.
        command: as `find_kustomize` says.
    """

    directory: Path
    name: str
    access: Access
    pool: StorePool
    command: tuple[str, ...]
    now: datetime

    @property
    def root(self) -> Path:
        """The repository's root."""
        return self.access.place.root

    def job(self) -> Job:
        """Return a job with unused policy limits, because each limit applies to one build.

        Raises:
            PolicyError: the policy cannot be used or trusted.
        """
        return Job.start(self.access, self.pool)


def failed(check: str, failure: Failure, subject: str) -> Iterator[Diagnosis]:
    """krmfn's own errors as diagnoses."""
    for error in failure.errors:
        place = error.where or error.source or subject
        yield Diagnosis(check, "error", place, error.message, error.line(), error.remedy)
