"""Run kustomize without network or credential; it can start only krmfn's client.

Rules enforced here: no flag that runs, mounts, fetches or reads outside (an allow-list); a program
from outside the repository; a plugin home that holds the client alone; an environment made up from
nothing; system calls, files, memory, CPU time and output limited by the launcher; a session that
outlives neither the call nor, on Linux, this process; no core dumps.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from krmfn.build import messages
from krmfn.build.client import CHANNEL
from krmfn.build.launch import CANNOT_CONFINE, CANNOT_RUN
from krmfn.errors import Failure, KrmfnError, PolicyError, SpecError
from krmfn.names import API_VERSION
from krmfn.process import interrupt
from krmfn.spec.parse import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from krmfn.deadline import Deadline

VARIABLE = "KRMFN_KUSTOMIZE"
FLAGS = ("--enable-alpha-plugins", "--enable-managedby-label", "--reorder=legacy", "--reorder=none")
STREAM_BYTES = 16 * 1024 * 1024
MESSAGE_BYTES = 64 * 1024
MEMORY_BYTES = 384 * 1024 * 1024  # with krmfn itself less than 512 MiB
_GO_MEMORY = "288MiB"  # where Go begins to collect garbage more often
_PROCESSORS = 2
_PLUGINS = "--enable-alpha-plugins"
# The kernel cuts the first line of a script that is longer, and it cannot quote.
_LONGEST_PROGRAM = 100
LAUNCHER = Path(__file__).with_name("launch.py")
CLIENT = Path(__file__).with_name("client.py")
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/nix/store", "/etc/ld.so.cache")


def check_flags(flags: Sequence[str]) -> tuple[str, ...]:
    """Return the user's flags for kustomize, without those that are always set.

    Raises:
        SpecError: one that is not known to be harmless.
    """
    for flag in flags:
        if flag not in FLAGS:
            raise SpecError(
                "usage",
                f"{flag} is not handed to kustomize",
                expected=f"nothing but {', '.join(FLAGS)}",
                remedy="leave it out, or use plain `kustomize build`",
            )
    return tuple(flag for flag in flags if flag != _PLUGINS)


def find_kustomize(environ: Mapping[str, str], *roots: Path) -> tuple[str, ...]:
    """Return the build command: KRMFN_KUSTOMIZE, kustomize or kubectl, the first that exists.

    Args:
        roots: of the repositories. No program inside of them is taken, but for those of the virtual
            environment that runs krmfn; nor is one that a relative entry of PATH leads to.

    Raises:
        SpecError: none of them is there; nothing is ever installed.
    """
    named = environ.get(VARIABLE)
    for name in [named] if named else ["kustomize", "kubectl"]:
        if found := _program(name, environ.get("PATH", os.defpath), roots):
            return found, "kustomize" if Path(found).name.startswith("kubectl") else "build"
    raise SpecError(
        "kustomize",
        f"{VARIABLE} names {named}, which is not a program outside the repository"
        if named
        else "there is no kustomize to build with",
        expected=f"{VARIABLE}, kustomize on PATH, or kubectl on PATH, outside the repository",
        remedy="install kustomize or kubectl",
    )


def _program(name: str, path: str, roots: Sequence[Path]) -> str | None:
    """Return the absolute path of a trusted program."""
    names = [name] if "/" in name else [f"{entry}/{name}" for entry in path.split(os.pathsep)]
    repositories, own = [root.resolve() for root in roots], Path(sys.executable).parent
    for candidate in map(Path, names):
        if not candidate.is_absolute() or not os.access(candidate, os.X_OK):
            continue
        inside = any(p.is_relative_to(r) for p in _places(candidate) for r in repositories)
        if candidate.is_file() and (candidate.parent == own or not inside):
            return str(candidate)
    return None


def _places(path: Path) -> Iterator[Path]:
    """Yield a path as written, with its directory resolved, and fully resolved."""
    yield Path(os.path.normpath(path))
    yield path.parent.resolve()
    yield path.resolve()


@dataclass(frozen=True)
class Sandbox:
    """A place to run kustomize in.

    Attributes:
        command: as `find_kustomize` returns it.
        home: a private folder; it holds the copy of the repository, and what `prepare` makes.
        names: paths in kustomize's messages, and what to print instead.
        required: refuse to run where the system has no filter of system calls.
        stream_bytes: the most that kustomize may print.
        client: the program that kustomize starts, without its first line.
    """

    command: tuple[str, ...]
    home: Path
    deadline: Deadline
    names: Mapping[str, str]
    required: bool = False
    stream_bytes: int = STREAM_BYTES
    client: Path = CLIENT

    def prepare(self) -> None:
        """Create the folders, with krmfn's client as the only plugin."""
        for name in ("tmp", "empty"):
            (self.home / name).mkdir()
        _install(self.client.read_text(), self.home / "plugins", self.home / "client")

    def run(
        self,
        directory: Path,
        flags: Sequence[str] = (),
        *,
        answer: Callable[[socket.socket], None] | None = None,
    ) -> str:
        """Return kustomize's output for ``directory``.

        Args:
            answer: answers the client's calls until the descriptor ends, in this thread. What it
                raises ends kustomize and is raised. Without it kustomize runs without plugins.

        Raises:
            SpecError: kustomize fails (``kustomize``), or needs too much (``build-limit``).
            PolicyError: ``sandbox``, it cannot be confined, and `required` says that it must be.
            DeadlineError: it does not finish.
        """
        flags = [*([_PLUGINS] if answer else []), *flags]
        command = [*self.command, *flags, str(directory)]
        return self._judged(command, answer)

    def _environment(self) -> dict[str, str]:
        empty = str(self.home / "empty")
        return {
            "PATH": empty,
            "HOME": empty,
            "XDG_CONFIG_HOME": empty,
            "KUSTOMIZE_PLUGIN_HOME": str(self.home / "plugins"),
            "TMPDIR": str(self.home / "tmp"),
            "LC_ALL": "C.UTF-8",
            "TZ": "",
            "GOMEMLIMIT": _GO_MEMORY,
            "GOMAXPROCS": str(_PROCESSORS),
            "GOTRACEBACK": "none",
        }

    def _judged(
        self,
        command: list[str],
        answer: Callable[[socket.socket], None] | None,
    ) -> str:
        with _memory() as output, _memory() as errors:
            code = self._run(command, (output, errors), answer)
            if output.seek(0, io.SEEK_END) >= self.stream_bytes:
                raise _too_much(f"prints more than {self.stream_bytes >> 20} MiB")
            errors.seek(0)
            said = errors.read(MESSAGE_BYTES).decode(errors="replace")
            if code:
                raise self._failure(code, said)
            output.seek(0)
            try:
                return output.read().decode()
            except UnicodeDecodeError:
                raise SpecError("kustomize", "kustomize's output is not UTF-8") from None

    def _run(
        self,
        command: list[str],
        streams: tuple[BinaryIO, BinaryIO],
        answer: Callable[[socket.socket], None] | None,
    ) -> int:
        """Run a command, and return its exit code; negative if a signal ended it."""
        left = self.deadline.left()
        launcher, environ = self._launcher(left), self._environment()
        late = threading.Event()
        process: subprocess.Popen[bytes] | None = None

        def end() -> None:
            late.set()
            _kill(process)

        # Where something holds the interpreter's lock, `Deadline.watch` ends all of this.
        timer = threading.Timer(left, end)
        here, there = socket.socketpair()
        with here:
            try:
                with there, interrupt.held():
                    process = subprocess.Popen(  # noqa: S603  # no shell
                        [*launcher, "--", *command],
                        env=environ | ({CHANNEL: str(there.fileno())} if answer else {}),
                        cwd="/",  # seen in /proc by others: not the way to the private folder
                        stdin=subprocess.DEVNULL,
                        stdout=streams[0],
                        stderr=streams[1],
                        pass_fds=[there.fileno()] if answer else [],
                        start_new_session=True,
                    )
                timer.start()
                if answer:
                    with contextlib.suppress(ConnectionError):  # kustomize has ended
                        answer(here)
                code = process.wait()
            except Failure:
                if late.is_set():  # and so a call was broken off
                    raise self.deadline.error() from None
                raise
            finally:
                timer.cancel()
                _kill(process)  # also what it may have left behind
        if late.is_set():
            raise self.deadline.error()
        return code

    def _launcher(self, seconds: float) -> list[str]:
        """The launcher's command, as far as ``--``."""
        program = Path(self.command[0])
        files = [self.home, program, program.resolve(), *python_files(), *LIBRARIES]
        settings = {
            "parent": os.getpid(),
            "filter": "required" if self.required else "",
            "data": MEMORY_BYTES,
            "file": self.stream_bytes,
            "cpu": int(seconds * _PROCESSORS) + 1,
        }
        return [
            interpreter(),
            "-IS",
            str(LAUNCHER),
            *(f"{name}={value}" for name, value in settings.items()),
            *(f"read={path}" for path in files),
            *(f"write={path}" for path in (self.home / "tmp", "/dev/null")),
        ]

    def _failure(self, code: int, said: str) -> KrmfnError:
        """Why kustomize, or the launcher, ended with another exit code than 0."""
        if code == CANNOT_CONFINE and said.startswith("launch: "):
            return _not_confined(said.removeprefix("launch: ").strip())
        if code == CANNOT_RUN and said.startswith("launch: "):
            reason = said.removeprefix("launch: ").strip()
            return SpecError(
                "kustomize",
                f"{self.command[0]} does not run: {reason}",
                remedy=f"name kustomize itself in {VARIABLE}, not a script that starts it",
            )
        if code == -signal.SIGKILL:
            return _too_much("was killed: it needs more memory or CPU time than it may have")
        if messages.out_of_memory(said):
            return _too_much(f"needs more than {MEMORY_BYTES >> 20} MiB of memory")
        return messages.failure(said, self.names)


def interpreter() -> str:
    """Return the interpreter for launcher and client, outside every virtual environment."""
    return os.path.realpath(sys.executable)


def confinement() -> tuple[str, ...]:
    """Return the kernel's protections for a build: ``seccomp``, ``landlock``, both or none."""
    done = subprocess.run(  # noqa: S603  # no shell
        [interpreter(), "-IS", str(LAUNCHER), *(f"read={path}" for path in python_files())],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return tuple(sorted(done.stdout.decode().split())) if done.returncode == 0 else ()


def _install(client: str, plugins: Path, file: Path) -> None:
    """Install the client as the plugin of each of krmfn's kinds."""
    python = interpreter()
    if len(python) > _LONGEST_PROGRAM or any(char.isspace() for char in python):
        link = file.with_name("python")
        link.symlink_to(python)
        python = str(link)
    file.write_text(f"#!{python} -IS\n{client}")
    file.chmod(0o500)
    for kind in KINDS:
        link = plugins / API_VERSION / kind.lower() / kind
        link.parent.mkdir(parents=True)
        link.symlink_to(file)


def python_files() -> list[str]:
    """Return the files that the interpreter reads when it starts without site-packages."""
    prefix = Path(sys.base_prefix)
    standard = Path(os.__file__).parent
    return [
        interpreter(),
        *map(str, (standard, prefix / "lib", prefix / "lib64", Path(sys.prefix) / "pyvenv.cfg")),
    ]


def _memory() -> BinaryIO:
    """Return a file in memory if the system has them; it may contain a repository's Secrets."""
    if sys.platform == "linux":
        return open(os.memfd_create("krmfn"), "w+b")  # noqa: PTH123  # the caller closes it
    return tempfile.TemporaryFile()  # type: ignore[unreachable]


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    """End a process and all of its session's group, and wait for it."""
    if process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _too_much(what: str) -> SpecError:
    return SpecError("build-limit", f"kustomize {what}", remedy="build less in one overlay")


def _not_confined(reason: str) -> PolicyError:
    return PolicyError(
        "sandbox",
        f"kustomize cannot be confined: {reason}",
        remedy="build on Linux, or set `sandbox: best-effort` in the PlatformConfig",
    )
