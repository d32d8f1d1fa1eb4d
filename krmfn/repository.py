"""The kustomizations of a checkout, and which of them are overlays: nobody else includes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn import strictyaml
from krmfn.errors import KrmfnError
from krmfn.overlay import FILE_NAMES, LISTS
from krmfn.paths import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_INCLUDES = ("resources", "bases", "components", *LISTS, "configurations", "crds")
_PASSED_BY = frozenset({"node_modules", "vendor"})


@dataclass(frozen=True)
class Kustomization:
    """One kustomization.

    Attributes:
        file: its path.
        text: its content.
        value: as plain values.
    """

    file: Path
    text: str
    value: dict[str, Any]

    @property
    def directory(self) -> Path:
        """Where it stands."""
        return self.file.parent

    @property
    def is_component(self) -> bool:
        """Whether it cannot be built alone."""
        return self.value.get("kind") == "Component"

    def included(self) -> Iterator[Path]:
        """The directories that it takes in."""
        for field in _INCLUDES:
            entries = self.value.get(field)
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, str) and "\n" not in entry and "://" not in entry:
                    yield Path(os.path.normpath(self.directory / entry))


def kustomizations(top: Path) -> list[Kustomization]:
    """Every readable kustomization below a directory; hidden and vendored directories are passed by."""
    found: list[Kustomization] = []
    for directory, below, files in os.walk(top):
        below[:] = sorted(d for d in below if not d.startswith(".") and d not in _PASSED_BY)
        name = next((name for name in FILE_NAMES if name in files), None)
        if name and (one := _read(Path(directory) / name)):
            found.append(one)
    return found


def overlays(found: list[Kustomization]) -> list[Kustomization]:
    """Those that stand at the end: no component, and taken in by no other kustomization."""
    taken = {path for one in found for path in one.included()}
    return [one for one in found if not one.is_component and one.directory not in taken]


def _read(file: Path) -> Kustomization | None:
    try:
        content = read_file(file, name=str(file), key="")
        value = strictyaml.load(content, str(file))
    except KrmfnError:
        return None
    return Kustomization(file, content.decode(), value) if isinstance(value, dict) else None
