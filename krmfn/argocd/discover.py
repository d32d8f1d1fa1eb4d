"""Detect whether a kustomization uses krmfn, for Argo CD's plugin discovery.

Rules enforced here: nothing is run and nothing outside the repository is read; what cannot be read
is not krmfn's to complain about, it is noted and passed over; the search ends at `MAX_FILES` files
and `MAX_BYTES` bytes. It runs for every application that names no plugin, so it imports little.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.documents import strict
from krmfn.documents.strict import mapping
from krmfn.errors import KrmfnError
from krmfn.files.read import read_file
from krmfn.kustomize.kustomization import FILE_NAMES, LISTS
from krmfn.objects.kinds import each, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "krmfn.dev/"
DIRECTORIES = ("resources", "bases", "components")
MAX_FILES = 2_000
MAX_BYTES = 64 * 1024 * 1024


@dataclass
class Search:
    """One search.

    Attributes:
        root: the repository's root, resolved.
        notes: what was passed over, and why; one line each.
    """

    root: Path
    notes: list[str] = field(default_factory=list)
    _seen: set[Path] = field(default_factory=set)
    _bytes: int = 0

    def first_use(self, directory: Path) -> str:
        """Return the first krmfn object that ``directory`` reaches, as ``path: kind``, or nothing.

        Its own kustomization comes before those below it.
        """
        waiting = [directory.resolve()]
        while waiting:
            place = waiting.pop(0)
            if place in self._seen or not place.is_relative_to(self.root):
                continue
            if len(self._seen) >= MAX_FILES or self._bytes > MAX_BYTES:
                self._note(place, "the search ends here: too much to read")
                return ""
            self._seen.add(place)
            try:
                for path, kind in self._kustomization(place, waiting):
                    return f"{self._short(path)}: {kind}"
            except (KrmfnError, OSError, RecursionError) as error:
                self._note(place, error.line() if isinstance(error, KrmfnError) else "unreadable")
        return ""

    def _kustomization(self, place: Path, waiting: list[Path]) -> Iterator[tuple[Path, str]]:
        """Find krmfn objects in or beside the kustomization of a directory; queue the rest."""
        if not place.is_dir():
            yield from self._objects(place)
            return
        file = next((place / name for name in FILE_NAMES if (place / name).is_file()), None)
        if file is None:
            return
        value = mapping(strict.load(self._read(file), self._short(file)))
        for name in (*LISTS, *DIRECTORIES):
            entries = value.get(name)
            for entry in entries if isinstance(entries, list) else ():
                if not isinstance(entry, str):
                    continue
                if "\n" in entry or "{" in entry:
                    yield from ((file, kind) for kind in _kinds(entry.encode(), self._short(file)))
                else:
                    path = Path(os.path.normpath(place / entry))
                    # Remote bases are no paths, and are not followed.
                    if path.exists():
                        waiting.append(path.resolve())

    def _objects(self, file: Path) -> Iterator[tuple[Path, str]]:
        for kind in _kinds(self._read(file), self._short(file)):
            yield file, kind

    def _read(self, file: Path) -> bytes:
        content = read_file(file, name=self._short(file), key="", root=self.root)
        self._bytes += len(content)
        return content

    def _short(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else path.name

    def _note(self, place: Path, text: str) -> None:
        self.notes.append(f"{self._short(place)}: {text}")


def _kinds(content: bytes, name: str) -> Iterator[str]:
    """Yield krmfn's kinds in a YAML stream; a stream that does not name the group is not parsed."""
    if GROUP.encode() not in content:
        return
    for document in strict.documents(content, name):
        for _, one in each(document.value()):
            if str(one.get("apiVersion")).startswith(GROUP):
                yield kind_of(one, name)
