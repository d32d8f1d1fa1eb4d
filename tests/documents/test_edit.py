"""One value of a file is changed in its place, or not at all."""

from __future__ import annotations

import pytest

from krmfn.documents.edit import Edit, edit
from krmfn.errors import SpecError

EPOCH = ("spec", "sealing", "epoch")
PEM = "-----BEGIN CERTIFICATE-----\nNEW\nNEW2\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("before", "new", "after"),
    [
        ("'1'   # why", "2", "'2'   # why"),
        ('"1"', "2", '"2"'),
        ("one", "two", "two"),
        # What another parser may take for a number, a date or a boolean gets quotes.
        ("one", "2", '"2"'),
        ("one", "1e3", '"1e3"'),
        ("one", "0x1f", '"0x1f"'),
        ("one", "no", '"no"'),
        ("one", "2026-11-24", '"2026-11-24"'),
        ("one", "1_0", '"1_0"'),
        ("one", "2de602df37fcd47a", "2de602df37fcd47a"),
    ],
)
def test_a_value_keeps_its_quotes(before: str, new: str, after: str) -> None:
    """And gets some where it would be read as something else without."""
    text = "spec:\n  sealing:\n    epoch: {}\n    a: b\n"
    assert edit(text.format(before), "f", [Edit(0, EPOCH, new)]) == text.format(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "spec:\n  sealing: # how\n    # which\n    certificate: {file: a}\n",
            'spec:\n  sealing: # how\n    epoch: "2"\n    # which\n    certificate: {file: a}\n',
        ),
        ("spec: {sealing: {a: b}}\n", 'spec: {sealing: {epoch: "2", a: b}}\n'),
        ("spec: {sealing: { a: b }}\n", 'spec: {sealing: { epoch: "2", a: b }}\n'),
        (
            '{"spec": {"sealing": {\n  "a": "b"\n}}}',
            '{"spec": {"sealing": {\n  "epoch": "2",\n  "a": "b"\n}}}',
        ),
        ("spec:\r\n  sealing:\r\n    a: b", 'spec:\r\n  sealing:\r\n    epoch: "2"\r\n    a: b'),
    ],
)
def test_what_is_missing_is_added_in_the_files_style(before: str, after: str) -> None:
    """As the first entry, under the comment of its mapping and above that of the next entry."""
    assert edit(before, "f", [Edit(0, EPOCH, "2")]) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pem: |\n  OLD\n  OLD2\nz: 1\n", "pem: |\n  -----BEGIN CERTIFICATE-----\n  NEW\n  NEW2\n"),
        (
            "pem: |- # why\n    OLD\n\n# z\nz: 1\n",
            "pem: |- # why\n    -----BEGIN CERTIFICATE-----\n",
        ),
        ("a:\n  pem: |\n    OLD\n  # z\n  y: 1\nz: 1\n", "a:\n  pem: |\n    -----BEGIN"),
        ('pem: "OLD\\n"\nz: 1\n', 'pem: "-----BEGIN CERTIFICATE-----\\nNEW\\n'),
    ],
)
def test_a_block_of_lines(before: str, after: str) -> None:
    """A literal block as far in as it was, what stands behind it untouched; or one quoted line."""
    path = ("a", "pem") if before.startswith("a") else ("pem",)
    result = edit(before, "f", [Edit(0, path, PEM)])
    assert result.startswith(after)
    assert result.endswith(before.rpartition("OLD")[2].partition("\n")[2])


@pytest.mark.parametrize(
    ("text", "path", "why"),
    [
        ("spec:\n  sealing: &s {epoch: '1'}\nx: *s\n", EPOCH, "f:2:16: epoch: an alias leads"),
        ("x: &e '1'\nspec: {sealing: {epoch: *e}}\n", EPOCH, "f:2:18: epoch: an alias leads"),
        ("spec: {sealing: {epoch: &e '1'}}\n", EPOCH, "it has an anchor or a tag"),
        ("spec: {sealing: {epoch: !!str 1}}\n", EPOCH, "it has an anchor or a tag"),
        ("spec: {sealing: {epoch: [1]}}\n", EPOCH, "it is not a single value"),
        (
            "spec:\n  sealing:\n    epoch: >-\n      1\n",
            EPOCH,
            "f:3:5: epoch: it is written in a style",
        ),
        ("spec: {sealing: {}}\n", EPOCH, "there is no mapping to put it into"),
        ("spec: {sealing: null}\n", EPOCH, "there is no mapping to put it into"),
        ("spec:\n  ? sealing\n  : a: b\n", EPOCH, "f: it is written in a way that cannot be kept"),
        ("spec:\n  sealing:\n    &x\n    a: b\n", EPOCH, "f: it is written in a way that cannot"),
        ("spec: {}\n", EPOCH, "there is no value"),
        ("a: [1]\n", ("a", 3), "there is no value"),
        ("spec: {sealing: {\n  # c\n  a: b}}\n", EPOCH, "a comment precedes its first entry"),
    ],
)
def test_what_cannot_be_changed_in_place(text: str, path: tuple[str | int, ...], why: str) -> None:
    """Said with line and column; anchors and aliases reach further than one value."""
    with pytest.raises(SpecError) as raised:
        edit(text, "f", [Edit(0, path, "2")])
    line = raised.value.line()
    assert raised.value.id == "in-place"
    assert why in line


@pytest.mark.parametrize(
    "text", ["pem: >\n  OLD\n", "pem: OLD\n", "pem: |2\n    OLD\n", "pem: |\n"]
)
def test_blocks_that_cannot_be_kept(text: str) -> None:
    """Lines in a style that cannot hold them."""
    with pytest.raises(SpecError, match=r"f:1:1: pem: it is written in a style"):
        edit(text, "f", [Edit(0, ("pem",), PEM)])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:\n- name: x # why\n  b: 1\n", 'a:\n- name: x # why\n  epoch: "2"\n  b: 1\n'),
        ("a:\n  - name: x\n", 'a:\n  - name: x\n    epoch: "2"\n'),
        ("a:\n- {name: x}\n", 'a:\n- {epoch: "2", name: x}\n'),
    ],
)
def test_an_entry_of_a_list_gets_a_field(before: str, after: str) -> None:
    """Under its first field, which is beside the dash; in braces as the first one."""
    assert edit(before, "f", [Edit(0, ("a", 0, "epoch"), "2")]) == after


def test_an_entry_without_a_line_of_its_own() -> None:
    """Is not changed."""
    for before in ("a:\n- b:\n    c: d\n", "a:\n- name: x"):
        with pytest.raises(SpecError):
            edit(before, "f", [Edit(0, ("a", 0, "epoch"), "2")])


def test_a_text_becomes_a_mapping() -> None:
    """In braces, with its comment."""
    done = edit("from: a/b # why\n", "f", [Edit(0, ("from",), {"key": "a/b", "version": 3})])
    assert done == 'from: {key: "a/b", version: 3} # why\n'
