"""Read the platform's configuration file, and check that it can be trusted if required.

Rules enforced here: ``KRMFN_CONFIG`` is an absolute path. Where Argo CD calls, or
``KRMFN_REQUIRE_POLICY`` is set, it must be there, outside of the repository, and in a place that
this process cannot write; else nothing is read and nothing is built. A file that is named and cannot
be used is an error everywhere: no policy is not a free pass.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.documents import strict
from krmfn.errors import Failure, PolicyError
from krmfn.files.read import read_file
from krmfn.names import API_VERSION, PLATFORM
from krmfn.policy.application import Policy, application_of, policy_required

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from krmfn.spec.platform import PlatformConfig

VARIABLE = "KRMFN_CONFIG"


def load(environ: Mapping[str, str], root: Path) -> Policy | None:
    """Return the policy of a run; None where there is none and none is required.

    Args:
        root: the repository's, in which no policy can be.

    Raises:
        PolicyError: ``policy-file``, the file cannot be used or trusted.
    """
    name = environ.get(VARIABLE, "")
    required = policy_required(environ)
    if not name:
        if not required:
            return None
        raise _unusable("is not set, and no build is allowed without a policy")
    path = Path(name)
    if not path.is_absolute():
        raise _unusable("is not an absolute path")
    if required:
        _check_place(path, root)
    from krmfn.policy.places import same_mounts  # lazy: only those who have a policy pay for it

    spec = read_platform(path).spec
    address = environ.get("VAULT_ADDR") or environ.get("BAO_ADDR") or ""
    if both := same_mounts(spec, address):
        raise _unusable(
            f"defines one mount twice: {both}", "use one store, or give both the same id"
        )
    return Policy(spec, application_of(environ), address)


def read_platform(path: Path) -> PlatformConfig:
    """The configuration in a file.

    Raises:
        PolicyError: ``policy-file``, it cannot be read, or is no `PlatformConfig`; it names the
            first mistake and its place.
    """
    from krmfn.spec.parse import check, name_of
    from krmfn.spec.platform import PlatformConfig

    try:
        text = read_file(path, name=path.name, key="")
        document = next(strict.documents(text, path.name), None)
        value = document.value() if document else None
        if not isinstance(value, dict) or (value.get("apiVersion"), value.get("kind")) != (
            API_VERSION,
            PLATFORM,
        ):
            raise _unusable(f"is not a PlatformConfig of {API_VERSION}")
        if len(list(strict.documents(text, path.name))) != 1:
            raise _unusable("holds more than one document")
        return check(
            PlatformConfig,
            value,
            name=name_of(value),
            where=path.name,
            position=document.position if document else None,
        )
    except PolicyError:
        raise
    except Failure as failure:
        first = failure.errors[0]
        place = ": ".join(p for p in (first.where, first.key) if p)
        raise _unusable(f"cannot be used: {place}{': ' if place else ''}{first.message}") from None


def _check_place(path: Path, root: Path) -> None:
    """Refuse a file that the build or the repository's author could have written."""
    try:
        resolved = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise _unusable("is not there") from None
    if path.is_relative_to(root) or resolved.is_relative_to(root.resolve()):
        raise _unusable("is inside the repository")
    for place in {*_chain(path), *_chain(resolved)}:
        if _writable(place):
            raise _unusable(
                f"can be changed by this process: {place} is writable",
                "mount it read-only, or run as another user than its owner",
            )


def _chain(path: Path) -> Iterator[Path]:
    """Yield a file, and the directories above it in which it could be replaced.

    They end at a mount: what is mounted read-only cannot be moved away, nor can a mount point.
    """
    yield path
    for directory in path.parents:
        yield directory
        if directory.is_mount() or _read_only(directory):
            return


def _writable(path: Path) -> bool:
    """Whether this process can write here or gain the right; root can, except on read-only mounts."""
    if os.access(path, os.W_OK):
        return True
    return path.stat().st_uid == os.geteuid() and not _read_only(path)


def _read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _unusable(problem: str, remedy: str = "") -> PolicyError:
    return PolicyError("policy-file", f"{VARIABLE} {problem}", remedy=remedy)
