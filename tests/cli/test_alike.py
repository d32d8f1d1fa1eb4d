"""What all commands have in common: defaults, help for each argument, and quiet runs."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING

import pytest

from krmfn.cli import COMMANDS, Parser, add_arguments
from tests.support.command import krmfn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KUSTOMIZATION = "resources: [secret.yaml]\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {k: v}\n"


def arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a command and of its actions."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from arguments(inner)
        elif not isinstance(action, argparse._HelpAction):
            yield action


def of(name: str) -> list[argparse.Action]:
    """Every argument of one command."""
    parser = Parser(prog=f"krmfn {name}")
    add_arguments(parser, importlib.import_module(COMMANDS[name].module))
    return list(arguments(parser))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_directory_defaults_to_the_working_directory(name: str) -> None:
    """A command that takes a kustomization's directory works without one."""
    for action in of(name):
        if not action.option_strings and action.metavar == "DIR":
            assert action.nargs in {"?", "*"}
            assert "default: the working directory" in str(action.help)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_argument_has_help(name: str) -> None:
    """No row of the reference is empty."""
    assert [action.dest for action in of(name) if not action.help] == []


def test_quiet(tmp_path: Path) -> None:
    """Warnings are not printed; results, errors and exit codes are as without it."""
    (tmp_path / "kustomization.yaml").write_text(KUSTOMIZATION)
    (tmp_path / "secret.yaml").write_text(SECRET)
    (tmp_path / ".git").mkdir()
    loud, quiet = (krmfn("matrix", *flag, cwd=tmp_path) for flag in ([], ["--quiet"]))
    assert quiet.returncode == loud.returncode == 0
    assert quiet.stdout == loud.stdout
    assert quiet.stderr == ""
    failed = krmfn("build", "--quiet", "missing", cwd=tmp_path)
    assert failed.returncode == 2
    assert "[error]" in failed.stderr


def test_a_page_says_where_it_is(tmp_path: Path) -> None:
    """``matrix --html`` names the file that it wrote, unless it is to be quiet."""
    (tmp_path / "kustomization.yaml").write_text(KUSTOMIZATION)
    (tmp_path / "secret.yaml").write_text(SECRET)
    (tmp_path / ".git").mkdir()
    assert "wrote page.html\n" in krmfn("matrix", "--html", "page.html", cwd=tmp_path).stderr
    quiet = krmfn("matrix", "--html", "page.html", "--quiet", cwd=tmp_path)
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_a_message_names_its_page(tmp_path: Path) -> None:
    """With the address of the pages, an error of a command ends with the page of its id."""
    done = krmfn("build", "missing", cwd=tmp_path, KRMFN_DOCS_URL="https://docs.example/krmfn")
    assert done.stderr.endswith("] https://docs.example/krmfn/errors/configuration/#file\n")
    assert krmfn("build", "missing", cwd=tmp_path).stderr.endswith("[file]\n")
