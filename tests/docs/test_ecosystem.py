"""Files for other programs (pre-commit, editors, the hosting platform) name what exists."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.docs.test_blocks import parse
from tests.support.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


def named(path: Path) -> str:
    """Return the file's name."""
    return path.name


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_hook_calls_a_command(hook: dict[str, Any]) -> None:
    """pre-commit adds file names, or the overlay under ``args``; krmfn's parser takes the call."""
    program, *words = hook["entry"].split()
    assert program == "krmfn"
    parse([*words, "overlays/prod"])
    re.compile(hook["files"])


@pytest.mark.parametrize(
    ("file", "checked"),
    [
        (".krmfn.yaml", True),
        ("krmfn/transformer.yaml", False),
        ("overlays/prod/krmfn-claims.yaml", True),
        ("base/claims.yaml", True),
        ("base/claim.yml", True),
        ("base/deployment.yaml", False),
    ],
)
def test_which_files_a_hook_checks(file: str, checked: bool) -> None:
    """Configurations by their usual names, and no other manifest."""
    pattern = next(hook["files"] for hook in HOOKS if hook["id"] == "krmfn-schema")
    assert bool(re.search(pattern, file)) == checked


@pytest.mark.parametrize("file", WORKFLOWS, ids=named)
def test_a_workflow(file: Path) -> None:
    """No permission by default, no action of a third party, shell that parses, and programs that exist."""
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert [step for step in steps if "uses" in step] == []
    makefile = (ROOT / "Makefile").read_text()
    for step in steps:
        shell = subprocess.run(
            ["bash", "-n"], input=step["run"], text=True, capture_output=True, check=False
        )
        assert (shell.returncode, shell.stderr) == (0, "")
        assert "${{" not in step["run"]  # an expression in a script is an injection
        for target in re.findall(r"\bmake ([\w-]+)", step["run"]):
            assert f"\n{target}:" in makefile
        for script in re.findall(r"(?<=\s)\.ci/\S+", step["run"]):
            assert (ROOT / script).is_file()


@pytest.mark.parametrize("file", FORMS, ids=named)
def test_a_form(file: Path) -> None:
    """Each question has an id and a label."""
    form = yaml.safe_load(file.read_text())
    assert form["name"]
    assert form["description"]
    for part in form["body"]:
        if part["type"] != "markdown":
            assert part["id"]
            assert part["attributes"]["label"]
