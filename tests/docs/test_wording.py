"""No sentence that people read has a pattern of `tests/support/sentences.py`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.pages import ROOT, pages
from tests.support.sentences import (
    PATTERNS,
    Sentence,
    faults,
    page_sentences,
    plain,
    program_sentences,
    text_sentences,
)

if TYPE_CHECKING:
    from pathlib import Path

MORE = [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
PROGRAMS = sorted({file.parent for file in (ROOT / "krmfn").rglob("*.py")})
TEXTS = sorted((ROOT / "krmfn").rglob("*.yaml"))


def named(path: Path) -> str:
    """Return the path in the repository."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", [*pages(), *MORE], ids=named)
def test_pages(page: Path) -> None:
    """Each line of prose in README, docs/ and the pages beside them."""
    assert [fault for line in page_sentences(page) for fault in faults(line)] == []


@pytest.mark.parametrize("folder", PROGRAMS, ids=named)
def test_messages_and_help(folder: Path) -> None:
    """Each help line and message in a folder of the program."""
    lines = [line for file in sorted(folder.glob("*.py")) for line in program_sentences(file)]
    assert [fault for line in lines for fault in faults(line)] == []


@pytest.mark.parametrize("file", TEXTS, ids=named)
def test_texts(file: Path) -> None:
    """Each line of errors.yaml, the catalogue and the files for Argo CD."""
    assert [fault for line in text_sentences(file) for fault in faults(line)] == []


@pytest.mark.parametrize("page", pages(), ids=named)
def test_width(page: Path) -> None:
    """A line of prose has at most 120 characters; tables, links and code are exempt."""
    wide = [
        f"{named(page)}:{number}"
        for number, line in enumerate(page.read_text().splitlines(), 1)
        if len(re.sub(r"\]\([^)]*\)", "]", line)) > 120
        and not line.startswith(("|", "<!--", "#", "    "))
        and "](" not in line
    ]
    assert [line for line in wide if not _is_code(page, line)] == []


def _is_code(page: Path, place: str) -> bool:
    """Whether a line is inside a fence."""
    number = int(place.rpartition(":")[2])
    before = page.read_text().splitlines()[: number - 1]
    return sum(line.lstrip().startswith("```") for line in before) % 2 == 1


BAD = [
    "No file is read that nobody named",
    "It stands in clear in the output",
    "namespace: of what nothing else gives a namespace",
    "the input is no ResourceList",
    "make krmfn's files out of what is there",
    "look for what explains a failure, and what mends it",
    "a check looked and did not like what it saw",
    "apiVersion and kind name nothing of krmfn's",
    "show what a build would read and seal, and the policy's word",
    "which environment has which Secret, and by whom",
    "He still cannot open anything.",
    "a function that krmfn's language has not",
]
GOOD = [
    "`{name}` stands for the Secret's name",
    "there is no resource, and the file is no longer used",
    "the order of the fields makes sense",
    "the code `whoever` and the link [x](somebody.md)",
]


@pytest.mark.parametrize("text", BAD)
def test_a_pattern_is_found(text: str) -> None:
    """The examples that the patterns come from are faults."""
    assert faults(Sentence("here", plain(text)))


@pytest.mark.parametrize("text", GOOD)
def test_plain_english_passes(text: str) -> None:
    """Sentences that only look similar are none."""
    assert faults(Sentence("here", plain(text))) == []


def test_each_pattern_says_what_is_better() -> None:
    """Each fault comes with advice."""
    assert all(PATTERNS.values())
