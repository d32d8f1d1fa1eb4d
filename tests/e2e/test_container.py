"""The image: small, without rights, and called by kustomize as a container function."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from krmfn import __version__
from tests.e2e.conftest import ROOT, run
from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool

if TYPE_CHECKING:
    import subprocess

    from tests.support.openbao import OpenBao

pytestmark = [pytest.mark.container, pytest.mark.xdist_group("container")]

LOGTO = ROOT / "examples/logto"
# What kustomize does at most, and more: no network, nothing writable, nobody's rights.
BARE = ("docker", "run", "--rm", "-i", "--read-only", "--network", "none", "--user", "65534:65534")
BARE += ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
VALUES = {"access_key_id": "AKIAEXAMPLE00000001", "secret_access_key": "not a real secret"}
MAX_OWN_BYTES = 100_000_000


def bare(image: str, *arguments: str, stdin: str = "", options: tuple[str, ...] = ()) -> Any:
    """Run the image with as little as can be."""
    return run(*BARE, *options, image, *arguments, stdin=stdin)


def test_it_runs_with_nothing(image: str) -> None:
    """No network, no writable file, no user of its own: the version is told all the same."""
    done = bare(image, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"krmfn {__version__}\n", "")


def test_help_teaches(image: str) -> None:
    """`--help` works in the image."""
    done = bare(image, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: krmfn")


@pytest.mark.parametrize("home", ["", "/nonexistent"])
def test_no_home_is_needed(image: str, home: str) -> None:
    """An empty HOME, or one that is not there, changes nothing."""
    done = bare(image, "--version", options=("--env", f"HOME={home}"))
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_is_there(image: str) -> None:
    """What needs a cluster says that there is none; it was not lost with the pruned client."""
    done = bare(image, "cert", "fetch")
    assert "no cluster is configured" in done.stderr
    assert done.returncode == 3


def test_the_function_answers(image: str) -> None:
    """A mistake is told by the function as everywhere: one line, exit code 2, empty output."""
    call = {
        "apiVersion": "config.kubernetes.io/v1",
        "kind": "ResourceList",
        "items": [],
        "functionConfig": {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": "SealedSecretGenerator",
            "metadata": {"name": "app"},
            "spec": {"sealing": {}, "secrets": []},
        },
    }
    done = bare(image, stdin=json.dumps(call))
    assert (done.returncode, done.stdout) == (2, "")
    assert "[error] SealedSecretGenerator/app: spec." in done.stderr


def test_nothing_is_compiled_at_start(image: str) -> None:
    """Every module of a run comes from bytecode that is in the image: nobody could write it."""
    probe = (
        "import sys, os, krmfn.function, krmfn.cli, krmfn.stores.vault.store, krmfn.stores.age.store\n"
        "for m in list(sys.modules.values()):\n"
        "    c = getattr(getattr(m, '__spec__', None), 'cached', None)\n"
        "    f = getattr(m, '__file__', None) or ''\n"
        "    if f.endswith('.py') and c and not os.path.exists(c): print(m.__name__)\n"
    )
    python = ("--entrypoint", "/opt/krmfn/bin/python")
    done = bare(image, "-c", probe, options=python)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_brings_trust_and_no_installer(image: str) -> None:
    """TLS roots are there; pip, a compiler and the sources' tests are not in the environment."""
    look = "test -s /etc/ssl/certs/ca-certificates.crt && ls /opt/krmfn/lib/python3*/site-packages"
    done = bare(image, "-c", look, options=("--entrypoint", "sh"))
    assert done.returncode == 0
    names = {name.partition("-")[0] for name in done.stdout.split()}
    assert {"krmfn", "cryptography", "hvac", "pyrage", "gmpy2"} <= names
    assert names.isdisjoint({"pip", "setuptools", "hatchling", "pytest"})


def test_its_labels_and_user(image: str) -> None:
    """Who looks at the image learns what it is, and that it runs as nobody."""
    (found,) = json.loads(run("docker", "image", "inspect", image).stdout)
    config = found["Config"]
    assert config["Labels"]["org.opencontainers.image.title"] == "krmfn"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert config["User"] == "65534:65534"
    assert config["Entrypoint"] == ["krmfn"]
    assert config["WorkingDir"] == "/overlay"


def test_it_is_small(image: str, record_property: pytest.RecordProperty) -> None:
    """What krmfn adds to its base stays below 100 MB."""
    size = bare(image, "-c", "du -sb /opt/krmfn | cut -f1", options=("--entrypoint", "sh"))
    record_property("own bytes", int(size.stdout))
    print(f"krmfn and its libraries: {int(size.stdout) / 1e6:.0f} MB")
    assert int(size.stdout) < MAX_OWN_BYTES


def build(overlay: str, environ: dict[str, str], *flags: str) -> subprocess.CompletedProcess[str]:
    """`kustomize build` by the newest kustomize."""
    kustomize = tool("kustomize", KUSTOMIZE_VERSIONS[-1])
    return run(
        kustomize,
        "build",
        "--enable-alpha-plugins",
        *flags,
        LOGTO / "overlays" / overlay,
        env=environ,
    )


def sealed(done: subprocess.CompletedProcess[str]) -> Any:
    """The one SealedSecret of a build."""
    assert done.returncode == 0, done.stderr
    (found,) = (d for d in yaml.safe_load_all(done.stdout) if d["kind"] == "SealedSecret")
    return found


@pytest.mark.e2e
def test_kustomize_calls_it(image: str, plugins: dict[str, str], openbao: OpenBao) -> None:
    """The container variant gives the same SealedSecret as the exec variant, and the same stream.

    The vault listens on the machine's loopback, which a container shares only in network `host`.
    """
    openbao.write("secret", "krmfn/derivation", {"key": "6b1f0a7c94d2e8350f1b6d2c7a8e9f40" * 2})
    openbao.write("secret", "logto/production/backup", VALUES)
    assert image in (LOGTO / "overlays/prod-container/generator/kustomization.yaml").read_text()
    environ = plugins | openbao.environ | runtime_environ()
    exec_variant = build("prod", environ, "--enable-exec")
    container = build("prod-container", environ, "--network", "--network-name", "host")
    assert sealed(container) == sealed(exec_variant)
    assert container.stdout == exec_variant.stdout


def runtime_environ() -> dict[str, str]:
    """What the runtime needs of the environment: where it is, and its configuration."""
    names = ("CONTAINERS_CONF", "DOCKER_HOST", "XDG_RUNTIME_DIR")
    return {name: os.environ[name] for name in names if name in os.environ}
