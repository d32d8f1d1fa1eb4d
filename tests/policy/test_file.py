"""The platform's configuration: what it may say, and when its file is to be trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from krmfn.errors import Failure, PolicyError
from krmfn.policy import file as policy
from krmfn.policy.file import read_platform
from krmfn.spec.parse import check
from krmfn.spec.platform import PlatformConfig
from tests.support.command import krmfn
from tests.support.jobs import job
from tests.support.platform import APPLICATION, RULE, SPEC, can_mount, platform, write_platform

ROOT = Path(__file__).resolve().parents[2]
ARGO = {"ARGOCD_APP_NAME": "shop"}


def mistake(**changes: Any) -> str:
    with pytest.raises(Failure) as caught:
        check(PlatformConfig, platform(**changes), name="p")
    return "\n".join(error.line() for error in caught.value.errors)


def vault(**fields: Any) -> dict[str, Any]:
    return {"main": {"vault": {"path": "secret", "id": "platform", **fields}}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stores": {"main": {"vault": {"path": "secret"}}}}, "id: required"),
        ({"stores": vault(caFile="ca.pem")}, "must be an absolute path"),
        ({"stores": vault(auth={"tokenRef": {"file": "t"}})}, "must be an absolute path"),
        ({"stores": vault(auth={"tokenRef": {"env": "ARGOCD_ENV_T"}})}, "users of Argo CD can set"),
        ({"stores": vault(auth={"tokenRef": {"env": "PARAM_T"}})}, "users of Argo CD can set"),
        (
            {"stores": vault(tls={"certRef": {"file": "/c"}, "keyRef": {"file": "k"}})},
            "must be an absolute path",
        ),
        ({"stores": {"main": {"age": {"file": "s.age"}}}}, "project: required"),
        ({"recipients": {"production": {"pem": "x"}}}, "sha256: required"),
        ({"recipients": {"production": {"file": "c.pem", "sha256": ["0" * 64]}}}, "absolute"),
        ({"rule": {"recipients": ["x"]}}, "x is not defined under recipients"),
        ({"rule": {"derivationKeys": ["x"]}}, "x is not defined under derivationKeys"),
        ({"rule": {"reads": [{"store": "x", "paths": ["a"]}]}}, "x is not defined under stores"),
        ({"rule": {"projects": []}}, "must not be empty"),
        ({"rule": {"namespaces": ["a**"]}}, "has ** elsewhere"),
        ({"rule": {"reads": [{"store": "main", "paths": ["a/../b"]}]}}, "segment . or .."),
        ({"rules": [RULE, RULE]}, "the rule shop-production appears twice"),
        (
            {"derivationKeys": {"k": {"store": "x", "key": "a", "property": "b"}}},
            "x is not a vault",
        ),
        ({"derivationKeys": {"k": {"platform": "x"}}}, "one of transit, store: required"),
        ({"limits": {"reads": 0}}, "limits.reads"),
        ({"rules": [{**RULE, "path": "x"}]}, "unknown field"),
    ],
)
def test_mistakes(changes: dict[str, Any], words: str) -> None:
    """Each is told in words."""
    assert words in mistake(**changes)


def test_a_key_is_not_kept_in_an_age_store() -> None:
    """Whoever knows its recipients could write another."""
    stores = SPEC["stores"] | {
        "own": {"age": {"identityRef": {"env": "I"}, "project": "shop"}},
    }
    keys = {"shop": {"store": "own", "key": "k", "property": "p"}}
    assert "own is not a vault under stores" in mistake(stores=stores, derivationKeys=keys)


def load(environ: dict[str, str], root: Path) -> str:
    """Loads the policy in a build of ``root``; returns why not, or nothing."""
    try:
        policy.load(environ, root)
    except PolicyError as error:
        found = error
    else:
        return ""
    assert (found.id, found.exit_code) == ("policy-file", 6)
    return found.line()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "r"
    root.mkdir()
    return root


def test_no_policy_where_none_is_required(repository: Path) -> None:
    """A laptop without KRMFN_CONFIG builds as ever."""
    assert policy.load({}, repository) is None


@pytest.mark.parametrize("required", [ARGO, {"ARGOCD_APP_NAME": ""}, {"KRMFN_REQUIRE_POLICY": "1"}])
def test_no_policy_where_one_is_required(required: dict[str, str], repository: Path) -> None:
    """Absent, empty or gone: nothing is built."""
    assert "is not set" in load(required, repository)
    assert "is not set" in load(required | {"KRMFN_CONFIG": ""}, repository)
    assert "is not there" in load(required | {"KRMFN_CONFIG": "/nowhere/p.yaml"}, repository)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "cannot be used"),
        ("", "is not a PlatformConfig"),
        ("{}", "is not a PlatformConfig"),
        (json.dumps(platform() | {"kind": "SecretClaim"}), "is not a PlatformConfig"),
        (json.dumps(platform()) + "\n---\n" + json.dumps(platform()), "more than one document"),
        (json.dumps(platform(rule={"projects": 1})), "p.yaml:1:"),
        ("a: &a [x]\nb: &b [" + "*a," * 9999 + "]\nc: [" + "*b," * 9999 + "]", "cannot be used"),
    ],
)
def test_a_file_that_is_none(text: str, words: str, repository: Path, tmp_path: Path) -> None:
    """Named and invalid is an error everywhere, also where no policy is required."""
    file = tmp_path / "p.yaml"
    file.write_text(text)
    assert words in load({"KRMFN_CONFIG": str(file)}, repository)


def test_a_relative_path_is_refused(repository: Path) -> None:
    """It would be the repository's to say what stands there."""
    assert "not an absolute path" in load({"KRMFN_CONFIG": "p.yaml"}, repository)


@pytest.mark.parametrize("way", ["file", "link out", "link in"])
def test_a_file_in_the_repository_is_refused(way: str, repository: Path, tmp_path: Path) -> None:
    """Its author would be his own judge; by link, too."""
    inside, outside = repository / "p.yaml", tmp_path / "p.yaml"
    target = outside if way == "link out" else inside
    environ = write_platform(target) | ARGO
    if way == "link out":
        inside.symlink_to(outside)
        environ["KRMFN_CONFIG"] = str(inside)
    elif way == "link in":
        outside.symlink_to(inside)
        environ["KRMFN_CONFIG"] = str(outside)
    assert "is inside the repository" in load(environ, repository)


@pytest.mark.parametrize("mode", [0o644, 0o444, 0o000])
def test_a_file_of_ones_own_is_refused(mode: int, repository: Path, tmp_path: Path) -> None:
    """Writable, or writable as soon as its owner wants it to be."""
    environ = write_platform(tmp_path / "c/p.yaml") | ARGO
    (tmp_path / "c/p.yaml").chmod(mode)
    assert "can be changed by this process" in load(environ, repository)
    without = {k: v for k, v in environ.items() if k not in ARGO}
    if mode == 0o644:
        assert load(without, repository) == ""


MOUNTED = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


def mounted(directory: Path, *command: str | Path, **environ: str) -> Any:
    """A process that sees the directory mounted read-only, as Kubernetes mounts a ConfigMap."""
    return subprocess.run(
        ["unshare", "-Urm", "sh", "-c", MOUNTED, "sh", directory, *command],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        text=True,
        capture_output=True,
        check=False,
    )


LOAD = """
import os, sys
from pathlib import Path
from krmfn.policy.file import load
print(len(load(os.environ, Path(sys.argv[1])).spec.rules))
"""


def as_nobody(jail: Path, environ: dict[str, str]) -> str:
    """What a user without rights says of a file of root's, in a root directory of root's."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chroot(jail)
            os.chdir("/")
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            found = policy.load(environ, Path("/repository"))
            os.write(write, f"{len(found.spec.rules) if found else None}".encode())
        except BaseException as error:  # told to the parent
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        return pipe.read()


def test_a_file_that_others_keep_is_trusted(tmp_path: Path) -> None:
    """A file of root's, for a process that is not root."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    jail = tmp_path / "jail"
    environ = write_platform(jail / "etc/p.yaml") | ARGO | {"KRMFN_CONFIG": "/etc/p.yaml"}
    # Everything is imported before the door closes.
    load({"KRMFN_CONFIG": str(jail / "etc/p.yaml")}, tmp_path)
    jail.chmod(0o755)
    assert as_nobody(jail, environ) == "1"
    (jail / "etc").chmod(0o777)
    assert "/etc is writable" in as_nobody(jail, environ)
    (jail / "etc").chmod(0o755)
    os.chown(jail / "etc/p.yaml", 65534, 65534)
    (jail / "etc/p.yaml").chmod(0o444)
    assert "/etc/p.yaml is writable" in as_nobody(jail, environ)


def test_a_read_only_mount_is_trusted(repository: Path, tmp_path: Path) -> None:
    """Through the links that Kubernetes makes, and even for root."""
    if not can_mount():
        pytest.skip("this machine gives no mount namespace")
    environ = write_platform(tmp_path / "c/..data_1/p.yaml") | ARGO
    (tmp_path / "c/..data").symlink_to("..data_1")
    (tmp_path / "c/p.yaml").symlink_to("..data/p.yaml")
    environ["KRMFN_CONFIG"] = str(tmp_path / "c/p.yaml")
    command = (sys.executable, "-c", LOAD, repository)
    done = mounted(tmp_path / "c", *command, **environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    (tmp_path / "other").mkdir()
    done = mounted(tmp_path / "other", *command, **environ)
    assert done.returncode != 0
    assert "can be changed by this process" in done.stderr


def test_it_is_loaded_once(repository: Path, tmp_path: Path) -> None:
    """And its deadline cuts the run's; the limits are those of one build."""
    environ = write_platform(tmp_path / "p.yaml", limits={"seconds": 7})
    started = job(repository, environ)
    (tmp_path / "p.yaml").unlink()
    inside = started.at(repository / "x")
    assert (inside.policy, inside.usage) == (started.policy, started.usage)
    assert inside.usage is started.usage is not started.fresh().usage
    assert started.access.deadline.seconds == 7
    assert started.access.deadline.left() <= 7
    assert started.policy is not None
    assert started.policy.application.project == APPLICATION["ARGOCD_APP_PROJECT_NAME"]


def test_schema_checks_it(tmp_path: Path) -> None:
    """`krmfn schema --check` reads a platform's configuration, and a function does not."""
    write_platform(tmp_path / "p.yaml")
    done = krmfn("schema", "--check", tmp_path / "p.yaml", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "1 checked, no mistake\n")
    call = {"kind": "ResourceList", "items": [], "functionConfig": platform()}
    done = krmfn(stdin=json.dumps(call), cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert read_platform(tmp_path / "p.yaml").spec.rules[0].name == "shop-production"


@pytest.mark.parametrize(
    "address",
    [
        "https://git.example/shop/../x",
        "https://git.example/a%2fb",
        "https://git.example/a?b",
        "a b",
    ],
)
def test_an_address_with_two_spellings_is_none(address: str, tmp_path: Path) -> None:
    """A repository whose address could mean another is the repository of no rule."""
    environ = write_platform(tmp_path / "p.yaml") | {"ARGOCD_APP_SOURCE_REPO_URL": address}
    found = policy.load(environ, tmp_path)
    assert found is not None
    assert found.application.repository == ""
