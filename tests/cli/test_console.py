"""What people see of commands: on a terminal, and anywhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ESCAPE = "\x1b"
TABLE = """
from rich.table import Table
from krmfn.cli.console import console
table = Table("name", "state")
table.add_row("[db]", "sealed :key:", style="green")
console(stderr=STDERR).print(table)
"""
# A step that takes longer than one's patience, which is made short.
PROGRESS = """
import sys, time
from krmfn.cli import console
console.PATIENCE = 0.0 if SLOW else 3600.0
with console.progress("sealing", 2) as step:
    step()
    while SLOW and "rich.progress" not in sys.modules:
        time.sleep(0.01)
    if SLOW:
        time.sleep(0.5)
    step()
print("rich" in sys.modules)
"""


def run(code: str, **environ: str) -> tuple[str, str]:
    """Standard output and error of a script, through pipes."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        text=True,
        capture_output=True,
        check=True,
        env={"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environ},
    )
    return done.stdout, done.stderr


def on_terminal(code: str, **environ: str) -> str:
    """What a script shows on a terminal, both streams together."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environ},
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # Linux says so when the last writer has gone
        pass
    os.close(ours)
    assert process.wait() == 0, shown
    return shown.decode()


@pytest.mark.parametrize("stderr", [False, True])
def test_colour_on_a_terminal(stderr: bool) -> None:
    """A terminal gets colour, and text as it stands: brackets and colons are no markup."""
    shown = on_terminal(TABLE.replace("STDERR", str(stderr)))
    assert f"{ESCAPE}[32m" in shown
    assert "[db]" in shown
    assert ":key:" in shown


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_when_not_wanted(environ: dict[str, str]) -> None:
    """NO_COLOR and a dumb terminal get the text alone."""
    shown = on_terminal(TABLE.replace("STDERR", "False"), **environ)
    assert "[db]" in shown
    assert ESCAPE not in shown


def test_an_empty_no_color_counts_as_none() -> None:
    """As no-color.org has it."""
    assert ESCAPE in on_terminal(TABLE.replace("STDERR", "False"), NO_COLOR="")


@pytest.mark.parametrize(
    "environ", [{}, {"FORCE_COLOR": "1"}, {"COLUMNS": "20"}, {"TTY_COMPATIBLE": "1"}]
)
def test_pipes_get_the_same_text_everywhere(environ: dict[str, str]) -> None:
    """Through a pipe there is no colour, and the environment changes nothing."""
    script = TABLE.replace("STDERR", "False").replace('"name"', '"name " * 12')
    shown, _ = run(script, **environ)
    assert ESCAPE not in shown
    assert "name " * 11 + "name" in shown


def test_progress_of_what_takes_long() -> None:
    """On a terminal a long step shows how far it is, and leaves nothing behind."""
    shown = on_terminal(PROGRESS.replace("SLOW", "True"))
    assert "sealing" in shown
    assert shown.endswith("True\r\n")
    assert f"{ESCAPE}[2K" in shown


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}])
def test_progress_of_what_is_quick(environ: dict[str, str]) -> None:
    """What is done at once says nothing, and imports nothing to say it with."""
    assert on_terminal(PROGRESS.replace("SLOW", "False"), **environ) == "False\r\n"


def test_progress_is_for_terminals() -> None:
    """Through a pipe nothing is shown, however long it takes."""
    script = PROGRESS.replace("SLOW", "False").replace("3600.0", "0.0")
    assert run(script) == ("False\n", "")


def test_printable() -> None:
    """A name writes no line and no colour of its own."""
    from krmfn.text import printable

    assert printable("a\nb\x1b[31mc é") == "a?b?[31mc é"
