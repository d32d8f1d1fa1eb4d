"""Every command block of README and docs/ is run, or at least read by the real parsers."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from krmfn.cli import COMMANDS, Parser
from tests.support import checkout
from tests.support.page_runner import run
from tests.support.pages import PROGRAMS, ROOT, Block, calls, pages, read
from tests.support.prepared import Prepared, prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.served import Served

PAGES = {str(page.relative_to(ROOT)): read(page) for page in pages()}
BLOCKS = [block for page in PAGES.values() for block in page.blocks]
ALONE = [block for block in BLOCKS if block.way == "runs" and "prepared" in block.words]
INSTALL = [block for block in BLOCKS if block.way == "runs" and "checkout" in block.words]
MAKE = [block for block in BLOCKS if block.way == "runs" and "make" in block.words]
RUN = sorted({b.page for b in BLOCKS if b.way == "runs" and b not in ALONE + INSTALL + MAKE})
CHECKED = [block for block in BLOCKS if block.way == "checked"]
NEEDS = {"vault", "openssl", "git", "make", "cluster", "kustomize"}  # programs and servers
# What is there.
NEEDS |= {"checkout", "estate", "files", "examples", "prepared", "policy", "deployed"}
# What is not run, by how it begins. Nothing is added here that a test can run.
NOT_RUN = [
    ("README.md", "make test"),
    ("README.md", "pipx install"),
    ("docs/argocd.md", "docker build"),
    ("docs/argocd.md", "ln -s"),
    ("docs/cluster-tests.md", "make cluster"),
    ("docs/how-to/each-route.md", "docker build"),
    ("docs/how-to/troubleshooting.md", "kubectl logs"),
    ("docs/install.md", "pipx install"),
    ("docs/install.md", "pip download"),
    ("docs/install.md", "pip install"),
    ("docs/support.md", "pipx install"),
    ("docs/tutorial.md", "bao server"),
    ("docs/tutorial.md", "export VAULT_ADDR=http://127.0.0.1:8200"),
]


def named(block: Block) -> str:
    """Where it stands."""
    return f"{block.page}:{block.line}"


def test_every_block_is_in_one_class() -> None:
    """No page leaves open what becomes of its commands; why one is not run stands there."""
    assert [named(b) for b in BLOCKS if not b.way] == []
    assert [named(b) for b in CHECKED if not b.says] == []
    words = {word for block in BLOCKS if block.way in {"runs", "e2e"} for word in block.words}
    assert words <= NEEDS


def test_what_is_not_run() -> None:
    """Few blocks are left, and no other."""
    assert len(CHECKED) == len(NOT_RUN)
    for block, (page, beginning) in zip(CHECKED, NOT_RUN, strict=True):
        assert block.page == page
        assert block.text.startswith(f"{beginning} ") or block.text == beginning


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
def test_a_page_runs(name: str, tmp_path: Path, server: Served) -> None:
    """Its blocks run one after the other in one shell, and print what the page says."""
    blocks = [b for b in PAGES[name].blocks if b.way == "runs" and b not in ALONE + INSTALL + MAKE]
    for program in {word for block in blocks for word in block.words} & {"openssl", "git"}:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    run(blocks, tmp_path, server.directory)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, server: Served) -> Iterator[Prepared]:
    """What the examples name."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    with prepared(tmp_path_factory.mktemp("prepared"), server.directory) as made:
        yield made


@pytest.mark.parametrize("block", ALONE, ids=named)
def test_a_block_runs(block: Block, repository: Prepared, tmp_path: Path) -> None:
    """In its own copy of the prepared repository, each line succeeds."""
    repository.run(block, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("block", INSTALL, ids=named)
def test_an_installation(block: Block, tmp_path: Path) -> None:
    """From a checkout, into an environment of its own, with all files that krmfn needs."""
    done = checkout.run(block.text, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(str(tmp_path / "venv"))
    installed = {file.name for file in (tmp_path / "elsewhere/argocd").iterdir()}
    assert installed == {file.name for file in (ROOT / "krmfn/argocd/install").iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("block", MAKE, ids=named)
def test_a_target_of_make(block: Block) -> None:
    """It needs nothing but what is here, and makes no environment while tests run in it."""
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}

    def sh(text: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-euo", "pipefail", "-c", text]
        return subprocess.run(
            command, cwd=ROOT, env=environ, text=True, capture_output=True, check=False
        )

    if sh("make --question .venv/.ready").returncode:
        pytest.skip("needs make, and `make setup` before")
    done = sh(block.text)
    assert done.returncode == 0, done.stdout + done.stderr
