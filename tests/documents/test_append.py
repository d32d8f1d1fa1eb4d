"""Entries are added to lists, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krmfn.documents import strict
from krmfn.documents.append import with_entries
from krmfn.errors import SpecError

ADDED = {"resources": ["new.yaml"], "validators": ["v.yaml"]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "resources:\n- a\n- b\n\n# c\nkind: X\n",
            "resources:\n- a\n- b\n- new.yaml\n\n# c\nkind: X\nvalidators:\n- v.yaml\n",
        ),
        (
            "resources:\n  - a   # z\n  - |\n    x\n    # y\nkind: X\n",
            "resources:\n  - a   # z\n  - |\n    x\n    # y\n  - new.yaml\nkind: X\n"
            "validators:\n- v.yaml\n",
        ),
        (
            "kind: X\nresources:\n- a",
            "kind: X\nresources:\n- a\n- new.yaml\nvalidators:\n- v.yaml\n",
        ),
        (
            "resources:\n- a\n# tail\n",
            "resources:\n- a\n- new.yaml\n# tail\nvalidators:\n- v.yaml\n",
        ),
        ("kind: X\n", "kind: X\nresources:\n- new.yaml\nvalidators:\n- v.yaml\n"),
        (
            "resources: # why\n  - 'a'\n  # inner\n\nvalidators:\n- v.yaml\n",
            "resources: # why\n  - 'a'\n  - new.yaml\n  # inner\n\nvalidators:\n- v.yaml\n",
        ),
    ],
)
def test_places(before: str, after: str) -> None:
    """Behind the last entry, before comments and blank lines that follow; once only."""
    assert with_entries(before, ADDED, "k") == after
    assert with_entries(after, ADDED, "k") == after


@pytest.mark.parametrize(
    "text", ["resources: [a]\n", "resources: a\n", "resources:\n", "resources: []\n"]
)
def test_refusals(text: str) -> None:
    """What is not a list in block style is refused with its line, and not written anew."""
    with pytest.raises(SpecError, match=r"k:1: resources: is not a list in block style.*new.yaml"):
        with_entries(text, ADDED, "k")


WORD = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
ENTRY = WORD | WORD.map(lambda w: f"|\n      {w}\n      # {w}") | WORD.map(lambda w: f"'{w}' # {w}")
LIST = st.lists(ENTRY, min_size=1, max_size=4)


@given(LIST, LIST, st.sampled_from(["", "  "]), st.sampled_from(["", "\n", "# c\n", "\n# c\n\n"]))
def test_everything_else_stays(first: list[str], second: list[str], margin: str, gap: str) -> None:
    """By value one entry is added, by text one line."""
    text = "kind: X\n"
    for name, entries in (("resources", first), ("crds", second)):
        text += f"{name}:\n" + "".join(f"{margin}- {entry}\n" for entry in entries) + gap
    after = with_entries(text, {"resources": ["NEW"]}, "k")
    value = strict.load(text, "k")
    value["resources"].append("NEW")
    assert strict.load(after, "k") == value
    lines = after.splitlines()
    lines.remove(f"{margin}- NEW")
    assert lines == text.splitlines()
