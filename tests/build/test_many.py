"""Several builds by one process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from krmfn.build.many import build_all
from krmfn.deadline import Deadline
from krmfn.errors import DeadlineError
from tests.support import repository as repo

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

KUBECTL = Path(sys.executable).parent / "kubectl"


class Noting(Deadline):
    """A deadline that notes which modules ask what is left of it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.asked: set[str] = set()

    def left(self) -> float:
        self.asked.add(Path(sys._getframe(1).f_code.co_filename).name)
        return super().left()


@pytest.fixture
def overlay(tmp_path: Path, openbao: OpenBao, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, and the environment of its build."""
    repo.seed(openbao)
    for name, value in {"KRMFN_KUSTOMIZE": str(KUBECTL), **openbao.environ}.items():
        monkeypatch.setenv(name, value)
    return repo.repository(tmp_path / "r")


def test_everything_in_a_build_has_its_deadline(overlay: Path) -> None:
    """kustomize, the channel to its calls, and what the calls ask of a vault."""
    deadline = Noting(600)
    (built,) = build_all([overlay], (), deadline).built.values()
    assert "SealedSecret" in built.text
    assert deadline.asked >= {"sandbox.py", "channel.py", "wire.py"}


def test_nothing_is_begun_after_the_deadline(overlay: Path) -> None:
    """Before kustomize is started, it is over."""
    deadline = Noting(1)
    deadline.end -= 10
    with pytest.raises(DeadlineError):
        build_all([overlay], (), deadline)
