"""What the documentation says of the code is made from the code, and held against it."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path

import pytest

from krmfn.cli.explain import explanations, meanings
from krmfn.cli.schema import ALL_KINDS, schema_text
from krmfn.errors import BUG_EXIT_CODE, CATALOGUE, SITE, DeadlineError, SpecError, page_of
from krmfn.plan.template_functions import FUNCTIONS, REFUSED
from krmfn.warned import Warned
from tests.support.command import krmfn
from tests.support.pages import read

ROOT = Path(__file__).resolve().parents[2]
UPDATE = bool(os.environ.get("KRMFN_UPDATE"))
OTHER_CODES = {
    "0": "success",
    str(BUG_EXIT_CODE): "internal error; please report it",
    "124, 129, 130, 143": "the time limit was reached, or a signal ended krmfn; it has written nothing",
}


def exit_code_table() -> str:
    """The README's table: nine rows of exit code and meaning."""
    rows = dict(OTHER_CODES)
    for error_class in {entry[0] for entry in CATALOGUE.values()} - {DeadlineError}:
        meaning = (error_class.__doc__ or "").splitlines()[0].rstrip(".")
        rows[str(error_class.exit_code)] = meaning[0].lower() + meaning[1:]
    ordered = sorted(rows, key=lambda codes: int(codes.partition(",")[0]))
    return "".join(f"| {codes} | {rows[codes]} |\n" for codes in ordered)


TITLES = {
    "configuration": "Errors of the command line and the configuration",
    "stores": "Errors of stores",
    "sealing": "Errors of sealing",
    "output": "Errors of the output and the time limit",
    "policy": "Errors of the policy",
    "findings": "Findings",
    "warnings": "Warnings",
}


def error_page() -> str:
    """docs/errors.md: a row for each id, with its page."""
    head = (
        "# Errors\n\n"
        "Every error, finding and warning ends with its id in brackets. "
        "The first error decides the exit code; a warning\nhas none. "
        "`krmfn explain ID` prints the text of these pages. With `KRMFN_DOCS_URL`, the address of a\n"
        "site with them, each message ends with the page of its id.\n\n"
        "| id | exit code | what it means |\n|---|---|---|\n"
    )
    rows = (
        f"| [`{i}`](errors/{page_of(i)}.md#{i}) | {exit_code(i)} | {text} |"
        for i, text in sorted(meanings().items())
    )
    return head + "\n".join(rows) + "\n"


def exit_code(id_: str) -> str:
    """The exit code of an id, or a dash for a warning."""
    return str(CATALOGUE[id_][0].exit_code) if id_ in CATALOGUE else "—"


def group_page(page: str) -> str:
    """docs/errors/PAGE.md: meaning, cause and remedy of each id of the group."""
    texts = explanations()
    parts = [f"# {TITLES[page]}\n"]
    for id_, meaning in sorted(meanings().items()):
        if page_of(id_) == page:
            code = f" Exit code {exit_code(id_)}." if id_ in CATALOGUE else ""
            lines = [f"{sentence(meaning)}{code}"]
            lines += [
                f"- **Usual cause**: {texts[id_].cause}.",
                f"- **Remedy**: {texts[id_].remedy}.",
            ]
            wrapped = (textwrap.fill(line, 120, subsequent_indent="  ") for line in lines[1:])
            parts.append(
                f"## {id_}\n\n{textwrap.fill(lines[0], 120)}\n\n" + "\n".join(wrapped) + "\n"
            )
    return "\n".join(parts)


def sentence(text: str) -> str:
    """Return a text as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


def hold(path: Path, expected: str) -> None:
    """The file is what it should be; with KRMFN_UPDATE it is made so."""
    if UPDATE:
        path.write_text(expected)
    assert path.read_text() == expected


def test_readme_exit_codes() -> None:
    """The README's table of exit codes is the catalogue's."""
    readme = ROOT / "README.md"
    table = re.compile(r"(?<=\| exit code \| meaning \|\n\|---\|---\|\n)(?:\|.*\n)*")
    assert exit_code_table().count("\n") == 9
    hold(readme, table.sub(lambda _: exit_code_table(), readme.read_text()))


def test_error_page() -> None:
    """docs/errors.md is the catalogue."""
    hold(ROOT / "docs/errors.md", error_page())


@pytest.mark.parametrize("page", TITLES)
def test_group_page(page: str) -> None:
    """Each page of docs/errors/ is the catalogue's group."""
    hold(ROOT / f"docs/errors/{page}.md", group_page(page))


def test_an_error_names_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the site's address an error and a warning end with their page, which exists."""
    monkeypatch.setattr(SITE, "address", "https://docs.example/krmfn/")
    error = SpecError("usage", "it is wrong").line()
    assert error == "it is wrong [usage] https://docs.example/krmfn/errors/configuration/#usage"
    warning = Warned("nul-byte", "db", "text").line()
    assert warning.endswith("[nul-byte] https://docs.example/krmfn/errors/warnings/#nul-byte")
    assert "## usage\n" in (ROOT / "docs/errors/configuration.md").read_text()


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_schema(kind: str) -> None:
    """The committed JSON Schema is the models'."""
    hold(ROOT / f"docs/schema/{kind}.json", f"{schema_text(kind)}\n")


def test_template_functions() -> None:
    """docs/templates.md names every function of the language, and no other."""
    page = (ROOT / "docs/templates.md").read_text()
    known, _, rest = page.partition("<!-- refused: begin -->\n")
    rows = [line for line in known.splitlines() if line.startswith("| `")]
    cells = [cell for row in rows for cell in re.findall(r"`([^`]*)`", row.split("|")[1])]
    assert {cell.split()[0] for cell in cells} == set(FUNCTIONS)
    _, _, behind = rest.partition("<!-- refused: end -->\n")
    begin, end = "<!-- refused: begin -->\n", "<!-- refused: end -->\n"
    hold(ROOT / "docs/templates.md", f"{known}{begin}{refused_functions()}{end}{behind}")
    assert not REFUSED.keys() & FUNCTIONS.keys()


def refused_functions() -> str:
    """What the language has not, by reason."""
    by_reason: dict[str, list[str]] = {}
    for name, why in REFUSED.items():
        by_reason.setdefault(why, []).append(f"`{name}`")
    rows = (f"| {', '.join(names)} | {why} |\n" for why, names in by_reason.items())
    return "| not here | why, or what instead |\n|---|---|\n" + "".join(rows)


def test_readme_example(tmp_path: Path) -> None:
    """The README's configurations are valid."""
    files = read(ROOT / "README.md").files
    for number, text in enumerate(files.values()):
        (tmp_path / f"{number}.yaml").write_text(text)
    ours = [n for n, text in enumerate(files.values()) if "krmfn.dev" in text]
    checked = krmfn("schema", "--check", *(tmp_path / f"{n}.yaml" for n in ours))
    assert (checked.returncode, checked.stderr) == (0, "2 checked, no mistake\n")


def test_links() -> None:
    """Every relative link of the pages leads to something."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_error_ids_are_used() -> None:
    """Every id of the catalogue is raised somewhere, and none else is."""
    sources = "\n".join(
        p.read_text() for p in (ROOT / "krmfn").rglob("*.py") if p.name != "errors.py"
    )
    assert {i for i in CATALOGUE if f'"{i}"' not in sources} == set()
