"""The newest version that can be read, from metadata alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from krmfn.errors import ProviderError
from krmfn.stores.vault.versions import newest


def version(seconds: float | None = None, *, destroyed: bool = False) -> dict[str, Any]:
    """One that was or will be deleted so many seconds from now."""
    at = datetime.now(UTC) + timedelta(seconds=seconds or 0)
    deleted = f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z" if seconds else ""
    return {"deletion_time": deleted, "destroyed": destroyed}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"versions": {"1": version(), "10": version(), "9": version()}}, 10),
        ({"versions": {"1": version(), "2": version(-100)}}, 1),
        ({"versions": {"1": version(), "2": version(destroyed=True)}}, 1),
        ({"versions": {"1": version(), "2": version(3600)}}, 2),  # deletes itself, later
        ({"version": 7, **version()}, 7),  # what stands beside a value
    ],
)
def test_newest(data: dict[str, Any], expected: int) -> None:
    """By number and not by text; what is to be deleted later is still there."""
    assert newest(data, source="s") == expected


@pytest.mark.parametrize(
    ("data", "id_"),
    [
        ({"versions": {}}, "version-deleted"),
        ({"versions": {"1": version(-100), "2": version(destroyed=True)}}, "version-deleted"),
        ({"version": 7, **version(-100)}, "version-deleted"),
        ({"versions": []}, "protocol"),
        ({"versions": {"1": None}}, "protocol"),
        ({"versions": {"-1": version()}}, "protocol"),
        ({}, "protocol"),
    ],
)
def test_nothing_to_pin_to(data: dict[str, Any], id_: str) -> None:
    """No version is left, or the answer makes no sense."""
    with pytest.raises(ProviderError) as raised:
        newest(data, source="s")
    assert raised.value.id == id_
