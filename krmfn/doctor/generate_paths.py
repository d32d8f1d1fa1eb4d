"""Check that Argo CD generates an overlay again when a shared file of krmfn's changes.

With ``argocd.argoproj.io/manifest-generate-paths`` Argo CD generates an Application only after a
change below the paths that the annotation names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.doctor.diagnosis import Diagnosis
from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import Failure
from krmfn.files.read import Place, read_file
from krmfn.kustomize.checkout import files_below
from krmfn.kustomize.reach import reach
from krmfn.objects.kinds import annotations_of, each, kind_of, place_of
from krmfn.plan.estate import FILE
from krmfn.spec.sealing import FileCertificate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from krmfn.doctor.diagnosis import Patient
    from krmfn.plan.make import Plan
    from krmfn.sealing.job import Job

ANNOTATION = "argocd.argoproj.io/manifest-generate-paths"


def check_paths(patient: Patient, plans: Sequence[tuple[Plan, Job]]) -> Iterator[Diagnosis]:
    """Yield a warning for each Application of the overlay whose annotation leaves out an input.

    Raises:
        Failure: the overlay cannot be read.
    """
    root = patient.root
    if not (root / FILE).exists():
        return
    needed = sorted(_inputs(patient, plans))
    for name, directory, paths in _applications(root):
        if directory != patient.directory.resolve():
            continue
        missing = [one for one in needed if not any(one.is_relative_to(path) for path in paths)]
        if missing:
            names = ", ".join("/" + one.relative_to(root).as_posix() for one in missing)
            yield Diagnosis(
                "generate-paths",
                "warning",
                name,
                f"a change of {names} does not generate the Application again",
                f"{ANNOTATION} does not name it",
                f"add {names} to the annotation, separated by ;",
            )
        else:
            yield Diagnosis("generate-paths", "ok", name, "its annotation names every shared file")


def _inputs(patient: Patient, plans: Sequence[tuple[Plan, Job]]) -> set[Path]:
    """Return `.krmfn.yaml`, the shared folders of functions, and the certificates of an overlay."""
    directory, root = patient.directory.resolve(), patient.root
    reached = reach(Place(directory, root)).kustomizations[directory]
    found = {root / FILE, *(one.directory for one in reached.entries if one.directory is not None)}
    for plan, job in plans:
        certificate = plan.sealing.certificate
        if isinstance(certificate, FileCertificate):
            found.add((job.access.place.base / certificate.file).resolve())
    return {one for one in found if one.is_relative_to(root)}


def _applications(root: Path) -> Iterator[tuple[str, Path, list[Path]]]:
    """Yield name, directory and watched paths of each Application with the annotation."""
    for file in files_below(root, (".yaml", ".yml")):
        try:
            content = read_file(file, name=file.name, key="", root=root)
            if ANNOTATION.encode() not in content:
                continue
            documents = list(strict.documents(content, file.name))
            values = [value for one in documents for _, value in each(one.value())]
        except Failure:
            continue  # somebody else's file
        for value in values:
            watched = annotations_of(value).get(ANNOTATION)
            if kind_of(value) != "Application" or not isinstance(watched, str):
                continue
            spec = mapping(value.get("spec"))
            for source in (spec.get("source"), *sequence(spec.get("sources"))):
                if isinstance(path := mapping(source).get("path"), str):
                    directory = _normal(root / path)
                    paths = [_watched(one.strip(), root, directory) for one in watched.split(";")]
                    yield f"Application/{place_of(value).name}", directory, paths


def _watched(path: str, root: Path, directory: Path) -> Path:
    """Return the directory or file of a path: absolute from the root, else from the source's path."""
    return _normal(root / path.lstrip("/") if path.startswith("/") else directory / path)


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))
