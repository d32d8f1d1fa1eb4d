"""What a function learns of the kustomization in its working directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from krmfn.errors import SpecError
from krmfn.overlay import Listed, Overlay, choose_namespace, read_overlay

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "apiVersion: krmfn.dev/v1alpha1\nkind: SealedSecret{}\nmetadata: {{name: app}}\n"


def overlay(root: Path, text: str, **files: str) -> Overlay:
    """The overlay of a kustomization with these files beside it."""
    (root / "kustomization.yaml").write_text(text)
    for name, content in files.items():
        (root / f"{name}.yaml").write_text(content)
    return read_overlay(root, root)


def test_no_kustomization(tmp_path: Path) -> None:
    """Without one everything is empty."""
    assert read_overlay(tmp_path, tmp_path) == Overlay()


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_its_facts(tmp_path: Path, name: str) -> None:
    """Namespace, prefix and suffix, whatever the file is called; other types are no facts."""
    (tmp_path / name).write_text("namespace: production\nnamePrefix: p-\nnameSuffix: [x]\n")
    assert read_overlay(tmp_path, tmp_path) == Overlay(name, "production", "p-", "")


def test_a_kustomization_that_is_none(tmp_path: Path) -> None:
    """A list is refused."""
    with pytest.raises(SpecError, match=r"kustomization\.yaml is not an object"):
        overlay(tmp_path, "[]")


def test_configs_are_found_in_every_form(tmp_path: Path) -> None:
    """As files, inline, and in a folder of configs; what cannot be read is kustomize's business."""
    inner = tmp_path / "inner"
    inner.mkdir()
    overlay(inner, "resources: [v.yaml]\n", v=CONFIG.format("Validator"))
    inline = CONFIG.format("Generator").replace("\n", "\n  ")
    found = overlay(
        tmp_path,
        f"transformers: [t.yaml, missing.yaml, 7]\nvalidators: [inner/]\ngenerators:\n- |\n  {inline}\n",
        t=CONFIG.format("Transformer"),
    )
    assert found.listed == (
        Listed("generators", "", "SealedSecretGenerator", "app"),
        Listed("transformers", "t.yaml", "SealedSecretTransformer", "app"),
        Listed("validators", "inner/v.yaml", "SealedSecretValidator", "app"),
    )
    assert found.file_of("SealedSecretTransformer", "app") == "t.yaml"
    assert found.file_of("SealedSecretGenerator", "app") == ""


@pytest.mark.parametrize("listed", ["generators", "validators"])
def test_a_transformer_in_another_list(tmp_path: Path, listed: str) -> None:
    """Where kustomize could not use it, it is refused and told where to go."""
    found = overlay(tmp_path, f"{listed}: [t.yaml]\n", t=CONFIG.format("Transformer"))
    with pytest.raises(SpecError, match=f"listed under {listed}: of") as caught:
        found.check_list("SealedSecretTransformer", "app", "transformers")
    assert caught.value.remedy == "move the entry to transformers:"


def test_a_config_that_is_not_listed_passes() -> None:
    """It may stand where the kustomization does not tell."""
    Overlay().check_list("SealedSecretTransformer", "app", "transformers")


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
        overlay=Overlay("kustomization.yaml", namespace),
        environ={"KRMFN_NAMESPACE": "other"},
    )
    assert found == ("a", "")


@pytest.mark.parametrize(
    ("explicit", "item", "namespace"), [("a", "b", ""), (None, "b", "a"), ("a", None, "b")]
)
def test_a_contradiction_names_both(explicit: str | None, item: str | None, namespace: str) -> None:
    """Two that differ are told with their places."""
    with pytest.raises(SpecError, match=r"says .*, and .* says ") as caught:
        choose_namespace(
            explicit=explicit,
            item=item,
            overlay=Overlay("kustomization.yaml", namespace),
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
        found = choose_namespace(explicit=None, overlay=Overlay(), environ=environ)
        assert found == (value, f"the namespace {value} comes from {name}")
    assert choose_namespace(explicit=None, overlay=Overlay(), environ={}) == ("", "")
