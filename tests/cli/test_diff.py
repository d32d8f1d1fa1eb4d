"""`krmfn diff`: what differs between two places, without a value."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import apiserver
from tests.support import repository as repo
from tests.support.command import krmfn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
SEALED = ROOT / "examples/logto/expected/prod.yaml"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def diff(
    *arguments: str | Path, cwd: Path = ROOT, stdin: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """One call, with the kubectl of the wheel."""
    return krmfn("diff", *arguments, cwd=cwd, stdin=stdin, KRMFN_KUSTOMIZE=str(KUBECTL), **environ)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[apiserver.ApiServer]:
    """An API server."""
    with apiserver.running(tmp_path) as server:
        yield server


def one(name: str = "db", namespace: str = "production", **items: str) -> dict[str, Any]:
    """A SealedSecret as krmfn prints it, with made-up ciphertext."""
    annotations = {
        "krmfn.dev/certificate": "a" * 64,
        "krmfn.dev/sealed-for": f"{namespace}/{name}",
    }
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {"encryptedData": items, "template": {"metadata": {"name": name}}},
    }


def git(directory: Path, *arguments: str) -> None:
    """One call of git, as nobody in particular."""
    who = ("-c", "user.name=n", "-c", "user.email=e@example.invalid")
    subprocess.run(["git", *who, *arguments], cwd=directory, check=True, capture_output=True)


TRANSCRIPT = """\
production/cache: appeared
  token: appeared
production/db: changed
  password: changed
  token: vanished
  user: appeared
  label app: appeared
production/mail: changed
  password: cannot compare: resealed for another certificate
  certificate: {a} -> {b}
production/queue: vanished
  password: vanished
production/store: changed
  password: cannot compare: other bytes, and not sealed by krmfn on both sides
3 changed, 1 appeared, 1 vanished, 1 the same
"""


@pytest.fixture
def streams(tmp_path: Path) -> tuple[Path, Path]:
    """Two streams that differ in everything."""
    db = one("db", user="AAAA", password="BBBB")
    db["spec"]["template"]["metadata"]["labels"] = {"app": "x"}
    mail = one("mail", password="BBBB")
    mail["metadata"]["annotations"]["krmfn.dev/certificate"] = "b" * 64
    stores = [one("store", password="AAAA"), one("store", password="BBBB")]
    for store in stores:
        del store["metadata"]["annotations"]
    same = one("same", x="AAAA")
    before = [
        one("db", token="AAAA", password="AAAA"),
        one("mail", password="AAAA"),
        one("queue", password="AAAA"),
        stores[0],
        same,
    ]
    after = [same, stores[1], mail, db, one("cache", token="AAAA")]
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    return (
        repo.write(tmp_path / "before.yaml", *before),
        repo.write(tmp_path / "after.yaml", extra, *after),
    )


def test_everything_that_can_differ(streams: tuple[Path, Path]) -> None:
    """The text for people, whole; exit code 1."""
    done = diff(*streams)
    assert done.stdout == TRANSCRIPT.format(a="a" * 64, b="b" * 64)
    assert (done.returncode, done.stderr) == (1, "")
    assert not {"AAAA", "BBBB"} & set(done.stdout.split())


def test_json(streams: tuple[Path, Path]) -> None:
    """The same for scripts: what is empty is left out."""
    done = diff(*streams, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)
    assert (found["from"], found["to"]) == tuple(map(str, streams))
    assert (found["differs"], found["same"]) == (True, 1)
    by_name = {one["name"]: one for one in found["differences"]}
    assert by_name["mail"] == {
        "namespace": "production",
        "name": "mail",
        "state": "changed",
        "changes": [
            {
                "field": "data",
                "name": "password",
                "state": "cannot-compare",
                "reason": "certificate",
            },
            {"field": "certificate", "state": "changed", "before": "a" * 64, "after": "b" * 64},
        ],
    }


def test_the_same_is_exit_code_0(streams: tuple[Path, Path]) -> None:
    """A file and standard input; one line that says how many."""
    done = diff(streams[0], "-", stdin=streams[0].read_text())
    assert (done.returncode, done.stdout, done.stderr) == (0, "5 the same\n", "")


def test_a_name_writes_no_line_of_its_own(tmp_path: Path) -> None:
    """Terminal control sequences in a foreign name are not passed on."""
    bad = repo.write(tmp_path / "bad.yaml", one("x\x1b[2J\ny", k="AAAA"))
    good = repo.write(tmp_path / "good.yaml", one("z", k="AAAA"))
    shown = diff(bad, good).stdout
    assert "production/x?[2J?y: vanished\n" in shown


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (
            ("nothing", "-"),
            "{}",
            "nothing is not a directory, a file, REV:PATH",
        ),
        (("x" * 5000, "-"), "{}", " is not a directory, a file, REV:PATH"),
        (("-", "-"), "", "- can be one of the two sides only [usage]"),
        (("cluster", "cluster"), "", "cluster can be one of the two sides only [usage]"),
        (("-", SEALED), "", "<stdin>: there is no resource in it [input]"),
        (("-", SEALED), "a: [", "<stdin>:2:1: "),
        ((ROOT / "examples/logto", SEALED), "", "is a kustomization, and"),
        ((ROOT / "krmfn/cli", SEALED), "", "there is no YAML file in it [input]"),
    ],
)
def test_what_is_no_side(arguments: tuple[str | Path, ...], stdin: str, said: str) -> None:
    """One line, exit code 2, and nothing on standard output."""
    done = diff(*arguments, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


def test_two_of_one_name(tmp_path: Path) -> None:
    """A stream that holds one place twice has no one answer."""
    file = repo.write(tmp_path / "a.yaml", one(k="AAAA"), one(k="BBBB"))
    done = diff(file, file)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{file}: production/db: it appears twice, with different content" in done.stderr


def test_directories_are_compared_file_by_file(tmp_path: Path) -> None:
    """Two clusters may have the same namespace: each file is its own; hidden files do not count."""
    for side, value in (("a", "AAAA"), ("b", "BBBB")):
        repo.write(tmp_path / side / "overlays/dev.yaml", one(k="AAAA"))
        repo.write(tmp_path / side / "overlays/prod.yaml", one(k=value))
        repo.write(tmp_path / side / ".cache/x.yaml", one(k=value))
        (tmp_path / side / "README.md").write_text(side)
    done = diff("a", "b", cwd=tmp_path)
    assert done.stdout == (
        "overlays/prod.yaml: production/db: changed\n  k: changed\n1 changed, 1 the same\n"
    )
    (difference,) = json.loads(diff("a", "b", "--json", cwd=tmp_path).stdout)["differences"]
    assert difference["file"] == "overlays/prod.yaml"


# --- builds and git


def test_a_build_against_what_is_committed(tmp_path: Path, openbao: OpenBao) -> None:
    """The same bytes as long as nothing changes; then the key whose value did, and no value."""
    repo.seed(openbao)
    overlay = repo.repository(tmp_path / "r")
    built = krmfn("build", overlay, KRMFN_KUSTOMIZE=str(KUBECTL), **openbao.environ).stdout
    committed = tmp_path / "committed.yaml"
    committed.write_text(built)
    done = diff(committed, overlay, **openbao.environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 the same\n", "")
    openbao.write("secret", "build/db", {"password": "n3w-value"})
    done = diff(committed, overlay, **openbao.environ)
    assert done.stdout == "production/db: changed\n  password: changed\n1 changed, 0 the same\n"
    assert (done.returncode, done.stderr) == (1, "")


def test_random_sealing_is_known_of_a_build(tmp_path: Path, openbao: OpenBao) -> None:
    """Two builds of a random secret differ in bytes: no difference, and it says that it cannot tell."""
    repo.seed(openbao)
    overlay = repo.repository(tmp_path / "r")
    claim = repo.claim()
    claim["spec"]["mode"] = "random"
    repo.write(tmp_path / "r/base/claims.yaml", claim)
    built = krmfn("build", overlay, KRMFN_KUSTOMIZE=str(KUBECTL), **openbao.environ).stdout
    done = diff("-", overlay, stdin=built, **openbao.environ)
    assert done.stdout == (
        "production/db: cannot compare\n"
        "  password: cannot compare: sealed at random, so that its bytes always differ\n"
        "1 cannot be compared, 0 the same\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_git
def test_revisions(tmp_path: Path, openbao: OpenBao) -> None:
    """A file, a directory of files and an overlay of a revision; the work tree is not touched."""
    repo.seed(openbao)
    (tmp_path / "r").mkdir()
    git(tmp_path / "r", "init", "--quiet")
    shutil.move(tmp_path / "r/.git", tmp_path / "git")
    overlay = repo.repository(tmp_path / "r")
    (tmp_path / "r/.git").rmdir()
    shutil.move(tmp_path / "git", tmp_path / "r/.git")
    rendered = tmp_path / "r/rendered"
    build = ("build", overlay, "--output", rendered)
    environ = {"KRMFN_KUSTOMIZE": str(KUBECTL), **openbao.environ}
    assert krmfn(*build, **environ).returncode == 0
    # Neither is to have a say in what is read.
    (tmp_path / "r/.gitattributes").write_text("*.yaml export-ignore\n")
    git(tmp_path / "r", "add", "--all")
    git(tmp_path / "r", "commit", "--quiet", "-m", "x")
    (tmp_path / "r/base/claims.yaml").write_text("no: longer\n")
    shutil.rmtree(rendered)
    before = sorted(tmp_path.rglob("*"))
    for left, right in (
        ("HEAD:rendered", "HEAD:rendered/"),
        ("HEAD:rendered", "HEAD:rendered/overlays/production.yaml"),
        ("HEAD:overlays/production", "HEAD:rendered"),
    ):
        done = diff(left, right, cwd=tmp_path / "r", **openbao.environ)
        assert (done.returncode, done.stdout, done.stderr) == (0, "1 the same\n", "")
    done = diff("HEAD:./production", "HEAD:rendered", cwd=overlay.parent, **openbao.environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 the same\n", "")
    assert sorted(tmp_path.rglob("*")) == before


@needs_git
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HEAD:nothing", "HEAD:nothing: the revision holds no such path [file]"),
        ("nothing:x", "nothing: git knows no such revision [usage]"),
        ("HEAD:../x", "HEAD: ../x is outside the repository [path]"),
        (
            "HEAD:overlay",
            "HEAD:overlay: overlay/kustomization.yaml:3:3: resources: missing.yaml is not",
        ),
    ],
)
def test_a_revision_that_cannot_be_read(name: str, said: str, tmp_path: Path) -> None:
    """One line that names the revision as it was given, and no private folder."""
    git(tmp_path, "init", "--quiet")
    repo.write(tmp_path / "overlay/kustomization.yaml", {"resources": ["missing.yaml"]})
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "-m", "x")
    done = diff(name, "-", cwd=tmp_path, stdin="{}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert "krmfn-" not in done.stderr


@needs_git
def test_a_build_of_a_revision_that_fails(tmp_path: Path) -> None:
    """kustomize's own failure names the revision's directory, not where it was built."""
    git(tmp_path, "init", "--quiet")
    patch = {"patch": '{"kind": "X", "metadata": {"name": "y"}}'}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    repo.write(tmp_path / "overlay/x.yaml", config_map)
    value = {"resources": ["x.yaml"], "patches": [patch]}
    repo.write(tmp_path / "overlay/kustomization.yaml", value)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "-m", "x")
    done = diff("HEAD:overlay", "-", cwd=tmp_path, stdin="{}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("[error] krmfn diff: HEAD:overlay: kustomize fails: ")
    assert "krmfn-" not in done.stderr


@needs_git
def test_links_of_a_revision_lead_nowhere_else(tmp_path: Path) -> None:
    """A link out of the repository is not followed, as in a build of the work tree."""
    git(tmp_path, "init", "--quiet")
    outside = repo.write(tmp_path.parent / f"{tmp_path.name}-outside.yaml", one(k="AAAA"))
    (tmp_path / "rendered").mkdir()
    (tmp_path / "rendered/a.yaml").symlink_to(outside)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "-m", "x")
    done = diff("HEAD:rendered", outside, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "HEAD:rendered/a.yaml is outside the repository" in done.stderr


def test_without_a_repository(tmp_path: Path) -> None:
    """A revision needs a repository around the working directory, or git at all."""
    done = diff(
        "HEAD:x", "-", cwd=tmp_path, stdin="{}", GIT_CEILING_DIRECTORIES=str(tmp_path.parent)
    )
    assert done.returncode == 2
    assert "HEAD: the working directory is in no git repository [file]" in done.stderr
    done = diff("HEAD:x", "-", cwd=tmp_path, stdin="{}", PATH="/nonexistent")
    assert "HEAD: git is not installed [file]" in done.stderr


# --- the cluster


def test_the_cluster(api: apiserver.ApiServer, tmp_path: Path) -> None:
    """All pages of the namespaces of the other side, and no other namespace."""
    same, changed, gone = one("a", k="AAAA"), one("b", k="AAAA"), one("c", k="AAAA")
    api.deploy(same, changed, gone, one("d", "elsewhere", k="AAAA"))
    new = copy.deepcopy(changed)
    new["spec"]["encryptedData"]["k"] = "BBBB"
    file = repo.write(tmp_path / "after.yaml", same, new)
    done = diff("cluster", file, **api.environ)
    assert done.stdout == (
        "production/b: changed\n  k: changed\nproduction/c: vanished\n  k: vanished\n"
        "1 changed, 1 vanished, 1 the same\n"
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert set(api.asked) == {"/apis/bitnami.com/v1alpha1/namespaces/production/sealedsecrets"}
    assert len(api.asked) == 3
    api.deploy(same, new)
    assert diff(file, "cluster", **api.environ).returncode == 0


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "production: the SealedSecrets may not be listed; ask for list on"),
        (404, "production: the cluster has no SealedSecrets; install sealed-secrets [not-found]"),
        (500, "production: the API server answers 500 [unavailable]"),
    ],
)
def test_the_cluster_refuses(api: apiserver.ApiServer, status: int, said: str) -> None:
    """Exit code 3, and nothing is compared."""
    api.status = status
    done = diff("cluster", "-", stdin=json.dumps(one(k="AAAA")), **api.environ)
    assert (done.returncode, done.stdout) == (3, "")
    assert said in done.stderr


def test_no_cluster_and_no_namespace(tmp_path: Path) -> None:
    """Without a kubeconfig, or with a SealedSecret that is nowhere yet."""
    done = diff("cluster", SEALED, KUBECONFIG=str(tmp_path / "none"))
    assert (done.returncode, done.stdout) == (3, "")
    assert "no cluster is configured; set KUBECONFIG or --context [unavailable]" in done.stderr
    value = one(k="AAAA")
    del value["metadata"]["namespace"]
    done = diff("cluster", "-", stdin=json.dumps(value))
    assert (done.returncode, done.stdout) == (2, "")
    assert "db: it names no namespace, and in the cluster it has one" in done.stderr
