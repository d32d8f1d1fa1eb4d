"""Where Flux and Argo CD deploy a directory, as their own objects in the repository say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from krmfn.init.destinations import Destination, destinations

if TYPE_CHECKING:
    from pathlib import Path

FLUX = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: &app shop}
spec: {path: ./apps/shop, targetNamespace: *app}
"""
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  source: {path: apps/shop}
  destination: {namespace: production}
"""
SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: all}
spec:
  generators:
  - GENERATOR
  template:
    spec:
      sources: [{path: "PATH"}, {chart: other}]
      destination: {namespace: "NAMESPACE"}
"""


def said(root: Path, text: str) -> dict[str, list[str]]:
    """Directory to namespaces."""
    (root / "clusters").mkdir(exist_ok=True)
    (root / "clusters/all.yml").write_text(text)
    found = destinations(root)
    return {
        path.relative_to(root).as_posix(): [one.namespace for one in places]
        for path, places in found.items()
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (FLUX, {"apps/shop": ["shop"]}),
        (FLUX.replace("*app", "'${NS}'"), {}),
        (FLUX.replace(", targetNamespace: *app", ""), {}),
        (FLUX.replace("kustomize.toolkit.fluxcd.io", "example.test"), {}),
        (APPLICATION, {"apps/shop": ["production"]}),
        (APPLICATION.replace("apps/shop", "/apps/x/../shop/"), {"apps/shop": ["production"]}),
        (APPLICATION.replace("{path: apps/shop}", "{path: apps/shop, kustomize: {namespace: own}}"),
         {"apps/shop": ["own"]}),
        (APPLICATION.replace("{path: apps/shop}", "{chart: shop}"), {}),
        (f"{FLUX}---\n{APPLICATION}", {"apps/shop": ["shop", "production"]}),
        (f"{APPLICATION}---\n{APPLICATION}", {"apps/shop": ["production"]}),
        ("kind: Application\nspec: {{ .Values.x }}\n", {}),
    ],
)  # fmt: skip
def test_what_an_object_says(tmp_path: Path, text: str, found: dict[str, list[str]]) -> None:
    """Each namespace once; what another tool fills in, and what is no YAML, says nothing."""
    assert said(tmp_path, text) == found


@pytest.mark.parametrize(
    ("generator", "path", "namespace", "found"),
    [
        ("git: {directories: [{path: apps/*}]}", "{{path}}", "{{ path.basename }}",
         {"apps/db": ["db"], "apps/shop": ["shop"]}),
        ("git: {directories: [{path: apps/*}]}", "{{.path.path}}", "{{.path.basename}}",
         {"apps/db": ["db"], "apps/shop": ["shop"]}),
        ("git: {directories: [{path: apps/*}, {path: apps/db, exclude: true}]}", "{{path}}", "one",
         {"apps/shop": ["one"]}),
        ("git: {directories: [{path: apps/*}]}", "{{path}}", "{{path[0]}}-x",
         {"apps/db": ["apps-x"], "apps/shop": ["apps-x"]}),
        ("list: {elements: [{name: shop, ns: a}, {name: db}]}", "apps/{{name}}", "{{ns}}",
         {"apps/shop": ["a"]}),
        ("clusters: {}", "apps/shop", "{{name}}", {}),
    ],
)  # fmt: skip
def test_what_a_set_says(
    tmp_path: Path, generator: str, path: str, namespace: str, found: dict[str, list[str]]
) -> None:
    """Its list and git generators are followed, to directories that have a kustomization."""
    for name in ("shop", "db", "none"):
        (tmp_path / "apps" / name).mkdir(parents=True)
        if name != "none":
            (tmp_path / "apps" / name / "kustomization.yaml").write_text("{}\n")
    text = SET.replace("GENERATOR", generator).replace("PATH", path).replace("NAMESPACE", namespace)
    assert said(tmp_path, text) == found


def test_who_says_it(tmp_path: Path) -> None:
    """Kind, name and file, for a person to look at."""
    (tmp_path / "shop.yaml").write_text(APPLICATION)
    by = "Application/shop in shop.yaml"
    assert destinations(tmp_path) == {tmp_path / "apps/shop": [Destination("production", by)]}
