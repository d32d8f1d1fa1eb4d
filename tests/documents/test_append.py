"""Entries are added to lists, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krmfn.documents import strict
from krmfn.documents.append import with_entries, with_items
from krmfn.errors import SpecError

ADDED = {"resources": ["new.yaml"], "validators": ["v.yaml"]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "resources:\n- a\n- b\n\n# c\nkind: X\n",
            "resources:\n- a\n- b\n- new.yaml\n\n# c\nkind: X\nvalidators: [v.yaml]\n",
        ),
        (
            "resources:\n  - a   # z\n  - |\n    x\n    # y\nkind: X\n",
            "resources:\n  - a   # z\n  - |\n    x\n    # y\n  - new.yaml\nkind: X\n"
            "validators: [v.yaml]\n",
        ),
        (
            "kind: X\nresources:\n- a",
            "kind: X\nresources:\n- a\n- new.yaml\nvalidators: [v.yaml]\n",
        ),
        (
            "resources:\n- a\n# tail\n",
            "resources:\n- a\n- new.yaml\n# tail\nvalidators: [v.yaml]\n",
        ),
        ("kind: X\n", "kind: X\nresources: [new.yaml]\nvalidators: [v.yaml]\n"),
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
    ("before", "after"),
    [
        ("resources: [a]\n", "resources: [a, new.yaml]\n"),
        ("resources: [a, ]  # why\nkind: X\n", "resources: [a, new.yaml, ]  # why\nkind: X\n"),
        ("resources: []\n", "resources: [new.yaml]\n"),
        ("resources: [ ]\n", "resources: [ new.yaml]\n"),
        ("resources:\n", "resources: [new.yaml]\n"),
        ("resources:   # none yet\nkind: X\n", "resources: [new.yaml]   # none yet\nkind: X\n"),
        ("resources: null\n", "resources: [new.yaml]\n"),
        ("resources: ~", "resources: [new.yaml]"),
        ("resources: [a,\n  'b' # c\n]\n", "resources: [a,\n  'b', new.yaml # c\n]\n"),
        ("resources:\n  [\n    a\n  ]\n", "resources:\n  [\n    a, new.yaml\n  ]\n"),
        ("resources: [a, {b: [c]}]\n", "resources: [a, {b: [c]}, new.yaml]\n"),
        ("resources: &all [a]\n", "resources: &all [a, new.yaml]\n"),
        ('{"kind": "X", "resources": ["a"]}', '{"kind": "X", "resources": ["a", "new.yaml"]}'),
        ('{"kind": "X"}\n', '{"kind": "X", "resources": ["new.yaml"]}\n'),
        ("{kind: X}", "{kind: X, resources: [new.yaml]}"),
        ("{}", "{resources: [new.yaml]}"),
        ("kind: X\r\nresources:\r\n- a\r\n", "kind: X\r\nresources:\r\n- a\r\n- new.yaml\r\n"),
        ("---\nresources: [a]\n...\n", "---\nresources: [a, new.yaml]\n...\n"),
        ("\ufeffresources: [a]\n", "\ufeffresources: [a, new.yaml]\n"),
        (
            "resources:\n- [a,\n   b]\n- c: [x,\n   y]\nk: 1\n",
            "resources:\n- [a,\n   b]\n- c: [x,\n   y]\n- new.yaml\nk: 1\n",
        ),
    ],
)  # fmt: skip
def test_flow_style(before: str, after: str) -> None:
    """The entry goes inside the brackets, and everything else stays; once only."""
    added = {"resources": ["new.yaml"]}
    assert with_entries(before, added, "k") == after
    assert with_entries(after, added, "k") == after


@pytest.mark.parametrize(
    "text",
    [
        "resources: a\n",
        "resources: {a: b}\n",
        "crds: &x [a]\nresources: *x\n",
        "resources: &x [a]\ncrds: *x\n",
        "- a\n",
    ],
)
def test_refusals(text: str) -> None:
    """What is no list, or is another list too, is refused with its line."""
    with pytest.raises(SpecError, match=r"k:[12]: resources: is .*nothing can be added to it"):
        with_entries(text, {"resources": ["new.yaml"]}, "k")


def test_the_first_of_several_documents() -> None:
    """It alone is edited, also where the list is missing."""
    text = "kind: X\nspec:\n  a: [b]\n---\nkind: Y\n"
    assert with_items(text, ("spec", "a"), ["c"], "k") == text.replace("[b]", "[b, c]")
    assert with_items(text, ("l",), ["c"], "k") == text.replace("---", "l: [c]\n---")


def test_deep_lists() -> None:
    """Mappings above a missing list are made; what follows in the file stays behind it."""
    text = "spec:\n  a: 1\n  # c\n\nkind: X\n"
    item = {"name": "dev", "paths": ["overlays/dev", "*/x"]}
    after = with_items(text, ("spec", "environments"), [item], "k")
    assert after == (
        'spec:\n  a: 1\n  environments:\n  - name: dev\n    paths: [overlays/dev, "*/x"]\n'
        "  # c\n\nkind: X\n"
    )
    more = with_items(after, ("spec", "environments", 0, "paths"), ["z"], "k")
    assert more == after.replace('"*/x"]', '"*/x", "z"]')
    assert with_items("kind: X\n", ("spec", "v", "l"), [{"a": "b"}], "k") == (
        "kind: X\nspec:\n  v:\n    l:\n    - a: b\n"
    )
    assert with_items("kind: X\nspec: {}\n", ("spec", "l"), ["b"], "k") == (
        "kind: X\nspec: {l: [b]}\n"
    )


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
