"""Find where Flux and Argo CD deploy a directory, according to the repository's own files.

Rules enforced here: a Flux Kustomization's ``targetNamespace`` and an Argo CD Application's
destination count for the directory that they name, an ApplicationSet's for the directories that its
git generators find; what only another tool could fill in (``${…}``, ``{{…}}``) says nothing.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import KrmfnError
from krmfn.files.read import read_file
from krmfn.kustomize.checkout import files_below
from krmfn.kustomize.kustomization import NAMESPACE, kustomization_in
from krmfn.objects.kinds import each

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FLUX, ARGOCD = "kustomize.toolkit.fluxcd.io/", "argoproj.io/"
_SPEAKS = re.compile(
    rb"(?m)^[\"']?kind[\"']?:\s*[\"']?(Kustomization|Application|ApplicationSet)\b"
)
_FIELD = re.compile(r"\{\{\s*\.?([\w.\[\]]+)\s*\}\}")


@dataclass(frozen=True)
class Destination:
    """A namespace to which a directory is deployed.

    Attributes:
        by: who says so: ``Kind/name in FILE``.
        over: it replaces the ``namespace:`` of the kustomization.
    """

    namespace: str
    by: str
    over: bool = False


def destinations(root: Path) -> dict[Path, list[Destination]]:
    """Return every deployed directory below ``root`` with its namespaces; each namespace once."""
    found: dict[Path, dict[str, Destination]] = defaultdict(dict)
    for file in files_below(root, (".yaml", ".yml")):
        short = file.relative_to(root).as_posix()
        for value in _documents(file, short):
            by = f"{value['kind']}/{mapping(value.get('metadata')).get('name')} in {short}"
            for path, namespace, over in _said(value, root):
                if isinstance(path, str) and NAMESPACE.fullmatch(str(namespace)):
                    directory = Path(os.path.normpath(root / path.lstrip("/")))
                    found[directory].setdefault(namespace, Destination(namespace, by, over))
    return {directory: list(said.values()) for directory, said in found.items()}


def _documents(file: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of Flux and Argo CD in a file; none if it is not plain YAML."""
    try:
        content = read_file(file, name=name, key="")
        if not _SPEAKS.search(content):
            return
        for document in strict.documents(content, name):
            for _, value in each(document.value()):
                version = str(value.get("apiVersion"))
                if version.startswith((FLUX, ARGOCD)) and isinstance(value.get("kind"), str):
                    yield value
    except KrmfnError:
        return


def _said(value: dict[str, Any], root: Path) -> Iterator[tuple[Any, Any, bool]]:
    """Yield (path, namespace, forced) for each source of the object."""
    spec = mapping(value.get("spec"))
    kind = value["kind"]
    if value["apiVersion"].startswith(FLUX):
        if kind == "Kustomization":
            yield spec.get("path"), spec.get("targetNamespace"), True
    elif kind == "Application":
        yield from _application(spec, {})
    elif kind == "ApplicationSet":
        template = mapping(mapping(spec.get("template")).get("spec"))
        for generator in sequence(spec.get("generators")):
            for facts in _generated(mapping(generator), root):
                yield from _application(template, facts)


def _application(spec: dict[str, Any], facts: Mapping[str, str]) -> Iterator[tuple[Any, Any, bool]]:
    destination = mapping(spec.get("destination")).get("namespace")
    for one in (spec.get("source"), *sequence(spec.get("sources"))):
        source = mapping(one)
        forced = mapping(source.get("kustomize")).get("namespace")
        namespace = _filled(forced or destination, facts)
        yield _filled(source.get("path"), facts), namespace, bool(forced)


def _generated(generator: dict[str, Any], root: Path) -> Iterator[Mapping[str, str]]:
    """Yield the parameters from an ApplicationSet's list and git generators."""
    for element in sequence(mapping(generator.get("list")).get("elements")):
        yield {k: v for k, v in mapping(element).items() if isinstance(v, str)}
    taken: dict[bool, set[Path]] = {True: set(), False: set()}
    for one in sequence(mapping(generator.get("git")).get("directories")):
        pattern = mapping(one).get("path")
        if isinstance(pattern, str) and pattern and not pattern.startswith("/"):
            taken[mapping(one).get("exclude") is True] |= set(root.glob(pattern))
    for directory in sorted(taken[False] - taken[True]):
        if kustomization_in(directory) is not None:
            path, name = directory.relative_to(root).as_posix(), directory.name
            facts = {"path": path, "path.path": path, "path.basename": name}
            yield facts | {f"path[{n}]": part for n, part in enumerate(path.split("/"))}


def _filled(text: Any, facts: Mapping[str, str]) -> Any:
    """Fill a template's fields in; an unknown field stays, so the result matches nothing."""
    if not isinstance(text, str):
        return text
    return _FIELD.sub(lambda field: facts.get(field[1], field[0]), text)
