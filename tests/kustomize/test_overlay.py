"""What the kustomization in the working directory tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.build.namespace import choose_namespace
from krmfn.errors import SpecError
from krmfn.files.read import Place
from krmfn.kustomize.kustomization import read_overlay
from krmfn.kustomize.overlay import Kustomization, Listed

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = {
    "apiVersion": "krmfn.dev/v1alpha1",
    "kind": "SealedSecretGenerator",
    "metadata": {"name": "g"},
}
GENERATOR = "SealedSecretGenerator"
TRANSFORMER = (
    "apiVersion: krmfn.dev/v1alpha1\nkind: SealedSecretTransformer\nmetadata: {name: app}\n"
)


def overlay(root: Path, text: str, name: str = "kustomization.yaml", **files: str) -> Kustomization:
    (root / name).write_text(text)
    for file, content in files.items():
        (root / f"{file}.yaml").write_text(content)
    return read_overlay(Place(root, root.resolve()))


def test_none(tmp_path: Path) -> None:
    """Without a kustomization nothing is known, and nothing is wrong."""
    assert read_overlay(Place(tmp_path, tmp_path)) == Kustomization()
    Kustomization().check_list(GENERATOR, "g", "generators")
    assert Kustomization().file_of(GENERATOR, "g") == ""


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_fields(tmp_path: Path, name: str) -> None:
    """Namespace, prefix and suffix, under any name that the file may have."""
    found = overlay(tmp_path, "namespace: a\nnamePrefix: b-\nnameSuffix: -c\n", name)
    assert found == Kustomization(name, "a", "b-", "-c")


def test_other_types_are_no_names(tmp_path: Path) -> None:
    """What is no string is kustomize's business."""
    assert overlay(tmp_path, "namespace: 1\nnamePrefix: null\ngenerators: x\n") == Kustomization(
        "kustomization.yaml"
    )


def test_a_kustomization_that_is_none(tmp_path: Path) -> None:
    """A list, nothing, or no YAML."""
    for text, line in [
        ("- a", "kustomization.yaml is not an object [file]"),
        ("", "kustomization.yaml is not an object [file]"),
        ("a: 1\na: 2", "kustomization.yaml:2:1: the key a appears twice [yaml]"),
    ]:
        with pytest.raises(SpecError) as caught:
            overlay(tmp_path, text)
        assert caught.value.line() == line


def test_where_configs_are_listed(tmp_path: Path) -> None:
    """In a file, in a directory of their own, inline; several in one file; others left out."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "kustomization.yml").write_text("resources: [deep.yaml, gone.yaml, ../up.yaml]")
    (inner / "deep.yaml").write_text(json.dumps({**CONFIG, "metadata": {"name": "deep"}}))
    (tmp_path / "up.yaml").write_text(json.dumps({**CONFIG, "metadata": []}))
    (tmp_path / "empty").mkdir()
    inline = json.dumps({**CONFIG, "metadata": {"name": "inline"}}, indent=1)
    kustomization: dict[str, Any] = {
        "generators": ["g.yaml", "inner/", inline, "gone.yaml", "empty", "broken.yaml", 1, None],
        "transformers": {"no": "list"},
        "validators": ["g.yaml"],
    }
    other = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}
    found = overlay(
        tmp_path,
        json.dumps(kustomization),
        g=f"{json.dumps(CONFIG)}\n---\n{json.dumps(other)}\n---\n- list\n",
        broken="a: b: c",
    )
    assert found.listed == (
        Listed("generators", "g.yaml", GENERATOR, "g"),
        Listed("generators", "inner/deep.yaml", GENERATOR, "deep"),
        Listed("generators", "up.yaml", GENERATOR, ""),
        Listed("generators", "", GENERATOR, "inline"),
        Listed("validators", "g.yaml", GENERATOR, "g"),
    )
    assert found.file_of(GENERATOR, "g") == "g.yaml"
    assert found.file_of(GENERATOR, "deep") == "inner/deep.yaml"
    assert found.file_of(GENERATOR, "inline") == ""


def test_strange_directories(tmp_path: Path) -> None:
    """A directory whose kustomization is no mapping, or outside the repository, lists nothing of ours."""
    root = tmp_path / "root"
    (root / "odd").mkdir(parents=True)
    (root / "odd/kustomization.yaml").write_text("resources: [1]")
    (root / "list").mkdir()
    (root / "list/kustomization.yaml").write_text("[a]")
    (tmp_path / "outside.yaml").write_text(json.dumps(CONFIG))
    assert overlay(root, "generators: [odd, list, ../outside.yaml]").listed == ()


def test_a_file_that_two_entries_share_is_named_and_two_files_are_not(tmp_path: Path) -> None:
    """Only when there is one answer."""
    text = json.dumps(CONFIG)
    found = overlay(tmp_path, "generators: [a.yaml]\nvalidators: [b.yaml]", a=text, b=text)
    assert found.file_of(GENERATOR, "g") == ""


def test_lists() -> None:
    """The right list, the wrong one, both; two generators."""

    def listed(*entries: tuple[str, str]) -> Kustomization:
        return Kustomization(
            "k.yaml", listed=tuple(Listed(where, "f", GENERATOR, name) for where, name in entries)
        )

    listed(("generators", "g")).check_list(GENERATOR, "g", "generators")
    listed(("generators", "g"), ("transformers", "g")).check_list(GENERATOR, "g", "generators")
    listed(("generators", "g"), ("generators", "g")).check_list(GENERATOR, "g", "generators")
    listed(("validators", "a"), ("validators", "b")).check_list(GENERATOR, "a", "validators")
    for entries, allowed in [
        ([("transformers", "g"), ("validators", "g")], "generators"),
        ([("generators", "g"), ("generators", "h")], "generators"),
    ]:
        with pytest.raises(SpecError) as caught:
            listed(*entries).check_list(GENERATOR, "g", allowed)
        assert caught.value.id == "wrong-list"
        assert "k.yaml" in caught.value.line()


@pytest.mark.parametrize(
    ("explicit", "kustomization", "environ", "chosen"),
    [
        ("a", "", {}, ("a", None)),
        ("a", "a", {}, ("a", None)),
        (None, "a", {"KRMFN_NAMESPACE": "b"}, ("a", None)),
        ("a", "", {"ARGOCD_APP_NAMESPACE": "b"}, ("a", None)),
        (None, "", {"ARGOCD_APP_NAMESPACE": "b"}, ("b", "the namespace b comes from ARGOCD_APP_NAMESPACE")),
        (None, "", {"ARGOCD_APP_NAMESPACE": "b", "KRMFN_NAMESPACE": "c"},
         ("c", "the namespace c comes from KRMFN_NAMESPACE")),
        (None, "", {"KRMFN_NAMESPACE": ""}, ("", None)),
        (None, "", {}, ("", None)),
    ],
)  # fmt: skip
def test_the_namespace(
    explicit: str | None, kustomization: str, environ: dict[str, str], chosen: Any
) -> None:
    """Explicit, then the kustomization, then the environment with a note."""
    found = choose_namespace(
        explicit=explicit, overlay=Kustomization("k", kustomization), environ=environ
    )
    assert (found[0], found[1] and found[1].text) == chosen


@pytest.mark.parametrize("value", ["A", "a.b", "-a", "a-", "a b", "a\n", "x" * 64, "é"])
def test_a_variable_that_holds_no_namespace(value: str) -> None:
    """It is refused and not quoted."""
    with pytest.raises(SpecError) as caught:
        choose_namespace(explicit=None, overlay=Kustomization(), environ={"KRMFN_NAMESPACE": value})
    assert caught.value.line() == "KRMFN_NAMESPACE is not a namespace's name [usage]"


@pytest.mark.parametrize("listed", ["generators", "validators"])
def test_a_transformer_in_another_list(tmp_path: Path, listed: str) -> None:
    """Where kustomize could not use it, it is refused and told where to go."""
    found = overlay(tmp_path, f"{listed}: [t.yaml]\n", t=TRANSFORMER)
    with pytest.raises(SpecError, match=f"listed under {listed}: of") as caught:
        found.check_list("SealedSecretTransformer", "app", "transformers")
    assert caught.value.remedy == "move the entry to transformers:"


def test_a_config_that_is_not_listed_passes() -> None:
    """It may stand where the kustomization does not tell."""
    Kustomization().check_list("SealedSecretTransformer", "app", "transformers")


@pytest.mark.parametrize(
    ("explicit", "item", "namespace"),
    [
        ("a", "a", "a"),
        ("a", None, ""),
        (None, "a", ""),
        (None, None, "a"),
        ("a", None, "a"),
    ],
)
def test_who_speaks_of_the_namespace_agrees(
    explicit: str | None, item: str | None, namespace: str
) -> None:
    """One is enough, several have to say the same, and the environment is not asked then."""
    found = choose_namespace(
        explicit=explicit,
        item=item,
        overlay=Kustomization("kustomization.yaml", namespace),
        environ={"KRMFN_NAMESPACE": "other"},
    )
    assert found == ("a", None)


@pytest.mark.parametrize(
    ("explicit", "item", "namespace"), [("a", "b", ""), (None, "b", "a"), ("a", None, "b")]
)
def test_a_contradiction_names_both(explicit: str | None, item: str | None, namespace: str) -> None:
    """Two that differ are told with their places."""
    with pytest.raises(SpecError, match=r"says .*, and .* says ") as caught:
        choose_namespace(
            explicit=explicit,
            item=item,
            overlay=Kustomization("kustomization.yaml", namespace),
            environ={},
        )
    assert caught.value.id == "namespace-contradiction"


def test_the_environment_is_the_last_resort() -> None:
    """krmfn's own variable before Argo CD's, each with a note; nobody at all is no namespace."""
    both = {"ARGOCD_APP_NAMESPACE": "argo", "KRMFN_NAMESPACE": "own"}
    for environ, name in (
        (both, "KRMFN_NAMESPACE"),
        ({"ARGOCD_APP_NAMESPACE": "argo"}, "ARGOCD_APP_NAMESPACE"),
    ):
        value = environ[name]
        found = choose_namespace(explicit=None, overlay=Kustomization(), environ=environ)
        assert (found[0], found[1] and found[1].text) == (
            value,
            f"the namespace {value} comes from {name}",
        )
    assert choose_namespace(explicit=None, overlay=Kustomization(), environ={}) == ("", None)


@pytest.mark.parametrize("variable", ["ARGOCD_APP_NAME", "KRMFN_REQUIRE_POLICY"])
def test_where_a_policy_is_required_the_destination_counts(variable: str) -> None:
    """KRMFN_NAMESPACE is ignored there: only Argo CD's own word is a fallback."""
    environ = {variable: "1", "KRMFN_NAMESPACE": "other", "ARGOCD_APP_NAMESPACE": "production"}
    found, note = choose_namespace(explicit=None, overlay=Kustomization(), environ=environ)
    assert (found, note and note.text) == (
        "production",
        "the namespace production comes from ARGOCD_APP_NAMESPACE",
    )
    del environ["ARGOCD_APP_NAMESPACE"]
    assert choose_namespace(explicit=None, overlay=Kustomization(), environ=environ) == ("", None)
