"""`krmfn completion`: what a shell offers, asked of a real bash."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from krmfn.cli import COMMANDS
from krmfn.cli.completion import SHELLS, whole_parser
from tests.support.command import krmfn

if TYPE_CHECKING:
    from pathlib import Path

# Completes as readline does: the words so far, the one at the end being typed.
ASK = """
source /dev/fd/3
words=("$@")
COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1)) COMP_LINE="${words[*]}"
COMP_POINT=${#COMP_LINE}
spec=$(complete -p krmfn)
[[ $spec =~ -F\\ ([^ ]+) ]] && "${BASH_REMATCH[1]}" krmfn "${words[-1]}" "${words[-2]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash."""
    file = tmp_path_factory.mktemp("completion") / "krmfn.bash"
    done = krmfn("completion", "bash")
    assert (done.returncode, done.stderr) == (0, "")
    file.write_text(done.stdout)
    return file


def offered(script: Path, *words: str, cwd: Path) -> list[str]:
    """What bash offers for the last word."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    ask = ASK.replace("/dev/fd/3", str(script))
    done = subprocess.run(
        [bash, "--norc", "-c", ask, "bash", "krmfn", *words],
        cwd=cwd,
        text=True,
        capture_output=True,
        check=True,
    )
    return [word.rstrip() for word in done.stdout.split("\n") if word.strip()]


def test_commands(script: Path, tmp_path: Path) -> None:
    """Every command, and those that begin as the word does."""
    assert set(offered(script, "", cwd=tmp_path)) >= {*COMMANDS, "help"}
    assert offered(script, "imp", cwd=tmp_path) == ["import"]
    assert offered(script, "help", "uns", cwd=tmp_path) == ["unseal"]


def test_options_and_choices(script: Path, tmp_path: Path) -> None:
    """A command's options, its own commands, and what an option takes."""
    assert offered(script, "build", "--pr", cwd=tmp_path) == ["--prune"]
    assert offered(script, "import", "sec", cwd=tmp_path) == ["secret"]
    assert offered(script, "import", "secret", "--write", cwd=tmp_path) == ["--write-values"]
    assert offered(script, "import", "avp", "--as", "g", cwd=tmp_path) == ["generator"]
    assert offered(script, "completion", "z", cwd=tmp_path) == ["zsh"]


def test_files_and_directories(script: Path, tmp_path: Path) -> None:
    """What a file is wanted for completes files, what a directory is wanted for those alone."""
    (tmp_path / "some-dir").mkdir()
    (tmp_path / "some-file").touch()
    assert offered(script, "unseal", "--key", "some", cwd=tmp_path) == ["some-dir", "some-file"]
    assert offered(script, "build", "some", cwd=tmp_path) == ["some-dir"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_knows_every_command(shell: str) -> None:
    """Each script names the commands; where the shell is here, it takes the script."""
    done = krmfn("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in COMMANDS)
    if (program := shutil.which(shell)) is not None:
        checked = subprocess.run([program, "-n"], input=done.stdout, text=True, check=False)
        assert checked.returncode == 0


def test_the_parser_is_that_of_the_commands() -> None:
    """Each command has there what it has when it is called."""
    (commands,) = (a for a in whole_parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert set(commands.choices) == {*COMMANDS, "help"}
    assert "--plain-secrets" in commands.choices["seal"].format_help()


def test_an_unknown_shell() -> None:
    """One line, which names those that there are."""
    done = krmfn("completion", "powershell")
    assert (done.returncode, done.stdout) == (2, "")
    assert "invalid choice: 'powershell'" in done.stderr
