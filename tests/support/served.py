"""krmfn without its start: a server that has krmfn imported and forks for each call.

A test that starts krmfn several times by way of kustomize pays 150 ms of imports for each start. Here
`krmfn` on PATH and the legacy plugins are a client of a few lines, which hands its descriptors to the
server. Rules: each call is a process of its own, with the caller's arguments, environment, working
directory and standard streams; its clock starts with it. Behind a spy the real program is started.
Tests about the process itself start it by themselves: a signal to the client does not arrive.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from krmfn.spec.parse import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = "krmfn.dev/v1alpha1"
CLIENT = """\
#!{python} -IS
import _json, _socket, os, sys
text = _json.encode_basestring_ascii
call = "[[%s],{{%s}},%s]" % (
    ",".join(map(text, sys.argv)),
    ",".join("%s:%s" % (text(k), text(v)) for k, v in os.environ.items()),
    text(os.getcwd()),
)
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect({address!r})
streams = b"".join(n.to_bytes(4, sys.byteorder) for n in range(3))
server.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.sendall(call.encode())
server.shutdown(_socket.SHUT_WR)
code = server.recv(1)
os._exit(code[0] if code else 99)
"""


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        directory: with the client as ``krmfn``.
        environ: PATH, HOME and plugin home, in which krmfn is the client.
    """

    directory: Path
    environ: dict[str, str]

    def run(
        self, *command: str | Path, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program that calls krmfn, or krmfn itself, to its end."""
        return subprocess.run(
            command,
            env={**self.environ, **(environ or {})},
            text=True,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )


@contextlib.contextmanager
def served(scratch: Path) -> Iterator[Served]:
    """A server for the length of the block, and its client as program and as plugins."""
    address, program, home = scratch / "socket", scratch / "bin/krmfn", scratch / "plugins"
    program.parent.mkdir()
    program.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)
    for kind in KINDS:
        plugin = home / PLUGINS / kind.lower() / kind
        plugin.parent.mkdir(parents=True)
        plugin.symlink_to(program)
    command = [sys.executable, "-P", "-c", "from tests.support import served; served.serve()"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, str(address)], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.read(1) == b"."
        yield Served(
            program.parent,
            {
                "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(scratch),
                "KUSTOMIZE_PLUGIN_HOME": str(home),
            },
        )
        server.stdin.close()
        server.terminate()


def serve() -> NoReturn:
    """The server: one fork for a call, and one in it for krmfn, whose exit code is the answer."""
    _import()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(sys.argv[1])
        listening.listen()
        os.write(1, b".")
        while True:
            connection, _ = listening.accept()
            with connection:
                if not os.fork():
                    if os.fork():
                        os._exit(0)
                    listening.close()
                    _answer(connection)
            os.wait()


def _answer(connection: socket.socket) -> NoReturn:
    """Run krmfn as the call says, in a child."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as file:
        arguments, environ, directory = json.loads(file.read())
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(bytes([code if code >= 0 else 128 - code]))
        os._exit(0)
    connection.close()
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(directory)
    if environ.get("PYTHONPATH", str(ROOT)) != str(ROOT):
        os.execve(sys.executable, [sys.executable, "-P", "-m", "krmfn", *arguments[1:]], environ)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = arguments
    from krmfn import __main__

    __main__.START = time.monotonic()
    __main__.main()
    raise AssertionError("krmfn ends its process")


def _import() -> None:
    """What functions and builds import; nothing of it keeps a state."""
    import gc
    import importlib

    for name in (
        "krmfn.function",
        "krmfn.cli.build",
        "krmfn.stores.age.store",
        "krmfn.stores.vault.store",
    ):
        importlib.import_module(name)
    gc.freeze()
