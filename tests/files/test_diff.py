"""A change of a file, as it is shown."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from krmfn.files.diff import unified

if TYPE_CHECKING:
    from pathlib import Path

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
PLAIN = "# c\nresources:\n- a.yaml\n- b.yaml\nnamespace: x\nlabels:\n- one\n"
GENERATED = PLAIN + "secretGenerator:\n- name: s\n  literals: [a=hunter2]\n"


def test_a_change_has_what_stands_around_it() -> None:
    """Three lines on either side, as everywhere."""
    assert unified(PLAIN, PLAIN.replace("b.yaml", "c.yaml"), "a/k", "b/k") == (
        "--- a/k\n+++ b/k\n@@ -1,7 +1,7 @@\n # c\n resources:\n - a.yaml\n-- b.yaml\n+- c.yaml\n"
        " namespace: x\n labels:\n - one\n"
    )


def test_the_same_is_nothing() -> None:
    """Neither names nor lines."""
    assert unified(PLAIN, PLAIN, "a", "b") == unified(GENERATED, GENERATED, "a", "b") == ""


def test_beside_a_value() -> None:
    """Only what changes, below its key; a new list at the end stands below the one before it."""
    after = GENERATED.replace("- b.yaml\n", "- b.yaml\n- c.yaml\n") + "transformers:\n- t.yaml\n"
    assert unified(GENERATED, after, "k", "k") == (
        "--- k\n+++ k\n@@ -4,0 +5 @@ resources:\n+- c.yaml\n"
        "@@ -10,0 +12,2 @@ secretGenerator:\n+transformers:\n+- t.yaml\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "[{kind: Secret, stringData: {a: hunter2}}, {version: 1}]",
        '{"patches": [{"patch": "{data: {a: hunter2}}"}], "version": 1}',
    ],
)
def test_a_value_in_the_line_that_changes(line: str) -> None:
    """The line is told, and not shown."""
    hidden = "(not shown: this line may contain a Secret in plaintext)"
    assert unified(line, line.replace(": 1", ": 2"), "k", "k") == (
        f"--- k\n+++ k\n@@ -1 +1 @@\n-{hidden}\n+{hidden}\n"
    )


def test_a_file_without_a_last_newline() -> None:
    """Is told as git tells it."""
    assert unified("a\nb", "a\nb\n", "k", "k") == (
        "--- k\n+++ k\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"
    )


@needs_git
@pytest.mark.parametrize("before", [PLAIN, GENERATED])
def test_git_takes_it(before: str, tmp_path: Path) -> None:
    """With --unidiff-zero where there is nothing around a change."""
    (tmp_path / "k").write_text(before)
    after = before.replace("b.yaml", "c.yaml") + "validators: []\n"
    patch = unified(before, after, "a/k", "b/k")
    subprocess.run(
        ["git", "apply", "--unidiff-zero"], cwd=tmp_path, input=patch, text=True, check=True
    )
    assert (tmp_path / "k").read_text() == after
