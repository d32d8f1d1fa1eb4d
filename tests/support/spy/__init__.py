"""A script in kustomize's place, which may open any file: to look at a build from inside."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def spy(folder: Path, script: str) -> dict[str, str]:
    """Write a shell script, and return the environment in which krmfn calls it for kubectl.

    It lacks all that kustomize lacks but for Landlock's restriction of files.
    """
    file = folder / "kubectl-spy"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return {"KRMFN_KUSTOMIZE": str(file), "PYTHONPATH": f"{HERE / 'site'}:{ROOT}"}


def without_filter() -> dict[str, str]:
    """The environment in which krmfn has a launcher without a filter of system calls."""
    return {"PYTHONPATH": f"{HERE / 'without_filter'}:{ROOT}"}
