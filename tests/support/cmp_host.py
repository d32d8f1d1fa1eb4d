"""A stand-in for argocd-cmp-server: what Argo CD 3.5 does with a config management plugin.

Kept here, as it was measured: the repository arrives as a tarball and loses its exec bits; the work
folder is `$TMPDIR/_cmp_server/<id>`, private, and gone after each call; a command runs in the
application's folder, with the container's environment and the request's behind it; 100 ms before
the caller's time is up the child is killed and its group terminated, 5 s later killed; who then still
holds standard output or error leaves the caller without a message. Standard output is logged at debug;
standard error at info when all went well, and is the message when it did not.

It needs no other file, so that it can also run inside the image: `python cmp_host.py` answers one
JSON request for each line of its input.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

BUFFER = 0.1  # seconds that the server stops before its caller does
CLEANUP = 5.0  # seconds that a terminated group has
SIGNALS = {signal.SIGTERM: "terminated", signal.SIGKILL: "killed", signal.SIGABRT: "aborted"}
CONFIG = Path("/home/argocd/cmp-server/config/plugin.yaml")


@dataclass
class Application:
    """What of an Application reaches its plugin. ``env`` and ``parameters`` are its author's."""

    path: str
    name: str = "shop"
    namespace: str = "production"
    project: str = "shop"
    repository: str = "https://git.example/shop.git"
    env: dict[str, str] = field(default_factory=dict)
    parameters: list[dict[str, Any]] = field(default_factory=list)

    def environ(self) -> dict[str, str]:
        """The request's variables, as the repo-server makes them."""
        revision = "0123456789abcdef0123456789abcdef01234567"
        found = {
            "ARGOCD_APP_NAME": self.name,
            "ARGOCD_APP_NAMESPACE": self.namespace,
            "ARGOCD_APP_PROJECT_NAME": self.project,
            "ARGOCD_APP_REVISION": revision,
            "ARGOCD_APP_REVISION_SHORT": revision[:7],
            "ARGOCD_APP_SOURCE_REPO_URL": self.repository,
            "ARGOCD_APP_SOURCE_PATH": self.path,
            "ARGOCD_APP_SOURCE_TARGET_REVISION": "main",
            "KUBE_VERSION": "1.36.0",
        }
        found |= {f"ARGOCD_ENV_{name}": value for name, value in self.env.items()}
        found["ARGOCD_APP_PARAMETERS"] = json.dumps(self.parameters or None)
        for one in self.parameters:
            name = "PARAM_" + one["name"].upper().replace("-", "_")
            found[name] = one.get("string", "")
        return found


@dataclass
class Reply:
    """What the caller gets, and what the server's log says at level debug.

    Attributes:
        error: status and message, as a gRPC client shows them; empty when all went well.
        manifests: each one JSON.
        supported: the answer to discovery.
        log: level and text of each line.
    """

    error: str = ""
    manifests: list[str] = field(default_factory=list)
    supported: bool = False
    parameters: list[dict[str, Any]] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)

    def logged(self, level: str) -> str:
        """The log's lines of one level."""
        return "\n".join(text for each, text in self.log if each == level)


@dataclass(frozen=True)
class Times:
    """The caller's end on the monotonic clock, and how long before it the server stops."""

    end: float
    buffer: float

    def left(self, before: float = 0) -> float:
        """Seconds until so long before the end."""
        return max(0.0, self.end - before - time.monotonic())


class CommandError(Exception):
    """A command that failed; its text is what follows the status."""


class DeadlineExceededError(Exception):
    """The caller has gone."""


def tarball(repository: Path) -> bytes:
    """The repository as it is sent."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(repository, arcname=".")
    return packed.getvalue()


class Host:
    """The server.

    Args:
        config: the plugin.yaml.
        environ: of the container.
        buffer: seconds between the kill and the caller's end; more than Argo CD's on a busy machine.
    """

    def __init__(self, config: Path, environ: dict[str, str], buffer: float = BUFFER) -> None:
        self.buffer = buffer
        self.spec = yaml.safe_load(config.read_text())["spec"]
        self.environ = environ
        self.folder = Path(environ.get("TMPDIR") or tempfile.gettempdir()) / "_cmp_server"
        policy = environ.get("KRMFN_CONFIG")
        self.before = read_only(Path(policy).parent) if policy else []

    def call(self, kind: str, packed: bytes, app: Application, timeout: float = 60) -> Reply:
        """One call: ``match``, ``generate`` or ``parameters``."""
        reply = Reply()
        end = Times(time.monotonic() + timeout, self.buffer)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = self.folder / str(uuid.uuid4())
        work.mkdir(mode=0o700)
        prefix = {
            "match": "match repository error: error running find command",
            "generate": "error generating manifests",
            "parameters": "get parameters announcement error: "
            "error executing dynamic parameter output command",
        }[kind]
        try:
            unpack(packed, work)
            self._answer(kind, work / app.path, {**self.environ, **app.environ()}, end, reply)
        except CommandError as error:
            reply.error = f"UNKNOWN: {prefix}: {error}"
        except DeadlineExceededError:
            reply.error = "DEADLINE_EXCEEDED"
        finally:
            shutil.rmtree(work)
        return reply

    def _run(
        self,
        command: list[str],
        place: Path,
        environ: dict[str, str],
        end: Times,
        log: list[tuple[str, str]],
    ) -> str:
        return run(command, place, environ, end, log, before=self.before)

    def _answer(
        self, kind: str, place: Path, environ: dict[str, str], end: Times, reply: Reply
    ) -> None:
        if kind == "match":
            command = self.spec["discover"]["find"]["command"]
            reply.supported = bool(self._run(command, place, environ, end, reply.log))
        elif kind == "generate":
            output = self._run(self.spec["generate"]["command"], place, environ, end, reply.log)
            try:
                documents = list(yaml.safe_load_all(output))
            except yaml.YAMLError as error:
                raise CommandError(f"failed to unmarshal manifest: {error}") from None
            reply.manifests = [json.dumps(d, default=str) for d in documents if d]
        else:
            command = self.spec["parameters"]["dynamic"]["command"]
            # Those of plugin.yaml take precedence by being later.
            reply.parameters = json.loads(self._run(command, place, environ, end, reply.log))
            reply.parameters += self.spec["parameters"]["static"]


def read_only(directory: Path) -> list[str]:
    """What a command is started by, to see a directory as Kubernetes mounts a ConfigMap."""
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return []
    mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    return ["unshare", "-Urm", "sh", "-c", mount, "sh", str(directory)]


def unpack(packed: bytes, to: Path) -> None:
    """Write a tarball's files, folders and links, and no mode of theirs."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        for member in tar:
            target = to / member.name
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True, mode=0o755)
            elif member.issym():
                target.symlink_to(member.linkname)
            elif member.isfile():
                target.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                target.write_bytes(content.read() if content else b"")
                target.chmod(0o644)


def run(
    command: list[str],
    place: Path,
    environ: dict[str, str],
    end: Times,
    log: list[tuple[str, str]],
    *,
    before: list[str],
) -> str:
    """Standard output of a command; its log lines are added to ``log``.

    Args:
        before: what it is started by, in the same process.
    """
    line = " ".join(command)
    log.append(("info", line))
    child = subprocess.Popen(
        [*before, *command],
        cwd=place,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    try:
        output, errors = child.communicate(timeout=end.left(end.buffer))
    except subprocess.TimeoutExpired:
        child.kill()
        group = child.pid
        _signal(group, signal.SIGTERM)
        late = threading.Timer(CLEANUP, _signal, (group, signal.SIGKILL))
        late.daemon = True
        late.start()
        try:
            output, errors = child.communicate(timeout=end.left())
        except subprocess.TimeoutExpired:
            raise DeadlineExceededError from None
    log.append(("debug", output.decode(errors="replace")))
    said = errors.decode(errors="replace")
    if child.returncode:
        status = f"exit status {child.returncode}"
        if child.returncode < 0:
            status = f"signal: {SIGNALS[-child.returncode]}"
        text = f"`{line}` failed {status}" + (f": {said.strip()}" if said.strip() else "")
        log.append(("error", text))
        raise CommandError(text)
    if output:
        log.append(("info", f"Plugin command successful stderr={said}"))
    else:
        log.append(("warning", f"Plugin command returned zero output stderr={said}"))
    return output.decode(errors="replace").removesuffix("\n")


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def main() -> None:
    """Requests on standard input, replies on standard output, one line each."""
    host = Host(CONFIG, dict(os.environ))
    for line in sys.stdin:
        request = json.loads(line)
        app = Application(**request["app"])
        packed = base64.b64decode(request["repository"])
        reply = host.call(request["kind"], packed, app, request.get("timeout", 60))
        print(json.dumps(asdict(reply)), flush=True)


if __name__ == "__main__":
    main()
