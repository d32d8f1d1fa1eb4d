"""Shorten kustomize's error to one line, without quoted file content. Pure.

Rules enforced here: no pattern that takes more than a few passes over the text, which an author can
fill with whatever matches almost.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 2000
# kubectl from 1.37 on logs its error instead of printing it.
_LOGGED = '] "command failed" err="'
# Warnings: of deprecated fields behind a #, and of a config that is too long for a variable.
_NOISE = ("#", "KUSTOMIZE_PLUGIN_CONFIG_STRING exceeds")
# From here kustomize's message quotes file content, which may be a value.
_QUOTING = re.compile(
    r"\{|\\n|config: `|node contents|literal sources? |: line \[|invalid utf8|\[patch: |patch from |"
    r"specify a target |decoding \[|for value |unmarshal !!|anchor '|is not a string: "
)
_CUT = "what it quotes of a file is not shown; run kustomize itself to see it"


def failure(said: str, names: Mapping[str, str]) -> SpecError:
    """Return kustomize's error, without a value.

    Args:
        said: the beginning of what was printed on standard error.
        names: paths in it, and what to print instead.
    """
    for path, name in names.items():
        said = said.replace(path, name)
    lines = [_message(line) for line in said.splitlines() if line.strip() and not _noise(line)]
    lines = lines or ["it says nothing"]
    first = next((line for line in lines if line.lower().startswith("error")), lines[0])
    text = first.removeprefix("Error: ").removeprefix("error: ")[:_LONGEST]
    told, *quoted = _QUOTING.split(text, maxsplit=1)
    if not quoted:
        return SpecError("kustomize", f"kustomize fails: {text}")
    return SpecError("kustomize", f"kustomize fails: {told.rstrip(' :[`')}: …", remedy=_CUT)


def out_of_memory(said: str) -> bool:
    """Whether Go's runtime has given up for want of memory, which it also reports as SIGSEGV."""
    begins = ("fatal error: ", "runtime: ")
    return any(
        line.startswith("SIGSEGV: ") or (line.startswith(begins) and "memory" in line)
        for line in said.splitlines()
    )


def _noise(line: str) -> bool:
    return line.startswith(_NOISE[0]) or _NOISE[1] in line


def _message(line: str) -> str:
    """The error in a line of kubectl's log, else the line."""
    _, logged, text = line.partition(_LOGGED)
    return text.removesuffix('"') if logged and line.startswith("E") else line
