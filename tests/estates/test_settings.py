"""`.krmfn.yaml`: where it may be, which environment is meant, and what `{environment}` replaces."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import krmfn
from tests.support.estates import REVIEWS, TEAM, claim, document, pem, put

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

KUBECTL = Path(sys.executable).parent / "kubectl"


def build(root: Path, directory: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return krmfn("build", root / directory, KRMFN_KUSTOMIZE=str(KUBECTL), **environ)


def refused(done: subprocess.CompletedProcess[str], *said: str, code: int = 2) -> None:
    """It fails, prints nothing, and its error has these words."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert [one for one in said if one not in done.stderr] == [], done.stderr


@pytest.fixture
def team(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """One team's repository, and its credentials."""
    return tmp_path / "r", TEAM.write(tmp_path / "r", exec_=False)


def settings(root: Path, **more: Any) -> None:
    """Change fields of the file."""
    value = json.loads((root / ".krmfn.yaml").read_text())
    put(root / ".krmfn.yaml", value | {"spec": value["spec"] | more})


def test_a_link_out_of_the_repository(team: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """Is refused, and one that leads nowhere is no missing file."""
    root, environ = team
    (root / ".krmfn.yaml").rename(tmp_path / "elsewhere.yaml")
    (root / ".krmfn.yaml").symlink_to("../elsewhere.yaml")
    refused(build(root, "overlays/dev", **environ), ".krmfn.yaml is outside the repository")
    (tmp_path / "elsewhere.yaml").unlink()
    refused(build(root, "overlays/dev", **environ), ".krmfn.yaml: no such file")
    (root / ".krmfn.yaml").unlink()
    (root / ".krmfn.yaml").symlink_to("krmfn/settings.yaml")
    spec = {"stores": {"main": {"age": {"file": "s.age"}}}, "certificate": pem("current")}
    put(root / "krmfn/settings.yaml", document("RepositoryConfig", "", spec))
    put(root / "base/claim.yaml", claim("shop-db", "shop/dev/db"))
    refused(build(root, "overlays/dev", **environ), "krmfn/derivation", code=3)


def test_the_root_is_named(team: tuple[Path, dict[str, str]]) -> None:
    """By KRMFN_ROOT; a file between it and the overlay is an error that names both places."""
    root, environ = team
    above = {"KRMFN_ROOT": str(root.parent), **environ}
    refused(
        build(root, "overlays/dev", **above), "r/.krmfn.yaml", f"{root.parent}/.krmfn.yaml",
        "KRMFN_ROOT",
    )  # fmt: skip


def test_without_a_repository(team: tuple[Path, dict[str, str]]) -> None:
    """The working directory is the root of what is below it."""
    root, environ = team
    (root / ".git").rmdir()
    more = {"KRMFN_KUSTOMIZE": str(KUBECTL), **environ}
    assert krmfn("build", "overlays/dev", cwd=root, **more).returncode == 0
    argo = {"ARGOCD_APP_SOURCE_PATH": "overlays/dev"}
    assert krmfn("build", cwd=root / "overlays/dev", **argo, **more).returncode == 0


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"KRMFN_ENVIRONMENT": "production"}, "production"),
        ({"ARGOCD_ENV_KRMFN_ENVIRONMENT": "production"}, "dev"),
        ({"ARGOCD_ENV_ENVIRONMENT": "production"}, "dev"),
        ({"PARAM_ENVIRONMENT": "production"}, "dev"),
        ({"KRMFN_ENVIRONMENT": ""}, "dev"),
    ],
)
def test_who_names_an_environment(
    environ: Mapping[str, str], name: str, team: tuple[Path, dict[str, str]]
) -> None:
    """The machine's variable, and nothing that an Application sets."""
    root, own = team
    done = krmfn(
        "plan", root / "overlays/dev", "--json", "--offline",
        KRMFN_KUSTOMIZE=str(KUBECTL), **own, **environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"shop/{name}/db" in done.stdout


def test_the_configurations_own_word(team: tuple[Path, dict[str, str]]) -> None:
    """Wins over everything else; an unknown name is an error with those that are known."""
    root, environ = team
    file = root / "krmfn/transformer.yaml"
    value = json.loads(file.read_text())
    put(file, value | {"spec": {"environment": "production"}})
    wanted = build(root, "overlays/dev", **environ)
    assert wanted.returncode == 0, wanted.stderr
    other = build(root, "overlays/dev", KRMFN_ENVIRONMENT="dev", **environ)
    assert other.stdout == wanted.stdout
    put(file, value | {"spec": {"environment": "prod"}})
    refused(
        build(root, "overlays/dev", **environ), "there is no environment prod", "dev, production"
    )


def test_two_environments_match(team: tuple[Path, dict[str, str]]) -> None:
    """Both are named, with the directory and the namespaces."""
    root, environ = team
    entries = json.loads((root / ".krmfn.yaml").read_text())["spec"]["environments"]
    settings(root, environments=[*entries, {"name": "all", "namespaces": ["shop-*"]}])
    refused(
        build(root, "overlays/dev", **environ),
        "the directory overlays/dev and the namespaces shop-dev match the environments dev, all",
    )


def test_a_generators_namespace(tmp_path: Path) -> None:
    """Is the kustomization's, or its own."""
    environ = REVIEWS.write(tmp_path, exec_=False)
    secret = {"name": "shop-db", "from": "shop/{environment}", "keys": ["password"]}
    marker = {
        "apiVersion": "v1", "kind": "ConfigMap", "$patch": "delete",
        "metadata": {"name": "krmfn-was-skipped-add---enable-exec"},
    }  # fmt: skip
    put(tmp_path / "live/g.yaml", document("SealedSecretGenerator", "g", {"secrets": [secret]}))
    value = {
        "namespace": "shop",
        "generators": ["g.yaml"],
        "patches": [{"patch": json.dumps(marker)}],
    }
    put(tmp_path / "live/kustomization.yaml", value)
    done = build(tmp_path, "live", **environ)
    assert done.returncode == 0, done.stderr
    assert "sealed-for: shop/shop-db" in done.stdout


@pytest.mark.parametrize(
    ("spec", "reads"),
    [
        ({"from": "shop/{environment}/db", "keys": ["password"]}, "shop/dev/db"),
        ({"from": {"key": "{environment}/{environment}"}, "keys": ["password"]}, "dev/dev"),
        (
            {
                "data": [
                    {"secretKey": "a", "remoteRef": {"key": "x/{environment}", "property": "b"}}
                ]
            },
            "x/dev",
        ),
        ({"dataFrom": [{"extract": {"key": "y-{environment}"}}]}, "y-dev"),
    ],
)
def test_paths_with_the_name(
    spec: dict[str, Any], reads: str, team: tuple[Path, dict[str, str]]
) -> None:
    """In each of the four fields; a plan shows the finished path."""
    root, environ = team
    put(root / "base/claim.yaml", document("SecretClaim", "shop-db", spec))
    done = krmfn(
        "plan", root / "overlays/dev", "--json", "--offline",
        KRMFN_KUSTOMIZE=str(KUBECTL), **environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert reads in done.stdout
    assert "{environment}" not in done.stdout


@pytest.mark.parametrize("path", ["a/{env}", "a/{", "a/}", "{{environment}}", "{environment}}"])
def test_other_braces(path: str, team: tuple[Path, dict[str, str]]) -> None:
    """Are errors, in claims and in the derivation key's path."""
    root, environ = team
    put(root / "base/claim.yaml", claim("shop-db", path))
    refused(build(root, "overlays/dev", **environ), "the path has a brace outside {environment}")
    put(root / "base/claim.yaml", claim("shop-db", "shop/{environment}/db"))
    settings(root, derivationKey={"store": "main", "key": path, "property": "key"})
    refused(build(root, "overlays/dev", **environ), "the path has a brace outside {environment}")


def test_nothing_else_is_replaced(team: tuple[Path, dict[str, str]]) -> None:
    """A property with the words is looked for as it is written."""
    root, environ = team
    ref = {"key": "shop/dev/db", "property": "{environment}"}
    spec = {
        "data": [{"secretKey": "a", "remoteRef": ref}],
        "template": {"data": {"b": "{environment}"}},
    }
    put(root / "base/claim.yaml", document("SecretClaim", "shop-db", spec))
    refused(build(root, "overlays/dev", **environ), "{environment}", "property-missing", code=3)


def test_no_environment_to_name(team: tuple[Path, dict[str, str]]) -> None:
    """Without environments the placeholder is an error."""
    root, environ = team
    settings(root, environments=[], certificate=pem("current"))
    refused(
        build(root, "overlays/dev", **environ), "the path has {environment}", "environment-unclear"
    )


def test_what_wins(team: tuple[Path, dict[str, str]]) -> None:
    """The configuration's field, then the environment's, then that of all; nothing is merged deeper."""
    root, environ = team
    value = json.loads((root / ".krmfn.yaml").read_text())
    value["spec"] |= {"scope": "cluster-wide", "epoch": "5"}
    value["spec"]["environments"][0] |= {"scope": "namespace-wide"}
    put(root / ".krmfn.yaml", value)
    assert "sealed-for: shop-dev/*" in build(root, "overlays/dev", **environ).stdout
    assert "sealed-for: '*/*'" in build(root, "overlays/production", **environ).stdout
    file = root / "krmfn/transformer.yaml"
    put(file, json.loads(file.read_text()) | {"spec": {"sealing": {"scope": "strict"}}})
    assert "sealed-for: shop-dev/shop-db" in build(root, "overlays/dev", **environ).stdout
