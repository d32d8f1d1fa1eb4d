"""Names without what kustomizations add to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from krmfn.files.read import Place
from krmfn.kustomize.reach import reach
from krmfn.kustomize.renaming import Names, names_in
from tests.support import repository as repo

if TYPE_CHECKING:
    from pathlib import Path

INNER = Names(suffix="-x", generated=frozenset({"env"}))
OUTER = Names(prefix="eu-", below=(Names(prefix="z-"), INNER))


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("eu-db", "db"),
        ("eu-db-x", "db"),
        ("eu-z-db", "db"),
        ("db", "db"),  # not renamed: nobody makes it
        ("db-x", "db-x"),  # the outer prefix is missing, so no kustomization renamed it
        ("eu-", "eu-"),
        ("eu-env-x-2g4h5k6m7t", "env"),
        ("eu-env-x", "env"),
        ("eu-db-x-2g4h5k6m7t", "db-x-2g4h5k6m7t"),  # no generator's
        ("eu-env-x-2g4h5k6mao", "env-x-2g4h5k6mao"),  # no hash: kustomize writes no a and no o
    ],
)
def test_base(name: str, base: str) -> None:
    """Prefixes and suffixes go from the outside in, a hash only from what is generated."""
    assert OUTER.base(name) == base


def test_without_anything() -> None:
    """Where nothing is added, a name is itself."""
    assert Names().base("db-2g4h5k6m7t") == "db-2g4h5k6m7t"


def test_what_kustomizations_say(tmp_path: Path) -> None:
    """Prefix, suffix and generators are read from every kustomization on the way, components too."""
    (tmp_path / ".git").mkdir()
    generator = [{"name": "env", "literals": ["a=b"]}]
    repo.write(tmp_path / "base/kustomization.yaml", {"secretGenerator": generator})
    repo.write(
        tmp_path / "part/kustomization.yaml",
        {
            "apiVersion": "kustomize.config.k8s.io/v1alpha1",
            "kind": "Component",
            "nameSuffix": "-c",
        },
    )
    outer = {"resources": ["../base"], "components": ["../part"], "namePrefix": "o-"}
    repo.write(tmp_path / "outer/kustomization.yaml", outer)
    directory = (tmp_path / "outer").resolve()
    names = names_in(reach(Place(directory, tmp_path.resolve())), directory)
    assert names.base("o-env-c-2g4h5k6m7t") == "env"
    assert names.base("o-db-c") == "db"
