"""Interrupted or terminated at any moment, a command has written everything or nothing."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import repository as repo
from tests.support.function import KEYS, Project, config
from tests.support.moments import Command, End, moments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOTH = [signal.SIGINT, signal.SIGTERM]
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a"},
    "spec": {
        "containers": [{"name": "a", "image": "a", "envFrom": [{"secretRef": {"name": "db"}}]}]
    },
}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "new", "namespace": "shop"},
    "stringData": {"password": "s3cret"},
}


def project(place: Path) -> Project:
    """A repository with an age store."""
    place.mkdir()
    made = Project(place)
    made.write({"app": {"x": "value"}})
    return made


def overlay(place: Path, namespace: str, **lists: Any) -> None:
    repo.write(place / "kustomization.yaml", {"namespace": namespace, **lists})


def generated(place: Path) -> Project:
    """Two overlays with a generator each."""
    made = project(place)
    for name in ("o1", "o2"):
        overlay(place / name, "production", generators=["gen.yaml"])
        value = config(store={"age": {"file": "s.age"}})
        value["metadata"]["annotations"] = {"config.kubernetes.io/function": repo.EXEC}
        repo.write(place / name / "gen.yaml", value)
        for file in ("s.age", "c.pem"):
            (place / name / file).write_bytes((place / file).read_bytes())
    return made


def build(place: Path) -> Command:
    made = generated(place)
    arguments = ["build", "o1", "o2", "--output", "rendered/deep"]
    return Command(place, arguments, made.environ)


def init(place: Path) -> Command:
    place.mkdir()
    (place / ".git").mkdir()
    (place / "c.crt").write_bytes((KEYS / "current.crt").read_bytes())
    for name in ("o1", "o2"):
        repo.write(place / name / "pod.yaml", POD)
        overlay(place / name, f"ns-{name}", resources=["pod.yaml"])
    return Command(place, ["init", "--yes", "--certificate", "c.crt"])


def rotate(place: Path) -> Command:
    made = generated(place)
    return Command(place, ["rotate", "epoch", "o1", "o2"], made.environ)


def age_init(place: Path) -> Command:
    place.mkdir()
    return Command(place, ["age", "init", "s.age", "--identity", "deep/er/id", "--unbound"])


def age_set(place: Path) -> Command:
    made = project(place)
    return Command(place, ["age", "set", "s.age", "app", "y"], made.environ, stdin="new")


def import_values(place: Path) -> Command:
    made = project(place)
    (place / "in.yaml").write_text(json.dumps(SECRET))
    value = {
        "apiVersion": repo.API,
        "kind": "SealedSecretTransformer",
        "metadata": {"name": "t"},
        "spec": {"stores": {"main": {"age": {"file": "s.age"}}}},
    }
    (place / "config.yaml").write_text(json.dumps(value))
    arguments = ["import", "secret", "in.yaml", "--config", "config.yaml", "--write-values"]
    return Command(place, [*arguments, "--output", "claims.yaml"], made.environ)


def audit(place: Path) -> Command:
    return Command(place, ["audit", "o1"], generated(place).environ)


def graph(place: Path) -> Command:
    return Command(place, ["graph", "o1"], generated(place).environ)


QUICK = [rotate, age_init, age_set, import_values]
BUILDING = [build, init, audit, graph]


def judge(ends: list[End], before: dict[str, str]) -> None:
    """Everything with 0, or nothing with the signal's code; nothing is left either way."""
    whole, *others = ends
    assert whole.code == 0, whole.error
    assert whole.left == []
    assert whole.events > 0
    changed = {name for name in whole.files if whole.files[name] != before.get(name)}
    for number, end in enumerate(others):
        where = f"moment {number}: signal {end.number}, exit {end.code}: {end.error}"
        assert end.left == [], where
        assert "Traceback" not in end.error, where
        if end.files == before and end.code != 0:
            assert end.code == 128 + end.number, where
            continue
        assert end.code == 0, where
        assert end.files.keys() == whole.files.keys(), where
        assert all(end.files[name] != before.get(name) for name in changed), where


def held(folder: Path) -> dict[str, str]:
    return {
        str(f.relative_to(folder)): f.read_bytes().hex() for f in folder.rglob("*") if f.is_file()
    }


@pytest.mark.parametrize("make", QUICK)
def test_a_moment_in_the_middle(make: Callable[[Path], Command], tmp_path: Path) -> None:
    """One signal, amid the writing."""
    command = make(tmp_path / "folder")
    before = held(command.folder)
    judge(moments(command, tmp_path / "work", [signal.SIGTERM], [-1]), before)


@pytest.mark.process
@pytest.mark.parametrize("make", QUICK)
def test_every_moment(make: Callable[[Path], Command], tmp_path: Path) -> None:
    """Both signals before each event."""
    command = make(tmp_path / "folder")
    before = held(command.folder)
    judge(moments(command, tmp_path / "work", BOTH), before)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("make", BUILDING)
def test_moments_of_a_build(make: Callable[[Path], Command], tmp_path: Path) -> None:
    """Both signals at moments over the whole run, in the private folder and in the result."""
    command = make(tmp_path / "folder")
    before = held(command.folder)
    judge(moments(command, tmp_path / "work", BOTH, most=12), before)
