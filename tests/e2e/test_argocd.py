"""The plugin's image, asked by the stand-in for Argo CD's server; and many cold builds at once."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import ROOT, run
from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool
from tests.support import repository as repo
from tests.support.cmp_host import Application, Host, tarball
from tests.support.counting import counting
from tests.support.platform import policy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.openbao import OpenBao

OVERLAY = "overlays/production"
HOST = ROOT / "tests/support/cmp_host.py"
# As examples of the manifests give it: nothing writable but /tmp, no rights, Argo CD's user.
RUN = ("docker", "run", "--rm", "-i", "--read-only", "--user", "999:999", "--cap-drop", "ALL")
RUN += (
    "--security-opt",
    "no-new-privileges",
    "--network",
    "host",
    "--tmpfs",
    "/tmp:exec,mode=1777",
)
PYTHON = ("--entrypoint", "/opt/krmfn/bin/python")
BUILDS, AT_ONCE = 200, 8


@pytest.fixture
def shop(tmp_path: Path, openbao: OpenBao) -> Path:
    """The repository, and a vault that has its values."""
    repo.seed(openbao)
    repo.repository(tmp_path / "shop")
    return tmp_path / "shop"


def ask(image: str, shop: Path, environ: dict[str, str], *kinds: str, mask: str = "") -> list[Any]:
    """The replies of a server that runs inside the image."""
    files = {HOST: "/host.py"}
    variables = []
    for name, value in environ.items():
        inside = value
        if name == "KRMFN_CONFIG":
            inside = "/etc/krmfn/platform.yaml"
            files[value] = inside
        variables += ["--env", f"{name}={inside}"]
    mounts = [f"--volume={outside}:{inside}:ro" for outside, inside in files.items()]
    if mask:
        mounts.append(f"--volume=/dev/null:{mask}:ro")
    packed = base64.b64encode(tarball(shop)).decode()
    app = {"path": OVERLAY}
    requests = [json.dumps({"kind": kind, "repository": packed, "app": app}) for kind in kinds]
    command = [*RUN, *PYTHON, *variables, *mounts, image, "/host.py"]
    done = run(*command, stdin="\n".join(requests))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.container
@pytest.mark.e2e
@pytest.mark.xdist_group("container")
@pytest.mark.parametrize("mask", ["", "/bin/sh"])
def test_inside_the_image(
    argocd_image: str, shop: Path, tmp_path: Path, openbao: OpenBao, mask: str
) -> None:
    """Found, announced and generated with the image's own kustomize; it needs no shell for that."""
    environ = openbao.environ | policy(tmp_path / "platform")
    found, announced, generated = ask(
        argocd_image, shop, environ, "match", "parameters", "generate", mask=mask
    )
    assert (found["error"], found["supported"]) == ("", True)
    assert [one["name"] for one in announced["parameters"]] == ["reorder", "managed-by-label"]
    assert generated["error"] == ""
    kinds = [json.loads(one)["kind"] for one in generated["manifests"]]
    assert kinds == ["Deployment", "SealedSecret"]
    assert repo.VALUE not in json.dumps(generated)


@pytest.mark.container
@pytest.mark.e2e
@pytest.mark.xdist_group("container")
def test_what_the_image_is(argocd_image: str) -> None:
    """Argo CD's user, its server as the entry point, a policy required, the plugin's configuration."""
    (found,) = json.loads(run("docker", "image", "inspect", argocd_image).stdout)
    config = found["Config"]
    assert config["User"] == "999:999"
    assert config["Entrypoint"] == ["/var/run/argocd/argocd-cmp-server"]
    assert {"KRMFN_REQUIRE_POLICY=1", "KRMFN_KUSTOMIZE=/usr/local/bin/kustomize"} <= set(
        config["Env"]
    )
    look = "/home/argocd/cmp-server/config/plugin.yaml"
    done = run(*RUN, "--entrypoint", "cat", argocd_image, look)
    assert done.stdout == (ROOT / "krmfn/argocd/plugin.yaml").read_text()
    done = run(*RUN, "--entrypoint", "kustomize", argocd_image, "version")
    assert done.stdout.strip() == f"v{KUSTOMIZE_VERSIONS[-1]}"


@pytest.mark.e2e
def test_two_hundred_cold_builds(
    shop: Path, tmp_path: Path, plugins: dict[str, str], openbao: OpenBao
) -> None:
    """Eight at a time, each a process of its own: one output; each path is read once in a build."""
    packed = tarball(shop)
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    with counting(openbao) as proxy:
        environ = {
            "PATH": plugins["PATH"],
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(scratch),
            "KRMFN_KUSTOMIZE": str(tool("kustomize", KUSTOMIZE_VERSIONS[-1])),
            "VAULT_ADDR": proxy.address,
            "VAULT_TOKEN": openbao.token,
            **policy(tmp_path / "platform"),
        }
        host = Host(ROOT / "krmfn/argocd/plugin.yaml", environ)

        def build(_: int) -> tuple[str, ...]:
            reply = host.call("generate", packed, Application(OVERLAY))
            assert reply.error == ""
            return tuple(reply.manifests)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            outputs = list(pool.map(build, range(BUILDS)))
    assert len(outputs) == BUILDS
    assert len(set(outputs)) == 1
    for path in ("secret/data/build/db", "secret/data/krmfn/derivation"):
        assert proxy.asked.count(("GET", path)) == BUILDS
    assert [place.name for place in scratch.iterdir()] == ["_cmp_server"]
