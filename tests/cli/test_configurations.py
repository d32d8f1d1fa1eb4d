"""References that a build's `configurations:` name, in `krmfn audit` and in `krmfn build`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.command import krmfn
from tests.support.estate import KUBECTL

if TYPE_CHECKING:
    from pathlib import Path

WIDGET = {
    "apiVersion": "x.example/v1",
    "kind": "Widget",
    "metadata": {"name": "w"},
    "spec": {"parts": [{"login": "made"}, {"login": {"name": "gone"}}, {"sealed": "third"}]},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "annotations": {"x.example/login": "lost"}},
    "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "made"}, "data": {"a": "YQ=="}}
SEALED = {
    "apiVersion": "bitnami.com/v1alpha1",
    "kind": "SealedSecret",
    "metadata": {"name": "third"},
    "spec": {"encryptedData": {"a": "AgA="}},
}
WIDGET_FIELD = {"kind": "Widget", "group": "x.example", "path": "spec/parts/login"}
DEPLOYMENT_FIELD = {"kind": "Deployment", "path": r"metadata/annotations/x.example\/login"}
SEALED_FIELD = {"kind": "Widget", "version": "v1", "path": "spec/parts[]/sealed"}
NOBODY = "looks like a reference: nothing in this build creates this Secret"
GONE = f"Widget/p-w: spec.parts[1].login: gone: {NOBODY}"
LOST = f"Deployment/p-d: metadata.annotations.x.example/login: lost: {NOBODY}"
UNUSED = "SealedSecret/p-third: p-third: nothing refers to this Secret"


def _reference(kind: str, *fields: Any) -> dict[str, Any]:
    return {"kind": kind, "fieldSpecs": list(fields)}


def repository(root: Path, *references: Any) -> Path:
    """An overlay with a prefix and a validator, over a base with the configuration."""
    overlay, base = root / "overlay", root / "base"
    for directory in (root / ".git", overlay, base):
        directory.mkdir()
    (base / "all.yaml").write_text(yaml.safe_dump_all([WIDGET, DEPLOYMENT, SECRET, SEALED]))
    (base / "names.yaml").write_text(yaml.safe_dump({"nameReference": list(references)}))
    (base / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["all.yaml"], "configurations": ["names.yaml"]})
    )
    validator = {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SealedSecretValidator",
        "metadata": {"name": "v"},
        "spec": {"audit": "warn", "plainSecrets": "allow"},
    }
    (overlay / "validator.yaml").write_text(yaml.safe_dump(validator))
    (overlay / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": ["../base"],
                "namePrefix": "p-",
                "namespace": "shop",
                "validators": ["validator.yaml"],
            }
        )
    )
    return overlay


@pytest.mark.parametrize("command", ["audit", "build"])
@pytest.mark.parametrize(
    ("references", "told"),
    [
        pytest.param([], {UNUSED}, id="none"),
        pytest.param([_reference("Secret", WIDGET_FIELD)], {GONE, UNUSED}, id="custom-kind"),
        pytest.param([_reference("Secret", DEPLOYMENT_FIELD)], {LOST, UNUSED}, id="core-kind"),
        pytest.param([_reference("SealedSecret", SEALED_FIELD)], set(), id="sealed"),
        pytest.param(
            [
                _reference("Secret", DEPLOYMENT_FIELD, WIDGET_FIELD),
                _reference("SealedSecret", SEALED_FIELD),
            ],
            {GONE, LOST},
            id="all",
        ),
        pytest.param([_reference("ConfigMap", WIDGET_FIELD)], {UNUSED}, id="other-referent"),
        pytest.param(
            [_reference("Secret", {**WIDGET_FIELD, "group": "y.example"})],
            {UNUSED},
            id="other-group",
        ),
        pytest.param(
            [_reference("SealedSecret", {**SEALED_FIELD, "version": "v2"})],
            {UNUSED},
            id="other-version",
        ),
        pytest.param(
            [_reference("Secret", {"kind": "Widget", "path": "spec/nothing/here"})],
            {UNUSED},
            id="no-such-field",
        ),
    ],
)
def test_they_count(command: str, references: list[Any], told: set[str], tmp_path: Path) -> None:
    """A reference without a producer is a warning, and a Secret with a reference is not unused."""
    overlay = repository(tmp_path, *references)
    done = krmfn(command, "-v", overlay, KRMFN_KUSTOMIZE=str(KUBECTL))
    assert done.returncode == 0, done.stderr
    lines = [
        line.partition(": ")[2].removeprefix(f"{overlay}: ") if command == "build" else line[10:]
        for line in (done.stderr if command == "build" else done.stdout).splitlines()
        if line.startswith("[warning]")
    ]
    assert {line.partition(";")[0] for line in lines} == told
    assert len(lines) == len(told)


def test_what_kustomize_renames_is_found(tmp_path: Path) -> None:
    """A Secret under its new name is met by the reference that kustomize renamed with it."""
    overlay = repository(tmp_path, _reference("Secret", WIDGET_FIELD))
    done = krmfn("audit", "--json", overlay, KRMFN_KUSTOMIZE=str(KUBECTL))
    assert '"p-made"' in done.stdout
    assert "1 unencrypted" in krmfn("audit", overlay, KRMFN_KUSTOMIZE=str(KUBECTL)).stdout


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "Secret", "fieldSpecs": 3},
        {"kind": "Secret", "fieldSpecs": [{"path": ["spec"]}]},
        {"kind": "Secret", "fieldspecs_": []},
        "Secret",
    ],
)
@pytest.mark.parametrize("command", ["audit", "build"])
def test_a_wrong_entry_is_an_error(command: str, wrong: Any, tmp_path: Path) -> None:
    """kustomize refuses it; krmfn says so, in one line and not as a bug of its own."""
    done = krmfn(command, repository(tmp_path, wrong), KRMFN_KUSTOMIZE=str(KUBECTL))
    assert done.returncode not in (0, 70)
    assert done.stderr.count("\n") == 1
    assert "[error]" in done.stderr
