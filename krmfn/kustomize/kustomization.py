"""Facts about the calling kustomization, from a function's working directory.

kustomize tells a function nothing of the overlay, and applies ``namespace:``, ``namePrefix:`` and
``nameSuffix:`` after generators have run. The file itself says what will happen.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.strict import mapping
from krmfn.errors import KrmfnError, SpecError
from krmfn.files.read import read_repository_file
from krmfn.names import API_VERSION
from krmfn.objects.kinds import each

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MAX_DEPTH = 8  # of directories that list directories
LISTS = ("generators", "transformers", "validators")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Listed:
    """A krmfn configuration that the kustomization lists.

    Attributes:
        list: ``generators``, ``transformers`` or ``validators``.
        file: the entry as written, or empty if it is inline.
    """

    list: str
    file: str
    kind: str
    name: str


@dataclass(frozen=True)
class Kustomization:
    """The facts of one kustomization; all empty if there is none."""

    file: str = ""
    namespace: str = ""
    name_prefix: str = ""
    name_suffix: str = ""
    listed: tuple[Listed, ...] = field(default=())

    def file_of(self, kind: str, name: str) -> str:
        """Return the file of a configuration, if exactly one listed file contains it."""
        files = {e.file for e in self.listed if (e.kind, e.name) == (kind, name) and e.file}
        return files.pop() if len(files) == 1 else ""

    def check_list(self, kind: str, name: str, allowed: str) -> None:
        """Refuse a configuration in a list where kustomize cannot use it.

        Raises:
            SpecError: it is in another list only, or is the second one of its kind.
        """
        lists = {e.list for e in self.listed if (e.kind, e.name) == (kind, name)}
        if lists and allowed not in lists:
            raise SpecError(
                "wrong-list",
                f"listed under {', '.join(sorted(lists))}: of {self.file}",
                expected=f"{allowed}:",
                remedy=f"move the entry to {allowed}:",
            )
        same = sorted({e.name for e in self.listed if e.kind == kind and e.list == allowed})
        # Each would emit the skip marker, and two of the same name are one too many.
        if allowed != "validators" and len(same) > 1:
            raise SpecError(
                "wrong-list",
                f"{self.file} lists several {allowed} of krmfn: {', '.join(same)}",
                expected="one, with any number of secrets",
                remedy="put their secrets into one",
            )


def read_overlay(directory: Path, root: Path) -> Kustomization:
    """The kustomization in ``directory``, or an empty `Kustomization` when there is none.

    Raises:
        SpecError: it is there and cannot be read.
    """
    for file in FILE_NAMES:
        if (directory / file).is_file():
            content = read_repository_file(file, base=directory, root=root, key="")
            value = strict.load(content, file)
            break
    else:
        return Kustomization()
    if not isinstance(value, dict):
        raise SpecError("file", f"{file} is not an object")
    namespace = _string(value, "namespace")
    if namespace and not NAMESPACE.fullmatch(namespace):
        raise SpecError("spec", f"namespace of {file} is not a namespace's name")
    return Kustomization(
        file=file,
        namespace=namespace,
        name_prefix=_string(value, "namePrefix"),
        name_suffix=_string(value, "nameSuffix"),
        listed=tuple(_listed(value, directory, root)),
    )


def _string(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _listed(value: dict[str, Any], directory: Path, root: Path) -> Iterator[Listed]:
    """Yield krmfn's configurations in the lists of functions; skip unreadable entries."""
    for name in LISTS:
        for file, config in _configs(value.get(name), directory, root, "", MAX_DEPTH):
            metadata = config.get("metadata")
            own = metadata.get("name") if isinstance(metadata, dict) else ""
            yield Listed(name, file, str(config.get("kind")), str(own))


def _configs(
    entries: Any, directory: Path, root: Path, prefix: str, depth: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Our configs behind the entries of a list, with their files: inline, in files, in directories."""
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, str):
            continue
        try:
            inline = list(_in_text(entry))
            if inline or "\n" in entry:
                yield from (("", config) for config in inline)
            elif (directory / entry).is_file():
                text = read_repository_file(entry, base=directory, root=root, key="")
                file = os.path.normpath(prefix + entry)
                yield from ((file, config) for config in _in_text(text))
            elif depth and (inner := kustomization_in(directory / entry)) is not None:
                text = read_repository_file(inner.name, base=inner.parent, root=root, key="")
                listed = mapping(strict.load(text, inner.name)).get("resources")
                below = f"{prefix}{entry.rstrip('/')}/"
                yield from _configs(listed, inner.parent, root, below, depth - 1)
        except (KrmfnError, OSError, ValueError):
            continue


def kustomization_in(directory: Path) -> Path | None:
    """The kustomization of a directory; None when there is none."""
    return next((directory / f for f in FILE_NAMES if (directory / f).is_file()), None)


def _in_text(text: str | bytes) -> Iterator[dict[str, Any]]:
    """Our configs in a YAML stream, also inside a ``List``."""
    for document in strict.documents(text, ""):
        for _, one in each(document.value()):
            if one.get("apiVersion") == API_VERSION:
                yield one
