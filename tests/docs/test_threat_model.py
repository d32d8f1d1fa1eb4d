"""docs/threat-model.md has a line for each attack, and docs/policy.md an example that holds."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from krmfn.documents import strict
from tests.support import repository as repo
from tests.support.attacks import ATTACKS as PROGRAMS
from tests.support.command import krmfn
from tests.support.policy_attacks import ATTACKS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/threat-model.md"
BEGIN, END = "<!-- attacks: begin -->\n", "<!-- attacks: end -->"
SUITES = (
    "tests/attacks/test_policy.py",
    "tests/attacks/test_rehearsal.py",
    "tests/attacks/test_bound.py",
    "tests/attacks/test_boundary.py",
    "tests/attacks/test_stores.py",
    "tests/attacks/test_attacks.py",
)
TABLES = {"test_it_gets_nothing", "test_it_gets_nothing_from_a_build"}


@cache
def functions(file: str) -> dict[str, str]:
    """The tests of a file, each with the first line of its docstring."""
    tree = ast.parse((ROOT / file).read_text())
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    return {n.name: (ast.get_docstring(n) or "").splitlines()[0] for n in found}


def table() -> str:
    """Every attack, what it gets, and its test."""
    rows = ["| attack | gets | test |", "|---|---|---|"]
    for name, (_, code, id_) in ATTACKS.items():
        rows.append(f"| {name} | exit {code}, `{id_}` | `test_it_gets_nothing*[{name}]` |")
    for name in PROGRAMS:
        test = "tests/cli/test_build.py::test_nothing_of_the_repository_runs"
        rows.append(f"| a program: {name} | exit 2, `foreign` | `{test}[{name}]` |")
    for file in SUITES:
        for name, words in functions(file).items():
            if name not in TABLES:
                attack = name.removeprefix("test_").replace("_", " ")
                rows.append(f"| {attack} | {words} | `{file}::{name}` |")
    return "\n".join(rows) + "\n"


def test_every_attack_has_its_line() -> None:
    """The table is made from the suites; with KRMFN_UPDATE it is made anew."""
    text = PAGE.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    assert len(pattern.findall(text)) == 1
    expected = pattern.sub(lambda _: f"{BEGIN}{table()}{END}", text)
    if os.environ.get("KRMFN_UPDATE"):
        PAGE.write_text(expected)
    assert PAGE.read_text() == expected


def test_every_rule_has_its_tests() -> None:
    """Fourteen rules and more, each with where it is enforced and tests that there are."""
    rows = re.findall(r"^\| (\d+)\. .*$", PAGE.read_text(), re.MULTILINE)
    numbers = [int(number) for number in rows]
    assert numbers == sorted(set(numbers))
    assert set(numbers) >= set(range(1, 21))
    for line in PAGE.read_text().splitlines():
        if re.match(r"\| \d+\. ", line):
            modules = re.findall(r"`(krmfn/[\w/]+\.py)`", line)
            tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)", line)
            assert modules, line
            assert tests, line
            assert all((ROOT / module).is_file() for module in modules), line
            assert all(name in functions(file) for file, name in tests), line


# --- the example of docs/policy.md


def example() -> str:
    (text,) = re.findall(
        r"```yaml\n(apiVersion: krmfn.*?)```", (ROOT / "docs/policy.md").read_text(), re.DOTALL
    )
    return str(text)


STAGING = (ROOT / "tests/vectors/keys/current.crt").read_text()


def built(
    tmp_path: Path, facts: tuple[str, str, str], ref: dict[str, Any], key: str, recipient: str
) -> tuple[int, str]:
    """What `krmfn plan --offline --explain` says of one overlay."""
    project, repository, namespace = facts
    overlay = repo.repository(tmp_path / "r")
    value = repo.claim()
    value["spec"] = {"store": "eu", "data": [{"secretKey": "k", "remoteRef": ref}]}
    repo.write(tmp_path / "r/base/claims.yaml", value)
    transformer = repo.transformer()
    sealing = {"certificate": {"pem": recipient}, "derivationKey": {"platform": key}}
    transformer["spec"] = {"sealing": sealing, "stores": {"eu": {"platform": True}}}
    repo.write(overlay / "krmfn.yaml", transformer)
    repo.change(overlay, namespace=namespace, validators=None)
    (tmp_path / "p.yaml").write_text(example())
    told = ("--project", project, "--repository", repository, "--destination", "bank-core")
    done = krmfn(
        "plan", "--offline", "--explain", *told, overlay,
        KRMFN_CONFIG=str(tmp_path / "p.yaml"),
        KRMFN_KUSTOMIZE=str(Path(sys.executable).parent / "kubectl"),
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


SHOP = ("shop", "https://git.example/shop/deploy.git")
LIVE, TRIAL = (*SHOP, "shop-production"), (*SHOP, "shop-staging-7")
BANK = ("bank", "https://git.example/bank/deploy.git")
PRODUCTION = {"key": "shop/production/db", "property": "p"}
STAGED = {"key": "shop/staging/db", "property": "p"}
DATABASE = {"key": "bank/core/database", "property": "p"}
PINNED = {"version": 3}
ROWS = [
    (LIVE, PRODUCTION | PINNED, "shop-production", repo.PEM, "allowed by rule shop-production"),
    (LIVE, PRODUCTION, "shop-production", repo.PEM, "fails in pinnedVersions"),
    (TRIAL, STAGED, "shop-staging", STAGING, "allowed by rule shop-staging"),
    (TRIAL, PRODUCTION | PINNED, "shop-staging", STAGING, "fails in reads"),
    (LIVE, DATABASE | PINNED, "shop-production", repo.PEM, "fails in reads"),
    ((*BANK, "bank-core"), DATABASE, "bank-production", repo.PEM, "allowed by rule bank"),
    ((*BANK, "shop-production"), DATABASE, "bank-production", repo.PEM, "fails in namespaces"),
]


@pytest.mark.parametrize(("facts", "ref", "key", "recipient", "words"), ROWS)
def test_the_example_decides_as_it_says(  # noqa: PLR0917  # a row of the page's table
    tmp_path: Path, facts: tuple[str, str, str], ref: dict[str, Any], key: str, recipient: str, words: str
) -> None:  # fmt: skip
    """Each row of the page's table, by the command that the page names."""
    code, text = built(tmp_path, facts, ref, key, recipient)
    assert words in text
    assert code == (0 if "allowed" in words else 6)
    cells = [
        row for row in (ROOT / "docs/policy.md").read_text().splitlines() if row.startswith("| ")
    ]
    said = words.replace("rule ", "").replace("fails in", "denied:")
    assert any(said in row and ref["key"] in row for row in cells)


def test_the_example_is_checked(tmp_path: Path) -> None:
    """By the command that the page names, and by its own rules' names."""
    (tmp_path / "p.yaml").write_text(example())
    done = krmfn("schema", "--check", tmp_path / "p.yaml")
    assert (done.returncode, done.stderr) == (0, "1 checked, no mistake\n")
    rules = strict.load(example(), "p.yaml")["spec"]["rules"]
    assert (
        json.dumps([rule["name"] for rule in rules])
        == '["shop-production", "shop-staging", "bank"]'
    )
