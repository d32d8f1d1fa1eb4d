"""Checks of the programs that a build needs: kustomize, and the starters of krmfn.

Rules enforced here: no program of the repository is started, kustomize alone, and only for its
version, with an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.build.validate import FUNCTIONS
from krmfn.doctor.diagnosis import Diagnosis
from krmfn.documents import strict
from krmfn.documents.strict import mapping
from krmfn.errors import Failure, KrmfnError
from krmfn.kustomize import configs
from krmfn.kustomize.functions import FUNCTION_ANNOTATIONS
from krmfn.names import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from krmfn.doctor.diagnosis import Patient
    from krmfn.kustomize.configs import Config

OLDEST = (5, 0, 3)
_VERSION = re.compile(r"\bv?(\d+)\.(\d+)\.(\d+)")
_SECONDS = 10.0


def kustomize(command: tuple[str, ...]) -> Diagnosis:
    """Check that the build command is new enough."""
    program = command[0]
    # kubectl says its own version too, and only as JSON which one kustomize's is.
    is_kubectl = command[1] == "kustomize"
    arguments = ["version", *(["--client", "-o", "json"] if is_kubectl else [])]
    try:
        done = subprocess.run(  # noqa: S603  # no shell
            [program, *arguments],
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except OSError as error:
        reason = (error.strerror or "failed").lower()
        return Diagnosis("kustomize", "error", program, f"it does not run: {reason}", fix=_NEWER)
    except subprocess.TimeoutExpired:
        return Diagnosis("kustomize", "error", program, "it does not answer", fix=_NEWER)
    return judge_version(program, done.stdout.decode(errors="replace"), kubectl=is_kubectl)


def sandbox(held: Sequence[str], *, governed: bool, required: bool) -> Diagnosis:
    """Judge the kernel's protections for a build. Pure.

    Args:
        held: as `krmfn.build.sandbox.confinement` returns it.
        governed: there is a platform's policy.
        required: it refuses to build without the filter.
    """
    if "seccomp" in held:
        text = "kustomize runs without network, and opens no file but its own"
        if "landlock" not in held:
            text = "kustomize runs without network; the kernel has no Landlock, so it can read other files"
        return Diagnosis("sandbox", "ok", "the kernel", text)
    cause = "this system has no filter of system calls, so that kustomize keeps the network"
    if required:
        fix = "build on Linux (x86-64, arm64), or set sandbox: best-effort in the PlatformConfig"
        evidence = "the policy refuses to build without it"
        return Diagnosis("sandbox", "error", "the kernel", cause, evidence, fix)
    evidence = "sandbox: best-effort" if governed else "no policy requires it"
    fix = "build repositories that you do not trust on Linux (x86-64, arm64)"
    return Diagnosis("sandbox", "warning", "the kernel", cause, evidence, fix)


_NEWER = "install kustomize 5.0.3 or newer, or name one in KRMFN_KUSTOMIZE"


def judge_version(program: str, output: str, *, kubectl: bool) -> Diagnosis:
    """Judge the output of `kustomize version` or `kubectl version --client -o json`. Pure."""
    if kubectl:
        try:
            output = str(mapping(json.loads(output)).get("kustomizeVersion"))
        except ValueError:
            output = ""
    found = _VERSION.search(output)
    if found is None:
        cause = "it does not say which version of kustomize it is"
        return Diagnosis("kustomize", "warning", program, cause, fix=_NEWER)
    version = tuple(map(int, found.groups()))
    text = ".".join(map(str, version))
    if version < OLDEST:
        evidence = f"it says {text}; functions get their working directory right from 5.0.3 on"
        cause = f"kustomize {text} is too old"
        return Diagnosis("kustomize", "error", program, cause, evidence, _NEWER)
    return Diagnosis("kustomize", "ok", program, f"kustomize {text}")


def functions(patient: Patient, plugin_home: Path) -> Iterator[Diagnosis]:
    """Check that each configuration's route is installed, and return its build command.

    A missing route is a warning, because `krmfn build` does not need it.
    """
    try:
        found = configs.find(patient.directory, patient.access.environ)
    except Failure:
        return  # what cannot be read, or is not there, is told by the overlay's checks
    kubectl_only = patient.command[1:] == ("kustomize",)
    for config in found.configs:
        if config.kind in FUNCTIONS:
            yield _function(config, patient, plugin_home, kubectl_only=kubectl_only)


def _function(
    config: Config, patient: Patient, plugin_home: Path, *, kubectl_only: bool
) -> Diagnosis:
    subject = f"{config.kind}/{config.name}"
    annotations = mapping(mapping(config.value.get("metadata")).get("annotations"))
    text = next((annotations[a] for a in FUNCTION_ANNOTATIONS if a in annotations), "")
    try:
        said = mapping(strict.load(str(text), subject)) if text else {}
    except KrmfnError as error:
        fix = f"correct {FUNCTION_ANNOTATIONS[0]}"
        return Diagnosis("function", "error", subject, error.message, config.where(), fix)
    if path := mapping(said.get("exec")).get("path"):
        return _exec(subject, str(path), config, patient, kubectl_only=kubectl_only)
    if container := mapping(said.get("container")):
        return _container(subject, container, patient)
    return _legacy(subject, config, patient, plugin_home)


def _build(patient: Patient, *flags: str, program: str = "kustomize build") -> str:
    return " ".join([program, "--enable-alpha-plugins", *flags, patient.name])


def _exec(
    subject: str, path: str, config: Config, patient: Patient, *, kubectl_only: bool
) -> Diagnosis:
    command = _build(patient, "--enable-exec")
    place = str(config.base / path) if "/" in path else path
    program = shutil.which(place, path=patient.access.environ.get("PATH"))
    if program is None:
        where = "there" if "/" in path else "on PATH"
        cause = f"the exec function {path} is not {where}, or is not a program"
        fix = f"put it there, or build with: krmfn build {patient.name}"
        return Diagnosis("function", "warning", subject, cause, config.where(), fix)
    if kubectl_only:
        cause = "kubectl kustomize leaves exec functions out, without a word"
        evidence = f"exec: {path} in {config.where()}, and only kubectl is here"
        fix = f"krmfn build {patient.name}, or install kustomize and: {command}"
        return Diagnosis("function", "warning", subject, cause, evidence, fix)
    return Diagnosis("function", "ok", subject, f"exec function {program}; build with: {command}")


def _container(subject: str, said: dict[str, object], patient: Patient) -> Diagnosis:
    network = ["--network"] if said.get("network") else []
    command = _build(patient, *network)
    if shutil.which("docker", path=patient.access.environ.get("PATH")) is None:
        cause = "it is run in a container, and there is no docker"
        fix = f"install docker or podman-docker, or: krmfn build {patient.name}"
        return Diagnosis("function", "warning", subject, cause, f"image {said.get('image')}", fix)
    return Diagnosis("function", "ok", subject, f"image {said.get('image')}; build with: {command}")


def _legacy(subject: str, config: Config, patient: Patient, plugin_home: Path) -> Diagnosis:
    link = plugin_home / API_VERSION / config.kind.lower() / config.kind
    command = _build(patient, program=" ".join([Path(patient.command[0]).name, patient.command[1]]))
    if not os.access(link, os.X_OK):
        cause = "it has no function annotation, and the legacy plugin is not installed"
        evidence = f"{link} is not a program"
        fix = f"krmfn install legacy-plugin, or build with: krmfn build {patient.name}"
        return Diagnosis("function", "warning", subject, cause, evidence, fix)
    return Diagnosis("function", "ok", subject, f"legacy plugin {link}; build with: {command}")
