"""What the documentation says of the code is made from the code, and held against it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from krmfn.cli.explain import explanations, meanings
from krmfn.cli.schema import ALL_KINDS, schema_text
from krmfn.errors import BUG_EXIT_CODE, CATALOGUE, DeadlineError
from krmfn.plan.template_functions import FUNCTIONS, REFUSED
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


def error_page() -> str:
    """docs/errors.md."""
    head = (
        "# Errors\n\n"
        "Every error, finding and warning ends with its id in brackets. "
        "The first error decides the exit code; a warning\nhas none. "
        "`krmfn explain ID` prints one line of this page.\n\n"
        "| id | exit code | what it means | usual cause | what to do |\n|---|---|---|---|---|\n"
    )
    told = explanations()
    rows = (
        f"| `{i}` | {CATALOGUE[i][0].exit_code if i in CATALOGUE else '—'} | {text} "
        f"| {told[i].cause} | {told[i].remedy} |"
        for i, text in sorted(meanings().items())
    )
    return head + "\n".join(rows) + "\n"


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
