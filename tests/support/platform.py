"""A platform's configuration that allows one thing, to be changed by each test."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.repository import API, PEM

if TYPE_CHECKING:
    from pathlib import Path

PIN = "2f974d31ced57d8af9f89f93e59e76b13a1bdd6424641840ebfd4508e642a55a"
REPOSITORY = "https://git.example/shop/deploy.git"
RULE: dict[str, Any] = {
    "name": "shop-production",
    "projects": ["shop"],
    "repositories": ["https://git.example/shop/*"],
    "namespaces": ["production"],
    "recipients": ["production"],
    "derivationKeys": ["shop"],
    "reads": [{"store": "main", "paths": ["build/**"]}],
}
SPEC: dict[str, Any] = {
    "stores": {"main": {"vault": {"path": "secret", "id": "platform"}}},
    "derivationKeys": {"shop": {"store": "main", "key": "krmfn/derivation", "property": "key"}},
    "recipients": {"production": {"pem": PEM, "sha256": [PIN]}},
    "rules": [RULE],
}
# As Argo CD tells it; without ARGOCD_APP_NAME, so that the file may be anybody's.
APPLICATION = {
    "ARGOCD_APP_PROJECT_NAME": "shop",
    "ARGOCD_APP_SOURCE_REPO_URL": REPOSITORY,
    "ARGOCD_APP_NAMESPACE": "production",
}


def platform(*, rule: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The configuration, with fields of its spec and of its one rule changed."""
    value = copy.deepcopy(SPEC) | spec
    if rule is not None:
        value["rules"] = [{**RULE, **rule}]
    return {"apiVersion": API, "kind": "PlatformConfig", "metadata": {"name": "p"}, "spec": value}


def policy(directory: Path, **changes: Any) -> dict[str, str]:
    """The policy that a sidecar mounts, for the application of tests/support/cmp_host.py."""
    rule = {"repositories": ["https://git.example/shop.git"]}
    text = json.dumps(platform(rule=rule | changes.pop("rule", {}), **changes))
    return mounted(directory, text)


def mounted(directory: Path, text: str) -> dict[str, str]:
    """A policy's text where a sidecar mounts it.

    Where no mount can be made read-only, Argo CD's rule cannot be met, and the test is skipped.
    """
    if not can_mount():
        pytest.skip("this machine gives no mount namespace")
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "platform.yaml"
    file.write_text(text)
    return {"KRMFN_CONFIG": str(file)}


@cache
def can_mount() -> bool:
    """Whether a process can be given mounts of its own."""
    unshare = shutil.which("unshare")
    test = [unshare or "", "-Urm", "sh", "-c", "mount --bind /usr /usr"]
    return unshare is not None and not subprocess.run(test, check=False).returncode


def write_platform(file: Path, **changes: Any) -> dict[str, str]:
    """The configuration as a file; returns the environment that names it, and the application."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(platform(**changes)))
    return {"KRMFN_CONFIG": str(file), **APPLICATION}
