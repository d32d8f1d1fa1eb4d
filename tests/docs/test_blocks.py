"""Every command block of README and docs/ is run, or at least read by the real parsers."""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from krmfn.cli import COMMANDS, Parser
from tests.support.page_runner import run
from tests.support.pages import PROGRAMS, ROOT, Block, calls, pages, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGES = {str(page.relative_to(ROOT)): read(page) for page in pages()}
BLOCKS = [block for page in PAGES.values() for block in page.blocks]
RUN = sorted({block.page for block in BLOCKS if block.way == "runs"})
CHECKED = [block for block in BLOCKS if block.way == "checked"]
NEEDS = {"vault", "estate", "openssl", "git", "cluster", "kustomize"}


def named(block: Block) -> str:
    """Where it stands."""
    return f"{block.page}:{block.line}"


def test_every_block_is_in_one_class() -> None:
    """No page leaves open what becomes of its commands; why one is not run stands there."""
    assert [named(b) for b in BLOCKS if not b.way] == []
    assert [named(b) for b in CHECKED if not b.says] == []
    words = {word for block in BLOCKS if block.way in {"runs", "e2e"} for word in block.words}
    assert words <= NEEDS


def test_every_fence_is_seen() -> None:
    """As many blocks come out as there are fences for a shell, under whatever name."""
    for name, page in PAGES.items():
        text = page.path.read_text().splitlines()
        fences = [
            line for line in text if line.strip() in {"```sh", "```bash", "```shell", "```console"}
        ]
        assert len(fences) == sum(text[b.line - 1].strip() == "```sh" for b in page.blocks), name


def test_indented_text_is_no_command() -> None:
    """An indented block that is not taken for commands holds none."""
    for name, page in PAGES.items():
        for text in page.texts:
            assert not {line.split()[0] for line in text.splitlines()} & PROGRAMS, f"{name}: {text}"


def test_how_many(record_property: Callable[[str, object], None]) -> None:
    """The numbers are reported, and no class is empty."""
    for way in ("runs", "e2e", "checked"):
        number = sum(block.way == way for block in BLOCKS)
        record_property(f"blocks: {way}", number)
        print(f"{number} blocks: {way}")
        assert number


@pytest.mark.parametrize("block", CHECKED, ids=named)
def test_checked(block: Block) -> None:
    """It is shell, and krmfn has the commands and options that it names."""
    shell = subprocess.run(
        ["bash", "-n"], input=block.text, text=True, capture_output=True, check=False
    )
    assert (shell.returncode, shell.stderr) == (0, "")
    for arguments in calls(block.text):
        parse(arguments)


def parse(arguments: list[str]) -> None:
    """By the parser of the command itself; exits where it does not like them."""
    if arguments[0] in {"--help", "--version", "help"}:
        return
    parser = Parser(prog=f"krmfn {arguments[0]}", allow_abbrev=False)
    assert arguments[0] in COMMANDS, arguments
    importlib.import_module(COMMANDS[arguments[0]].module).register(parser)
    parser.parse_args(arguments[1:])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("krmfn build a | krmfn unseal --check > x 2>&1", [["build", "a"], ["unseal", "--check"]]),
        ("A=b krmfn plan \\\n  a   # why", [["plan", "a"]]),
        ("x <<'EOF'\nkrmfn no\nEOF\nkrmfn audit -", [["audit", "-"]]),
        ('eval "$(krmfn completion bash)"', [["completion", "bash"]]),
    ],
)
def test_calls_are_found(text: str, found: list[list[str]]) -> None:
    """Pipes, variables, comments, here-documents and substitutions are told from arguments."""
    assert calls(text) == found


def test_what_krmfn_does_not_have() -> None:
    """A wrong option, command or argument is noticed."""
    for arguments in (["build", "--colour"], ["unseal"], ["argocd", "sync"]):
        with pytest.raises((SystemExit, argparse.ArgumentError)):
            parse(arguments)


@pytest.mark.parametrize("name", RUN)
def test_a_page_runs(name: str, tmp_path: Path) -> None:
    """Its blocks run one after the other in one shell, and print what the page says."""
    blocks = [block for block in PAGES[name].blocks if block.way == "runs"]
    for program in {word for block in blocks for word in block.words} & {"openssl", "git"}:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    run(blocks, tmp_path)
