"""The lock files: complete, hashed, and silent about where packages come from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-build.txt",
    "requirements-docs.txt",
    "requirements-release.txt",
)
PIN = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*)(\[[a-z,-]+\])?==(?P<version>[0-9][^ ;]*)( ; [^\\]+)?"
)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def entries(lock: str) -> list[list[str]]:
    """The entries of a lock file: a pin and its hashes."""
    text = (ROOT / lock).read_text().replace("\\\n", "\0")
    return [[part.strip() for part in line.split("\0")] for line in text.splitlines()]


def pins(lock: str) -> dict[str, str]:
    """Versions by name."""
    found = (PIN.fullmatch(entry[0]) for entry in entries(lock))
    return {match["name"]: match["version"] for match in found if match}


def names(specifiers: list[str]) -> set[str]:
    """The distributions that specifiers ask for, besides this project itself."""
    return {re.split(r"[\[<>=!~; ]", s, maxsplit=1)[0].lower() for s in specifiers} - {"krmfn"}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = [s for extra in PROJECT["project"]["optional-dependencies"].values() for s in extra]
RUNTIME = names(PROJECT["project"]["dependencies"] + EXTRAS)
GROUPS = {name: names(group) for name, group in PROJECT["dependency-groups"].items()}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_with_hashes(lock: str) -> None:
    """Nothing but exact versions, each with at least one SHA-256."""
    assert entries(lock)
    for pin, *hashes in entries(lock):
        assert PIN.fullmatch(pin), pin
        assert hashes, f"{pin}: no hash"
        assert all(HASH.fullmatch(each) for each in hashes), pin


@pytest.mark.parametrize("lock", LOCKS)
def test_no_place_is_named(lock: str) -> None:
    """Where packages are downloaded from is each machine's own business."""
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"--(extra-)?index|--find-links|--trusted-host|@ ", text)


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.txt", RUNTIME),
        ("requirements-dev.txt", RUNTIME.union(*(GROUPS[g] for g in ("test", "lint", "build")))),
        ("requirements-build.txt", GROUPS["build"]),
        ("requirements-docs.txt", GROUPS["docs"]),
        ("requirements-release.txt", GROUPS["release"]),
    ],
)
def test_what_the_project_asks_for_is_locked(lock: str, wanted: set[str]) -> None:
    """A dependency added to pyproject.toml needs `make lock`."""
    assert wanted - pins(lock).keys() == set()


def test_the_locks_agree() -> None:
    """What is tested is what the image installs."""
    tested = pins("requirements-dev.txt")
    for lock in ("requirements.txt", "requirements-build.txt"):
        assert pins(lock).items() <= tested.items()
