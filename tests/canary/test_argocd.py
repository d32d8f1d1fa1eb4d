"""Nothing of a value gets from the plugin to Argo CD: its log at debug, its errors, children, files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import krmfn.argocd
from tests.canary.test_canary import CANARY, clean, watching
from tests.support import repository as repo
from tests.support.cmp_host import Application, Host, Reply, tarball
from tests.support.function import DERIVATION_KEY
from tests.support.platform import policy
from tests.support.spy import spy

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path(krmfn.argocd.__file__).with_name("plugin.yaml")
OVERLAY = "overlays/production"
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
KUBECTL = Path(sys.executable).parent / "kubectl"


@pytest.fixture
def environ(tmp_path: Path, installed: dict[str, str], openbao: OpenBao) -> dict[str, str]:
    """A sidecar's; its vault holds a canary in place of the value."""
    openbao.write("secret", "build/db", {"password": CANARY})
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    (tmp_path / "tmp").mkdir()
    return {
        "PATH": installed["PATH"],
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path / "tmp"),
        "KRMFN_KUSTOMIZE": str(KUBECTL),
        "KRMFN_DEBUG": "1",
        **policy(tmp_path / "platform", rule={"decoding": True, "templates": True}),
        **openbao.environ,
    }


class Files(threading.Thread):
    """Reads every file below a folder, again and again, while a call lasts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.seen, self.stop = folder, set[bytes](), threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            for file in (p for place in (self.folder, Path("/dev/shm")) for p in _files(place)):
                try:
                    self.seen.add(file.read_bytes())
                except OSError:
                    continue
            time.sleep(0.005)


def _files(place: Path) -> list[Path]:
    found = []
    for folder, _, names in os.walk(place):
        if place.name == "shm" and "krmfn-" not in folder:
            continue
        found += [Path(folder, name) for name in names]
    return [file for file in found if file.is_file()]


def generate(environ: dict[str, str], shop: Path, **app: Any) -> Reply:
    """A call; what children and files showed meanwhile is clean, and what came of it is too."""
    token = environ["VAULT_TOKEN"].encode()
    files = Files(Path(environ["TMPDIR"]))
    files.start()
    with watching() as seen:
        reply = Host(CONFIG, environ).call("generate", tarball(shop), Application(OVERLAY, **app))
    files.stop.set()
    files.join()
    clean("a command line or an environment", b"\n".join(seen))
    assert files.seen
    clean("a temporary file", b"\n".join(files.seen), token)
    clean("the reply and the log", repr(reply).encode(), token)
    clean("the reply and the log", json.dumps(reply.log).encode(), token)
    for line in (each for each in seen if b"KRMFN_CHANNEL" in each):
        assert token not in line
    return reply


def test_a_build_shows_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    """Log, manifests, children and temporary files of a build that works."""
    repo.repository(tmp_path / "shop")
    reply = generate(environ, tmp_path / "shop")
    assert reply.error == ""
    assert any("AgC" in one or "encryptedData" in one for one in reply.manifests)
    assert "encryptedData" in reply.logged("debug")


@pytest.mark.parametrize(
    ("data", "id_"),
    [
        ({"remoteRef": {"key": "build/db", "property": "gone"}}, "property-missing"),
        ({"remoteRef": {"key": "build/db"}}, "value-shape"),
        (
            {
                "remoteRef": {
                    "key": "build/db",
                    "property": "password",
                    "decodingStrategy": "Base64",
                }
            },
            "value",
        ),
        ({"remoteRef": {"key": "krmfn/derivation", "property": "key"}}, "policy-denied"),
    ],
)
def test_a_failure_shows_nothing(
    environ: dict[str, str], tmp_path: Path, data: dict[str, Any], id_: str
) -> None:
    """What the user interface shows of a build that fails on its value."""
    repo.repository(tmp_path / "shop")
    value = repo.claim()
    value["spec"]["data"] = [{"secretKey": "password", **data}]
    repo.write(tmp_path / "shop/base/claims.yaml", value)
    reply = generate(environ, tmp_path / "shop")
    assert reply.error.endswith(f"[{id_}]")


@pytest.mark.skipif(not CORE_PATTERN.exists(), reason="needs Linux")
def test_a_crash_leaves_no_memory(environ: dict[str, str], tmp_path: Path) -> None:
    """Aborted while it works, krmfn writes no core dump, though the machine would: limit and flag."""
    overlay = repo.repository(tmp_path / "shop")
    started = tmp_path / "started"
    script = f"echo $PPID > {started}.new\n/bin/mv {started}.new {started}\nexec /bin/sleep 600"

    running = subprocess.Popen(
        ["sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec krmfn build'],
        cwd=overlay,
        env={**environ, **spy(tmp_path, script)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not started.exists():
        assert running.poll() is None
        time.sleep(0.02)
    limits = Path(f"/proc/{running.pid}/limits").read_text()
    (line,) = (one for one in limits.splitlines() if one.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]
    running.send_signal(signal.SIGABRT)
    running.communicate(timeout=30)
    assert running.returncode == -signal.SIGABRT
    assert list((tmp_path / "shop").rglob("core*")) == []
