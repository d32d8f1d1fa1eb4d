"""The command blocks of the documentation, and what its pages say about running them.

Rules enforced here: a block of commands is fenced as ``sh``, or indented and begins with a program;
a comment ``<!-- runs: … -->``, ``<!-- e2e: … -->`` or ``<!-- checked: why -->`` holds for the blocks
below it, up to the next one; a ``text`` fence directly below a block that runs is what it prints,
``…`` for anything; in a ``yaml`` fence a comment that is the path of a file begins that file.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DECLARATION = re.compile(r"^ *<!-- (runs|e2e|checked)(?:: (.+?))? -->$")
FILE = re.compile(r"(?m)^# ((?:[\w.-]+/)*[\w.-]+\.ya?ml)$\n")
FENCE = re.compile(r"^( *)```(\w*)$")
PROGRAMS = {
    ".", "argocd", "bao", "cat", "cd", "cp", "curl", "docker", "eval", "export", "git", "kubectl",
    "kubeseal", "kustomize", "krmfn", "ln", "make", "mkdir", "openssl", "pass", "pip", "pipx", "printf",
    "rm", "sops", "uv", "vault", "ARGOCD_PLUGINSOCKFILEPATH=/tmp/s",
}  # fmt: skip
SEPARATORS = {"|", "||", "&&", ";", "&", "(", ")"}


@dataclass
class Block:
    """One block of commands.

    Attributes:
        way: ``runs``, ``e2e``, ``checked``, or nothing where the page does not say.
        says: what a block that runs needs, with commas; why another one is only checked.
        prints: lines that must appear in the output.
    """

    page: str
    line: int
    text: str
    way: str
    says: str
    prints: list[str] = field(default_factory=list)

    @property
    def words(self) -> set[str]:
        """What it needs."""
        return {word.strip() for word in self.says.split(",")}


@dataclass
class Page:
    """A page's blocks, the indented text that is not a command, and the files that it shows."""

    path: Path
    files: dict[str, str] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def pages() -> list[Path]:
    """README and everything in docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def read(path: Path) -> Page:
    """The blocks of a page, in order."""
    page = Page(path)
    lines = path.read_text().splitlines()
    way = says = ""
    after_block = False
    at = 0
    while at < len(lines):
        start, fence = at, FENCE.match(lines[at])
        if declared := DECLARATION.match(lines[at]):
            way, says = declared[1], declared[2] or ""
            at, after_block = at + 1, False
            continue
        found = Block(str(path.relative_to(ROOT)), start + 1, "", way, says)
        if fence:
            at, found.text = _fenced(lines, at, len(fence[1]))
            if fence[2] == "sh":
                page.blocks.append(found)
            elif fence[2] == "yaml":
                parts = FILE.split(found.text + "\n")
                page.files |= zip(parts[1::2], parts[2::2], strict=True)
            elif fence[2] == "text" and after_block:
                page.blocks[-1].prints = found.text.splitlines()
            after_block = fence[2] == "sh"
        elif lines[at].startswith("    ") and not lines[at - 1].strip():
            at, found.text = _indented(lines, at)
            if found.text.split()[0] in PROGRAMS:
                page.blocks.append(found)
            else:
                page.texts.append(found.text)
        elif lines[at].strip():
            after_block = False
        at += 1
    return page


def _fenced(lines: list[str], at: int, margin: int) -> tuple[int, str]:
    """The last line of a fence, and what is in it."""
    end = at + 1
    while lines[end].strip() != "```":
        end += 1
    return end, "\n".join(line[margin:] for line in lines[at + 1 : end])


def _indented(lines: list[str], at: int) -> tuple[int, str]:
    """The last line of an indented block, and the block."""
    end = at
    while end + 1 < len(lines) and (not lines[end + 1].strip() or lines[end + 1][:4] == "    "):
        end += 1
    return end, "\n".join(line.strip() for line in lines[at : end + 1] if line.strip())


def calls(text: str) -> list[list[str]]:
    """The arguments of each call of krmfn in a piece of shell."""
    found = []
    text = re.sub(r"<<'?(\w+)'?.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    inner = re.findall(r"\$\((krmfn [^)]*)\)", text)
    for line in [*text.replace("\\\n", " ").splitlines(), *inner]:
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        command: list[str] = []
        for word in [*words, ";"]:
            if word not in SEPARATORS:
                command.append(word)
                continue
            while command and re.match(r"^\w+=", command[0]):
                command.pop(0)
            if command and command[0] == "krmfn":
                found.append(_without_redirections(command[1:]))
            command = []
    return found


def _without_redirections(words: list[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif set(word) <= set("<>&"):
            skip = True
            if kept and kept[-1].isdigit():  # the descriptor of `2>&1`
                kept.pop()
        else:
            kept.append(word)
    return kept
