"""What of a repository is copied for kustomize, what of it is refused, and what is listed instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from krmfn import tree
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

KUSTOMIZATION = "kustomization.yaml"
TRANSFORMER = {
    "apiVersion": "krmfn.dev/v1alpha1",
    "kind": "SealedSecretTransformer",
    "metadata": {"name": "t", "annotations": {tree.FUNCTION_ANNOTATIONS[0]: "exec: {path: x}"}},
}


def no_build(_: Path) -> str:
    raise AssertionError("nothing is built")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository: a base with a file, an overlay that lists it twice."""
    for name in ("base", "overlay"):
        (tmp_path / "repo" / name).mkdir(parents=True)
    base = tmp_path / "repo/base"
    (base / "app.yaml").write_text("kind: ConfigMap\n")
    (base / KUSTOMIZATION).write_text("resources: [app.yaml]\n")
    overlay(tmp_path / "repo", resources=["../base", "../base"])
    return tmp_path / "repo"


def overlay(root: Path, **fields: Any) -> None:
    (root / "overlay" / KUSTOMIZATION).write_text(json.dumps(fields))


def copied(root: Path, to: Path, enough: int = tree.MAX_BYTES) -> dict[str, bytes]:
    """What `copy` left, by its path."""
    tree.copy(tree.reach(root / "overlay", root), to, enough)
    return {str(p.relative_to(to)): p.read_bytes() for p in to.rglob("*") if p.is_file()}


def test_what_is_reached_is_copied(root: Path, tmp_path: Path) -> None:
    """A kustomization that is reached twice once; what nothing names stays where it is."""
    (root / "base/notes.txt").write_text("x")
    names = {f"base/{KUSTOMIZATION}", "base/app.yaml", f"overlay/{KUSTOMIZATION}"}
    assert copied(root, tmp_path / "to").keys() == names


def test_a_linked_directory(root: Path, tmp_path: Path) -> None:
    """A link inside the repository leads inside the copy."""
    (root / "linked").symlink_to(root / "base")
    overlay(root, resources=["../linked"])
    copied(root, tmp_path / "to")
    assert (tmp_path / "to/linked").resolve() == (tmp_path / "to/base").resolve()


def test_limits(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many files, too many bytes, and as many as the caller can use."""
    size = sum(len(content) for content in copied(root, tmp_path / "all").values())
    reached = tree.reach(root / "overlay", root)
    assert tree.copy(reached, tmp_path / "some", enough=1) < size
    monkeypatch.setattr(tree, "MAX_BYTES", size - 1)
    with pytest.raises(SpecError, match="more than 256 MiB"):
        tree.copy(reached, tmp_path / "to")
    monkeypatch.setattr(tree, "MAX_FILES", 2)
    with pytest.raises(SpecError, match="more than 2 files"):
        tree.copy(reached, tmp_path / "to")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", f"overlay/{KUSTOMIZATION} is not an object"),
        ("transformers: [1]\n", "transformers holds more than strings"),
        ("Resources: [x]\n", "Resources is not read"),
        ("<<: {resources: [x]}\n", "<< is not read"),
        ("helmCharts: [{name: x}]\n", "helmCharts: no chart is inflated"),
        ("resources: ['https://x.example/y']\n", "nothing is fetched"),
        ("openapi: {path: 'http://x.example/y'}\n", "nothing is fetched"),
        ("resources: [../../outside.yaml]\n", "is outside the repository"),
        ("transformers: ['{kind: x}']\n", "a function config needs metadata"),
        ("transformers: ['{metadata: {<<: {name: x}}}']\n", "merge keys are not read"),
        ("transformers: ['{kind: X, apiVersion: v1, metadata: {name: n}}']\n", "X/n: no function"),
        ("transformers: ['{kind: : x}']\n", "{kind: : x}"),
    ],
)
def test_what_is_refused(text: str, message: str, root: Path) -> None:
    """Each by its own sentence."""
    (root / "overlay" / KUSTOMIZATION).write_text(text)
    with pytest.raises(SpecError) as refused:
        tree.reach(root / "overlay", root)
    assert message in refused.value.line()


def test_a_directory_outside(root: Path, tmp_path: Path) -> None:
    """The directory that is asked for is in the repository itself."""
    with pytest.raises(SpecError, match="is outside the repository"):
        tree.reach(tmp_path, root)


def test_several_kustomizations(root: Path) -> None:
    """kustomize takes neither, and nothing is guessed."""
    (root / "overlay/kustomization.yml").write_text("{}")
    with pytest.raises(SpecError, match="has several kustomizations"):
        tree.reach(root / "overlay", root)


def listed(root: Path, to: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The overlay's transformers in the copy, and the validators that were found."""
    reached = tree.reach(root / "overlay", root)
    tree.copy(reached, to)
    validators = tree.plain_functions(reached, to, no_build)
    value = json.loads((to / "overlay" / KUSTOMIZATION).read_text())
    entries = [*value.get("transformers", []), *value.get("validators", [])]
    return [json.loads(entry) for entry in entries], validators.get(root / "overlay", [])


@pytest.mark.parametrize("inline", [True, False])
def test_functions_are_listed_as_plugins(inline: bool, root: Path, tmp_path: Path) -> None:
    """Ours without the annotation that would start a program, wherever its config stands."""
    text = json.dumps(TRANSFORMER)
    (root / "overlay/krmfn.yaml").write_text(text)
    overlay(root, transformers=[text if inline else "krmfn.yaml"])
    found, validators = listed(root, tmp_path / "to")
    assert found == [{**TRANSFORMER, "metadata": {"name": "t", "annotations": {}}}]
    assert validators == []


def test_validators_are_told(root: Path, tmp_path: Path) -> None:
    """They judge the whole build in the end."""
    validator = {**TRANSFORMER, "kind": "SealedSecretValidator"}
    overlay(root, validators=[json.dumps(validator)])
    found, validators = listed(root, tmp_path / "to")
    assert found == validators
    assert [one["kind"] for one in validators] == ["SealedSecretValidator"]
