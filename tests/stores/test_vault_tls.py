"""TLS towards a vault: what is wrong with a certificate, and what the environment says of it."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import ssl
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from krmfn.deadline import Deadline
from krmfn.errors import KrmfnError
from krmfn.files.read import Place
from krmfn.spec.platform import PlatformVault
from krmfn.spec.stores import Vault
from krmfn.stores.access import Access
from krmfn.stores.vault.store import VaultBackend
from tests.support.wire import healthy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CANARY = "c4n4ry-90ab"
NOW = dt.datetime.now(dt.UTC)
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


def authority(
    directory: Path, name: str = "localhost", begin: int = -1, end: int = 1
) -> tuple[Path, Path]:
    """A self-signed certificate for `name`, valid between these days from now, and its key."""
    directory.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    usage = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    days = (NOW + dt.timedelta(begin), NOW + dt.timedelta(end))
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7, *days)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = directory / "c.pem", directory / "k.pem"
    files[0].write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return files


class Handler(http.server.BaseHTTPRequestHandler):
    """A vault with one secret."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, body = healthy("GET", self.path.removeprefix("/v1/"))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *arguments: object) -> None:
        """A client that does not trust us hangs up; that is the test."""


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Start https servers; returns the address of each."""
    started: list[Server] = []

    def start(files: tuple[Path, Path], client: Path | None = None) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        if client is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client)
        https = Server(("127.0.0.1", 0), Handler)
        https.socket = context.wrap_socket(
            https.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=https.serve_forever, args=(0.05,), daemon=True).start()
        started.append(https)
        return f"https://localhost:{https.server_port}"

    yield start
    for https in started:
        https.shutdown()
        https.server_close()


def attempt(address: str, base: Path, **environ: str) -> dict[str, Any] | KrmfnError:
    """What reading gives, or its error."""
    return attempt_with({}, address, base, **environ)


def attempt_with(
    spec: dict[str, Any], address: str, base: Path, **environ: str
) -> dict[str, Any] | KrmfnError:
    """The same for a store with these fields."""
    environ = {"VAULT_ADDR": address, "VAULT_TOKEN": CANARY, **environ}
    access = Access(environ, Deadline(20), Place(base, base))
    try:
        of = VaultBackend("main", Vault.model_validate({"path": "secret", **spec}), access)
        found: dict[str, Any] = of.read(of.locate("a"), None)
    except KrmfnError as error:
        return error
    of.close()
    return found


# --- what is wrong with a certificate


@pytest.mark.parametrize(
    ("certificate", "message", "remedy"),
    [
        ({"begin": -9, "end": -1}, "has expired", "renew it"),
        ({"begin": 1, "end": 2}, "is not valid yet", "clock"),
        ({"name": "vault.example"}, "is not for the name localhost", "VAULT_TLS_SERVER_NAME"),
    ],
)
def test_a_certificate_that_is_no_good(
    serve: Callable[..., str], tmp_path: Path, certificate: Any, message: str, remedy: str
) -> None:
    """Of a trusted CA, and no good: each cause has its own message."""
    files = authority(tmp_path / "s", **certificate)
    address = serve(files)
    error = attempt(address, tmp_path, VAULT_CACERT=str(files[0]))
    assert isinstance(error, KrmfnError)
    assert (error.id, error.message) == ("tls", f"the certificate of {address} {message}")
    assert remedy in error.remedy


def test_an_unknown_ca(serve: Callable[..., str], tmp_path: Path) -> None:
    """The remedy says where to name it."""
    address = serve(authority(tmp_path / "s"))
    for environ in ({}, {"VAULT_CACERT": str(authority(tmp_path / "other")[0])}):
        error = attempt(address, tmp_path, **environ)
        assert isinstance(error, KrmfnError)
        assert error.message.startswith(f"the certificate of {address} is from an unknown CA")
        assert "caFile" in error.remedy


def test_a_server_without_tls(tmp_path: Path) -> None:
    """Plain http behind an https address."""
    plain = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=plain.serve_forever, args=(0.05,), daemon=True).start()
    error = attempt(f"https://localhost:{plain.server_port}", tmp_path)
    plain.shutdown()
    plain.server_close()
    assert isinstance(error, KrmfnError)
    assert error.id == "tls"
    assert "does not speak TLS" in error.message
    assert "scheme" in error.remedy


# --- the environment


def test_a_ca_of_the_environment(serve: Callable[..., str], tmp_path: Path) -> None:
    """As a file, as text, or in a directory; by either name; the store's own goes first."""
    files = authority(tmp_path / "s")
    address = serve(files)
    many = tmp_path / "many"
    authority(many, name="other.example")
    (many / "vault.pem").write_bytes(files[0].read_bytes())
    (many / "README").write_text("none")
    good = [
        {"VAULT_CACERT": str(files[0])},
        {"BAO_CACERT": str(files[0])},
        {"VAULT_CACERT_BYTES": files[0].read_text()},
        {"VAULT_CAPATH": str(many)},
        {"VAULT_CAPATH": f"{many}/"},
    ]
    for environ in good:
        assert attempt(address, tmp_path, **environ) == {"x": "1"}, environ
    other = authority(tmp_path / "other")[0]
    for own in ({"caFile": "s/c.pem"}, {"caFile": str(files[0])}):
        assert attempt_with(own, address, tmp_path, VAULT_CACERT=str(other)) == {"x": "1"}
    assert isinstance(
        attempt_with({"caFile": str(other)}, address, tmp_path, **good[0]), KrmfnError
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("VAULT_CACERT", "/nowhere/ca.pem"),
        ("VAULT_CACERT", "s/c.pem"),
        ("VAULT_CACERT_BYTES", "no PEM"),
        ("VAULT_CAPATH", "/nowhere"),
        ("VAULT_CAPATH", "/proc/self/fd"),
        ("VAULT_CLIENT_CERT", "/nowhere"),
    ],
)
def test_an_environment_that_cannot_be_used(
    serve: Callable[..., str], tmp_path: Path, variable: str, value: str
) -> None:
    """It is an error, and not the system's CAs instead."""
    error = attempt(serve(authority(tmp_path / "s")), tmp_path, **{variable: value})
    assert isinstance(error, KrmfnError)
    assert (error.id, error.exit_code) == ("tls", 3)


def test_a_server_name(serve: Callable[..., str], tmp_path: Path) -> None:
    """The certificate's name, where the address is another."""
    files = authority(tmp_path / "s", name="vault.example")
    address = serve(files)
    environ = {"VAULT_CACERT": str(files[0])}
    named = environ | {"VAULT_TLS_SERVER_NAME": "vault.example"}
    assert attempt(address, tmp_path, **named) == {"x": "1"}
    error = attempt(address, tmp_path, **environ, VAULT_TLS_SERVER_NAME="other.example")
    assert isinstance(error, KrmfnError)
    assert "not for the name other.example" in error.message


def test_a_client_certificate(serve: Callable[..., str], tmp_path: Path) -> None:
    """Of the environment, where the store has none; without one the remedy tells of it."""
    files, client = authority(tmp_path / "s"), authority(tmp_path / "c")
    address = serve(files, client[0])
    environ = {"VAULT_CACERT": str(files[0])}
    shown = {"VAULT_CLIENT_CERT": str(client[0]), "VAULT_CLIENT_KEY": str(client[1])}
    assert attempt(address, tmp_path, **environ, **shown) == {"x": "1"}
    error = attempt(address, tmp_path, **environ)
    assert isinstance(error, KrmfnError)
    assert error.id in ("tls", "unavailable")
    if error.id == "tls":
        assert "VAULT_CLIENT_CERT" in error.remedy


@pytest.mark.parametrize("name", ["VAULT_SKIP_VERIFY", "BAO_SKIP_VERIFY"])
@pytest.mark.parametrize("value", ["1", "true", "TRUE", "t", "yes", " 1 "])
def test_checking_cannot_be_switched_off(tmp_path: Path, name: str, value: str) -> None:
    """It is refused with its reason, and nothing is sent."""
    for address in ("https://127.0.0.1:1", "http://127.0.0.1:1"):
        error = attempt(address, tmp_path, **{name: value})
        assert isinstance(error, KrmfnError)
        assert (error.id, error.message.startswith(f"{name} is set")) == ("tls", True)
        assert "VAULT_CACERT" in error.remedy


@pytest.mark.parametrize("value", ["", "0", "false", "FALSE", "f"])
def test_checking_that_is_on(serve: Callable[..., str], tmp_path: Path, value: str) -> None:
    """A variable that says no changes nothing."""
    files = authority(tmp_path / "s")
    environ = {"VAULT_SKIP_VERIFY": value, "VAULT_CACERT": str(files[0])}
    assert attempt(serve(files), tmp_path, **environ) == {"x": "1"}


def test_the_environments_tls_is_for_its_server(serve: Callable[..., str], tmp_path: Path) -> None:
    """A platform's store at another address neither trusts its CA nor is shown its certificate."""
    files, client = authority(tmp_path / "s"), authority(tmp_path / "c")
    address = serve(files)
    environ = {
        "VAULT_ADDR": "https://vault.example:8200",
        "VAULT_CACERT": str(files[0]),
        "VAULT_CLIENT_CERT": str(client[0]),
        "VAULT_CLIENT_KEY": str(client[1]),
        "T": CANARY,
    }
    fields = {"path": "secret", "id": "x", "server": address, "auth": {"tokenRef": {"env": "T"}}}
    access = Access(environ, Deadline(20), Place(tmp_path, tmp_path))
    of = VaultBackend("main", PlatformVault.model_validate(fields), access)
    with warnings.catch_warnings(), pytest.raises(KrmfnError) as caught:
        of.locate("a")
    assert caught.value.id == "tls"
    own = fields | {"caFile": str(files[0])}
    of = VaultBackend("main", PlatformVault.model_validate(own), access)
    assert of.read(of.locate("a"), None) == {"x": "1"}
    of.close()
