"""Loading the catalogue: which fields refer to Secrets, and which objects make them.

One file for each family of API groups, named by the end that they share: ``cnpg.io.yaml`` for
``postgresql.cnpg.io`` and ``barmancloud.cnpg.io``. Rules enforced here: only the files of the groups
that a stream holds are read, since most builds know two of them; users' files have the same form.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.spec.catalogue import SecretCatalogue
from krmfn.spec.parse import check

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = Path(__file__).parent
ALWAYS = ("core", "pods", "any")  # most streams hold something of these


def packaged(groups: Iterable[str]) -> list[SecretCatalogue]:
    """The packaged files for API groups (``core`` for the group without a name)."""
    names = dict.fromkeys(ALWAYS)
    for group in sorted(set(groups)):
        names.update(dict.fromkeys(files_for(group)))
    return [_load(name) for name in names]


def files_for(group: str) -> list[str]:
    """Return the names, without suffix, of the files that cover an API group."""
    parts = group.split(".")
    ends = (".".join(parts[start:]) for start in range(len(parts)))
    return [end for end in ends if end in _names()]


@cache
def pods() -> dict[str, Any]:
    """Return ``podSpecs`` and ``podSpecRefs`` as plain values, from one small file."""
    value: dict[str, Any] = _read("pods")["spec"]
    return value


@cache
def _names() -> frozenset[str]:
    return frozenset(file.stem for file in FOLDER.glob("*.yaml"))


@cache
def _load(name: str) -> SecretCatalogue:
    return check(SecretCatalogue, _read(name), name=f"SecretCatalogue/{name}", where=f"{name}.yaml")


def _read(name: str) -> Any:
    return strict.load((FOLDER / f"{name}.yaml").read_text(), f"{name}.yaml")


def of_user(content: bytes, name: str) -> list[SecretCatalogue]:
    """The catalogues of a user's file.

    Raises:
        SpecError, ErrorList: another kind, or a mistake; with its line.
    """
    return [
        check(
            SecretCatalogue,
            document.value(),
            name="SecretCatalogue",
            where=name,
            position=document.position,
        )
        for document in strict.documents(content, name)
    ]
