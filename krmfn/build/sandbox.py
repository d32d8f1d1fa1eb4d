"""Calling kustomize so that it can execute nothing but krmfn, and read no credential.

Rules enforced here: no flag that runs, mounts, fetches or reads outside (an allow-list); a plugin
home and a PATH that hold krmfn alone; an environment of its own, made up from nothing; a process
group that outlives neither the call nor, on Linux, this process; no core dumps; the folder is private
and goes when the build is done.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.build import client
from krmfn.build.client import CHANNEL
from krmfn.errors import CATALOGUE, KrmfnError, SpecError
from krmfn.names import API_VERSION
from krmfn.spec.parse import KINDS

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from krmfn.deadline import Deadline

VARIABLE = "KRMFN_KUSTOMIZE"
FLAGS = ("--enable-alpha-plugins", "--enable-managedby-label", "--reorder=legacy", "--reorder=none")
_PLUGINS = "--enable-alpha-plugins"
_OUR_ERROR = re.compile(r"\[error\] (.+?) \[([a-z0-9-]+)\]")
# kubectl from 1.37 on logs its error instead of printing it.
_LOGGED = re.compile(r'^E\d{4} .*?\] "command failed" err="(.*)"$')
# Here a message of kustomize's begins to quote what stands in a file, which may be a value.
_QUOTING = re.compile(
    r"\{|\\n|config: `|node contents|literal sources? |: line \[|invalid utf8|\[patch: |patch from |"
    r"specify a target |decoding \[|for value |unmarshal !!|anchor '|is not a string: "
)
_CUT = "what it quotes of a file is not shown; run kustomize itself to see it"
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
# A shebang cuts lines that are longer, and cannot quote.
_SHEBANG = re.compile(r"/[^\s]{1,100}")


def check_flags(flags: Sequence[str]) -> tuple[str, ...]:
    """The flags that a user hands through, without those that are always given.

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


def find_kustomize(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The command that builds: KRMFN_KUSTOMIZE, kustomize or kubectl, whichever is there first.

    Raises:
        SpecError: none of them is; nothing is ever installed.
    """
    named = environ.get(VARIABLE)
    for name in [named] if named else ["kustomize", "kubectl"]:
        if found := shutil.which(name, path=environ.get("PATH")):
            action = "kustomize" if Path(found).name.startswith("kubectl") else "build"
            return str(Path(found).absolute()), action
    raise SpecError(
        "kustomize",
        f"{VARIABLE} names {named}, which is no program"
        if named
        else "there is no kustomize to build with",
        expected=f"{VARIABLE}, kustomize on PATH, or kubectl on PATH",
        remedy="install kustomize or kubectl",
    )


@dataclass(frozen=True)
class Sandbox:
    """A place to call kustomize from.

    Attributes:
        command: as `find_kustomize` says.
        home: a private folder; the copy of the repository is beside what is made here.
        names: paths in kustomize's messages, and what to say instead.
    """

    command: tuple[str, ...]
    home: Path
    deadline: Deadline
    names: Mapping[str, str]

    def prepare(self) -> None:
        """Make krmfn the one plugin and the one program on PATH."""
        program = self.home / "client"
        for name in ("bin", "tmp", "home", "config"):
            (self.home / name).mkdir()
        program.write_text(_program())
        program.chmod(0o700)
        for kind in KINDS:
            link = self.home / "plugins" / API_VERSION / kind.lower() / kind
            link.parent.mkdir(parents=True)
            link.symlink_to(program)

    def run(
        self,
        directory: Path,
        flags: Sequence[str] = (),
        *,
        channel: socket.socket | None = None,
        serve: Callable[[], None] | None = None,
    ) -> str:
        """What kustomize makes of ``directory``.

        Args:
            channel: for the client; closed here once kustomize has it.
            serve: answers the client until the channel is closed at kustomize's end.

        Raises:
            SpecError: kustomize fails.
            DeadlineError: it does not finish.
        """
        environ = {
            "PATH": str(self.home / "bin"),
            "HOME": str(self.home / "home"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "KUSTOMIZE_PLUGIN_HOME": str(self.home / "plugins"),
            "TMPDIR": str(self.home / "tmp"),
            "LC_ALL": "C.UTF-8",
        }
        if channel:
            environ[CHANNEL] = str(channel.fileno())
        command = [*self.command, *([_PLUGINS] if channel else []), *flags, str(directory)]
        code, output, errors = self._run(command, environ, channel, serve)
        if code:
            raise self._failure(errors)
        return output

    def _run(
        self,
        command: list[str],
        environ: dict[str, str],
        channel: socket.socket | None,
        serve: Callable[[], None] | None,
    ) -> tuple[int, str, str]:
        _hide()
        try:
            process = subprocess.Popen(  # noqa: S603  # no shell
                command,
                env=environ,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,
                pass_fds=[channel.fileno()] if channel else [],
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  # one system call, no lock
            )
        except OSError as error:
            reason = (error.strerror or "failed").lower()
            raise SpecError("kustomize", f"{command[0]} does not run: {reason}") from None
        try:
            if channel and serve:
                channel.close()
                serve()
            output, errors = process.communicate(timeout=self.deadline.left())
            return process.returncode, output.decode(), errors.decode(errors="replace")
        except subprocess.TimeoutExpired:
            raise self.deadline.error() from None
        except UnicodeDecodeError:
            raise SpecError("kustomize", "kustomize's output is not UTF-8") from None
        finally:
            # Also what it may have left behind.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _failure(self, errors: str) -> KrmfnError:
        """krmfn's own error out of a function, else kustomize's first line: both without values."""
        for path, name in self.names.items():
            errors = errors.replace(path, name)
        if (ours := _OUR_ERROR.search(errors)) and ours[2] in CATALOGUE:
            return CATALOGUE[ours[2]][0](ours[2], ours[1])
        # Behind a # stands a warning of kustomize's.
        lines = [line for line in errors.splitlines() if line.strip() and line[0] != "#"]
        lines = [_LOGGED.sub(r"\1", line) for line in lines] or ["it says nothing"]
        first = next((line for line in lines if line.lower().startswith("error")), lines[0])
        text = first.removeprefix("Error: ").removeprefix("error: ")[:2000]
        told, *quoted = _QUOTING.split(text, maxsplit=1)
        if not quoted:
            return SpecError("kustomize", f"kustomize fails: {text}")
        return SpecError("kustomize", f"kustomize fails: {told.rstrip(' :[`')}: …", remedy=_CUT)


def _program() -> str:
    """The client, for this interpreter."""
    text = Path(client.__file__).read_text()
    if _SHEBANG.fullmatch(sys.executable):
        return f"#!{sys.executable} -IS\n{text}"  # needs no shell, and an image may have none
    quoted = [shlex.quote(part) for part in (sys.executable, text)]
    return f'#!/bin/sh\nexec {quoted[0]} -IS -c {quoted[1]} "$@"\n'


def _die_with(parent: int) -> Callable[[], None] | None:
    """What a child does first: ask to be killed when this process is (Linux).

    Who kills krmfn alone, as Argo CD does when its time is up, must not leave kustomize behind.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was quicker
            os._exit(1)

    return ask


def _hide() -> None:
    """Close this process's memory and environment to its children, where the system can (Linux).

    Nothing of the repository runs; were it to, it would find its parent's environment in /proc.
    No crash of this process or of a child writes its memory to a file.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
