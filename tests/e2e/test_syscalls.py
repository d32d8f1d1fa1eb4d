"""What kustomize asks of the kernel in a build: no connection, no file outside of the private folder.

strace has to be there. Every attack on the boundary is traced, and trees that are built.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks import test_rehearsal as rehearsal
from tests.differential import store
from tests.differential.routes import KUBECTL, corpus
from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool
from tests.support import repository as repo
from tests.support.attacks import ATTACKS as FUNCTIONS
from tests.support.attacks import attack
from tests.support.boundaries import ATTACKS as BOUNDARIES
from tests.support.boundaries import prepare
from tests.support.command import ROOT
from tests.support.platform import write_platform
from tests.support.policy_attacks import ATTACKS as POLICIES
from tests.support.syscalls import STRACE, Allowed, Trace, environment, faults, traced
from tests.support.trap import trap

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.wire import Wire

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which(STRACE), reason="strace is not installed"),
]
vault = rehearsal.vault
BUILT = (
    "names-hash",
    "names-generator-hash",
    "a-transformer-on-each-layer",
    "component-with-a-claim",
    "directory-with-a-patch",
    "openapi",
    "crds",
    "configmap-from-files",
    "build-metadata-all",
    "everything",
)


def build(
    top: Path, scratch: Path, kustomize: Path, **environ: str
) -> tuple[subprocess.CompletedProcess[str], Trace]:
    """`krmfn build` under strace; fails for whatever its kustomize should not have asked."""
    private = scratch / "private"
    environ = {"KRMFN_KUSTOMIZE": str(kustomize), "PYTHONPATH": str(ROOT), **environ}
    programs = (kustomize.resolve(),)
    done, trace = traced(
        [sys.executable, "-m", "krmfn", "build", top],
        scratch / "trace",
        programs,
        env=environment(environ, private),
    )
    assert faults(trace, Allowed((str(private),), programs)) == []
    return done, trace


def newest() -> Path:
    """The newest kustomize."""
    return tool("kustomize", KUSTOMIZE_VERSIONS[-1])


# KRMFN_CORPUS=short: all trees with the newest kustomize, the one with everything with each.
VERSIONS = (*KUSTOMIZE_VERSIONS, "kubectl")
BUILDS = [
    (name, version)
    for name in BUILT
    for version in VERSIONS
    if name == "everything"
    or version == KUSTOMIZE_VERSIONS[-1]
    or os.environ.get("KRMFN_CORPUS") != "short"
]


@pytest.mark.parametrize(("name", "version"), BUILDS)
def test_a_build(name: str, version: str, tmp_path: Path) -> None:
    """kustomize is seen, and krmfn's client, and nothing else."""
    kustomize = KUBECTL if version == "kubectl" else tool("kustomize", version)
    files, environ = store.make()
    top = corpus()[name].write(tmp_path / "r", files, exec_=True)
    done, trace = build(top, tmp_path, kustomize, **environ)
    assert done.returncode == 0, done.stderr
    assert trace.programs[0] == str(kustomize.resolve())
    assert len(trace.programs) > 1
    private = str(tmp_path / "private")
    assert all(one.startswith((private, str(kustomize.resolve()))) for one in trace.programs)


@pytest.mark.parametrize("name", BOUNDARIES)
def test_an_attack_on_the_boundary(name: str, tmp_path: Path) -> None:
    """With a policy."""
    with trap() as server:
        place = prepare(tmp_path, server.address)
        BOUNDARIES[name](place)
        done, _ = build(
            place.overlay, tmp_path, newest(), **write_platform(tmp_path / "platform/p.yaml")
        )
        assert done.returncode == 2, done.stderr
        assert server.came == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_the_authors(name: str, tmp_path: Path) -> None:
    """Without a policy."""
    script = tmp_path / "canary.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    overlay = repo.repository(tmp_path / "r")
    more = attack(name, overlay, script)
    done, trace = build(overlay, tmp_path, newest(), **more)
    assert done.returncode == 2, done.stderr
    assert str(script) not in trace.programs


@pytest.mark.parametrize("name", POLICIES)
def test_an_attack_on_the_policy(name: str, tmp_path: Path) -> None:
    """A configuration that asks for more than a rule allows: kustomize runs, and asks nobody."""
    change, code, _ = POLICIES[name]
    with trap() as server, trap() as evil:
        overlay = repo.repository(tmp_path / "r", "generator")
        value = repo.generator()
        value["metadata"]["namespace"] = "production"
        value["spec"]["sealing"]["derivationKey"] = {"platform": "shop"}
        change(value, overlay, evil)
        repo.write(overlay / "krmfn.yaml", value)
        policy = write_platform(tmp_path / "platform/p.yaml")
        address = {"VAULT_ADDR": server.address, "VAULT_TOKEN": "s.the-platforms-own"}
        done, _ = build(overlay, tmp_path, newest(), **policy, **address)
        assert done.returncode in (2, code), done.stderr
        assert server.came == evil.came == []


@pytest.mark.parametrize("name", rehearsal.KNOWN)
def test_an_attack_on_the_rehearsal(name: str, tmp_path: Path, vault: Wire) -> None:
    """A build whose second run differs from its first."""
    environ = rehearsal.environment(tmp_path, vault.address)
    del environ["KRMFN_KUSTOMIZE"]
    target = rehearsal.into("spec.data.0.remoteRef.key", delimiter="/", index=1)
    top = rehearsal.tree(tmp_path / "r", rehearsal.KNOWN[name], target)
    done, trace = build(top, tmp_path, newest(), **environ)
    assert done.returncode == 6, done.stderr
    assert trace.programs.count(str(newest())) == 2


def _bomb() -> str:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    body = "\n  ".join(lines)
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: bomb}}\ndata:\n  {body}\n"


def _odd_resource(text: str) -> Callable[[Path], None]:
    def write(overlay: Path) -> None:
        (overlay / "odd.yaml").write_text(text)
        repo.write(overlay / "kustomization.yaml", {"resources": ["odd.yaml"]})

    return write


def _odd_kustomization(value: dict[str, Any]) -> Callable[[Path], None]:
    return lambda overlay: (overlay / "kustomization.yaml").write_text(json.dumps(value)) and None


LONG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "[error] a" * 40_000}}
ODD: dict[str, Callable[[Path], None]] = {
    "an alias bomb": _odd_resource(_bomb()),
    "a large resource": _odd_resource(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{a: {'x' * 20_000_000}}}\n"
    ),
    "a long name in a patch": _odd_kustomization(
        {"resources": ["own.yaml"], "patches": [{"patch": json.dumps(LONG)}]}
    ),
    "a long path": _odd_kustomization({"resources": ["own.yaml", "a" * 5000]}),
    "a path with a zero byte": _odd_kustomization({"resources": ["own.yaml", "a\0b"]}),
    "no resource": _odd_kustomization({}),
    "no kustomization": lambda overlay: os.mkdir(overlay / "kustomization.yaml"),  # noqa: PTH102
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_repository(name: str, tmp_path: Path) -> None:
    """Under a policy."""
    place = prepare(tmp_path, "http://127.0.0.1:1")
    ODD[name](place.overlay)
    policy = write_platform(tmp_path / "platform/p.yaml")
    done, _ = build(place.overlay, tmp_path, newest(), **policy)
    assert done.returncode in (2, 5, 6), done.stderr


def test_a_trace_sees_what_is_not_allowed(tmp_path: Path) -> None:
    """Programs that connect, read and write elsewhere are found out."""
    program = tmp_path / "program.py"
    program.write_text(
        f"#!{sys.executable} -IS\nimport os, _socket\n"
        "_socket.socket()\n"
        "open('/etc/hostname' if os.path.exists('/etc/hostname') else '/etc/passwd')\n"
        f"os.symlink('/etc/passwd', '{tmp_path}/private/link')\n"
        f"open('{tmp_path}/private/link')\n"
        f"open('{tmp_path}/written', 'w')\n"
        f"if os.fork() == 0: open('/etc/group')\n"
        "else: os.wait()\n"
    )
    program.chmod(0o755)
    env = environment({}, tmp_path / "private")
    _, trace = traced([program], tmp_path / "trace", (program,), env=env)
    found = "\n".join(faults(trace, Allowed((str(tmp_path / "private"),), (program,))))
    for text in ("socket(", "reads /etc/passwd", "reads /etc/group", f"writes {tmp_path}/written"):
        assert text in found
