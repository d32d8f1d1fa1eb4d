"""What the pages say of tests, stores and commands is there."""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import re
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
import yaml

from krmfn.cli import COMMANDS, Parser
from krmfn.documents.strict import documents
from krmfn.spec.parse import parse
from krmfn.spec.stores import Auth
from tests.support.model_page import model_page
from tests.support.pages import pages

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
UPDATE = bool(os.environ.get("KRMFN_UPDATE"))
VARIABLES = {
    name
    for file in (*(ROOT / "krmfn").rglob("*.py"), ROOT / "Makefile", ROOT / ".ci/run")
    for name in re.findall(r"KRMFN_\w+", file.read_text())
}
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?[^`]*`")


def functions(path: Path) -> set[str]:
    """The names of a module's functions."""
    return {n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: str(p.relative_to(DOCS)))
def test_named_tests_exist(page: Path) -> None:
    """A test that a page names is in that file."""
    for file, name in TEST.findall(page.read_text()):
        assert (ROOT / file).is_file(), file
        assert not name or name in functions(ROOT / file), f"{file}::{name}"


def test_the_forty_rows() -> None:
    """All forty are there, in order, and each one is answered by a test or a page."""
    rows = re.findall(
        r"^\| (S\d\d) \|.*\|.*\| (.+) \|$", (DOCS / "forty-rows.md").read_text(), re.MULTILINE
    )
    assert [number for number, _ in rows] == [f"S{n:02}" for n in range(1, 41)]
    for number, answer in rows:
        assert TEST.search(answer) or re.search(r"\]\([\w/.#-]+\)", answer), number


def options(parser: argparse.ArgumentParser) -> set[str]:
    """A command's options, and those of its subcommands."""
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found |= {name for one in action.choices.values() for name in options(one)}
    return found


def unknown(words: list[str]) -> list[str]:
    """What a call in a sentence names and krmfn does not have; it may be shortened."""
    if words[0] not in COMMANDS:
        return [] if words[0] in {"--help", "help", "-C"} else words[:1]
    parser = Parser(prog="krmfn")
    importlib.import_module(COMMANDS[words[0]].module).register(parser)
    named = {word for word in takewhile(lambda word: word != "--", words) if word[:2] == "--"}
    return sorted(named - options(parser))


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_sentence_names(page: Path) -> None:
    """Commands and options, files of the repository, variables and targets of make are there."""
    text = page.read_text()
    makefile = (ROOT / "Makefile").read_text()
    for call in re.findall(r"`krmfn ([^`|]+)", text):
        assert unknown(call.split()) == [], call
    for file in re.findall(r"`((?:examples|tests|docs|\.ci)/[\w./-]+)`", text):
        assert (ROOT / file).exists(), file
    for target in re.findall(r"`make ([\w-]+)", text):
        assert f"\n{target}:" in makefile, target
    assert set(re.findall(r"`(KRMFN_\w+)`", text)) <= VARIABLES


def test_what_a_sentence_may_not_name() -> None:
    """A command or an option that is not there is noticed; what is handed on to kustomize is not."""
    assert unknown(["deploy"]) == ["deploy"]
    assert unknown(["cert", "check", "FILE", "--colour", "--cluster"]) == ["--colour"]
    assert unknown(["build", "DIR", "--", "--enable-managedby-label"]) == []


def headings(page: Path) -> set[str]:
    """The anchors of a page, as the site makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", title).strip().lower() for title in titles)
    return {re.sub(r"[\s-]+", "-", title) for title in plain}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: str(p.relative_to(DOCS)))
def test_anchors(page: Path) -> None:
    """A link to a heading finds it."""
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        other = (page.parent / target) if target else page
        assert anchor in headings(other), f"{target}#{anchor}"


def test_every_login_has_its_config() -> None:
    """The page of logins has a valid store for each method, and for no other."""
    page = (DOCS / "how-to/auth.md").read_text()
    stores = [yaml.safe_load(b) for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    shown = set()
    for store in stores:
        shown |= set(store["main"]["vault"]["auth"])
        document = {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": "SealedSecretTransformer",
            "metadata": {"name": "x"},
            "spec": {
                "sealing": {"mode": "random", "certificate": {"file": "c.pem"}},
                "stores": store,
            },
        }
        (one,) = documents(yaml.safe_dump(document), "page")
        parse(one.value(), where="page", position=one.position)
    union = get_args(get_args(Auth)[0])
    assert shown == {get_args(member)[1].tag.strip("<>") for member in union}


def command_page() -> str:
    """docs/reference/commands.md."""
    parts = [
        "# Commands\n\n<!-- runs: prepared -->\n\n"
        "Results go to standard output, everything else to standard error. A failure is one line with an"
        " [id](../errors.md), and an exit code by its kind. No option takes a value of a secret. `krmfn -C"
        " DIR COMMAND` works in that directory. This page is made from `krmfn help COMMAND`.\n"
    ]
    for name, command in COMMANDS.items():
        module = importlib.import_module(command.module)
        parser = Parser(prog=f"krmfn {name}", add_help=False)
        module.register(parser)
        about = (module.__doc__ or "").strip()
        about = re.sub(r"(?m)^  (?=\S)", "    ", about)
        parts.append(f"## `krmfn {name}`\n\n{about}\n{arguments(parser)}")
    return "\n".join(parts)


def arguments(parser: argparse.ArgumentParser) -> str:
    """A table of a parser's arguments, and one for each of its subcommands."""
    rows, below = [], ""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, one in action.choices.items():
                below += f"\n`{parser.prog} {name}`:\n{arguments(one)}"
        elif not isinstance(action, argparse._HelpAction):
            value = action.metavar or action.dest.upper()
            if action.choices:
                value = ", ".join(map(str, action.choices))
            flags = ", ".join(action.option_strings)
            shown = f"{flags} {value}" if flags and action.nargs != 0 else flags or value
            text = " ".join((action.help or "").split()) % {"default": action.default}
            rows.append(f"| `{shown}` | {text} |".replace("<", "&lt;").replace("|  |", "| |"))
    if not rows:
        return below
    return "\n| argument | |\n|---|---|\n" + "\n".join(rows) + "\n" + below


@pytest.mark.parametrize(
    ("name", "page"), [("commands", command_page), ("configuration", model_page)]
)
def test_made_pages(name: str, page: Callable[[], str]) -> None:
    """The reference is what commands and models say of themselves."""
    file = DOCS / f"reference/{name}.md"
    if UPDATE:
        file.write_text(page())
    assert file.read_text() == page()
