"""The kustomizations of a checkout, their inclusions, and the overlays, which no other one includes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.errors import KrmfnError
from krmfn.files.read import read_file
from krmfn.kustomize.kustomization import FILE_NAMES, LISTS

if TYPE_CHECKING:
    from collections.abc import Iterator

_INCLUDES = ("resources", "bases", "components", *LISTS, "configurations", "crds")
_NAME = re.compile(r"[A-Za-z0-9](?:[-.A-Za-z0-9]*[A-Za-z0-9])?")
PASSED_BY = frozenset({"node_modules", "vendor"})


@dataclass(frozen=True)
class KustomizationFile:
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
        """The kustomization's directory."""
        return self.file.parent

    @property
    def is_component(self) -> bool:
        """Whether it is a component, which cannot be built alone."""
        return self.value.get("kind") == "Component"

    def included(self) -> Iterator[Path]:
        """The directories that it includes."""
        for field in _INCLUDES:
            entries = self.value.get(field)
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, str) and "\n" not in entry and "://" not in entry:
                    yield Path(os.path.normpath(self.directory / entry))


class Checkout:
    """All kustomizations below a directory, by location."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.at = {one.directory: one for one in kustomizations(root)}
        self.below = cache(self._below)
        self._words = cache(_words)

    def _below(self, directory: Path) -> dict[Path, KustomizationFile]:
        """Return a directory and everything it includes, transitively."""
        found: dict[Path, KustomizationFile] = {}
        ahead = [directory]
        while ahead:
            here = ahead.pop()
            if here in self.at and here not in found:
                found[here] = self.at[here]
                ahead += self.at[here].included()
        return found

    def mentioning(self, words: set[str]) -> list[KustomizationFile]:
        """Return kustomizations with one of these words in their text or in a listed file."""
        return [
            one
            for one in self.at.values()
            if any(not words.isdisjoint(self._words(file)) for file in _own(one))
        ]


def kustomizations(top: Path) -> list[KustomizationFile]:
    """Every readable kustomization below a directory; hidden and vendored directories are passed by."""
    found: list[KustomizationFile] = []
    for directory, files in _walk(top):
        name = next((name for name in FILE_NAMES if name in files), None)
        if name and (one := _read(directory / name)):
            found.append(one)
    return found


def files_below(top: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield every file with such a suffix, in the directories searched for kustomizations."""
    for directory, files in _walk(top):
        yield from (directory / name for name in sorted(files) if name.endswith(suffixes))


def overlays(found: list[KustomizationFile]) -> list[KustomizationFile]:
    """Return the outermost kustomizations: no components, and included by no other."""
    taken = {path for one in found for path in one.included()}
    return [one for one in found if not one.is_component and one.directory not in taken]


def _walk(top: Path) -> Iterator[tuple[Path, list[str]]]:
    for directory, below, files in os.walk(top):
        below[:] = sorted(d for d in below if not d.startswith(".") and d not in PASSED_BY)
        yield Path(directory), files


def _own(one: KustomizationFile) -> list[Path]:
    return [one.file, *(path for path in one.included() if path.is_file())]


def _words(file: Path) -> frozenset[str]:
    """Return the words in a file that may be names."""
    try:
        content = read_file(file, name=str(file), key="")
    except KrmfnError:
        return frozenset()
    return frozenset(_NAME.findall(content.decode(errors="replace")))


def _read(file: Path) -> KustomizationFile | None:
    try:
        content = read_file(file, name=str(file), key="")
        value = strict.load(content, str(file))
    except KrmfnError:
        return None
    return KustomizationFile(file, content.decode(), value) if isinstance(value, dict) else None
