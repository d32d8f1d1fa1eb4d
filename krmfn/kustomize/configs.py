"""krmfn's objects in the files of an overlay, each with the position to change it.

Rules enforced here: only what the overlay reaches is looked at, and nothing outside the repository;
paths in a configuration are relative to the kustomization that lists it, wherever its file is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.files.read import Place, find_root, read_file
from krmfn.kustomize.kustomization import LISTS
from krmfn.kustomize.patches import patches
from krmfn.kustomize.reach import reach
from krmfn.names import API_VERSION, CLAIM
from krmfn.objects.kinds import each, kind_of, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from krmfn.kustomize.patches import Patch
    from krmfn.kustomize.reach import Tree


@dataclass(frozen=True)
class Config:
    """One krmfn object.

    Attributes:
        file: the file that contains it, links followed.
        base: the directory of the kustomization that lists it.
        number: of its document in the file.
        above: the path to it in the document, for an item of a List.
        inline: its path, if it is in the kustomization itself.
    """

    file: Path
    base: Path
    number: int
    above: tuple[str | int, ...]
    document: strict.Document
    value: dict[str, Any]
    inline: str = ""

    @property
    def kind(self) -> str:
        """Its kind."""
        return kind_of(self.value, self.document.name)

    @property
    def name(self) -> str:
        """Its name."""
        return place_of(self.value, self.document.name).name

    def where(self, path: tuple[str | int, ...] = ()) -> str:
        """Return file, line and column of the value at ``path``."""
        at = self.document.position((*self.above, *path))
        return self.inline or f"{self.document.name}:{at.line}:{at.column}"

    def get(self, *path: str | int) -> Any:
        """The value at ``path``, or None."""
        value: Any = self.value
        for step in path:
            try:
                value = value[step]
            except (LookupError, TypeError):
                return None
        return value


@dataclass
class OverlayConfigs:
    """One overlay's objects and patches.

    Attributes:
        renames: whether any of its kustomizations adds a prefix or suffix to names.
        texts: of the files that were read, by path.
    """

    directory: Path
    root: Path
    configs: list[Config] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    renames: bool = False
    texts: dict[Path, str] = field(default_factory=dict)

    def read(self, path: Path) -> str:
        """The text of a file of the repository.

        Raises:
            SpecError: it cannot be read, is outside, or not UTF-8.
        """
        resolved = path.resolve()
        if resolved not in self.texts:
            content = read_file(path, name=self.short(path), key="", root=self.root)
            try:
                self.texts[resolved] = content.decode()
            except UnicodeDecodeError:
                raise SpecError("yaml", "not YAML in UTF-8", where=self.short(path)) from None
        return self.texts[resolved]

    def short(self, path: Path) -> str:
        """Return a path relative to the repository's root."""
        for known in (path, path.resolve()):
            if known.is_relative_to(self.root):
                return known.relative_to(self.root).as_posix()
        return str(path)


def find(directory: Path, environ: Mapping[str, str]) -> OverlayConfigs:
    """Find krmfn's objects in one overlay, or in one file such as that of `krmfn seal --config`.

    Raises:
        SpecError: it cannot be read, or contains no krmfn object.
    """
    base = directory.parent if directory.is_file() else directory
    root = find_root(base, environ)
    found = OverlayConfigs(directory, root)
    if directory.is_file():
        short, file = found.short(directory.resolve()), directory.resolve()
        objects = _objects(found.read(file), short, file, base.resolve())
        found.configs += [one for one in objects if one.value.get("apiVersion") == API_VERSION]
    elif directory.is_dir():
        _kustomizations(found, reach(Place(directory, root), old=False))
    else:
        raise SpecError("file", f"{directory} is not there")
    if not found.configs:
        raise SpecError("input", "there is no krmfn configuration", where=str(directory))
    return found


def _kustomizations(found: OverlayConfigs, tree: Tree) -> None:
    """Collect the entries of every reachable kustomization."""
    for base, reached in tree.kustomizations.items():
        value, text = reached.value, found.read(reached.file)
        document = strict.document(text, found.short(reached.file))
        inline = {(e.mention.field, e.mention.place) for e in reached.entries if e.is_inline}
        _patches(found, value, document, base)
        found.renames = found.renames or bool(value.get("namePrefix") or value.get("nameSuffix"))
        for name in (*LISTS, "resources"):
            for number, entry in enumerate(value.get(name) or []):
                at = document.position((name, number))
                where = f"{document.name}:{at.line}:{at.column}"
                functions = name in LISTS
                if (name, number) in inline:
                    objects = _objects(entry, where, base, base, inline=where)
                else:
                    objects = _entry(found, tree, base, base / entry, functions=functions)
                for config in objects:
                    if config.value.get("apiVersion") == API_VERSION:
                        # Other kinds are no resources: they stand in a directory of functions.
                        if functions or config.kind == CLAIM:
                            found.configs.append(config)
                    elif functions:
                        _patches(found, config.value, config.document, base)


def _patches(
    found: OverlayConfigs, value: dict[str, Any], document: strict.Document, base: Path
) -> None:
    found.patches += patches(value, document, lambda name: found.read(base / name))


def _entry(
    found: OverlayConfigs,
    tree: Tree,
    base: Path,
    path: Path,
    *,
    functions: bool,
) -> Iterator[Config]:
    """The objects behind an entry of a directory's list: in a file or in a directory.

    Args:
        functions: whether it is a list of functions.
    """
    if path.is_file():
        text = found.read(path)
        if functions or API_VERSION in text:  # other people's resources are left unread
            yield from _objects(text, found.short(path), path.resolve(), base)
    elif functions:
        inner = path.resolve()
        for name in tree.kustomizations[inner].value.get("resources") or []:
            yield from _entry(found, tree, base, inner / name, functions=True)


def _objects(text: str, name: str, file: Path, base: Path, inline: str = "") -> Iterator[Config]:
    for number, document in enumerate(strict.documents(text, name)):
        for above, value in each(document.value()):
            yield Config(file, base, number, above, document, value, inline)
