"""The audit inside of a build, where kustomize has yet to rename references, and after it."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support import estate
from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.estate import ESTATE, KUBECTL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.openbao import OpenBao

    Done = subprocess.CompletedProcess[str]


def kubectl(overlay: Path, environ: dict[str, str]) -> Done:
    """`kubectl kustomize` with krmfn as a plugin."""
    command = [KUBECTL, "kustomize", "--enable-alpha-plugins", overlay]
    return subprocess.run(command, env=environ, text=True, capture_output=True, check=False)


def told(output: str) -> set[str]:
    """What is said, without where a configuration stands and how to see each warning."""
    output = output.replace("; krmfn audit -v and krmfn build -v show each", "; -v shows each")
    lines = [line.strip().removeprefix("error: ") for line in output.splitlines()]
    found = [
        re.sub(r"^\[(error|warning)\] (\S+: SealedSecretValidator/\w+: )?", "", line)
        for line in lines
        if line.startswith(("[error]", "[warning]")) and line.endswith("]")
    ]
    return {line.replace("SealedSecret/", "SecretClaim/") for line in found}


def renamed(tmp_path: Path, overlay: str, **fields: str) -> Path:
    """A copy of the estate with an overlay that renames; returns the estate."""
    (tmp_path / ".git").mkdir()
    copied = shutil.copytree(ESTATE, tmp_path / "estate")
    for variant in ("", "-legacy"):
        file = copied / f"overlays/{overlay}{variant}/kustomization.yaml"
        file.write_text(file.read_text() + "".join(f"{k}: {v}\n" for k, v in fields.items()))
    return copied


@pytest.mark.parametrize(
    ("overlay", "fields"),
    [("prod", {"namePrefix": "eu-"}), ("dev", {"namePrefix": "a-", "nameSuffix": "-z"})],
    ids=str,
)
def test_in_a_build_it_finds_what_it_finds_afterwards(
    overlay: str, fields: dict[str, str], tmp_path: Path, plugins: dict[str, str], openbao: OpenBao
) -> None:
    """The same findings before kustomize renames references and after: none false, none missing."""
    estate.seed(openbao)
    copied = renamed(tmp_path, overlay, **fields)
    inside = kubectl(copied / f"overlays/{overlay}-legacy", plugins | openbao.environ)
    assert (inside.returncode, inside.stdout) == (1, "")
    environ = {"KRMFN_KUSTOMIZE": str(KUBECTL)}
    after = krmfn("audit", copied / f"overlays/{overlay}", cwd=copied, **environ)
    assert after.returncode == 1
    assert told(inside.stderr) == told(after.stdout)
    prefix, suffix = fields.get("namePrefix", ""), fields.get("nameSuffix", "")
    assert (
        f"Cluster/{prefix}courier-postgres{suffix}: spec.bootstrap.initdb.secret: "
        "courier-postgres-owner: username, password: nothing in this build creates this Secret"
    ) in inside.stderr
    # A pod's fields follow, and are no finding.
    follow = ("courier-smtp", "courier-redis", "courier-registry", "courier-htpasswd")
    assert not [name for name in follow if name in inside.stderr]


def test_what_kustomize_renames_passes(
    tmp_path: Path, plugins: dict[str, str], openbao: OpenBao
) -> None:
    """Prefix, and a name by content: with `audit: error` there is nothing to say."""
    repo.seed(openbao)
    overlay = repo.repository(tmp_path, annotation="")
    repo.hash_names(tmp_path, "transformer")
    repo.change(overlay, nameSuffix="-two")
    value = repo.config(
        "SealedSecretValidator", {"certificate": {"file": "certs/c.pem"}, "audit": "error"}, ""
    )
    repo.write(overlay / "validator.yaml", value)
    done = kubectl(overlay, plugins | openbao.environ)
    assert (done.returncode, done.stderr) == (0, "")
    found = {one["kind"]: one for one in yaml.safe_load_all(done.stdout)}
    name = found["SealedSecret"]["metadata"]["name"]
    assert re.fullmatch(r"eu-db-two-[0-9a-z]{10}", name), name
    pod = found["Deployment"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": name}}]
    assert krmfn("audit", "-", stdin=done.stdout).returncode == 0


def test_m6(tmp_path: Path) -> None:
    """M6: a prefix over what is sealed breaks each seal, and moves the operator's Secret away."""
    (tmp_path / "prod.yaml").write_text((ESTATE / "expected/prod.yaml").read_text())
    (tmp_path / "kustomization.yaml").write_text("resources: [prod.yaml]\nnamePrefix: eu-\n")
    command = [KUBECTL, "kustomize", tmp_path]
    stream = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    done = krmfn("audit", "-", stdin=stream)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    sealed = [line for line in lines if line.endswith("[sealed-for]")]
    assert len(sealed) == 12
    names = {line.split(":")[0] for line in sealed}
    assert "[error] SealedSecret/eu-logto-backup-storage-credentials" in names
    moved = [line for line in lines if "logto-postgres-app" in line]
    assert len(moved) == 4
    for line in moved:
        assert line.startswith("[error] Deployment/eu-logto: ")
        assert "did you mean eu-logto-postgres-app?" in line
        assert line.endswith("[moved-producer]")
