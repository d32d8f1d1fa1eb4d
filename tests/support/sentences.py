"""The sentences that people read: pages, help lines, messages, and the texts of errors.

Rules enforced here: a fence, an indented block and what stands in backquotes are code, and no
sentence; a docstring is one only where it is a command's help.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from tests.support.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Patterns of a register that reads like a translation, each with what to write instead.
PATTERNS = {
    r"\bstands?\b(?! for\b)|\bstood\b": "is; is listed; is set",
    r"\bmakes\b(?! sense)": "creates; produces; say what happens",
    r"\bin clear\b": "unencrypted; in plaintext",
    r"\bof (?:krmfn|kustomize|others)'s\b": "krmfn's X; name the thing",
    r"\bof theirs\b|\bof its own\b(?= |$)(?! \w)": "name the thing",
    r"\b(?:is|are|be) told\b|\btells? no\b": "reports; say",
    r"\bwhoever\b|\b[Ww]ho (?:has|have|gives|owns) it\b": "name the person: anyone who …",
    r"\bby whom\b|\bfor whom\b": "name the person",
    r"\b(?:no|some|any)body\b": "nothing; no one; anyone; name the person",
    r"\b(?:of|by|with|than|out of|behind) what\b": "a noun",
    r"\b[Oo]f what\b": "a noun",
    r"\banew\b": "again",
    r"\bmends?\b|\bmended\b": "fixes; solves",
    r"\bhas not(?=[.,;:)]|$)|\bhave not(?=[.,;:)]|$)": "does not have",
    r"\b[Hh]e\b(?! said)": "they",
    r"\bpolicy's word\b|\bsays of it\b|\bsaid of it\b": "whether the policy allows it",
    r"\bwhat (?:is|was) there\b|\bwhat nothing\b|\bwhat no\b": "a noun",
    r"(?<!there )(?<!There )(?<!that )\b(?:is|are) no (?!longer|more|less|different|such)\w+": "is not a",
    r"\bdid not like\b|\bwhat it saw\b": "found a problem",
    r"\bthose that are\b": "a noun",
    r"\blikewise\b": "also",
    r"\bis (?:said|looked at|listened to|spoken of)\b": "krmfn reports; krmfn checks",
    r"\bthat are not\b(?=[.,;])": "name the thing",
    r"\bAlso what\b|\balso what\b": "a noun",
    r"\bnothing to (?:compare|say)\b": "say what it is not",
    r"\bno Resource[A-Z]\w+": "not a ResourceList",
}


class Sentence(NamedTuple):
    """A piece of text with its place.

    Attributes:
        place: file and line.
        text: without code.
    """

    place: str
    text: str


def page_sentences(page: Path) -> Iterator[Sentence]:
    """The lines of a Markdown page that are not code."""
    fenced = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    ") and not line.startswith("<!-- "):
            yield Sentence(f"{page.relative_to(ROOT)}:{number}", plain(line))


def plain(text: str) -> str:
    """Without code in backquotes, and without the targets of links."""
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "X", text))


def program_sentences(file: Path) -> Iterator[Sentence]:
    """The texts in a module that a person may read: all but docstrings and single words.

    The docstring of a command is its help.
    """
    tree = ast.parse(file.read_text())
    docstrings = {id(node) for node in _docstrings(tree)}
    place = file.relative_to(ROOT)
    if file.parent.name == "cli":
        yield Sentence(f"{place}:1", plain(ast.get_docstring(tree) or ""))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            docstrings |= {id(part) for part in ast.walk(node)}
            pieces = (p.value if isinstance(p, ast.Constant) else "X" for p in node.values)
            text = "".join(map(str, pieces))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in docstrings:
                continue
            text = node.value
        else:
            continue
        if " " in text:
            yield Sentence(f"{place}:{node.lineno}", plain(text))


def text_sentences(file: Path) -> Iterator[Sentence]:
    """The lines of a file that is text as a whole."""
    for number, line in enumerate(file.read_text().splitlines(), 1):
        yield Sentence(f"{file.relative_to(ROOT)}:{number}", plain(line))


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    """Every expression that is a docstring, of a field too."""
    for node in ast.walk(tree):
        for one in getattr(node, "body", ()) if isinstance(getattr(node, "body", ()), list) else ():
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                yield one.value


def faults(sentence: Sentence) -> list[str]:
    """Each pattern in a sentence, with what to write instead."""
    return [
        f"{sentence.place}: {found.group()!r}; better: {better}"
        for pattern, better in PATTERNS.items()
        for found in re.finditer(pattern, sentence.text)
    ]
