"""`sandbox:` of the platform's configuration, in a build and in the doctor's words."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from krmfn.doctor import tools
from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.platform import write_platform
from tests.support.spy import without_filter

KUBECTL = str(Path(sys.executable).parent / "kubectl")


def overlay(tmp_path: Path) -> Path:
    """A directory without anything to seal."""
    place = tmp_path / "r"
    place.mkdir()
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    repo.write(place / "a.yaml", config_map)
    repo.write(place / "kustomization.yaml", {"resources": ["a.yaml"]})
    return place


@pytest.mark.parametrize(
    ("policy", "code", "status"),
    [(None, 0, "warning"), ({}, 6, "error"), ({"sandbox": "best-effort"}, 0, "warning")],
    ids=["no policy", "required", "best-effort"],
)
def test_without_the_filter(
    tmp_path: Path, policy: dict[str, str] | None, code: int, status: str
) -> None:
    """Only a policy that does not say otherwise refuses; the doctor tells it before."""
    environ = {"KRMFN_KUSTOMIZE": KUBECTL, **without_filter()}
    if policy is not None:
        environ |= write_platform(tmp_path / "platform.yaml", **policy)
    directory = overlay(tmp_path)
    done = krmfn("build", directory, **environ)
    assert done.returncode == code, done.stderr
    assert ("name: a" in done.stdout) == (code == 0)
    assert done.stderr.endswith("[sandbox]\n") == (code != 0)
    found = json.loads(krmfn("doctor", directory, "--json", **environ).stdout)["checks"]
    (one,) = (each for each in found if each["id"] == "sandbox")
    assert one["status"] == status


def test_with_the_filter(tmp_path: Path) -> None:
    """A policy that requires it is met."""
    environ = {
        "KRMFN_KUSTOMIZE": KUBECTL, **write_platform(tmp_path / "platform.yaml", sandbox="required")
    }  # fmt: skip
    assert krmfn("build", overlay(tmp_path), **environ).returncode == 0


def test_what_the_doctor_says() -> None:
    """Landlock or not, the filter is what counts."""
    both = tools.sandbox(("landlock", "seccomp"), governed=True, required=True)
    assert (both.status, both.cause) == (
        "ok",
        "kustomize runs without network, and opens no file but its own",
    )
    one = tools.sandbox(("seccomp",), governed=True, required=True)
    assert (one.status, one.cause) == (
        "ok",
        "kustomize runs without network; the kernel has no Landlock, so it can read other files",
    )
    assert tools.sandbox(("landlock",), governed=False, required=False).status == "warning"
