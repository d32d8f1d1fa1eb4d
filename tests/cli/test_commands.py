"""The commands, called as a person calls them."""

from __future__ import annotations

import base64
import http.server
import importlib
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from krmfn.cli import COMMANDS
from krmfn.cli.schema import ALL_KINDS
from tests.support import command
from tests.support.https import serving

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests/vectors"
CURRENT = VECTORS / "keys/current.crt"
FINGERPRINT = "2de602df37fcd47a9a0e88b7c5d16dedf77c8b3ae55d090d88ddb76f0a9fc642"


def krmfn(
    *arguments: str | Path, stdin: str = "", cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """One call, by somebody without a home."""
    return command.krmfn(*arguments, stdin=stdin, cwd=cwd, **{"HOME": "/nonexistent", **environ})


def test_version() -> None:
    """The version is one line."""
    from krmfn import __version__

    assert krmfn("--version").stdout == f"krmfn {__version__}\n"


def test_help_names_every_command() -> None:
    """The help lists each command and shows how the function is called."""
    shown = krmfn("--help").stdout
    assert all(f"  {name} " in shown for name in COMMANDS)
    assert "kustomize build --enable-alpha-plugins --enable-exec" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name: str) -> None:
    """A sentence, examples of the command itself, then the rest; `help` shows the same."""
    done = krmfn(name, "--help")
    assert done.returncode == 0
    text = importlib.import_module(COMMANDS[name].module).__doc__ or ""
    assert text.strip() in done.stdout
    sentence, *rest = text.rstrip().split("\n\n")
    assert sentence.endswith(".")
    (examples,) = (part for part in rest if f"\n  krmfn {name}" in f"\n{part}")
    assert all(line.startswith("  ") for line in examples.splitlines())
    assert max(map(len, text.splitlines())) <= 108
    assert krmfn("help", name).stdout == done.stdout


@pytest.mark.parametrize(
    "words",
    [
        "rotate -v epoch DIR",
        "rotate epoch -v DIR",
        "rotate epoch DIR -v",
        "rotate versions DIR -v --dry-run",
        "rotate epoch DIR --dry-run DIR",
        "rotate epoch DIR --to 7 DIR -v",
        "rotate epoch DIR --dry-run -- DIR",
        "import secret -v DIR",
        "import secret DIR -v DIR",
        "build DIR -v",
        "plan DIR --json DIR",
        "matrix DIR -v DIR",
        "init DIR --dry-run DIR",
        "build DIR -v -- --enable-managedby-label",
    ],
)
def test_options_and_arguments_come_in_any_order(words: str, tmp_path: Path) -> None:
    """Before, between and behind what they go with: the mistake is in the directory, not the usage."""
    done = krmfn(*words.replace("DIR", str(tmp_path / "gone")).split())
    assert done.returncode == 2
    assert "[usage]" not in done.stderr
    assert "gone" in done.stderr


@pytest.mark.parametrize(
    "words", ["audit a -v b", "rotate epoch a -v --bad b", "unseal a --key k b"]
)
def test_what_is_too_much_stays_an_error(words: str) -> None:
    """An argument that no command takes is refused in any place."""
    done = krmfn(*words.split())
    assert done.returncode == 2
    assert done.stderr.endswith("--help [usage]\n")


def test_help_goes_deeper() -> None:
    """`help` takes what a command takes, and without any it is the general help."""
    assert krmfn("help", "age", "set").stdout == krmfn("age", "set", "--help").stdout
    assert krmfn("help").stdout == krmfn("--help").stdout
    done = krmfn("help", "agee")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no command agee; did you mean age?" in done.stderr


def test_unknown_command() -> None:
    """A misspelled command is answered with the nearest one, and exit code 2."""
    done = krmfn("schem")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "[error] krmfn: no command schem; did you mean schema?; see krmfn --help [usage]\n"
    )


def test_directory_option(tmp_path: Path) -> None:
    """-C works in another directory, and says when there is none."""
    (tmp_path / "x.yaml").write_text("apiVersion: krmfn.dev/v1alpha1\nkind: Nothing\n")
    done = krmfn("-C", tmp_path, "schema", "--check", "x.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("[error] krmfn schema: x.yaml: not a krmfn resource")
    assert krmfn("-C", tmp_path / "no", "schema").returncode == 2


def test_schema_check_reports_all_mistakes_with_positions(tmp_path: Path) -> None:
    """Every mistake of a file is told, with line and column."""
    file = tmp_path / "bad.yaml"
    file.write_text(
        "apiVersion: krmfn.dev/v1alpha1\n"
        "kind: SealedSecretGenerator\n"
        "metadata: {name: x}\n"
        "spec:\n"
        "  sealing:\n"
        "    certificate: {file: c.pem}\n"
        "    epok: '1'\n"
        "  secrets:\n"
        "  - name: UPPER\n"
    )
    done = krmfn("schema", "--check", "bad.yaml", cwd=tmp_path)
    assert done.stderr.splitlines() == [
        "[error] krmfn schema: bad.yaml:7:5: SealedSecretGenerator/x: spec.sealing.epok: "
        "unknown field; did you mean epoch? [spec]",
        "[error] krmfn schema: bad.yaml:9:5: SealedSecretGenerator/x: spec.secrets[0].name: "
        "must be lower-case letters, digits, '-' and '.' (a DNS name) [spec]",
    ]
    assert done.returncode == 2


def test_schema_of_an_unknown_kind() -> None:
    """An unknown kind names those that there are."""
    done = krmfn("schema", "Nothing")
    assert done.returncode == 2
    assert f"expected {' or '.join(ALL_KINDS)}" in done.stderr


# --- unseal


@pytest.mark.parametrize("scope", ["strict", "namespace-wide", "cluster-wide"])
@pytest.mark.parametrize("name", ["opaque", "tls", "basic-auth", "dockerconfigjson", "edge-values"])
def test_unseal_opens_what_kubeseal_sealed(name: str, scope: str) -> None:
    """Every sealed vector opens to its plain Secret's data."""
    done = krmfn(
        "unseal", "--key", VECTORS / "keys/current.key", VECTORS / f"sealed/{name}.{scope}.json"
    )
    assert done.returncode == 0, done.stderr
    secret = json.loads(done.stdout.removeprefix("---"))
    plain = json.loads((VECTORS / f"plain/{name}.json").read_text())
    data = dict(plain.get("data") or {})
    data |= {
        k: base64.b64encode(v.encode()).decode() for k, v in (plain.get("stringData") or {}).items()
    }
    assert secret["data"] == data
    assert secret.get("type") == plain.get("type")


def test_unseal_takes_a_backup_of_key_secrets(tmp_path: Path) -> None:
    """Keys may come as the controller's Secrets, several in a list."""
    pem = base64.b64encode((VECTORS / "keys/current.key").read_bytes()).decode()
    other = base64.b64encode((VECTORS / "keys/previous.key").read_bytes()).decode()
    items = [{"kind": "Secret", "data": {"tls.key": key}} for key in (other, pem)]
    backup = tmp_path / "keys.yaml"
    backup.write_text(json.dumps({"kind": "List", "items": items}))
    sealed = VECTORS / "sealed/opaque.strict.json"
    assert krmfn("unseal", "--check", "--key", backup, sealed).stdout == (
        "yes  production/logto-backup-storage-credentials: 2 keys\n"
    )


def test_unseal_under_another_name(tmp_path: Path) -> None:
    """A moved SealedSecret does not open; nothing is printed, and the line says as what it was tried."""
    sealed = json.loads((VECTORS / "sealed/opaque.strict.json").read_text())
    sealed["metadata"]["namespace"] = "dev"
    key = VECTORS / "keys/current.key"
    done = krmfn("unseal", "--key", key, stdin=json.dumps(sealed))
    assert (done.returncode, done.stdout) == (4, "")
    assert "no key opens it as dev/logto-backup-storage-credentials" in done.stderr
    check = krmfn("unseal", "--check", "--key", key, stdin=json.dumps(sealed))
    assert check.returncode == 1
    assert check.stdout.startswith("no   dev/logto-backup-storage-credentials: ")


def test_unseal_without_sealed_secrets() -> None:
    """A stream that holds none is an error, not silence."""
    done = krmfn("unseal", "--key", VECTORS / "keys/current.key", stdin="kind: ConfigMap\n")
    assert (done.returncode, done.stdout) == (2, "")


def test_unseal_with_a_file_that_is_no_key() -> None:
    """A certificate in place of a key is told."""
    done = krmfn("unseal", "--key", CURRENT, stdin="{}")
    assert done.returncode == 4
    assert "there is no RSA private key in it [private-key]" in done.stderr


# --- cert


def test_cert_check() -> None:
    """A usable certificate is described by size, end and fingerprint."""
    done = krmfn("cert", "check", CURRENT)
    assert done.returncode == 0
    assert f"RSA 4096, until 2046-11-18, {FINGERPRINT}" in done.stdout


@pytest.mark.parametrize(
    ("name", "id_"), [("expired", "certificate-expired"), ("ec", "certificate-key")]
)
def test_cert_check_refuses(name: str, id_: str) -> None:
    """What a build would refuse, the check refuses."""
    done = krmfn("cert", "check", VECTORS / f"keys/{name}.crt")
    assert done.returncode == 4
    assert done.stderr.rstrip().endswith(f"[{id_}]")


class Api(http.server.BaseHTTPRequestHandler):
    """As much of an API server as reaches the controller: one Service and its proxy."""

    service = "sealed-secrets"
    port = "http"
    status = 200
    pem = b""

    def do_GET(self) -> None:
        base = "/api/v1/namespaces/kube-system/services/"
        if self.headers["Authorization"] != "Bearer letmein":
            self.answer(401, b"{}")
        elif self.path == f"{base}{self.service}":
            port = {"port": 8080} | ({"name": self.port} if self.port else {})
            self.answer(200, json.dumps({"spec": {"ports": [port]}}).encode())
        elif self.path == f"{base}http:{self.service}:{self.port}/proxy/v1/cert.pem":
            self.answer(self.status, self.pem)
        else:
            self.answer(404, b"{}")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[type[Api], dict[str, str]]]:
    """An API server on loopback, and the environment that reaches it."""
    api = type("OneApi", (Api,), {"pem": CURRENT.read_bytes()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [
            {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "users": [{"name": "u", "user": {"token": "letmein"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    yield api, {"KUBECONFIG": str(tmp_path / "config")}
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("service", "port"), [("sealed-secrets-controller", ""), ("sealed-secrets", "http")]
)
def test_cert_fetch(
    cluster: tuple[type[Api], dict[str, str]], service: str, port: str, tmp_path: Path
) -> None:
    """The certificate is fetched from both usual Services, by its port's name, and replaces the file."""
    api, environ = cluster
    api.service, api.port = service, port
    target = tmp_path / "production.pem"
    target.write_text("old")
    done = krmfn("cert", "fetch", "-o", target, **environ)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"kube-system/{service}: RSA 4096")
    assert target.read_bytes().strip() == CURRENT.read_bytes().strip()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config", "production.pem"]
    assert krmfn("cert", "check", target, "--cluster", **environ).returncode == 0


def test_cert_check_against_the_cluster(cluster: tuple[type[Api], dict[str, str]]) -> None:
    """Another certificate in the cluster is a finding: exit code 1."""
    done = krmfn("cert", "check", VECTORS / "keys/previous.crt", "--cluster", **cluster[1])
    assert done.returncode == 1
    assert f"expected {FINGERPRINT}" in done.stderr


@pytest.mark.parametrize(
    ("service", "status", "id_"),
    [
        ("other", 200, "not-found"),
        ("sealed-secrets", 403, "permission-denied"),
        ("sealed-secrets", 503, "unavailable"),
    ],
)
def test_cert_fetch_failures(
    cluster: tuple[type[Api], dict[str, str]], service: str, status: int, id_: str, tmp_path: Path
) -> None:
    """A failure is one line, and the file stays as it was."""
    api, environ = cluster
    api.service, api.status = service, status
    target = tmp_path / "production.pem"
    target.write_text("old")
    done = krmfn("cert", "fetch", "-o", target, **environ)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert done.stderr.rstrip().endswith(f"[{id_}]")
    assert target.read_text() == "old"


def test_cert_fetch_refuses_what_cannot_be_sealed_with(
    cluster: tuple[type[Api], dict[str, str]], tmp_path: Path
) -> None:
    """An unusable certificate does not replace the file."""
    api, environ = cluster
    api.pem = (VECTORS / "keys/expired.crt").read_bytes()
    target = tmp_path / "production.pem"
    target.write_text("old")
    assert krmfn("cert", "fetch", "-o", target, **environ).returncode == 4
    assert target.read_text() == "old"


def test_cert_fetch_without_a_cluster(tmp_path: Path) -> None:
    """No kubeconfig is one line with a remedy."""
    done = krmfn("cert", "fetch", KUBECONFIG=str(tmp_path / "none"))
    assert (done.returncode, done.stdout) == (3, "")
    assert "no cluster is configured; set KUBECONFIG or --context [unavailable]" in done.stderr


# --- install


def test_install_legacy_plugin(tmp_path: Path) -> None:
    """Every kind gets a link to the installed program, and a second run replaces it."""
    program = tmp_path / "bin/krmfn"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    home = tmp_path / "plugins"
    for _ in range(2):
        done = krmfn("install", "legacy-plugin", "--home", home, PATH=path)
        assert done.returncode == 0, done.stderr
        link = home / "krmfn.dev/v1alpha1/sealedsecretgenerator/SealedSecretGenerator"
        assert str(link) in done.stdout.splitlines()
        assert link.resolve() == program


@pytest.mark.parametrize(
    ("variable", "below"),
    [
        ("KUSTOMIZE_PLUGIN_HOME", ""),
        ("XDG_CONFIG_HOME", "kustomize/plugin"),
        ("HOME", ".config/kustomize/plugin"),
    ],
)
def test_install_home(variable: str, below: str, tmp_path: Path) -> None:
    """The plugin home is where kustomize looks first."""
    program = tmp_path / "bin/krmfn"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    environ = {variable: str(tmp_path / "base"), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = krmfn("install", "legacy-plugin", **environ)
    assert done.stdout.startswith(str(tmp_path / "base" / below))


def test_install_leaves_a_file_alone(tmp_path: Path) -> None:
    """A file that is no link is not replaced."""
    program = tmp_path / "bin/krmfn"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    link = tmp_path / "krmfn.dev/v1alpha1/sealedsecretgenerator/SealedSecretGenerator"
    link.parent.mkdir(parents=True)
    link.write_text("mine")
    done = krmfn(
        "install",
        "legacy-plugin",
        "--home",
        tmp_path,
        PATH=f"{program.parent}:{os.environ['PATH']}",
    )
    assert done.returncode == 5
    assert link.read_text() == "mine"


# --- certificates by https


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[type[Api], str, Path]]:
    """An https server on loopback; its handler, address and CA file."""

    class Handler(Api):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/cert.pem")
                self.end_headers()
            elif self.path == "/large":
                self.answer(200, b"x" * 70_000)
            else:
                self.answer(self.status, CURRENT.read_bytes())

    with serving(tmp_path_factory.mktemp("https"), Handler) as (url, ca):
        yield Handler, url, ca


def test_cert_fetch_by_url(https: tuple[type[Api], str, Path]) -> None:
    """An https address gives the certificate, checked against a pin."""
    _, url, ca = https
    done = krmfn(
        "cert", "fetch", "--url", f"{url}/cert.pem", "--sha256", FINGERPRINT, SSL_CERT_FILE=str(ca)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == CURRENT.read_text().strip()
    wrong = krmfn(
        "cert", "fetch", "--url", f"{url}/cert.pem", "--sha256", "0" * 64, SSL_CERT_FILE=str(ca)
    )
    assert (wrong.returncode, wrong.stdout) == (4, "")


@pytest.mark.parametrize(("path", "id_"), [("/moved", "redirect"), ("/large", "protocol")])
def test_cert_by_url_refuses(https: tuple[type[Api], str, Path], path: str, id_: str) -> None:
    """No redirect is followed and no large body read."""
    done = krmfn("cert", "fetch", "--url", https[1] + path, SSL_CERT_FILE=str(https[2]))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.rstrip().endswith(f"[{id_}]")


def test_cert_by_url_needs_trust(https: tuple[type[Api], str, Path]) -> None:
    """A server that is not trusted is told apart from one that is not there."""
    assert "[tls]" in krmfn("cert", "fetch", "--url", f"{https[1]}/cert.pem").stderr
    assert "[unavailable]" in krmfn("cert", "fetch", "--url", "https://localhost:1/").stderr
    assert krmfn("cert", "fetch", "--url", "http://localhost:1/").returncode == 2
