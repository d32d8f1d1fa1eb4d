"""Interrupted or terminated at any moment, a command has written everything or nothing.

Aborted, it leaves no core file.
"""

from __future__ import annotations

import http.server
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import repository as repo
from tests.support.function import KEYS, Project, config
from tests.support.https import serving
from tests.support.moments import Command, End, moments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.support.openbao import OpenBao

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
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


IMPORT = ["import", "secret", "in.yaml", "--write-values", "--output", "claims.yaml"]


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
    return Command(place, [*IMPORT, "--config", "config.yaml"], made.environ)


def import_into_a_vault(place: Path, openbao: OpenBao) -> Command:
    """Two Secrets: both are stored, or neither."""
    place.mkdir()
    secrets = [
        {**SECRET, "metadata": {"name": name, "namespace": "moments"}} for name in ("one", "two")
    ]
    (place / "in.yaml").write_text("\n---\n".join(map(json.dumps, secrets)))
    paths = ("moments/one", "moments/two")
    return Command(place, IMPORT, openbao.environ, vault=paths)


def fetch_certificate(place: Path, authority: tuple[str, Path]) -> Command:
    """Into directories that are not there yet."""
    url, ca = authority
    place.mkdir()
    arguments = ["cert", "fetch", "--url", f"{url}/v1/cert.pem", "--output", "certs/new/c.pem"]
    return Command(place, arguments, {"SSL_CERT_FILE": str(ca)})


def refetch_certificate(place: Path, authority: tuple[str, Path]) -> Command:
    """In place of an earlier one."""
    command = fetch_certificate(place, authority)
    (place / "c.pem").write_text("the one before\n")
    return replace(command, arguments=[*command.arguments[:-1], "c.pem"])


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a controller's certificate, and the CA of that server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (KEYS / "current.crt").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "authority").mkdir()
    with serving(tmp_path / "authority", Handler) as served:
        yield served


def audit(place: Path) -> Command:
    return Command(place, ["audit", "o1"], generated(place).environ)


def graph(place: Path) -> Command:
    return Command(place, ["graph", "o1"], generated(place).environ)


# With the fixture that each needs.
QUICK: dict[Callable[..., Command], tuple[str, ...]] = {
    rotate: (),
    age_init: (),
    age_set: (),
    import_values: (),
    import_into_a_vault: ("openbao",),
    fetch_certificate: ("authority",),
    refetch_certificate: ("authority",),
}
BUILDING: dict[Callable[..., Command], tuple[str, ...]] = {
    build: (),
    init: (),
    audit: (),
    graph: (),
}
NEEDS = QUICK | BUILDING


@pytest.fixture
def command(request: pytest.FixtureRequest, tmp_path: Path) -> Command:
    """The command of a function above."""
    make: Callable[..., Command] = request.param
    return make(tmp_path / "folder", *map(request.getfixturevalue, NEEDS[make]))


def of(makers: Iterable[Callable[..., Command]]) -> pytest.MarkDecorator:
    """Run a test with each of the commands."""
    return pytest.mark.parametrize("command", makers, indirect=True, ids=lambda one: one.__name__)


def judge(ends: list[End], before: dict[str, str]) -> None:
    """Everything with 0, or nothing with the signal's code; nothing is left either way."""
    whole, *others = ends
    assert whole.code == 0, whole.error
    assert whole.left == []
    assert whole.events > 0
    assert [end.open for end in ends] == [0] * len(ends)
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


@of(QUICK)
def test_a_moment_in_the_middle(command: Command, tmp_path: Path) -> None:
    """One signal, amid the writing."""
    before = held(command.folder)
    judge(moments(command, tmp_path / "work", [signal.SIGTERM], [-1]), before)


@pytest.mark.process
@of(QUICK)
def test_every_moment(command: Command, tmp_path: Path) -> None:
    """Both signals before each event."""
    before = held(command.folder)
    judge(moments(command, tmp_path / "work", BOTH), before)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("most", [12, pytest.param(0, id="all", marks=pytest.mark.e2e)])
@of(BUILDING)
def test_moments_of_a_build(command: Command, most: int, tmp_path: Path) -> None:
    """Both signals at moments over the whole run, in the private folder and in the result."""
    before = held(command.folder)
    judge(moments(command, tmp_path / "work", BOTH, most=most), before)


@pytest.mark.process
@of(NEEDS)
def test_an_abort_leaves_no_core(command: Command, tmp_path: Path) -> None:
    """Amid the work of every command, though the machine would write a core file."""
    whole, end = moments(command, tmp_path / "work", [signal.SIGABRT], [-1])
    assert end.code == -signal.SIGABRT
    assert whole.open == end.open == 0
    assert [name for name in end.files if Path(name).name.startswith("core")] == []


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_a_core_would_be_seen(tmp_path: Path) -> None:
    """Another program that is aborted in the same way leaves one, where the machine lets it."""
    limit = 'ulimit -S -c "$(ulimit -H -c)" && ulimit -c && kill -ABRT $$'
    done = subprocess.run(
        ["sh", "-c", limit], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGABRT
    if done.stdout == "0\n" or "/" in (pattern := CORE_PATTERN.read_text()) or pattern[0] == "|":
        pytest.skip("core files go elsewhere, or nowhere")
    assert list(tmp_path.glob("core*")) != []
