"""A signal at each file event of a command, and what is left of it.

One process imports krmfn and forks for each moment: the command starts at once, in a fresh copy of a
folder, and gets the signal before its nth event of Python's audit hooks that changes a file, starts a
process or sends a request. Its soft limit of core files is raised first, as far as the machine allows.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import urllib.error
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
GET_DUMPABLE = 3  # <linux/prctl.h>
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod"}
STARTS = {"subprocess.Popen", "os.posix_spawn", "http.client.send"}


@dataclass(frozen=True)
class Command:
    """What to run.

    Attributes:
        folder: copied for each moment; the working directory of the command.
        stdin: its standard input.
        vault: paths of the mount ``secret``, of the server in ``environ``, that it may write; nothing is
            there at first.
    """

    folder: Path
    arguments: list[str]
    environ: dict[str, str] = field(default_factory=dict)
    stdin: str = ""
    vault: tuple[str, ...] = ()


@dataclass(frozen=True)
class End:
    """How it ended.

    Attributes:
        code: below zero where the signal itself ended it.
        events: how many there were; the signal came before the last of them.
        open: at how many of them the system would have written a core file.
        files: what the folder holds, and the vault as ``vault:PATH``.
        left: what is left in the folder for temporary files.
    """

    number: int
    code: int
    events: int
    open: int
    error: str
    files: dict[str, str]
    left: list[str]


def moments(
    command: Command, work: Path, numbers: list[int], at: list[int] | None = None, most: int = 0
) -> list[End]:
    """One end for each signal at each moment, behind the end without a signal.

    Args:
        work: a new folder.
        numbers: the signals.
        at: which events, counted from 1; None is all of them, -1 the one in the middle.
        most: no more than so many of them, evenly.
    """
    work.mkdir()
    order = {
        "folder": str(command.folder), "arguments": command.arguments, "stdin": command.stdin,
        "work": str(work), "numbers": numbers, "at": at, "most": most, "vault": command.vault,
    }  # fmt: skip
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(work),
        "TMPDIR": str(work / "tmp"),
        **command.environ,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.moments"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )
    assert done.returncode == 0, done.stderr
    return [End(**one) for one in json.loads(done.stdout)]


def _serve() -> None:
    order = json.load(sys.stdin)
    import importlib

    from krmfn import __main__, cli

    importlib.import_module(cli.COMMANDS[order["arguments"][0]].module)
    ends = [_end(__main__, order, 0, 0)]
    wanted = order["at"] or range(1, ends[0]["events"] + 1)
    wanted = [ends[0]["events"] // 2 + 1 if nth < 0 else nth for nth in wanted]
    if order["most"]:
        wanted = wanted[:: max(1, len(wanted) // order["most"])]
    ends += [_end(__main__, order, nth, number) for number in order["numbers"] for nth in wanted]
    json.dump(ends, sys.stdout)


def _end(main: Any, order: dict[str, Any], nth: int, number: int) -> dict[str, Any]:
    work = Path(order["work"])
    place, log = work / "folder", work / "log"
    for folder in (place, work / "tmp"):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(order["folder"], place, symlinks=True)
    (work / "tmp").mkdir()
    (work / "in").write_text(order["stdin"])
    log.write_bytes(b"")
    for path in order["vault"]:
        _vault().request("DELETE", f"secret/metadata/{path}")
    child = os.fork()
    if child == 0:
        _run(main, order["arguments"], work, nth, number)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    events = log.read_bytes()
    return {
        "number": number,
        "code": code,
        "events": len(events),
        "open": events.count(b"!"),
        "error": (work / "err").read_text(),
        "files": {
            str(file.relative_to(place)): file.read_bytes().hex()
            for file in sorted(place.rglob("*"))
            if file.is_file()
        }
        | {f"vault:{path}": value for path in order["vault"] if (value := _stored(path))},
        "left": sorted(one.name for one in (work / "tmp").iterdir()),
    }


def _vault() -> OpenBao:
    return OpenBao(os.environ["VAULT_ADDR"], os.environ["VAULT_TOKEN"])


def _stored(path: str) -> str:
    """What the vault holds there; empty for nothing."""
    try:
        return json.dumps(_vault().request("GET", f"secret/data/{path}")["data"]["data"])
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        return ""


def _run(main: Any, arguments: list[str], work: Path, nth: int, number: int) -> None:
    os.chdir(work / "folder")
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for descriptor, (name, flags) in enumerate([("in", os.O_RDONLY), ("out", new), ("err", new)]):
        os.dup2(os.open(work / name, flags, 0o600), descriptor)
    log = os.open(work / "log", os.O_WRONLY | os.O_APPEND)
    me, seen, inside = os.getpid(), 0, f"{work}/"
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else lambda _: 0

    def hook(event: str, given: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "open":
            flags = given[2] if len(given) > 2 and isinstance(given[2], int) else 0
            counts = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) != 0
        else:
            counts = event in CHANGES
        if counts:
            counts = any(
                isinstance(one, str | os.PathLike) and os.path.abspath(one).startswith(inside)  # noqa: PTH100
                for one in given
            )
        if not (counts or event in STARTS) or os.getpid() != me:
            return
        seen += 1
        dumps = prctl(GET_DUMPABLE) or resource.getrlimit(resource.RLIMIT_CORE) != (0, 0)
        os.write(log, b"!" if dumps else b".")
        if seen == nth:
            os.kill(me, number)

    sys.addaudithook(hook)
    sys.argv = ["krmfn", *arguments]
    main.START = time.monotonic()  # it was imported long ago
    main.main()


if __name__ == "__main__":
    _serve()
