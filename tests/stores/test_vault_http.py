"""The wire to a vault: what is tried again, what is not, and what never happens."""

from __future__ import annotations

import socket
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.deadline import Deadline
from krmfn.errors import KrmfnError, PolicyError, ProviderError, SpecError
from krmfn.spec.stores import Vault
from krmfn.stores import wire as transport
from krmfn.stores.access import Access
from krmfn.stores.connection import parse_origin
from krmfn.stores.vault.store import VaultBackend
from tests.support.wire import (
    KV2,
    SECRET,
    Broken,
    Drip,
    HeaderDrip,
    Reset,
    Wire,
    healthy,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "c4n4ry-77aa"


def store(wire: Wire, seconds: float = 10, **spec: Any) -> VaultBackend:
    """A store behind this wire."""
    environ = {"VAULT_ADDR": wire.address, "VAULT_TOKEN": CANARY}
    spec = {"path": "secret", **spec}
    return VaultBackend("main", Vault.model_validate(spec), Access(environ, Deadline(seconds)))


def failure(of: VaultBackend, version: int | None = None) -> KrmfnError:
    """The error of a read; it and all that it chains hold no token and no value."""
    with pytest.raises(KrmfnError) as caught:
        of.read(of.locate("a"), version)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return caught.value


def at_first(
    status: int, content: Any, times: int = 2
) -> Callable[[str, str, Any, int], tuple[int, Any]]:
    """Reads fail this often, and then do not."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path.startswith("secret/data/") and before < times:
            return status, content
        return healthy(method, path)

    return answer


@pytest.mark.parametrize("status", [412, 429, 500, 502, 503, 504])
def test_transient_answers_are_tried_again(status: int) -> None:
    """A replica that lags, a limit, a failing server: the read goes through in the end."""
    with serving(at_first(status, {"errors": [CANARY]})) as wire:
        of = store(wire)
        assert of.read(of.locate("a"), None) == {"x": "1"}
    assert wire.asked.count(("GET", "secret/data/a")) == 3


@pytest.mark.parametrize("fault", [Reset(), Broken()])
def test_broken_connections_are_tried_again(fault: object) -> None:
    """A connection that breaks without an answer, or within one, is made anew."""
    with serving(at_first(0, fault)) as wire:
        of = store(wire)
        assert of.read(of.locate("a"), None) == {"x": "1"}


@pytest.mark.parametrize("status", [400, 404, 405])
def test_other_answers_are_not_tried_again(status: int) -> None:
    """An answer that will not change is taken at its first word."""
    with serving(at_first(status, {"errors": [CANARY]}, times=99)) as wire:
        failure(store(wire))
    assert wire.asked.count(("GET", "secret/data/a")) == 1


def test_retry_after_is_honoured() -> None:
    """The server says how long to wait; the next request does not come before."""
    seen: list[float] = []

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path.startswith("secret/data/"):
            seen.append(time.monotonic())
            if before == 0:
                return 429, {"errors": []}
        return healthy(method, path)

    with serving(answer) as wire:
        wire.headers["Retry-After"] = "1"
        of = store(wire)
        of.read(of.locate("a"), None)
    assert seen[1] - seen[0] >= 1


@pytest.mark.parametrize("header", ["0", "Mon, 01 Jan 2001 00:00:00 GMT", "-5", "soon", "\xb2"])
def test_a_wait_of_nothing_is_still_a_pause(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that asks for no wait is not asked again at once, nor given up on early."""
    pauses: list[float] = []
    monkeypatch.setattr(transport.time, "sleep", pauses.append)
    with serving(at_first(429, {}, times=4)) as wire:
        wire.headers["Retry-After"] = header
        of = store(wire)
        assert of.read(of.locate("a"), None) == {"x": "1"}
    assert len(pauses) == 4
    assert all(pause >= transport.FIRST_PAUSE * 2**n for n, pause in enumerate(pauses))


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_longer_than_the_deadline_is_not_begun(status: int) -> None:
    """When the server asks for more time than there is, that is said at once, and not the deadline."""
    with serving(at_first(status, {}, times=99)) as wire:
        wire.headers["Retry-After"] = "3600"
        error = failure(store(wire, seconds=50))
    assert error.id == "unavailable"
    assert "asks to wait 3600 s, longer than the " in error.message
    assert "KRMFN_DEADLINE" not in error.remedy
    assert wire.asked.count(("GET", "secret/data/a")) == 1


def test_a_quota_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """429 is a rate limit; the server's health is not the cause."""
    monkeypatch.setattr(transport, "RETRIES", 1)
    with serving(at_first(429, {"errors": [CANARY]}, times=99)) as wire:
        error = failure(store(wire))
    assert (error.id, error.message) == (
        "unavailable",
        f"{wire.address} keeps answering 429: a quota limits how often it may be asked",
    )
    assert error.remedy == "raise that rate limit, or build less at once"


def test_a_server_that_keeps_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tries end; the error says what the server keeps answering."""
    monkeypatch.setattr(transport, "RETRIES", 2)
    with serving(at_first(500, {"errors": [CANARY]}, times=99)) as wire:
        error = failure(store(wire))
    assert (error.id, error.message) == (
        "unavailable",
        f"{wire.address} keeps answering 500",
    )
    assert wire.asked.count(("GET", "secret/data/a")) == 3


def nobody(address: str) -> KrmfnError:
    """The error of a read where nobody answers."""
    return failure(store(Wire(lambda *_: (0, None), address), 30))


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nobody listens is tried twice, and that is all."""
    tries: list[object] = []
    connect = socket.create_connection

    def counted(*arguments: Any, **named: Any) -> socket.socket:
        tries.append(arguments)
        return connect(*arguments, **named)

    monkeypatch.setattr(socket, "create_connection", counted)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = nobody(address)
    assert (error.id, error.message) == (
        "unavailable",
        f"{address} cannot be reached: nothing listens there, the connection is refused",
    )
    assert error.remedy == "check VAULT_ADDR, and that the server runs"
    assert len(tries) == 2


def test_somebody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that starts in the meantime is reached by the second try."""
    with serving(at_first(0, None, 0)) as wire:
        refused = [ConnectionRefusedError()]
        connect = socket.create_connection

        def at_first_nobody(*arguments: Any, **named: Any) -> socket.socket:
            if refused:
                raise refused.pop()
            return connect(*arguments, **named)

        monkeypatch.setattr(socket, "create_connection", at_first_nobody)
        of = store(wire)
        assert of.read(of.locate("a"), None) == {"x": "1"}


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (socket.gaierror(-2, "x"), "the name 127.0.0.1 is not known"),
        (TimeoutError(), "no connection within 5 s"),
        (OSError(24, "x"), "too many open files"),
        (OSError(113, "x"), "cannot be reached"),
    ],
)
def test_why_nobody_is_there(monkeypatch: pytest.MonkeyPatch, cause: OSError, words: str) -> None:
    """Each way of not being there has its own words, and is tried twice."""
    tries: list[object] = []

    def connect(*arguments: Any, **named: Any) -> socket.socket:
        tries.append(arguments)
        raise cause

    monkeypatch.setattr(socket, "create_connection", connect)
    error = nobody("http://127.0.0.1:1")
    assert error.id == "unavailable"
    assert words in error.message
    assert len(tries) == 2


def test_a_sealed_vault_is_not_asked_again() -> None:
    """503 of a sealed vault is final, unlike another 503."""
    with serving(at_first(503, {"errors": ["Vault is sealed"]}, times=99)) as wire:
        assert failure(store(wire)).id == "vault-sealed"
    assert wire.asked.count(("GET", "secret/data/a")) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    """A redirect is refused; whom it names is not asked, and gets no token."""
    with serving(lambda *_: (200, SECRET)) as other:
        with serving(at_first(status, {}, times=99)) as wire:
            wire.headers["Location"] = f"{other.address}/v1/secret/data/a"
            error = failure(store(wire))
        assert error.id == "redirect"
        assert f"{wire.address} answers with a redirect to {other.address}" in error.message
        assert "active node" in error.remedy
        assert other.asked == []


@pytest.mark.parametrize(
    "location", ["/v1/secret/data/b", "", "//x", "http://u:p@x/", "nonsense", "https://\x7f/"]
)
def test_a_redirect_to_nowhere(location: str) -> None:
    """A redirect that names no other server is refused all the same, and not quoted."""
    with serving(at_first(307, {}, times=99)) as wire:
        wire.headers["Location"] = location
        error = failure(store(wire))
    assert error.id == "redirect"
    assert "redirect to" not in error.message


def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxy variables are not looked at."""
    with serving(lambda *_: (200, SECRET)) as proxy, serving(at_first(0, None, 0)) as wire:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        of = store(wire)
        of.read(of.locate("a"), None)
        assert proxy.asked == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>", "not JSON"),
        (b"[1]", "no JSON object"),
        (b"\xff", "it is not UTF-8"),
        ('{"data": {}}'.encode("utf-16"), "it is not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
        (b'{"data": {"data": {"x": NaN}}}', "NaN and Infinity are not JSON"),
        (b'{"data": {"data": {"x": [Infinity]}}}', "NaN and Infinity are not JSON"),
        (b'{"data": {"data": {"x": -Infinity}}}', "NaN and Infinity are not JSON"),
        (b'{"data": {"data": {"x": "1", "x": "2"}}}', "a field is repeated"),
        (b'{"data": {"data": {"x": {"y": 1, "\\u0079": 1}}}}', "a field is repeated"),
        (b'{"data": {"data": {"x": "1"}}, "data": {}}', "a field is repeated"),
        (b'{"data": {"data": {"x": 01}}}', "not JSON"),
        (b"{'data': {}}", "not JSON"),
        (b'{"data": {"data": {"x": "\t"}}}', "not JSON"),
    ],
)
def test_answers_that_are_none(content: bytes, words: str) -> None:
    """What is not a JSON object as RFC 8259 has it is not a vault's answer."""
    with serving(at_first(200, content, times=99)) as wire:
        error = failure(store(wire))
    assert error.id == "protocol"
    assert words in error.message


@pytest.mark.parametrize(
    "found", [{}, {"data": {}}, {"data": {"type": "kv"}}, {"data": {"path": "secret/"}}]
)
def test_an_answer_that_is_no_mounts(found: Any) -> None:
    """Something that answers everything with 200 is not taken for a mount of a strange type."""
    with serving(lambda *_: (200, found)) as wire:
        error = failure(store(wire))
    assert error.id == "protocol"
    assert "not a mount's" in error.message


@pytest.mark.parametrize(
    "content", [{}, {"data": {}}, {"data": {"data": None}}, {"data": {"data": [CANARY]}}]
)
def test_answers_without_a_secret(content: Any) -> None:
    """A 200 that holds no secret is not taken for an empty one."""
    with serving(at_first(200, content, times=99)) as wire:
        assert failure(store(wire)).id == "protocol"


def test_a_huge_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so much of an answer is read."""
    monkeypatch.setattr(transport, "MAX_ANSWER", 1000)
    with serving(at_first(200, {"data": {"data": {"x": CANARY * 1000}}}, times=99)) as wire:
        assert failure(store(wire)).id == "protocol"


def test_a_lease_is_refused_and_given_back() -> None:
    """A dynamic secret is not sealed, and its lease is revoked at once."""
    leased = SECRET | {"lease_id": "database/creds/x/1", "lease_duration": 3600}
    with serving(at_first(200, leased, times=99)) as wire:
        assert failure(store(wire)).id == "leased"
    assert wire.asked[-1] == ("PUT", "sys/leases/revoke")
    assert wire.bodies[-1] == {"lease_id": "database/creds/x/1"}


@pytest.mark.parametrize("refused", [(403, {"errors": [CANARY]}), (200, b"<html>")])
def test_a_lease_that_cannot_be_given_back(refused: tuple[int, Any]) -> None:
    """The refusal stays the lease's; the warning says that it runs on."""
    leased = SECRET | {"lease_id": f"database/creds/{CANARY}", "lease_duration": 3600}

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path == "sys/leases/revoke":
            return refused
        return at_first(200, leased, times=99)(method, path, body, before)

    with serving(answer) as wire:
        of = store(wire)
        assert failure(of).id == "leased"
    assert [f"{one.subject}: {one.text}" for one in of._access.warnings.found] == [
        "main:secret/a: its lease could not be revoked and will expire"
    ]


def test_version_one_without_data() -> None:
    """A KV 1 answer without data is not taken for an empty secret."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        return (404, {}) if path.startswith("sys/") else (200, {"lease_id": ""})

    with serving(answer) as wire:
        assert failure(store(wire, version="v1")).id == "protocol"


def test_unknown_tokens_of_newer_vaults() -> None:
    """A server may say `invalid token` beside the denial."""
    text = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
    with serving(lambda *_: (403, {"errors": [text]})) as wire:
        assert failure(store(wire)).id == "login-failed"


def test_a_login_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hvac a login says what to install; a token needs none."""
    monkeypatch.setitem(sys.modules, "hvac.adapters", None)
    monkeypatch.setitem(sys.modules, "hvac", None)
    with serving(at_first(0, None, 0)) as wire:
        of = store(wire)
        assert of.read(of.locate("a"), None) == {"x": "1"}
        auth = {"jwt": {"role": "r", "secretRef": {"env": "VAULT_TOKEN"}}}
        error = failure(store(wire, auth=auth))
    assert (error.id, error.remedy) == ("extra-missing", "pip install 'krmfn[vault]'")


def test_a_wrapped_answer_is_refused() -> None:
    """A response-wrapped secret is a lease too."""
    wrapped = {"wrap_info": {"token": CANARY, "ttl": 60}, "data": None}
    with serving(at_first(200, wrapped, times=99)) as wire:
        assert failure(store(wire)).id == "leased"


def test_version_one_says_a_duration_without_a_lease() -> None:
    """KV 1 answers with a lease_duration that is no lease."""
    kv1 = {"data": {"type": "kv", "options": None, "path": "secret/", "accessor": "k"}}

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path == "secret/a":
            return 200, {"data": {"x": "1"}, "lease_id": "", "lease_duration": 2764800}
        return 200, kv1

    with serving(answer) as wire:
        of = store(wire)
        assert of.read(of.locate("a"), None) == {"x": "1"}


def test_the_mount_is_asked_once() -> None:
    """Any number of readers ask one mount once, and log in once."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path.startswith("auth/"):
            return 200, {"auth": {"client_token": "t"}}
        return healthy(method, path)

    with serving(answer) as wire:
        auth = {"jwt": {"role": "r", "secretRef": {"env": "VAULT_TOKEN"}}}
        of = store(wire, auth=auth)
        threads = [
            threading.Thread(target=lambda n=number: of.read(of.locate(f"s{n}"), None))
            for number in range(30)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        of.close()
    asked = [path for _, path in wire.asked]
    assert asked.count("auth/jwt/login") == 1
    assert sum(path.startswith("sys/internal/ui/mounts/") for path in asked) == 1
    assert len(asked) == 30 + 3


def test_a_token_that_cannot_be_revoked_is_told() -> None:
    """Closing never fails; what it could not do is a warning."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path == "auth/token/revoke-self":
            return 0, Reset()
        if path.startswith("auth/"):
            return 200, {"auth": {"client_token": "t"}}
        return healthy(method, path)

    with serving(answer) as wire:
        auth = {"jwt": {"role": "r", "secretRef": {"env": "VAULT_TOKEN"}}}
        of = store(wire, auth=auth)
        of.read(of.locate("a"), None)
        of.close()
    (warning,) = of._access.warnings.found
    assert str(warning).startswith("main: the login's token could not be revoked, and lives")


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_revocation_that_is_refused_is_told(status: int) -> None:
    """A token that lives on is nobody's secret."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path == "auth/token/revoke-self":
            return status, {"errors": [CANARY]}
        if path.startswith("auth/"):
            return 200, {"auth": {"client_token": "t"}}
        return healthy(method, path)

    with serving(answer) as wire:
        auth = {"jwt": {"role": "r", "secretRef": {"env": "VAULT_TOKEN"}}}
        of = store(wire, auth=auth)
        of.read(of.locate("a"), None)
        of.close()
    (warning,) = of._access.warnings.found
    assert "could not be revoked" in str(warning)
    assert 'path "auth/token/revoke-self"' in str(warning)
    assert CANARY not in str(warning)


def test_a_batch_token_is_not_revoked() -> None:
    """It cannot be, and ends by itself."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path == "auth/jwt/login":
            return 200, {"auth": {"client_token": "t", "token_type": "batch"}}
        return healthy(method, path)

    with serving(answer) as wire:
        auth = {"jwt": {"role": "r", "secretRef": {"env": "VAULT_TOKEN"}}}
        of = store(wire, auth=auth)
        of.read(of.locate("a"), None)
        of.close()
    assert of._access.warnings.found == []
    assert ("POST", "auth/token/revoke-self") not in wire.asked


def test_the_token_is_revoked_past_the_deadline() -> None:
    """A run that is out of time still gives its token back."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path == "auth/jwt/login":
            return 200, {"auth": {"client_token": "t"}}
        return healthy(method, path)

    with serving(answer) as wire:
        auth = {"jwt": {"role": "r", "secretRef": {"env": "VAULT_TOKEN"}}}
        of = store(wire, auth=auth)
        of.read(of.locate("a"), None)
        of._access.deadline.end = 0.0
        assert failure(of).id == "deadline"
        of.close()
    assert wire.asked[-1] == ("POST", "auth/token/revoke-self")


def test_a_login_without_a_token() -> None:
    """A login that asks for a second factor gives no token."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        return 200, {"auth": {"client_token": "", "mfa_requirement": {}}}

    with serving(answer) as wire:
        auth = {"jwt": {"role": "r", "secretRef": {"env": "VAULT_TOKEN"}}}
        assert failure(store(wire, auth=auth)).id == "login-failed"


@pytest.mark.parametrize("drip", [Drip(), HeaderDrip()])
def test_a_drip_ends_with_the_run(drip: object) -> None:
    """A server that sends a byte at a time holds nobody beyond the deadline, named as the cause."""
    with serving(at_first(200, drip, times=99)) as wire:
        error = failure(store(wire, seconds=1))
    assert (error.id, error.source) == ("deadline", "main")
    assert error.message == (
        f"not finished after 1 s: still waiting for {wire.address} to answer GET /v1/secret/data/a"
    )
    assert wire.asked.count(("GET", "secret/data/a")) == 1


def test_a_deadline_names_what_it_waited_for() -> None:
    """Who is out of time reads why it took so long."""
    with serving(at_first(503, {"errors": [CANARY]}, times=99)) as wire:
        error = failure(store(wire, seconds=1))
    assert error.id == "deadline"
    assert error.message == f"not finished after 1 s: {wire.address} keeps answering 503"


def test_a_failing_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load balancer's page is a failing server, not a server that is no vault."""
    monkeypatch.setattr(transport, "RETRIES", 1)
    with serving(at_first(502, b"<html>", times=99)) as wire:
        assert failure(store(wire)).id == "unavailable"


def test_a_retry_after_that_is_no_time() -> None:
    """A header that cannot be read is not obeyed."""
    with serving(at_first(429, {})) as wire:
        wire.headers["Retry-After"] = "soon"
        of = store(wire)
        assert of.read(of.locate("a"), None) == {"x": "1"}


# --- addresses


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Vault.Example:8200", "https://vault.example:8200"),
        ("https://vault.example", "https://vault.example:443"),
        ("https://vault.example/", "https://vault.example:443"),
        ("http://127.0.0.1:8200", "http://127.0.0.1:8200"),
        ("http://localhost", "http://localhost:80"),
        ("http://[::1]:8200", "http://[::1]:8200"),
    ],
)
def test_origins(address: str, origin: str) -> None:
    """An address has one canonical form: lower-case host, explicit port."""
    assert str(parse_origin(address, name="x")) == origin


@pytest.mark.parametrize(
    "address",
    [
        "",
        "vault.example",
        "ftp://vault.example",
        "https://user:pw@vault.example",
        "https://vault.example/v1",
        "https://vault.example?a=b",
        "https://vault.example#a",
        "https://vault.example:99999",
        "http://vault.example",
        "http://10.0.0.1:8200",
        "https://",
    ],
)
def test_what_is_no_address(address: str) -> None:
    """Anything more, anything else, and plain http to another machine are refused."""
    with pytest.raises(SpecError):
        parse_origin(address, name="x")


def origin_error(environ: dict[str, str], **spec: Any) -> KrmfnError:
    """What a store with this address raises."""
    with pytest.raises(KrmfnError) as caught:
        VaultBackend(
            "main",
            Vault.model_validate({"path": "secret", **spec}),
            Access(environ, Deadline(5)),
        )
    return caught.value


def test_a_configuration_cannot_have_a_credential_sent_elsewhere() -> None:
    """Another server than VAULT_ADDR is refused, with every kind of credential, and gets no byte."""
    with serving(lambda *_: (200, SECRET)) as wire:
        credential = {"env": "VAULT_TOKEN"}
        for auth in (
            None,
            {"tokenRef": credential},
            {"jwt": {"role": "r", "secretRef": credential}},
        ):
            for address in ({}, {"VAULT_ADDR": "http://127.0.0.1:1"}):
                environ = {"VAULT_TOKEN": CANARY, **address}
                error = origin_error(environ, server=wire.address, auth=auth)
                assert (type(error), error.id) == (PolicyError, "credential-origin")
                assert f"export VAULT_ADDR={wire.address}" in error.line()
        assert wire.asked == []


def test_the_configuration_may_confirm_the_address() -> None:
    """The same origin, however it is spelled, is accepted."""
    with serving(at_first(0, None, 0)) as wire:
        of = store(wire, server=f"{wire.address.replace('http', 'HTTP')}/")
        assert of.read(of.locate("a"), None) == {"x": "1"}


def test_addresses_that_differ() -> None:
    """VAULT_ADDR and BAO_ADDR must agree; with neither there is no server."""
    both = {"VAULT_ADDR": "http://127.0.0.1:1", "BAO_ADDR": "http://127.0.0.1:2"}
    assert "VAULT_ADDR and BAO_ADDR differ" in origin_error(both).line()
    assert "export VAULT_ADDR" in origin_error({}).line()


# --- transit


def one(number: int) -> bytes:
    """64 bytes that tell their number."""
    return number.to_bytes(2) * 32


def transit(answer: Callable[[list[Any]], Any], count: int = 3, version: int = 2) -> list[bytes]:
    """What `hmac` makes of a transit engine that answers so."""

    def served(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path.startswith("transit/keys/"):
            return 200, {"data": {"type": "hmac"}}
        assert path == "transit/hmac/seal/sha2-512"
        assert body["key_version"] == version
        return 200, {"data": {"batch_results": answer(body["batch_input"])}}

    with serving(served) as wire:
        of = store(wire)
        outputs = of.hmac("transit", "seal", version, [one(n) for n in range(count)])
    assert all(len(body["batch_input"]) <= 200 for body in wire.bodies if body)
    return outputs


def good(items: list[Any], version: int = 2) -> list[Any]:
    """Right answers: an HMAC that is the input itself."""
    return [
        {"hmac": f"vault:v{version}:{item['input']}", "reference": item["reference"]}
        for item in items
    ]


@pytest.mark.parametrize("count", [0, 1, 200, 201, 700])
def test_transit_batches(count: int) -> None:
    """Any number of inputs, at most 200 at a time, answered in their order."""
    assert transit(good, count) == [one(n) for n in range(count)]


def test_transit_order_does_not_matter() -> None:
    """The reference tells the answers apart, not their order."""
    assert transit(lambda items: good(items)[::-1]) == [one(n) for n in range(3)]


BAD = {
    "short": lambda items: good(items)[:-1],
    "long": lambda items: good(items) + good(items)[:1],
    "doubled": lambda items: [good(items)[0], *good(items)[:-1]],
    "other version": lambda items: good(items, version=1),
    "mixed versions": lambda items: [*good(items)[:2], *good(items, version=3)[2:]],
    "no version": lambda items: [one | {"hmac": one["hmac"][9:]} for one in good(items)],
    "32 bytes": lambda items: [one | {"hmac": "vault:v2:" + "A" * 43 + "="} for one in good(items)],
    "not base64": lambda items: [one | {"hmac": "vault:v2:***"} for one in good(items)],
    "not canonical": lambda items: [
        one | {"hmac": one["hmac"].replace("==", "=\n=")} for one in good(items)
    ],
    "an error": lambda items: [*good(items)[:2], {"error": CANARY, "reference": "2"}],
    "no reference": lambda items: [{"hmac": one["hmac"]} for one in good(items)],
    "another reference": lambda items: [*good(items)[:2], good(items)[2] | {"reference": "7"}],
    "not a list": lambda items: {"0": good(items)},
    "nothing": lambda items: None,
    "strings": lambda items: ["x"] * len(items),
}


@pytest.mark.parametrize("fault", BAD)
def test_transit_answers_that_are_no_derivation(fault: str) -> None:
    """Permuted, short, doubled, mixed or short-keyed answers are refused, without quoting them."""
    with pytest.raises(ProviderError) as caught:
        transit(BAD[fault])
    assert caught.value.id == "transit"
    assert caught.value.source == "main:transit/seal"
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_transit_key_type() -> None:
    """A key that also encrypts is refused; one that may not be looked at is used."""
    with serving(lambda *_: (200, {"data": {"type": "aes256-gcm96"}})) as wire:
        with pytest.raises(ProviderError) as caught:
            store(wire).hmac("transit", "seal", 1, [b"x"])
        assert caught.value.id == "transit"
    assert len(wire.asked) == 1


@pytest.mark.parametrize(("status", "id_"), [(403, "permission-denied"), (404, "not-found")])
def test_transit_refusals(status: int, id_: str) -> None:
    """A refusal names the key and what to ask for."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        return (200, KV2) if path.startswith("auth/") else (status, {"errors": [CANARY]})

    with serving(answer) as wire, pytest.raises(ProviderError) as caught:
        store(wire).hmac("transit", "seal", 1, [b"x"])
    assert (caught.value.id, caught.value.source) == (id_, "main:transit/seal")


@pytest.mark.parametrize("name", ["../x", "a%2fb", "a?b"])
def test_transit_names_are_canonical(name: str) -> None:
    """Mount and key are held to the rules of paths."""
    with serving(lambda *_: (200, {})) as wire:
        for mount, key in ((name, "seal"), ("transit", name)):
            with pytest.raises(SpecError):
                store(wire).hmac(mount, key, 1, [b"x"])
    assert wire.asked == []
