"""What of a repository is copied for kustomize, what of it is refused, and what is written instead."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.build.copy import LOADED, Copy, copy
from krmfn.errors import PolicyError, SpecError
from krmfn.files.read import Place
from krmfn.kustomize.functions import FUNCTION_ANNOTATIONS
from krmfn.kustomize.limits import TreeLimits
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


def copied(root: Path, limits: TreeLimits | None = None, load: Any = not_loaded) -> Copy:
    home = root.parent / "home"
    home.mkdir()
    return copy(Place(root / "overlay", root), home, limits=limits or TreeLimits(), load=load)


def files(done: Copy) -> set[str]:
    return {str(p.relative_to(done.root)) for p in done.root.rglob("*") if p.is_file()}


def test_what_is_reached_is_copied(root: Path) -> None:
    """A kustomization that is reached twice once; what nothing names stays where it is."""
    (root / "base/notes.txt").write_text("x")
    done = copied(root)
    assert files(done) == {f"base/{KUSTOMIZATION}", "base/app.yaml", f"overlay/{KUSTOMIZATION}"}
    assert done.root.name == "repo"
    assert done.directories == {done.root / one: root / one for one in ("base", "overlay")}


def test_what_counts_how_often(root: Path) -> None:
    """For kustomize the base twice and the overlay once, for krmfn each once."""
    sizes = {path: path.stat().st_size for path in root.rglob("*") if path.is_file()}
    base = sum(size for path, size in sizes.items() if path.parent.name == "base")
    named = 2 * base + sizes[root / "overlay" / KUSTOMIZATION]
    copied(root, TreeLimits(input_bytes=named - base, named_bytes=named))
    for short in (
        TreeLimits(input_bytes=named - base - 1, named_bytes=named),
        TreeLimits(input_bytes=named - base, named_bytes=named - 1),
    ):
        shutil.rmtree(root.parent / "home")
        assert "bytes of files" in refused(root, short)


@pytest.mark.parametrize("inline", [True, False])
def test_stubs(inline: bool, root: Path) -> None:
    """Kustomize gets a number; what the function uses is in krmfn, without its annotation."""
    (root / "overlay/krmfn.yaml").write_text(json.dumps(TRANSFORMER))
    overlay(root, transformers=[json.dumps(TRANSFORMER) if inline else "krmfn.yaml"])
    done = copied(root)
    (config,) = done.configs
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
    assert done.configs[0].directory == root / "overlay"


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
    assert done.configs[0].value["metadata"] == {"name": "t", "namespace": "x"}
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
        ("namespace: on\n", "found true or false; quote it"),
        ("namePrefix: 12\n", "found an integer; quote it"),
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


def refused(root: Path, limits: TreeLimits | None = None) -> str:
    with pytest.raises(SpecError) as error:
        copied(root, limits)
    return error.value.line()


def nested(root: Path, depth: int, entries: int = 1) -> None:
    """Bases below bases, each named so many times by the one above."""
    for number in range(depth):
        directory = root / f"d{number}"
        directory.mkdir()
        below = f"../d{number + 1}" if number + 1 < depth else "../base"
        (directory / KUSTOMIZATION).write_text(json.dumps({"resources": [below] * entries}))
    overlay(root, resources=["../d0"])


def test_bases_may_not_be_nested_too_deeply(root: Path) -> None:
    """However deep they are, no step recurses."""
    nested(root, 1500)
    assert "include each other 100 deep" in refused(root)


def test_what_is_read_again_counts_again(root: Path) -> None:
    """Two to the sixtieth times one file is too much, and takes no longer to count."""
    nested(root, 60, entries=2)
    assert "reads more than 2000000 YAML nodes" in refused(root)


def test_one_file_in_a_hundred_config_maps(root: Path) -> None:
    """Each of them holds it."""
    (root / "overlay/big.txt").write_bytes(b"x" * 2_000_000)
    maps = [{"name": f"m{number}", "files": ["big.txt"]} for number in range(100)]
    overlay(root, configMapGenerator=maps)
    assert "would read more than 134217728 bytes of files" in refused(root)


def test_different_files(root: Path) -> None:
    """krmfn keeps their contents, and so they count sooner."""
    for number in range(9):
        (root / f"overlay/{number}.txt").write_bytes(b"x" * 2_000_000)
    overlay(root, configMapGenerator=[{"name": "m", "files": [f"{n}.txt" for n in range(9)]}])
    assert "reads more than 16777216 bytes of files" in refused(root)


def test_a_policy_judges_the_bytes(root: Path) -> None:
    """Its own error, in place of ours."""

    def add_input(size: int) -> None:
        if size > 30:
            raise PolicyError("policy-limit", "too much")

    with pytest.raises(PolicyError):
        copied(root, TreeLimits(add_input=add_input))


def bomb(levels: int) -> str:
    """Ten to the power of ``levels`` strings."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "place", ["resource", "inline patch", "kustomization", "config", "builtin"]
)
def test_aliases_are_counted_as_what_they_stand_for(place: str, root: Path) -> None:
    """A few hundred bytes are refused wherever kustomize would make millions of nodes of them."""
    (root / "overlay/bomb.yaml").write_text(
        "kind: X\napiVersion: v1\nmetadata: {name: x}\n" + bomb(9)
    )
    if place == "resource":
        overlay(root, resources=["bomb.yaml"])
    elif place == "inline patch":
        overlay(root, patches=[{"patch": bomb(9)}])
    elif place == "kustomization":
        (root / "overlay" / KUSTOMIZATION).write_text(bomb(9))
    elif place == "config":
        overlay(root, transformers=["bomb.yaml"])
    else:
        jsonop = {**PATCH, "kind": "PatchJson6902Transformer", "jsonOp": bomb(9)}
        overlay(root, transformers=[json.dumps({k: v for k, v in jsonop.items() if k != "path"})])
    assert "aliases multiplied" in refused(root)


def test_tiny_scalars_are_counted(root: Path) -> None:
    """Before anything is made of them."""
    (root / "overlay" / KUSTOMIZATION).write_text(f"resources: [{'x,' * 1_000_000}]\n")
    assert "more than 200000 YAML nodes" in refused(root)


@pytest.mark.parametrize("field", ["transformers", "patchesStrategicMerge"])
def test_tiny_scalars_in_one_string_are_counted(field: str, root: Path) -> None:
    """Before anybody looks whether it is a path."""
    overlay(root, **{field: [f"a: [{'x,' * 1_000_000}]"]})
    assert "more than 200000 YAML nodes" in refused(root)


def test_links(root: Path) -> None:
    """A link to a directory leads inside the copy, to where it leads in the repository."""
    (root / "linked").symlink_to("base")
    (root / "overlay/inner").mkdir()
    (root / "overlay/inner/real.yaml").write_text("kind: X\n")
    (root / "overlay/files").symlink_to("inner")
    (root / "overlay/one.yaml").symlink_to("inner/real.yaml")
    overlay(root, resources=["../linked", "files/real.yaml", "one.yaml"])
    done = copied(root)
    assert (done.root / "linked").readlink() == type(root)("base")
    assert (done.place / "files").is_symlink()
    assert (done.place / "inner/real.yaml").read_text() == "kind: X\n"
    assert not (done.place / "one.yaml").is_symlink()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("../..", "is outside the repository"),
        ("/etc/hostname", "is outside the repository"),
        ("../base/app.yaml", "outside the directory of its kustomization"),
        ("link", "is a loop of links"),
    ],
)
def test_links_that_lead_away(target: str, message: str, root: Path) -> None:
    """Out of the repository, out of the kustomization's directory, nowhere."""
    (root / "overlay/link").symlink_to(target)
    overlay(root, resources=["link"])
    assert message in refused(root)


def test_a_string_of_another_field_is_never_asked_of_the_file_system(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is an inline patch or configuration."""
    asked: list[str] = []
    realpath = os.path.realpath

    def watched(path: Any, **options: Any) -> Any:
        asked.append(str(path))
        return realpath(path, **options)

    monkeypatch.setattr(os.path, "realpath", watched)
    overlay(
        root,
        resources=["../base"],
        namePrefix="x" * 3000,
        configMapGenerator=[{"name": "m", "literals": ["a=/etc/passwd"]}],
        patchesStrategicMerge=["apiVersion: v1\nkind: X\nmetadata: {name: /etc/passwd}\n"],
        transformers=[json.dumps(TRANSFORMER)],
    )
    copied(root)
    assert str(root / "base") in asked
    assert not [one for one in asked for word in ("passwd", "xxx", "krmfn.dev") if word in one]


def test_functions_in_a_directory_of_configurations_are_refused(root: Path) -> None:
    """They would run when it is judged."""
    directory = root / "functions"
    directory.mkdir()
    (directory / KUSTOMIZATION).write_text(json.dumps({"transformers": [json.dumps(TRANSFORMER)]}))
    overlay(root, transformers=["../functions"])
    assert "[wrong-list]" in refused(root)


@pytest.mark.parametrize("more", [{"argsFromFile": "/etc/passwd"}, {"argsOneLiner": "x"}])
@pytest.mark.parametrize("inline", [True, False])
def test_a_configuration_has_four_fields(inline: bool, more: dict[str, str], root: Path) -> None:
    """kustomize reads others of a legacy plugin's itself."""
    text = json.dumps({**TRANSFORMER, **more})
    (root / "overlay/t.yaml").write_text(text)
    overlay(root, transformers=[text if inline else "t.yaml"])
    assert f"has no field {next(iter(more))}" in refused(root)


def test_a_configuration_in_the_wrong_list(root: Path) -> None:
    """kustomize would call it with what it cannot use."""
    overlay(root, generators=[json.dumps(TRANSFORMER)])
    assert "is listed under generators:, expected transformers:" in refused(root)


@pytest.mark.parametrize("value", ["0644", "1e3", "2001-01-01", "0b1", "1_000", ".inf"])
def test_a_value_that_kustomize_changes_on_its_way_to_the_function(value: str, root: Path) -> None:
    """The exec route would get another one."""
    (root / "overlay/t.yaml").write_text(
        "apiVersion: krmfn.dev/v1alpha1\nkind: SealedSecretTransformer\nmetadata: {name: t}\n"
        f"spec: {{a: {value}}}\n"
    )
    overlay(root, transformers=["t.yaml"])
    assert "kustomize reads this value in another way; quote it" in refused(root)


def test_a_configuration_that_is_data_too(root: Path) -> None:
    """It cannot be a stub and itself."""
    (root / "overlay/t.yaml").write_text(json.dumps(TRANSFORMER))
    overlay(root, transformers=["t.yaml"], configMapGenerator=[{"name": "m", "files": ["t.yaml"]}])
    assert "is a function configuration, and other data as well; copy it" in refused(root)
