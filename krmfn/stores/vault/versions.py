"""Interpret KV version 2's metadata of a secret's versions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from krmfn.errors import ProviderError
from krmfn.warned import Warned


def no_versions(source: str) -> ProviderError:
    """Return the error for a version in a KV 1 mount."""
    return ProviderError(
        "version-unsupported",
        "KV version 1 keeps no versions",
        source=source,
        remedy="remove version",
    )


def gone(metadata: dict[str, Any], *, source: str) -> ProviderError:
    """Return the error for a version whose metadata says that its value is gone."""
    number = f"version {metadata.get('version')}"
    if metadata.get("destroyed") is True:
        return ProviderError(
            "version-destroyed",
            f"{number} was destroyed",
            source=source,
            remedy="write the value again",
        )
    return ProviderError(
        "version-deleted",
        f"{number} was deleted",
        source=source,
        remedy="undelete it, or write the value again",
    )


def unreadable(source: str, path: str) -> Warned:
    """The warning when the whole secret had to be read for its version."""
    return Warned(
        "version-unreadable",
        source,
        "its metadata may not be read, so the secret was",
        f'a policy with path "{path}" {{ capabilities = ["read"] }} avoids that',
    )


def newest(data: dict[str, Any], *, source: str) -> int:
    """Return the newest version that is neither deleted nor destroyed.

    Args:
        data: the answer of the metadata endpoint, which holds no value; or the metadata beside a
            value, which is that of one version.

    Raises:
        ProviderError: there is none, or the answer is not what it should be.
    """
    versions = data.get("versions", {str(data.get("version")): data})
    if not isinstance(versions, dict) or not all(isinstance(v, dict) for v in versions.values()):
        raise ProviderError("protocol", "the answer says nothing of versions", source=source)
    living = [number for number, version in versions.items() if not _gone(version)]
    numbers = [int(number) for number in living if number.isascii() and number.isdigit()]
    if len(numbers) != len(living):
        raise ProviderError("protocol", "a version is not a number", source=source)
    if not numbers:
        raise ProviderError(
            "version-deleted",
            "no version is left that can be read",
            source=source,
            remedy="undelete one, or write the value again",
        )
    return max(numbers)


def _gone(version: dict[str, Any]) -> bool:
    """Whether a version is destroyed or deleted; a future deletion time does not count yet."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    deleted = str(version.get("deletion_time") or "")[: len(now)]
    return bool(version.get("destroyed")) or "" < deleted <= now
