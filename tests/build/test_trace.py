"""What the kernel sees of a build: no network, and no file but those that are needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import repository as repo
from tests.support.spy import spy
from tests.support.trace import traced

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = str(Path(sys.executable).parent / "kubectl")
KRMFN = (sys.executable, "-m", "krmfn")

pytestmark = pytest.mark.e2e


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trace").mkdir()
    return tmp_path / "trace"


def test_a_build(tmp_path: Path, folder: Path, openbao: OpenBao) -> None:
    """kustomize, and the client that it calls."""
    repo.seed(openbao)
    found = traced(
        folder,
        *KRMFN,
        "build",
        repo.repository(tmp_path / "r"),
        PYTHONPATH=str(ROOT),
        KRMFN_KUSTOMIZE=KUBECTL,
        **openbao.environ,
    )
    assert found.done.returncode == 0, found.done.stderr
    assert found.problems == []
    assert KUBECTL in found.programs
    assert any("/plugins/krmfn.dev/" in program for program in found.programs)


def test_what_would_be_seen(tmp_path: Path, folder: Path) -> None:
    """A program in kustomize's place that does each of these things is found out."""
    script = (
        f"/bin/cat /etc/hostname > {tmp_path}/written; "
        f"exec {sys.executable} -IS -c 'import socket; socket.socket()'"
    )
    found = traced(
        folder, *KRMFN, "build", repo.repository(tmp_path / "r"), **spy(tmp_path, script)
    )
    assert found.done.returncode == 2
    text = "\n".join(found.problems)
    for seen in ("/etc/hostname", f"{tmp_path}/written", "socket(AF_INET"):
        assert seen in text
