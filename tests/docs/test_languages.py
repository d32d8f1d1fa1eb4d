"""README.zh-CN.md says in Chinese what README.md says."""

from __future__ import annotations

import re

import pytest

from tests.support.pages import ROOT, read

ENGLISH = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh-CN.md").read_text()


def prose(text: str) -> str:
    """Return the text without its fences and indented blocks."""
    text = re.sub(r"(?ms)^```.*?^```$", "", text)
    return re.sub(r"(?m)^    .*$", "", text)


def headings(text: str) -> list[int]:
    """Return the level of each heading."""
    return [len(marks) for marks in re.findall(r"(?m)^(#+) ", prose(text))]


def columns(text: str) -> list[int]:
    """Return the number of cells of each row of a table."""
    rows = re.findall(r"(?m)^\|.*$", prose(text))
    return [len(re.split(r"(?<!\\)\|", row)) for row in rows]


def code(text: str) -> list[str]:
    """Return what is in backquotes, sorted: the order of words differs."""
    return sorted(re.findall(r"`([^`\n]+)`", prose(text)))


def links(text: str) -> list[str]:
    """Return the targets of the links, sorted."""
    return sorted(re.findall(r"\]\(([^)]+)\)", prose(text)))


@pytest.mark.parametrize("part", [headings, columns, code, links], ids=lambda part: part.__name__)
def test_both_have_the_same(part: object) -> None:
    """Headings, rows of tables, code and links correspond."""
    assert callable(part)
    assert part(CHINESE) == part(ENGLISH)


def test_both_have_the_same_blocks() -> None:
    """Commands, files and output are equal, comments in commands aside."""
    english, chinese = read(ROOT / "README.md"), read(ROOT / "README.zh-CN.md")
    assert chinese.files == english.files
    assert [commands(block.text) for block in chinese.blocks] == [
        commands(block.text) for block in english.blocks
    ]
    assert [block.prints for block in chinese.blocks] == [block.prints for block in english.blocks]


def commands(text: str) -> str:
    """Return shell text without comments at the end of a line."""
    return re.sub(r" +# .*", "", text)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["README.md", "README.zh-CN.md"])
def test_size(text: str) -> None:
    """A README has at most 100 lines of at most 120 characters."""
    lines = text.splitlines()
    assert len(lines) <= 100
    assert [line for line in lines if len(line) > 120] == []


def test_it_is_chinese() -> None:
    """Each paragraph outside code has Chinese text."""
    for line in prose(CHINESE).splitlines():
        if len(line) > 40 and not line.startswith(("|---", "<!--")):
            assert re.search(r"[\u4e00-\u9fff]", line), line
