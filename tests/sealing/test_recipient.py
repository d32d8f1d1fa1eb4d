"""Where the certificate comes from."""

from __future__ import annotations

import datetime as dt
import gc
import http.server
import ssl
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.crypto.certificate import choose
from krmfn.deadline import Deadline
from krmfn.errors import KrmfnError
from krmfn.files.read import Place
from krmfn.sealing.recipient import fetch_url, load_certificate
from krmfn.spec.model import decoder
from krmfn.spec.platform import Recipient
from krmfn.spec.sealing import Certificate
from krmfn.stores.access import Access
from krmfn.stores.opened import OpenedStores
from krmfn.stores.pool import StorePool
from tests.support.function import KEYS
from tests.support.memory_store import MemorySpec, registered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEM = (KEYS / "current.crt").read_bytes()
FINGERPRINT = "2de602df37fcd47a9a0e88b7c5d16dedf77c8b3ae55d090d88ddb76f0a9fc642"
FIELD = "spec.sealing.certificate"
NOW = dt.datetime.now(dt.UTC)


def load(root: Path, **spec: Any) -> str:
    access = Access({}, Deadline(30), Place(root, root.resolve()))
    held = {"certs": {"pem": PEM.decode(), "other": "c4nary"}}
    with registered():
        stores = OpenedStores({"main": MemorySpec(memory={"secrets": held})}, access, StorePool())
        parsed: Any = decoder(Certificate)(spec)
        return load_certificate(parsed, stores, NOW).fingerprint


def refused(root: Path, **spec: Any) -> str:
    with pytest.raises(KrmfnError) as caught:
        load(root, **spec)
    return caught.value.line()


def test_sources(tmp_path: Path) -> None:
    """A file, the text itself, a property of a store."""
    (tmp_path / "c.pem").write_bytes(PEM)
    assert load(tmp_path, file="c.pem") == FINGERPRINT
    assert load(tmp_path, pem=PEM.decode()) == FINGERPRINT
    assert load(tmp_path, store="main", key="certs", property="pem") == FINGERPRINT


def test_mistakes_name_field_and_source(tmp_path: Path) -> None:
    """And quote nothing of what was found."""
    (tmp_path / "c.pem").write_bytes(b"c4nary")
    nothing = "there is no PEM certificate in it [certificate]"
    assert refused(tmp_path, file="gone") == f"{FIELD}: gone: no such file or directory [file]"
    assert refused(tmp_path, file="c.pem") == f"{FIELD}: c.pem: {nothing}"
    assert refused(tmp_path, pem="c4nary") == f"{FIELD}: pem: {nothing}"
    assert (
        refused(tmp_path, store="main", key="certs", property="other")
        == f"{FIELD}: main:certs: {nothing}"
    )
    assert refused(tmp_path, store="main", key="gone", property="x").startswith(
        f"{FIELD}: main:gone: "
    )
    expired = (KEYS / "expired.crt").read_text()
    assert refused(tmp_path, pem=expired).startswith(f"{FIELD}: pem: the certificate expired on ")


ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/ok": (200, {}, PEM),
    "/text": (200, {}, b"c4nary"),
    "/moved": (302, {"Location": "/ok"}, b"c4nary"),
    "/gone": (404, {}, b"c4nary"),
    "/large": (200, {}, b"c" * 70_000),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code, headers, body = ANSWERS[self.path]
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *arguments: object) -> None:
        """A client that does not trust us hangs up; that is the test."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An https server of loopback; its address, and the certificate that trusts it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    directory = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "c.pem").write_bytes(certificate.public_bytes(pem))
    (directory / "k.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "c.pem", directory / "k.pem")
    with Server(("127.0.0.1", 0), Handler) as https:
        https.socket = context.wrap_socket(
            https.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=https.serve_forever)
        thread.start()
        yield f"https://localhost:{https.server_port}", directory / "c.pem"
        https.shutdown()
        thread.join()


def test_an_address(
    tmp_path: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetched over https, the pin held against it."""
    url, trusted = server
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    assert load(tmp_path, url=f"{url}/ok", sha256=FINGERPRINT) == FINGERPRINT
    assert refused(tmp_path, url=f"{url}/ok", sha256="0" * 64).startswith(
        f"{FIELD}: {url}/ok: the certificate is not the pinned one, expected {'0' * 64}, found "
        f"{FINGERPRINT}"
    )
    for path, words in [
        ("text", f"{FIELD}: {url}/text: there is no PEM certificate in it [certificate]"),
        (
            "moved",
            f"{FIELD}.url: {url}/moved: {url} answers with a redirect; no redirect is followed: "
            "name the server itself, with its right port and path [redirect]",
        ),
        (
            "gone",
            f"{FIELD}.url: {url}/gone: the server does not answer with a certificate [unavailable]",
        ),
        (
            "large",
            f"{FIELD}.url: {url}/large: the answer of {url} is over 64 KiB; check that it is the "
            "right server [protocol]",
        ),
    ]:
        assert refused(tmp_path, url=f"{url}/{path}", sha256=FINGERPRINT) == words


def test_an_address_that_is_not_trusted(tmp_path: Path, server: tuple[str, Path]) -> None:
    """An unknown authority is an error of its own."""
    with warnings.catch_warnings():
        # The standard library leaves the socket of a failed handshake to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        line = refused(tmp_path, url=f"{server[0]}/ok", sha256=FINGERPRINT)
        gc.collect()
    assert line == (
        f"{FIELD}.url: {server[0]}/ok: the certificate of {server[0]} is from an unknown CA "
        "(self-signed certificate); let this machine trust the CA (SSL_CERT_FILE) [tls]"
    )


@pytest.mark.parametrize(
    "url", ["http://localhost/x", "https://u:c4nary@localhost/", "file:///x", "x"]
)
def test_addresses_that_are_none(url: str) -> None:
    """Plain http, credentials in the address and anything else are refused before a connection."""
    with pytest.raises(KrmfnError) as caught:
        fetch_url(url, Deadline(5))
    assert caught.value.line() == f"{FIELD}.url: the address is not plain https [spec]"


def test_nobody_is_there() -> None:
    """A connection that is refused."""
    with pytest.raises(KrmfnError) as caught:
        fetch_url("https://127.0.0.1:1/x", Deadline(5))
    assert (
        caught.value.line()
        == f"{FIELD}.url: https://127.0.0.1:1/x: https://127.0.0.1:1 cannot be reached: nothing "
        "listens there, the connection is refused; check the address, and that the server runs "
        "[unavailable]"
    )


PREVIOUS = (KEYS / "previous.crt").read_bytes()


def recipient(root: Path, **spec: Any) -> str:
    """A recipient of the platform's, whose path is absolute."""
    access = Access({}, Deadline(30), Place(root, root))
    parsed: Any = decoder(Recipient)(spec)
    return load_certificate(parsed, OpenedStores({}, access, StorePool()), NOW).fingerprint


def test_of_a_recipients_bundle_only_pinned_keys_count(tmp_path: Path) -> None:
    """Another certificate in the platform's own bundle is nobody's until its key is pinned."""
    other = choose(PREVIOUS, NOW).fingerprint
    bundle = PREVIOUS + PEM
    (tmp_path / "c.pem").write_bytes(bundle)
    for pin in (other, FINGERPRINT):
        assert recipient(tmp_path, file=str(tmp_path / "c.pem"), sha256=[pin]) == pin
        assert recipient(tmp_path, pem=bundle.decode(), sha256=[pin]) == pin
    newest = choose(bundle, NOW).fingerprint
    assert recipient(tmp_path, pem=bundle.decode(), sha256=[other, FINGERPRINT]) == newest
    damaged = (bundle + (KEYS / "ec.crt").read_bytes()).decode()
    assert recipient(tmp_path, pem=damaged, sha256=[other]) == other
    with pytest.raises(KrmfnError) as caught:
        recipient(tmp_path, pem=bundle.decode(), sha256=["0" * 64])
    assert caught.value.id == "certificate-pin"
