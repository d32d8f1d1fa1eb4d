"""krmfn under strace: what kustomize and its children ask of the kernel in a build.

strace is a package of Debian's; where it is not installed, tests that need it are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from krmfn.build.sandbox import LIBRARIES, python_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NETWORK = re.compile(r"(socket|socketpair|connect|bind|listen|accept4?|io_uring_\w+)\(")
OPENED = re.compile(r"(?:open|openat|openat2|creat)\(.*= \d+<([^>]*)>(?:\(deleted\))?$")
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|^creat\(")
STARTED = re.compile(r'execve\("([^"]*)", \[(.*)\].*= 0$')
CHILD = re.compile(r"(?:clone|clone3|fork|vfork)\(.*= (\d+)(?:<[^>]*>)?$")
PRIVATE = re.compile(r"/krmfn-private-[^/]+")
# What Go asks about the machine.
KERNEL = re.compile(r"/proc/\d+/|/proc/self/|/sys/|/dev/null$")


@dataclass
class Trace:
    """What kustomize and its children did.

    Attributes:
        done: krmfn's own end.
        programs: that were started, the first of each process.
        problems: a line for each thing that none of them may do; empty where all is well.
    """

    done: subprocess.CompletedProcess[str]
    programs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def traced(folder: Path, *command: str | Path, cwd: Path | None = None, **environ: str) -> Trace:
    """Run a command of krmfn's under strace.

    Args:
        folder: an empty directory for strace's files.
        environ: all of the environment but for PATH.
    """
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    calls = "trace=%network,%process,open,openat,openat2,creat,io_uring_setup"
    done = subprocess.run(
        [strace, "-ff", "-qq", "-y", "-s", "4096", "-e", calls, "-o", folder / "t", *command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    found = Trace(done)
    files = {int(file.suffix[1:]): file for file in folder.glob("t.*")}
    waiting = [(lines, True) for lines in map(_lines, files.values()) if _launched(lines)]
    while waiting:
        lines, is_launcher = waiting.pop()
        for line in _confined(lines) if is_launcher else lines:
            if (child := CHILD.match(line)) and int(child[1]) in files:
                waiting.append((_lines(files[int(child[1])]), False))
            if started := STARTED.match(line):
                found.programs.append(started[1])
            if problem := _problem(line, environ):
                found.problems.append(problem)
    return found


def _lines(file: Path) -> list[str]:
    return file.read_text(errors="replace").splitlines()


def _launched(lines: list[str]) -> bool:
    return any("launch" in found[2] and "-IS" in found[2] for found in _starts(lines))


def _starts(lines: list[str]) -> Iterator[re.Match[str]]:
    return (found for line in lines if (found := STARTED.match(line)))


def _confined(lines: list[str]) -> Iterator[str]:
    """From where the launcher has become kustomize."""
    launcher = False
    for number, line in enumerate(lines):
        if (found := STARTED.match(line)) is None:
            continue
        if launcher:
            yield from lines[number:]
            return
        launcher = "launch" in found[2]


def _problem(line: str, environ: dict[str, str]) -> str:
    """What is wrong with a line, or nothing."""
    if NETWORK.match(line):
        return line
    if (opened := OPENED.match(line)) is None or PRIVATE.search(opened[1]):
        return ""
    if WRITING.search(line):
        return "" if opened[1] == "/dev/null" else line
    program = os.path.realpath(shutil.which(environ.get("KRMFN_KUSTOMIZE", "kustomize")) or "")
    allowed = [*map(os.path.realpath, (*LIBRARIES, *python_files())), program]
    if KERNEL.match(opened[1]):
        return ""
    return "" if any(f"{opened[1]}/".startswith(f"{place}/") for place in allowed) else line
