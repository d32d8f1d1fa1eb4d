"""Entries of one's own: in a file that a validator names, and in an annotation on a CRD."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from krmfn import catalogue
from krmfn.audit.annotation import ANNOTATION
from krmfn.audit.enforce import audit_stream
from krmfn.audit.rules import check
from krmfn.errors import Failure
from krmfn.files.read import Place
from krmfn.objects import stream
from krmfn.spec.validator import ValidatorSpec

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
apiVersion: krmfn.dev/v1alpha1
kind: SecretCatalogue
metadata: {name: ours}
spec:
"""
CONSUMER = """\
  consumers:
  - kinds: [example.org/App]
    at: [spec.login]
    form: ref
    keys: [user, password]
"""
PRODUCER = """\
  producers:
  - from: [example.org/Database]
    name: ["{metadata.name}-login"]
    keys: [user]
"""
APP = """\
apiVersion: example.org/v1
kind: App
metadata: {name: app, namespace: a}
spec: {login: {name: db-login}}
"""
DATABASE = """\
apiVersion: example.org/v1
kind: Database
metadata: {name: db, namespace: a}
"""


def findings(base: Path, text: str, spec: dict[str, Any] | None = None) -> list[str]:
    specs = [ValidatorSpec.model_validate(spec)] if spec else []
    found = audit_stream(stream.stream(text), specs, place=Place(base, base))
    return [f"{f.rule} {f.secret} {f.key}".strip() for f in check(found)]


def errors(content: str) -> list[str]:
    with pytest.raises(Failure) as caught:
        catalogue.of_user(content.encode(), "ours.yaml")
    return [error.line() for error in caught.value.errors]


def crd(annotation: str) -> str:
    """A CRD with entries for its own kind."""
    names = {"kind": "App", "plural": "apps"}
    return json.dumps(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "apps.example.org", "annotations": {ANNOTATION: annotation}},
            "spec": {"group": "example.org", "names": names},
        }
    )


def test_a_file_adds_consumers_and_producers(tmp_path: Path) -> None:
    """Kinds that nobody knows are judged by a user's file."""
    (tmp_path / "ours.yaml").write_text(HEAD + CONSUMER + PRODUCER)
    stream = f"{APP}---\n{DATABASE}"
    assert findings(tmp_path, stream) == []
    named = {"catalogue": ["ours.yaml"]}
    assert findings(tmp_path, stream, named) == ["unmet-key db-login password"]
    assert findings(tmp_path, APP, named) == ["unmet-reference db-login user, password"]


def test_a_file_may_hold_several_catalogues() -> None:
    """Each document of a file counts."""
    found = catalogue.of_user(f"{HEAD}{CONSUMER}---\n{HEAD}{PRODUCER}".encode(), "ours.yaml")
    assert [len(one.spec.consumers) + len(one.spec.producers) for one in found] == [1, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            HEAD + CONSUMER.replace("form: ref", "form: reff"),
            ["ours.yaml:8:5: SecretCatalogue: spec.consumers[0].form: must be 'name', 'nsname', "],
        ),
        (
            HEAD + CONSUMER.replace("spec.login", "spec..login"),
            ["ours.yaml:7:10: SecretCatalogue: spec.consumers[0].at[0]: must be a path such as"],
        ),
        (
            HEAD + CONSUMER.replace("    keys:", "    key:"),
            ["ours.yaml:9:5: SecretCatalogue: spec.consumers[0].key: unknown field"],
        ),
        (
            HEAD + CONSUMER.replace("form: ref", "form: custom"),
            ["ours.yaml:6:5: SecretCatalogue: spec.consumers[0]: name: required for form custom"],
        ),
        (
            HEAD + PRODUCER.replace("    name:", "    names: [x]\n    name:"),
            ["ours.yaml:6:5: SecretCatalogue: spec.producers[0]: exactly one of name, names"],
        ),
        (
            HEAD + CONSUMER.replace("example.org/App", "App"),
            ["ours.yaml:6:13: SecretCatalogue: spec.consumers[0].kinds[0]: must be group/Kind"],
        ),
        (
            HEAD.replace("SecretCatalogue", "SecretClaim") + CONSUMER,
            ["ours.yaml:2:1: SecretCatalogue: kind: must be 'SecretCatalogue'"],
        ),
        (f"{HEAD}  consumers: [\n", ["ours.yaml:6:1: "]),
    ],
)
def test_mistakes_have_their_lines(text: str, expected: list[str]) -> None:
    """A mistake in a user's file is told with file, line and field."""
    found = errors(text)
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


def test_a_file_outside_the_repository_is_refused(tmp_path: Path) -> None:
    """A validator reads no file outside of the repository."""
    (tmp_path / "ours.yaml").write_text(HEAD + CONSUMER)
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(Failure, match="outside"):
        findings(inner, APP, {"catalogue": ["../ours.yaml"]})


def test_a_crd_brings_entries_for_its_kind(tmp_path: Path) -> None:
    """Without kinds, the entries of the annotation are those of the CRD's own kind."""
    entries = textwrap.dedent(CONSUMER).replace("- kinds: [example.org/App]\n  at", "- at")
    assert "kinds" not in entries
    stream = f"{crd(entries)}\n---\n{APP}"
    assert findings(tmp_path, stream) == ["unmet-reference db-login user, password"]
    other = stream.replace('"kind": "App"', '"kind": "Other"')
    assert findings(tmp_path, other) == []


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("consumers:\n- {at: [x], form: reff}", "2:13: consumers[0].form: must be 'name'"),
        ("consumer: []", "1:1: consumer: unknown field"),
        ("[", "2:1: "),
        ("operator: a\n---\noperator: b", " one document is expected"),
    ],
)
def test_a_mistake_in_an_annotation_names_the_crd(
    tmp_path: Path, annotation: str, message: str
) -> None:
    """A mistake in an annotation names the CRD, and its line in the annotation."""
    with pytest.raises(Failure) as caught:
        findings(tmp_path, f"{crd(annotation)}\n---\n{APP}")
    line = caught.value.errors[0].line()
    assert line.startswith(f"CustomResourceDefinition/apps.example.org: {ANNOTATION}:{message}")
