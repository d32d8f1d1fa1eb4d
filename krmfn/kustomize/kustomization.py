"""Facts about the calling kustomization, from a function's working directory.

kustomize tells a function nothing of the overlay, and applies ``namespace:``, ``namePrefix:`` and
``nameSuffix:`` after generators have run. The file itself says what will happen.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.strict import mapping
from krmfn.errors import KrmfnError, SpecError
from krmfn.kustomize.overlay import Kustomization, Listed
from krmfn.names import API_VERSION
from krmfn.objects.kinds import each

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from krmfn.files.read import Place

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MAX_DEPTH = 8  # of directories that list directories
LISTS = ("generators", "transformers", "validators")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def read_overlay(place: Place) -> Kustomization:
    """The kustomization in ``place.base``, or an empty `Kustomization` when there is none.

    Raises:
        SpecError: it is there and cannot be read.
    """
    for file in FILE_NAMES:
        if (place.base / file).is_file():
            content = place.read(file, key="")
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
        listed=tuple(_listed(value, place)),
    )


def _string(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _listed(value: dict[str, Any], place: Place) -> Iterator[Listed]:
    """Yield krmfn's configurations in the lists of functions; skip unreadable entries."""
    for name in LISTS:
        for file, config in _configs(value.get(name), place, "", MAX_DEPTH):
            metadata = config.get("metadata")
            own = metadata.get("name") if isinstance(metadata, dict) else ""
            yield Listed(name, file, str(config.get("kind")), str(own))


def _configs(
    entries: Any, place: Place, prefix: str, depth: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Our configs behind the entries of a list, with their files: inline, in files, in directories."""
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, str):
            continue
        try:
            inline = list(_in_text(entry))
            if inline or "\n" in entry:
                yield from (("", config) for config in inline)
            elif (place.base / entry).is_file():
                text = place.read(entry, key="")
                file = os.path.normpath(prefix + entry)
                yield from ((file, config) for config in _in_text(text))
            elif depth and (inner := kustomization_in(place.base / entry)) is not None:
                text = place.at(inner.parent).read(inner.name, key="")
                listed = mapping(strict.load(text, inner.name)).get("resources")
                below = f"{prefix}{entry.rstrip('/')}/"
                yield from _configs(listed, place.at(inner.parent), below, depth - 1)
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
