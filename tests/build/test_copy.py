"""What of a repository is copied for kustomize, what of it is refused, and what is written instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.build.copy import LOADED, Copy, Limits, copy
from krmfn.errors import SpecError
from krmfn.kustomize.functions import FUNCTION_ANNOTATIONS
from krmfn.objects.stream import stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from krmfn.objects.stream import Item

KUSTOMIZATION = "kustomization.yaml"
TRANSFORMER = {
    "apiVersion": "krmfn.dev/v1alpha1",
    "kind": "SealedSecretTransformer",
    "metadata": {"name": "t", "annotations": {FUNCTION_ANNOTATIONS[0]: "exec: {path: krmfn}"}},
    "spec": {"defaults": {"store": "main"}},
}
VALIDATOR = {**TRANSFORMER, "kind": "SealedSecretValidator", "metadata": {"name": "v"}}
PATCH = {
    "apiVersion": "builtin",
    "kind": "PatchTransformer",
    "metadata": {"name": "p"},
    "path": "patch.yaml",
}


def not_loaded(_: Path) -> Sequence[Item]:
    raise AssertionError("nothing is loaded")


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


def copied(root: Path, limits: Limits | None = None, load: Any = not_loaded) -> Copy:
    home = root.parent / "home"
    home.mkdir()
    return copy(root / "overlay", root, home, limits=limits or Limits(), load=load)


def files(done: Copy) -> set[str]:
    return {str(p.relative_to(done.root)) for p in done.root.rglob("*") if p.is_file()}


def test_what_is_reached_is_copied(root: Path) -> None:
    """A kustomization that is reached twice once; what nothing names stays where it is."""
    (root / "base/notes.txt").write_text("x")
    done = copied(root)
    assert files(done) == {f"base/{KUSTOMIZATION}", "base/app.yaml", f"overlay/{KUSTOMIZATION}"}
    assert done.root.name == "repo"
    assert done.directories == {done.root / one: root / one for one in ("base", "overlay")}


def test_bytes_count_as_often_as_files_are_named(root: Path) -> None:
    """Twice the base, once the overlay."""
    sizes = {path: path.stat().st_size for path in root.rglob("*") if path.is_file()}
    base = sum(size for path, size in sizes.items() if path.parent.name == "base")
    assert copied(root).size == 2 * base + sizes[root / "overlay" / KUSTOMIZATION]


@pytest.mark.parametrize("inline", [True, False])
def test_stubs(inline: bool, root: Path) -> None:
    """Kustomize gets a number; what the function uses is in krmfn, without its annotation."""
    (root / "overlay/krmfn.yaml").write_text(json.dumps(TRANSFORMER))
    overlay(root, transformers=[json.dumps(TRANSFORMER) if inline else "krmfn.yaml"])
    done = copied(root)
    (config,) = done.configs.values()
    assert config.value == {**TRANSFORMER, "metadata": {"name": "t"}}
    assert (config.directory, config.list) == (root / "overlay", "transformers")
    listed = json.loads((done.place / KUSTOMIZATION).read_text())["transformers"][0]
    stub = json.loads(listed if inline else (done.place / listed).read_text())
    assert stub == {**config.value, "spec": {"call": 1}}
    assert done.called(done.place, stub) is config
    assert done.called(done.root / "base", stub) is None


def test_a_file_that_two_kustomizations_list(root: Path) -> None:
    """It has one stub; the directory of the call tells which is meant."""
    (root / "overlay/sub").mkdir()
    (root / "overlay/sub/v.yaml").write_text(json.dumps(VALIDATOR))
    (root / "overlay/sub" / KUSTOMIZATION).write_text("validators: [v.yaml]")
    overlay(root, resources=["sub"], validators=["sub/v.yaml"])
    done = copied(root)
    stub = json.loads((done.place / "sub/v.yaml").read_text())
    places = [done.place, done.place / "sub"]
    found = [done.called(place, stub) for place in places]
    assert [one and one.directory for one in found] == [root / "overlay", root / "overlay/sub"]


def test_a_directory_with_files_alone_is_not_loaded(root: Path) -> None:
    """Kustomize loads from it what its files hold."""
    directory = root / "functions"
    directory.mkdir()
    (directory / KUSTOMIZATION).write_text("resources: [t.yaml, p.yaml]\n")
    (directory / "t.yaml").write_text(json.dumps(TRANSFORMER))
    (directory / "p.yaml").write_text(json.dumps(PATCH))
    (root / "overlay/patch.yaml").write_text("kind: X\n")
    overlay(root, transformers=["../functions"])
    done = copied(root)
    assert json.loads((done.root / "functions/t.yaml").read_text())["spec"] == {"call": 1}
    assert "overlay/patch.yaml" in files(done)
    assert done.configs[1].directory == root / "overlay"


def test_a_directory_that_changes_its_files_is_loaded(root: Path) -> None:
    """What counts is what kustomize makes of it; stubs are made behind its last transformer."""
    directory = root / "functions"
    directory.mkdir()
    (directory / KUSTOMIZATION).write_text("namespace: x\nresources: [t.yaml]\n")
    (directory / "t.yaml").write_text(json.dumps(TRANSFORMER))
    overlay(root, transformers=["../functions"])
    changed = {**TRANSFORMER, "metadata": {**TRANSFORMER["metadata"], "namespace": "x"}}  # type: ignore[dict-item]

    def load(place: Path) -> Sequence[Item]:
        value = json.loads((place / KUSTOMIZATION).read_text())
        assert (place / value["resources"][0]).resolve().name == "functions"
        assert json.loads(value["transformers"][-1])["spec"] == {"call": LOADED}
        return stream(json.dumps(changed), "loaded")

    done = copied(root, load=load)
    assert done.configs[1].value["metadata"] == {"name": "t", "namespace": "x"}
    inner = json.loads((done.root / "functions" / KUSTOMIZATION).read_text())
    patch = json.loads(inner["transformers"][-1])
    assert json.loads(patch["patch"])[0] == {"op": "add", "path": "/spec", "value": {"call": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", f"overlay/{KUSTOMIZATION}: the file is not an object"),
        ("Resources: [x]\n", "kustomize has no field Resources; did you mean resources?"),
        ("re\u017fources: [x]\n", "did you mean resources?"),
        ("transformers: [1]\n", "transformers is not what it must be"),
        ("<<: {resources: [x]}\n", "merge keys are not read"),
        ("helmCharts: [{name: x}]\n", "helmCharts: no chart is inflated"),
        ("resources: ['https://x.example/y']\n", "nothing is fetched"),
        ("resources: [github.com/a/b]\n", "nothing is fetched"),
        ("openapi: {path: 'http://x.example/y'}\n", "nothing is fetched"),
        ("resources: [../../outside.yaml]\n", "is outside the repository"),
        ("resources: [../../home]\n", "is outside the repository"),
        ("resources: [/etc/hosts]\n", "is absolute"),
        ("resources: [../base/app.yaml]\n", "outside the directory of its kustomization"),
        ("resources: ['']\n", "a path is empty"),
        ('resources: ["a\\0b"]\n', "is no path"),
        (f"resources: [{'a' * 5000}]\n", "is too long for a path"),
        ("resources: [..]\n", "contains this kustomization"),
        ("transformers: ['{kind: x}']\n", "a function config needs metadata"),
        ("transformers: ['{kind: X, apiVersion: v1, metadata: {name: n}}']\n", "X/n: no function"),
        ("transformers: ['{kind: : x}']\n", "transformers:1:8: did not find expected node"),
        ("namespace: on\n", "found a bool; quote it"),
        ("namePrefix: 12\n", "found a int; quote it"),
        ("a: b\n---\nc: d\n", "several documents"),
        ("---\n---\nresources: [../base]\n", "several documents"),
        ('commonLabels: {a: "\\x7f"}\n', "U+007F"),
    ],
)
def test_what_is_refused(text: str, message: str, root: Path) -> None:
    """Each by its own sentence, in one line."""
    (root / "overlay" / KUSTOMIZATION).write_text(text)
    with pytest.raises(SpecError) as refused:
        copied(root)
    assert message in refused.value.line()
