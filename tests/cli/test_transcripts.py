"""What each command prints, whole: `transcripts/COMMAND.txt` has calls, and what came of them.

A line `$ krmfn …` is a call, with a file behind `<` as standard input; `| head -N` cuts what it prints.
The calls of a file are made one after the other in a copy of tests/support/plaintexts.py's repository.
KRMFN_UPDATE=1 writes what they print anew.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import commands, plaintexts
from tests.support import repository as repo
from tests.support.function import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
PROMPT = "$ krmfn "
CODE = re.compile(r"^exit code (\d+)$", re.MULTILINE)
# What differs between two machines, or two calls.
CHANGING = {
    re.escape(str(plaintexts.KUBECTL)): "/usr/bin/kubectl",
    r"http://127\.0\.0\.1:\d+": "http://127.0.0.1:8200",
    r"kustomize 5\.[.\d]+": "kustomize 5.8.1",
    r"it says version [.\d]+": "it says version 2.5.0",
    r"\bid: [0-9a-f]{16}\b": "id: 0123456789abcdef",
    r"\bage1[a-z0-9]{58}\b": "age1…",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, openbao: OpenBao) -> Iterator[Project]:
    """The repository, with a value that is always the same."""
    with plaintexts.project(tmp_path_factory, openbao, repo.VALUE, repo.DERIVATION_KEY) as found:
        # krmfn may be on the PATH of who runs this, which doctor would say.
        found.environ["PATH"] = "/nonexistent"
        yield found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_transcript(file: Path, made: Project, tmp_path: Path) -> None:
    """Standard output, standard error and exit code of every call are as they are written down."""
    project = Project(shutil.copytree(made.directory, tmp_path / "shop"), made.environ)
    expected = file.read_text()
    lines = [line for line in expected.splitlines() if line.startswith(PROMPT)]
    text = "\n".join(f"{line}\n{called(project, line)}" for line in lines)
    for pattern, word in {re.escape(str(project.directory)): "/shop", **CHANGING}.items():
        text = re.sub(pattern, word, text)
    if os.environ.get("KRMFN_UPDATE"):
        file.write_text(text)
    assert text == expected


def called(project: Project, line: str) -> str:
    """What one call gives."""
    line, _, head = line.removeprefix(PROMPT).partition(" | head -")
    line, _, stdin = line.partition(" < ")
    given = (project.directory / stdin).read_bytes() if stdin else b""
    done = project.run(None, *shlex.split(line.replace("KEY", str(repo.KEY))), stdin=given)
    output = done.stdout.decode()
    if head:
        output = "".join(output.splitlines(keepends=True)[: int(head)])
    newline = "" if output.endswith("\n") or not output else "\n"
    errors = f"--- standard error\n{done.stderr.decode()}" if done.stderr else ""
    return f"{output}{newline}{errors}exit code {done.returncode}\n"


def test_every_command_has_one() -> None:
    """With a success, a failure, and every form that its output has."""
    found = commands.options()
    texts = {file.stem.replace("-", " "): file.read_text() for file in FILES}
    assert set(texts) == set(found)
    for command, options in found.items():
        codes = [int(code) for code in CODE.findall(texts[command])]
        assert min(codes) < 2, command
        assert max(codes) > 1 or command in commands.NEVER_FAIL, command
        calls = [line for line in texts[command].splitlines() if line.startswith(PROMPT)]
        assert options & commands.FORMS <= {word for line in calls for word in line.split()}, (
            command
        )
