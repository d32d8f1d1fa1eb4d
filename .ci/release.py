"""`make release`: what is published, in dist/, each the same bytes for the same commit.

- wheel and sdist, built twice and compared;
- the two images as OCI archives, where a container runtime is here (`docker`, or podman under that name),
  for this machine's architecture, and for others that are asked for and that it can run by emulation;
- an SBOM (CycloneDX) of what the images install, and SHA256SUMS over all of it.

Times are those of the commit. Nothing is uploaded, signed or tagged.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
IMAGES = {"krmfn": "function", "krmfn-argocd": "argocd"}


def main() -> int:
    """Make everything, and say what it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--cyclonedx", required=True, help="the program `cyclonedx-py`")
    parser.add_argument(
        "--kustomize",
        metavar="IMAGE",
        help="whose kustomize the Argo CD image gets, in place of one that is built here",
    )
    parser.add_argument(
        "--architecture",
        action="append",
        metavar="ARCH",
        help="also build the images for this one (`arm64`), whose programs the machine can run",
    )
    options = parser.parse_args()
    if run("git", "status", "--porcelain"):
        sys.exit("release: the checkout has changes that are not committed")
    epoch = run("git", "log", "-1", "--format=%ct").strip()
    os.environ |= {"SOURCE_DATE_EPOCH": epoch, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    from krmfn import __version__

    output: Path = options.output
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    packages(output)
    sbom(options.cyclonedx, output / f"krmfn-{__version__}.cdx.json", epoch)
    for architecture in ("", *(options.architecture or ())):
        images(output, __version__, epoch, options.kustomize, architecture)
    sums = "".join(f"{digest(file)}  {file.name}\n" for file in sorted(output.iterdir()))
    (output / "SHA256SUMS").write_text(sums)
    sys.stdout.write(sums)
    return 0


def packages(output: Path) -> None:
    """Wheel and sdist; a second build has to give the same."""
    with tempfile.TemporaryDirectory() as again:
        for place in (str(output), again):
            run(sys.executable, "-m", "hatchling", "build", "-d", place)
        for file in sorted(output.iterdir()):
            if digest(file) != digest(Path(again) / file.name):
                sys.exit(f"release: {file.name} is not the same in a second build")


def sbom(program: str, file: Path, epoch: str) -> None:
    """What is locked for the images, without a time and a serial number of its own."""
    command = (program, "requirements", "requirements.txt", "--output-reproducible", "--of", "JSON")
    value = json.loads(run(*command))
    value["metadata"].pop("timestamp", None)
    value.pop("serialNumber", None)
    value["metadata"]["properties"] = [{"name": "krmfn:commit-time", "value": epoch}]
    file.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def images(
    output: Path, version: str, epoch: str, kustomize: str | None, architecture: str
) -> None:
    """An OCI archive of each image, for one architecture; empty for this machine's."""
    from tests.e2e.tools import kustomize_image

    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run((docker, "info"), capture_output=True, check=False).returncode
    ):
        print("release: no container runtime, so no images", file=sys.stderr)
        return
    build = os.environ.get("KRMFN_IMAGE_BUILD", "docker build").split()
    revision = run("git", "rev-parse", "HEAD").strip()
    arguments = [f"--build-arg=VERSION={version}", f"--build-arg=REVISION={revision}"]
    if "buildah" in build[0] or "podman" in run("docker", "--version"):
        arguments.append(f"--timestamp={epoch}")
    if architecture:
        arguments.append(f"--platform=linux/{architecture}")
        if base := os.environ.get(f"KRMFN_BASE_IMAGE_{architecture.upper()}"):
            arguments.append(f"--build-arg=BASE_IMAGE={base}")
    machine = architecture or run("docker", "info", "--format", "{{.Host.Arch}}").strip()
    for name, target in IMAGES.items():
        more = []
        if target == "argocd":
            more = [f"--build-arg=KUSTOMIZE_IMAGE={kustomize or kustomize_image(architecture)}"]
        tag = f"localhost/{name}:{version}{architecture and f'-{architecture}'}"
        run(*build, "--target", target, *arguments, *more, "-t", tag, ".")
        archive = output / f"{name}-{version}-{machine}.oci.tar"
        run("docker", "save", "--format", "oci-archive", "-o", str(archive), tag)


def digest(file: Path) -> str:
    """SHA-256, hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def run(*command: str) -> str:
    """Standard output of a command that must succeed; its standard error is shown when it does not."""
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"release: {' '.join(command)}\n{done.stderr[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
