"""An overlay with a transformer of its own moves to the shared one, and its bytes stay the same."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.command import krmfn
from tests.support.function import DERIVATION_KEY, KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.openbao import OpenBao

HEAD = """\
apiVersion: krmfn.dev/v1alpha1
kind: %s
metadata:
  name: shop
  annotations:
    config.kubernetes.io/function: |
      exec: {path: krmfn}
spec:
"""
OLD = {
    "claims.yaml": """\
apiVersion: krmfn.dev/v1alpha1
kind: SecretClaim
metadata: {name: db}
spec:
  store: main
  data:
  - {secretKey: password, remoteRef: {key: shop/db, property: password}}
""",
    "transformer.yaml": HEAD % "SealedSecretTransformer"
    + """\
  sealing:
    certificate: {file: controller.pem}
    derivationKey: {store: main, key: krmfn/derivation, property: key}
  stores: {main: {vault: {path: secret, id: main}}}
""",
    "marker.yaml": """\
apiVersion: builtin
kind: PatchTransformer
metadata: {name: marker}
patch: |-
  apiVersion: v1
  kind: ConfigMap
  metadata: {name: krmfn-was-skipped-add---enable-exec}
  $patch: delete
""",
    "validator.yaml": HEAD % "SealedSecretValidator"
    + "  certificate: {file: controller.pem}\n  audit: error\n",
    "kustomization.yaml": """\
# Stays.
namespace: shop
resources:
- claims.yaml
- pod.yaml
transformers:
- transformer.yaml
- marker.yaml
validators:
- validator.yaml
""",
    "pod.yaml": """\
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  containers:
  - {name: app, image: app, env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}]}
""",
}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A repository in the old layout."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "overlays/production").mkdir(parents=True)
    for name, text in OLD.items():
        (tmp_path / "overlays/production" / name).write_text(text)
    shutil.copy(KEYS / "current.crt", tmp_path / "overlays/production/controller.pem")
    return tmp_path


def test_it_moves(old: Path, openbao: OpenBao) -> None:
    """Three files go, one line comes, and the build prints the same bytes."""
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "shop/db", {"password": "swordfish"})
    before = krmfn("build", "overlays/production", cwd=old, **openbao.environ)
    assert (before.returncode, before.stderr) == (0, "")
    done = krmfn("init", "--yes", cwd=old)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "its own transformer moves to the shared one" in done.stdout
    assert "so the bytes stay the same" in done.stdout
    overlay = old / "overlays/production"
    left = sorted(file.name for file in overlay.iterdir())
    assert left == ["claims.yaml", "controller.pem", "kustomization.yaml", "pod.yaml"]
    assert (overlay / "kustomization.yaml").read_text() == (
        "# Stays.\nnamespace: shop\nresources:\n- claims.yaml\n- pod.yaml\n"
        "transformers: [../../krmfn]\n"
    )
    after = krmfn("build", "overlays/production", cwd=old, **openbao.environ)
    assert (after.returncode, after.stderr) == (0, "")
    assert after.stdout == before.stdout
    assert "audit: error" in (old / "krmfn/transformer.yaml").read_text()
    assert "Nothing to propose." in krmfn("init", "--yes", cwd=old).stdout


@pytest.mark.parametrize(
    ("old_text", "new_text"),
    [
        ("  stores:", "  nameReferences: false\n  stores:"),
        ("  name: shop\n", "  name: shop\n  namespace: other\n"),
        ("  stores:", "  silence: [large-secret]\n  stores:"),
    ],
)
def test_what_the_settings_cannot_say_stays(old: Path, old_text: str, new_text: str) -> None:
    """An overlay keeps its transformer if the shared one could not do the same."""
    file = old / "overlays/production/transformer.yaml"
    file.write_text(file.read_text().replace(old_text, new_text, 1))
    assert "Nothing to propose." in krmfn("init", "--yes", cwd=old).stdout
    assert not (old / ".krmfn.yaml").exists()
