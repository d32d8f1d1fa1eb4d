"""The pages about the audit are made from its rules, and their examples hold."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
import yaml

from krmfn import catalogue
from krmfn.audit.annotation import annotated
from krmfn.audit.enforce import audit_stream
from krmfn.audit.objects import resources
from krmfn.audit.rules import RULES
from krmfn.cli.schema import ALL_KINDS
from krmfn.documents import strict
from krmfn.files.read import Place
from krmfn.objects import stream
from krmfn.spec.catalogue import Condition, Form, Producer
from krmfn.spec.parse import parse
from tests.docs.test_docs import ROOT, hold

if TYPE_CHECKING:
    from pathlib import Path

AUDIT, CATALOGUE = ROOT / "docs/audit.md", ROOT / "docs/catalogue.md"
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def rules_section() -> str:
    """Each rule by id, with its level, title and explanation."""
    parts = [
        f"### `{rule.id}`\n\n{rule.severity}: {rule.title}\n\n{rule.explanation}\n"
        for rule in sorted(RULES.values(), key=lambda rule: rule.id)
    ]
    return "\n".join(parts)


def examples(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text())


def rows(page: Path, head: str) -> list[str]:
    """The first cells of the table under a head, without quotes."""
    table = page.read_text().split(f"| {head} |")[1].split("\n\n")[0]
    lines = table.splitlines()[2:]
    return [line.split("|")[1].strip().strip("`") for line in lines]


def test_rules() -> None:
    """docs/audit.md explains every rule, in the words of its docstring."""
    begin, end = "<!-- rules: begin -->\n", "<!-- rules: end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    text = AUDIT.read_text()
    assert len(pattern.findall(text)) == 1
    hold(AUDIT, pattern.sub(lambda _: f"{begin}{rules_section()}{end}", text))


def test_forms() -> None:
    """The table of forms names each, and no other."""
    assert rows(CATALOGUE, "form") == list(get_args(Form))


def test_conditions_and_policies() -> None:
    """The tables of conditions and policies name each, and no other."""
    conditions = [cell.split(":")[0] for cell in rows(CATALOGUE, "condition")]
    known = [field.alias for field in Condition.fields().values()]
    assert conditions == known
    policies = get_args(Producer.fields()["policy"].annotation)
    assert rows(CATALOGUE, "policy") == list(policies)


@pytest.mark.parametrize("page", [AUDIT, CATALOGUE], ids=lambda page: page.name)
def test_examples_are_valid(page: Path) -> None:
    """Each configuration on the pages is one."""
    for text in examples(page):
        value = strict.load(text, page.name)
        if value["apiVersion"].startswith("krmfn.dev/"):
            parse(value, where=page.name, kinds=ALL_KINDS)


def test_examples_do_what_they_say(tmp_path: Path) -> None:
    """The file and the annotation of docs/catalogue.md find the reference of an App."""
    ours, validator, crd = examples(CATALOGUE)
    (tmp_path / "ours.yaml").write_text(ours)
    app: dict[str, Any] = {"apiVersion": "example.org/v1", "kind": "App", "metadata": {"name": "a"}}
    app["spec"] = {"login": {"name": "db-login"}}
    database = {**app, "kind": "Database", "metadata": {"name": "db"}, "spec": {}}
    spec: Any = parse(strict.load(validator, "page"))
    text = f"{json.dumps(app)}\n---\n{json.dumps(database)}\n"
    found = audit_stream(stream.stream(text), [spec.spec], place=Place(tmp_path, tmp_path))
    assert [one.verdict for one in found.judged] == ["operator"]
    by_crd = audit_stream(
        stream.stream(f"{crd}---\n{json.dumps(app)}\n"), place=Place(tmp_path, tmp_path)
    )
    assert [(one.reference.keys, one.verdict) for one in by_crd.judged] == [
        (("username", "password"), "unmet")
    ]
    (definition,) = resources(stream.stream(crd))
    assert annotated(definition) is not None


def test_the_catalogue_says_what_was_read() -> None:
    """Each packaged file begins with where its facts come from."""
    for file in catalogue.FOLDER.glob("*.yaml"):
        assert file.read_text().startswith("# "), file.name
        assert yaml.safe_load(file.read_text())["metadata"]["name"] == file.stem
