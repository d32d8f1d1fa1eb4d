"""What kustomize and its children ask of the kernel while krmfn builds, as strace sees it.

Rules enforced here: kustomize and everything that it starts counts, from its first system call on; krmfn
itself, which may read the repository and ask a vault, does not. Of a path counts what was opened, links
resolved. Calls that fail are kept: to try is a finding for sockets, not for files.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STRACE = "/usr/bin/strace"
FILES = "open,openat,openat2,creat,truncate,rename,renameat,renameat2,link,linkat,symlink,symlinkat"
FILES += (
    ",mkdir,mkdirat,mknod,mknodat,unlink,unlinkat,rmdir,chmod,fchmodat,chown,fchownat,utimensat"
)
PROCESSES = "execve,execveat,fork,vfork,clone,clone3,chdir,fchdir"
NETWORK = "%network,io_uring_setup"
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(.*)")
_BEGUN = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PLACED = re.compile(r"(?:AT_FDCWD|-?\d+)<(.*?)>")


@dataclass(frozen=True)
class Call:
    """One system call.

    Attributes:
        arguments: as strace writes them, descriptors with their paths.
        result: below zero where it failed.
        opened: what the descriptor that it gave is, links resolved.
    """

    process: int
    name: str
    arguments: str
    result: int
    opened: str = ""

    @property
    def path(self) -> str:
        """What was opened; else the first path that is named, made absolute and without ``..``."""
        if self.opened:
            return self.opened
        text = _TEXT.search(self.arguments)
        if text is None:
            return ""
        name = text[1].encode("latin-1", "replace").decode("unicode_escape")
        placed = _PLACED.search(self.arguments[: text.start()])
        return os.path.normpath(Path(placed[1] if placed else "/", name))

    @property
    def writes(self) -> bool:
        """Whether it changes files, or opens one to do so."""
        if not self.name.startswith("open"):
            return True
        return re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", self.arguments) is not None


@dataclass
class Trace:
    """What kustomize and all its children asked.

    Attributes:
        programs: that were started, in order.
    """

    calls: list[Call] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)

    def sockets(self) -> list[Call]:
        """Calls that make a connection, whether they succeeded or not; the inherited one may be used."""
        return [call for call in self.calls if call.name in _NETWORK]

    def opened(self, *, writing: bool) -> list[str]:
        """Paths that were opened with success for reading, or changed."""
        done = [c for c in self.calls if c.name in FILES.split(",") and c.result >= 0]
        return [c.path for c in done if c.writes is writing]


_NETWORK = frozenset(
    (
        *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
        *("recvmmsg", "sendmmsg", "setsockopt", "getsockname", "getpeername", "io_uring_setup"),
    )
)


def traced(
    command: list[str | Path], log: Path, programs: tuple[Path, ...], **options: object
) -> tuple[subprocess.CompletedProcess[str], Trace]:
    """Run krmfn under strace; returns what it said, and what the programs and their children asked."""
    which = f"trace={FILES},{PROCESSES},{NETWORK}"
    strace = [STRACE, "-f", "-qq", "-y", "-s", "8192", "-e", "signal=none", "-e", which, "-o", log]
    done = subprocess.run(  # type: ignore[call-overload]
        [*strace, "--", *command],
        text=True,
        capture_output=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        **options,
    )
    return done, read(log.read_text(errors="replace").splitlines(), programs)


def read(lines: list[str], programs: tuple[Path, ...]) -> Trace:
    """The trace in strace's lines: everything from the start of one of the programs on.

    Before that there is the launcher, which reads what Python reads, and gives up its power.
    """
    calls = [call for line in _whole(lines) if (call := _call(line))]
    names, trace = [str(one) for one in programs], Trace()
    leader: dict[int, int] = {}
    counted: set[int] = set()
    for call in calls:
        process = leader.get(call.process, call.process)
        if call.name == "execve" and call.result == 0 and call.path in names:
            counted.add(process)
        if process not in counted:
            continue
        if call.name in ("fork", "vfork", "clone", "clone3") and call.result > 0:
            counted.add(call.result)
            if "CLONE_THREAD" in call.arguments:
                leader[call.result] = process
        if call.name == "execve" and call.result == 0:
            trace.programs.append(call.path)
        opened = re.sub(rf"^/proc/{process}(/|$)", r"/proc/self\1", call.opened)
        trace.calls.append(replace(call, opened=opened))
    return trace


def _whole(lines: list[str]) -> list[str]:
    """Lines with those calls put together that another process interrupted."""
    begun: dict[str, str] = {}
    found = []
    for line in lines:
        if start := _BEGUN.match(line):
            begun[start[1]] = f"{start[1]} {start[2]}"
        elif (rest := _RESUMED.match(line)) and rest[1] in begun:
            found.append(begun.pop(rest[1]) + rest[2])
        else:
            found.append(line)
    return found


def _call(line: str) -> Call | None:
    found = _LINE.match(line)
    if found is None or found[4] == "?":
        return None
    opened = re.match(r"<(/.*)>", found[5])
    return Call(int(found[1]), found[2], found[3], int(found[4]), opened[1] if opened else "")


@dataclass(frozen=True)
class Allowed:
    """Where a build's children may read and write.

    Attributes:
        private: beginnings of the private folders' paths.
        programs: kustomize, which may be anywhere.
    """

    private: tuple[str, ...]
    programs: tuple[Path, ...]

    def reading(self, path: str) -> bool:
        """Whether a path may be opened for reading."""
        libraries = (
            "/usr/lib",
            "/usr/lib64",
            "/lib",
            "/lib64",
            "/usr/local/lib",
            sys.base_prefix,
            sys.prefix,
        )
        below = (*libraries, "/sys", "/proc/self", *self.private)
        single = ("/dev/null", "/etc/ld.so.cache", *map(str, self.programs), *_interpreters())
        return path in single or any(_is_below(path, place) for place in below)

    def writing(self, path: str) -> bool:
        """Whether a path may be changed."""
        return path == "/dev/null" or any(_is_below(path, place) for place in self.private)


def _interpreters() -> tuple[str, ...]:
    """Python's program by each of its names."""
    return (sys.executable, os.path.realpath(sys.executable), str(Path(sys.base_prefix, "bin")))


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")


def faults(trace: Trace, allowed: Allowed) -> list[str]:
    """What a trace holds that it must not, one line each."""
    found = [f"{c.name}({c.arguments[:120]})" for c in trace.sockets()]
    found += [f"reads {p}" for p in trace.opened(writing=False) if not allowed.reading(p)]
    found += [f"writes {p}" for p in trace.opened(writing=True) if not allowed.writing(p)]
    return list(dict.fromkeys(found))


def environment(environ: Mapping[str, str], private: Path) -> dict[str, str]:
    """An environment in which private folders are below ``private``."""
    private.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.environ["PATH"], "TMPDIR": str(private), **environ}
