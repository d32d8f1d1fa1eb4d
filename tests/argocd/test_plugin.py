"""krmfn as Argo CD's plugin server calls it, by the stand-in of tests/support/cmp_host.py.

How the same is asked of the real server is in docs/argocd.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import krmfn.argocd
from tests.support import repository as repo
from tests.support.cmp_host import Application, Host, Reply, read_only, tarball
from tests.support.counting import counting
from tests.support.platform import policy
from tests.support.spy import spy

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path(krmfn.argocd.__file__).with_name("plugin.yaml")
KUBECTL = Path(sys.executable).parent / "kubectl"
OVERLAY = "overlays/production"


class Sidecar:
    """The plugin's container: its environment, a private /tmp, and the server in it."""

    def __init__(self, tmp_path: Path, installed: dict[str, str], vault: dict[str, str]) -> None:
        self.scratch = tmp_path / "tmp"
        self.scratch.mkdir()
        self.environ = {
            "PATH": installed["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.scratch),
            "KRMFN_KUSTOMIZE": str(KUBECTL),
            **policy(tmp_path / "platform"),
            **vault,
        }
        self.before = read_only(tmp_path / "platform")

    def ask(self, kind: str, repository: Path | bytes, *, timeout: float = 60, **app: Any) -> Reply:
        """One call of the server; nothing may be left in /tmp."""
        packed = repository if isinstance(repository, bytes) else tarball(repository)
        application = Application(**{"path": OVERLAY, **app})
        reply = Host(CONFIG, self.environ).call(kind, packed, application, timeout)
        folders = [p for p in self.scratch.iterdir() if p.name != "_cmp_server"]
        assert folders == []
        return reply


@pytest.fixture
def sidecar(tmp_path: Path, installed: dict[str, str], openbao: OpenBao) -> Sidecar:
    """A sidecar whose vault has the values."""
    repo.seed(openbao)
    return Sidecar(tmp_path, installed, openbao.environ)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The repository; its overlay is at `OVERLAY`."""
    repo.repository(tmp_path / "shop")
    return tmp_path / "shop"


def test_discover_and_generate(sidecar: Sidecar, shop: Path) -> None:
    """What Argo CD does with a new application; one line of the log says what was done."""
    (shop / "base/tool.sh").write_text("#!/bin/sh\n")
    (shop / "base/tool.sh").chmod(0o755)
    found = sidecar.ask("match", shop)
    assert (found.error, found.supported) == ("", True)
    assert f"{OVERLAY}/krmfn.yaml: SealedSecretTransformer" in found.logged("debug")
    reply = sidecar.ask("generate", shop)
    assert reply.error == ""
    kinds = [json.loads(one)["kind"] for one in reply.manifests]
    assert kinds == ["Deployment", "SealedSecret"]
    (line,) = (t for t in reply.logged("info").splitlines() if "stderr=" in t)
    said = line.partition("stderr=")[2]
    assert said.startswith("krmfn: production: 1 SealedSecret from 2 reads in ")
    assert said.endswith(" s")


def test_outside_of_argo_cd_success_is_quiet(sidecar: Sidecar, shop: Path) -> None:
    """The line is for the plugin server's log alone; without DIR the working directory is built."""
    done = subprocess.run(
        ["krmfn", "build"],
        cwd=shop / OVERLAY,
        env={k: v for k, v in sidecar.environ.items() if k != "KRMFN_CONFIG"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "kind: SealedSecret\n" in done.stdout


def test_a_copy_without_git_is_a_repository(sidecar: Sidecar, shop: Path) -> None:
    """Argo CD may leave .git out, or send a part of the repository: bases beside are found."""
    (shop / ".git").rmdir()
    assert sidecar.ask("match", shop).supported
    assert sidecar.ask("generate", shop).error == ""


def test_no_home_and_a_read_only_tree(sidecar: Sidecar, shop: Path) -> None:
    """HOME is not set, and nothing is written but in the temporary folder."""
    before = {p: p.read_bytes() for p in shop.rglob("*") if p.is_file()}
    for place in [shop, *shop.rglob("*")]:
        place.chmod(0o555 if place.is_dir() else 0o444)
    assert "HOME" not in sidecar.environ
    environ = {**sidecar.environ, **Application(OVERLAY).environ()}
    command = [*sidecar.before, "krmfn", "build"]
    done = subprocess.run(
        command, cwd=shop / OVERLAY, env=environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {p: p.read_bytes() for p in shop.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("change", ["foreign", "broken", "nothing", "remote", "far"])
def test_what_is_not_krmfns_is_left_alone(sidecar: Sidecar, shop: Path, change: str) -> None:
    """An application without krmfn is not taken from Argo CD's own kustomize, whatever is in it."""
    overlay = shop / OVERLAY
    plain: dict[str, Any] = {"transformers": None, "validators": None}
    repo.write(shop / "base/kustomization.yaml", {"resources": ["deployment.yaml"]})
    if change == "foreign":
        value = repo.transformer() | {"apiVersion": "example.com/v1"}
        repo.write(overlay / "krmfn.yaml", value)
        plain["transformers"] = ["krmfn.yaml"]
    repo.change(overlay, **plain)
    if change == "broken":
        (overlay / "kustomization.yaml").write_text("resources: [krmfn.dev/v1alpha1\n")
    elif change == "nothing":
        (overlay / "kustomization.yaml").unlink()
    elif change == "remote":
        repo.change(overlay, resources=["https://example.invalid/base", "git@example.invalid:x"])
    elif change == "far":
        outside = shop.parent / "outside"
        repo.write(outside / "claim.yaml", repo.claim())
        repo.change(overlay, resources=["../../base", "../../../outside/claim.yaml"])
    reply = sidecar.ask("match", shop)
    assert (reply.error, reply.supported) == ("", False)
    said = reply.logged("warning").partition("stderr=")[2]
    assert ("kustomization.yaml" in said) == (change == "broken")


@pytest.mark.parametrize("route", ["transformer", "generator", "claims"])
@pytest.mark.parametrize("form", ["file", "inline", "directory", "deeper"])
def test_every_way_to_list_krmfn_is_found(
    sidecar: Sidecar, tmp_path: Path, route: str, form: str
) -> None:
    """Inline, in a file, in a directory of configs, in an overlay below; and claims in a base."""
    root = tmp_path / "r"
    overlay = repo.repository(root, route)
    if route != "claims" and form in ("inline", "directory"):
        name = f"{route}s"
        config = (overlay / "krmfn.yaml").read_text()
        if form == "inline":
            entry = config
        else:
            entry = "configs"
            repo.write(overlay / "configs/kustomization.yaml", {"resources": ["c.yaml"]})
            (overlay / "configs/c.yaml").write_text(config)
        repo.change(overlay, **{name: [entry], "validators": None, "resources": []})
    elif form == "deeper":
        repo.write(root / "outer/kustomization.yaml", {"resources": [f"../{OVERLAY}"]})
    path = "outer" if form == "deeper" else OVERLAY
    assert sidecar.ask("match", root, path=path).supported


def test_discovery_knows_what_the_build_knows() -> None:
    """Its own copies of three names agree with those of the build."""
    from krmfn.argocd import discover
    from krmfn.kustomize.kustomization import FILE_NAMES, LISTS
    from krmfn.names import API_VERSION

    assert (discover.FILE_NAMES, discover.LISTS) == (FILE_NAMES, LISTS)
    assert API_VERSION.startswith(discover.GROUP)


def test_parameters(sidecar: Sidecar, shop: Path) -> None:
    """The order is announced where it has an effect; a label always."""
    reply = sidecar.ask("parameters", shop)
    assert reply.error == ""
    assert [one["name"] for one in reply.parameters] == ["reorder", "managed-by-label"]
    repo.change(shop / OVERLAY, sortOptions={"order": "fifo"})
    reply = sidecar.ask("parameters", shop)
    assert [one["name"] for one in reply.parameters] == ["managed-by-label"]


def test_parameters_that_are_honoured(sidecar: Sidecar, shop: Path) -> None:
    """Those two, and with their own values only."""
    label = {"name": "managed-by-label", "string": "true"}
    reply = sidecar.ask("generate", shop, parameters=[label])
    assert "app.kubernetes.io/managed-by" in reply.manifests[0]
    reply = sidecar.ask("generate", shop, parameters=[{"name": "reorder", "string": "--network"}])
    assert reply.error == (
        "UNKNOWN: error generating manifests: `krmfn build` failed exit status 2: [error] krmfn build: "
        "the parameter reorder has no such value, expected nothing or none or legacy [usage]"
    )


def test_an_applications_author_widens_nothing(sidecar: Sidecar, shop: Path) -> None:
    """Addresses, tokens, paths, flags and limits by parameter or variable change not a byte."""
    expected = sidecar.ask("generate", shop)
    names = [
        "VAULT_ADDR", "VAULT_TOKEN", "BAO_ADDR", "KRMFN_CONFIG", "KRMFN_KUSTOMIZE", "KRMFN_ROOT",
        "KRMFN_NAMESPACE", "KRMFN_DEADLINE", "KRMFN_REQUIRE_POLICY", "HTTPS_PROXY", "PATH", "TMPDIR",
    ]  # fmt: skip
    widening = dict.fromkeys(names, "/nonexistent")
    parameters = [{"name": name.lower(), "string": value} for name, value in widening.items()]
    parameters += [{"name": "flags", "array": ["--enable-exec"]}, {"name": "role", "string": "x"}]
    reply = sidecar.ask("generate", shop, env=widening, parameters=parameters)
    assert (reply.error, reply.manifests) == ("", expected.manifests)
    assert (
        "14 times: the parameter bao_addr, the parameter flags, the parameter https_proxy and 11 "
        "more: it is not known, and has no effect"
    ) in reply.logged("info")


@pytest.mark.parametrize(
    "text", ["{", '{"name": "x"}', '[{"string": "x"}]', "[1]", "[" * 100_000], ids=range(5)
)
def test_parameters_that_are_none(sidecar: Sidecar, shop: Path, text: str) -> None:
    """A list that Argo CD would not make is refused in one line."""
    environ = {**sidecar.environ, "ARGOCD_APP_PARAMETERS": text}
    done = subprocess.run(
        ["krmfn", "build"], cwd=shop / OVERLAY, env=environ, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.endswith(b"ARGOCD_APP_PARAMETERS is not a list of parameters [usage]\n")


def test_a_failure_is_one_block(sidecar: Sidecar, shop: Path) -> None:
    """Each error one line, none of them on standard output, none with a path of this machine."""
    claim = repo.claim()
    where = {"key": "build/nowhere", "property": "x"}
    claim["spec"]["data"] = [{"secretKey": "password", "remoteRef": where}]
    repo.write(shop / "base/claims.yaml", claim)
    reply = sidecar.ask("generate", shop)
    prefix = "UNKNOWN: error generating manifests: `krmfn build` failed exit status 3: "
    assert reply.error.startswith(prefix + "[error] krmfn build: ")
    for line in reply.error.removeprefix(prefix).splitlines():
        assert line.startswith("[error] krmfn build: ")
        assert line.endswith("]")
    assert str(sidecar.scratch) not in reply.error
    assert reply.manifests == []
    assert reply.logged("debug") == ""


def test_nothing_is_never_a_success(sidecar: Sidecar, shop: Path) -> None:
    """An empty build would have everything pruned: it is an error."""
    (shop / OVERLAY / "kustomization.yaml").write_text("namespace: production\n")
    reply = sidecar.ask("generate", shop)
    assert "failed exit status 2" in reply.error
    assert reply.error.endswith("[kustomize]")


def test_its_own_deadline_comes_first(sidecar: Sidecar, shop: Path, tmp_path: Path) -> None:
    """Who is slow is told by krmfn with an id, before the caller gives up without one."""
    sidecar.environ |= {
        **spy(tmp_path, "exec /bin/sleep 600"),
        "KRMFN_DEADLINE": "1",
    }
    reply = sidecar.ask("generate", shop)
    assert reply.error.endswith("raise KRMFN_DEADLINE [deadline]")
    assert "failed exit status 124" in reply.error


def alive(file: Path) -> bool:
    """Whether the process runs that wrote its number there."""
    try:
        status = Path(f"/proc/{file.read_text().strip()}/status").read_text()
    except OSError:
        return False
    return "\nState:\tZ" not in status


def gone(file: Path) -> bool:
    """Wait for its end, for ten seconds at most."""
    for _ in range(200):
        if not alive(file):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and prctl")
def test_killed_by_the_caller_nothing_stays(sidecar: Sidecar, shop: Path, tmp_path: Path) -> None:
    """The kill hits krmfn alone: kustomize goes with it, and nobody holds standard output open."""
    started = tmp_path / "started"
    sidecar.environ |= spy(
        tmp_path,
        f"trap '' TERM\necho $$ > {started}.new\n/bin/mv {started}.new {started}\nexec /bin/sleep 600",
    )
    packed = tarball(shop)
    application = Application(OVERLAY)
    host = Host(CONFIG, sidecar.environ, buffer=20)
    reply = host.call("generate", packed, application, 35)
    assert reply.error == (
        "UNKNOWN: error generating manifests: `krmfn build` failed signal: killed"
    )
    assert started.exists()
    assert gone(started)


def test_terminated_it_says_nothing(sidecar: Sidecar, shop: Path, tmp_path: Path) -> None:
    """SIGTERM: exit code 143, no output, no kustomize left."""
    started = tmp_path / "started"
    script = f"echo $$ > {started}.new\n/bin/mv {started}.new {started}\nexec /bin/sleep 600"
    environ = {**sidecar.environ, **Application(OVERLAY).environ()}
    environ |= spy(tmp_path, script)
    running = subprocess.Popen(
        [*sidecar.before, "krmfn", "build"],
        cwd=shop / OVERLAY,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not started.exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.terminate()
    assert running.communicate(timeout=30) == (b"", b"")
    assert running.returncode == 143
    assert gone(started)
    assert list(sidecar.scratch.iterdir()) == []


def test_parallel_cold_builds_agree(sidecar: Sidecar, shop: Path, openbao: OpenBao) -> None:
    """Eight at once: one output, and each asks the vault for each path once. 200 are in tests/e2e."""
    packed = tarball(shop)
    with counting(openbao) as proxy, ThreadPoolExecutor(4) as pool:
        sidecar.environ["VAULT_ADDR"] = proxy.address
        calls = [pool.submit(generate, sidecar, packed) for _ in range(8)]
        replies = [call.result() for call in calls]
    assert {reply.error for reply in replies} == {""}
    assert len({tuple(reply.manifests) for reply in replies}) == 1
    for path in ("secret/data/build/db", "secret/data/krmfn/derivation"):
        assert proxy.asked.count(("GET", path)) == 8


def generate(sidecar: Sidecar, packed: bytes) -> Reply:
    """One build; others run in the same temporary folder."""
    return Host(CONFIG, sidecar.environ).call("generate", packed, Application(OVERLAY))


def test_the_configuration_is_one_that_argo_cd_reads() -> None:
    """No init, no shell, no exec bits, no git credentials; discovery by command alone."""
    value = yaml.safe_load(CONFIG.read_text())
    assert (value["apiVersion"], value["kind"]) == (
        "argoproj.io/v1alpha1",
        "ConfigManagementPlugin",
    )
    spec = value["spec"]
    assert set(spec) == {"discover", "generate", "parameters", "preserveFileMode"}
    assert spec["discover"] == {"find": {"command": ["krmfn", "argocd", "discover"]}}
    assert spec["generate"] == {"command": ["krmfn", "build"]}
    assert spec["preserveFileMode"] is False
    assert os.access(CONFIG, os.R_OK)
