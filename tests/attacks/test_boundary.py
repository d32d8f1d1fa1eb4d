"""Under a policy an author's repository makes kustomize fetch nothing and read nothing outside of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.boundaries import ATTACKS, OUTSIDE, OWN, prepare
from tests.support.platform import write_platform
from tests.support.served import served
from tests.support.trap import trap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.served import Served
    from tests.support.trap import Trap

KUBECTL = Path(sys.executable).parent / "kubectl"


@pytest.fixture(scope="module")
def inside() -> Iterator[Trap]:
    """A server that only the platform may speak to."""
    with trap() as server:
        yield server


@pytest.fixture(scope="module")
def krmfn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """krmfn without its start: here are many short calls."""
    with served(tmp_path_factory.mktemp("krmfn")) as server:
        yield server


def environment(tmp_path: Path) -> dict[str, str]:
    """The platform's environment."""
    policy = write_platform(tmp_path / "platform/p.yaml")
    return {**policy, "KRMFN_KUSTOMIZE": str(KUBECTL), "TMPDIR": str(tmp_path)}


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_refused(name: str, tmp_path: Path, inside: Trap, krmfn: Served) -> None:
    """With a reason, and exit code 2; nobody is asked, and nothing from outside is printed."""
    place = prepare(tmp_path, inside.address)
    ATTACKS[name](place)
    done = krmfn.run("krmfn", "build", place.overlay, environ=environment(tmp_path))
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("[error] ")
    assert OUTSIDE not in done.stderr
    assert inside.came == []


def test_the_same_repository_is_built(tmp_path: Path, inside: Trap, krmfn: Served) -> None:
    """Without an attack, so that being refused means something."""
    place = prepare(tmp_path, inside.address)
    (place.overlay / "kustomization.yaml").write_text("resources: [own.yaml]\n")
    done = krmfn.run("krmfn", "build", place.overlay, environ=environment(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == OWN.splitlines()[0]
