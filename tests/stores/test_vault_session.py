"""A login's requests: nodes that lag behind, tokens that are used up, namespaces that are not there."""

from __future__ import annotations

import secrets as random
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.deadline import Deadline
from krmfn.errors import KrmfnError
from krmfn.spec.stores import Vault
from krmfn.stores.access import Access
from krmfn.stores.vault import session as vault_session
from krmfn.stores.vault.store import VaultBackend
from tests.stores.test_vault import read, refusal
from tests.stores.test_vault import store as real_store
from tests.support import openbao as server
from tests.support.wire import healthy, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.openbao import OpenBao
    from tests.support.wire import Wire

CANARY = "c4n4ry-3d90"
LOGIN = {"jwt": {"role": "r", "secretRef": {"env": "JWT"}}}
UNKNOWN = {"errors": ["permission denied"]}
DENIED = {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
PREFLIGHT = {"errors": ["preflight capability check returned 403, please ensure client's …"]}


def store(wire: Wire, **spec: Any) -> VaultBackend:
    """A store behind this wire, that logs in unless `auth` says otherwise."""
    environ = {"VAULT_ADDR": wire.address, "VAULT_TOKEN": CANARY, "JWT": CANARY}
    access = Access(environ, Deadline(20))
    return VaultBackend(
        "main", Vault.model_validate({"path": "secret", "auth": LOGIN, **spec}), access
    )


def error_of(of: VaultBackend) -> KrmfnError:
    """The error of a read, which quotes no credential."""
    with pytest.raises(KrmfnError) as caught:
        read(of, "a")
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return caught.value


def behind(
    seconds: float, refused: Any, *, only: str = ""
) -> Callable[[str, str, Any, int], tuple[int, Any]]:
    """A node that refuses a token for so long after it was made; all paths, or those with `only`."""
    made: list[float] = []

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path == "auth/jwt/login":
            made.append(time.monotonic())
            return 200, {"auth": {"client_token": "t"}}
        late = bool(made) and time.monotonic() - made[0] < seconds
        if late and only in path and path != "auth/token/revoke-self":
            return 403, refused
        return healthy(method, path)

    return answer


# --- consistency


@pytest.mark.parametrize("refused", [UNKNOWN, DENIED])
@pytest.mark.parametrize("only", ["", "sys/internal", "secret/data"])
def test_a_node_that_does_not_know_the_login_yet(refused: Any, only: str) -> None:
    """A refusal shortly after the login is asked again, whatever was asked and however it is said."""
    with serving(behind(0.5, refused, only=only)) as wire:
        of = store(wire)
        assert read(of, "a") == {"x": "1"}
        of.close()
    assert of._access.warnings.found == []
    assert wire.asked.count(("POST", "auth/jwt/login")) == 1


def test_a_refusal_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """After that time it is a refusal; the vault is not asked without end."""
    monkeypatch.setattr(vault_session, "FRESH_SECONDS", 0.5)
    with serving(behind(60, DENIED, only="secret/data")) as wire:
        assert error_of(store(wire)).id == "permission-denied"
    assert 2 < wire.asked.count(("GET", "secret/data/a")) < 8


def test_a_mount_that_may_not_be_asked_costs_no_time() -> None:
    """Where the version is told, a policy's refusal to say it is taken at its first word."""
    with serving(behind(60, PREFLIGHT, only="sys/internal")) as wire:
        assert read(store(wire, version="v2"), "a") == {"x": "1"}
    assert wire.asked.count(("GET", "sys/internal/ui/mounts/secret")) == 1
    assert ("GET", "auth/token/lookup-self") not in wire.asked


@pytest.mark.parametrize("refused", [UNKNOWN, DENIED])
def test_a_token_that_is_known_is_asked_for_once_more(refused: Any) -> None:
    """Another node may have answered: after a successful lookup the refused request is repeated."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path.startswith("secret/data/") and before == 0:
            return 403, refused
        return healthy(method, path)

    with serving(answer) as wire:
        assert read(store(wire, auth=None), "a") == {"x": "1"}
    asked = [path for _, path in wire.asked]
    assert asked[1:] == ["secret/data/a", "auth/token/lookup-self", "secret/data/a"]


def test_once_more_and_no_oftener() -> None:
    """The second refusal is final."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        return (403, DENIED) if path.startswith("secret/") else healthy(method, path)

    with serving(answer) as wire:
        assert error_of(store(wire, auth=None)).id == "permission-denied"
    assert wire.asked.count(("GET", "secret/data/a")) == 2


def test_the_state_of_the_cluster_is_sent_along() -> None:
    """Each request brings the X-Vault-Index of the newest answer that had one."""
    with serving(lambda method, path, _body, _n: healthy(method, path)) as wire:
        of = store(wire, auth=None)
        of.locate("a")
        assert wire.indexes == [None]
        wire.headers["X-Vault-Index"] = "one"
        read(of, "a")
        wire.headers["X-Vault-Index"] = "two"
        read(of, "a")
        del wire.headers["X-Vault-Index"]
        read(of, "a")
        read(of, "a")
    assert wire.indexes == [None, None, "one", "two", "two"]


# --- tokens that worked


def test_a_token_that_is_used_up(openbao: OpenBao) -> None:
    """A token with a limit of uses worked before: that is said, and not that it may be wrong."""
    openbao.write("secret", "used/up", {"x": CANARY})
    policy = 'path "secret/*" { capabilities = ["read"] }'
    token = openbao.token_for(policy, num_uses=2)
    of = real_store(server.OpenBao(openbao.address, token))
    for _ in range(2):
        assert read(of, "used/up") == {"x": CANARY}
    error = refusal(of, "used/up")
    assert (error.id, error.message) == (
        "login-failed",
        "the vault has taken the token before, and does not accept it any more",
    )
    assert "num_uses" in error.remedy


def test_a_token_that_never_worked(openbao: OpenBao) -> None:
    """Here nobody can tell, and all causes are named."""
    error = refusal(real_store(server.OpenBao(openbao.address, f"s.{CANARY}")))
    assert (error.id, error.message) == ("login-failed", "the vault does not accept the token")
    assert "expired" in error.remedy


# --- namespaces


@pytest.fixture
def namespaces(openbao: OpenBao) -> str:
    """A namespace with a child, in which a KV mount has the secret `s`."""
    name = f"n{random.token_hex(4)}"
    openbao.request("POST", f"sys/namespaces/{name}", {})
    openbao.request("POST", f"{name}/sys/namespaces/b", {})
    openbao.mount("kv", "kv", namespace=f"{name}/b", version="2")
    openbao.request("POST", f"{name}/b/kv/data/s", {"data": {"x": "1"}})
    return name


def test_a_namespace_beside_a_path_that_holds_another(openbao: OpenBao, namespaces: str) -> None:
    """However the two are divided, it is one secret and one source."""
    ways = [
        {"path": f"{namespaces}/b/kv"},
        {"namespace": namespaces, "path": "b/kv"},
        {"namespace": f"{namespaces}/b", "path": "kv"},
        {"namespace": f"/{namespaces}/b/", "path": "/kv/"},
    ]
    for way in ways:
        of = real_store(openbao, **way)
        assert of.locate("s").source == ("vault", "t", f"{namespaces}/b", "kv", "s"), way
        assert read(of, "s") == {"x": "1"}


@pytest.mark.parametrize("rest", ["{0}/b/kv", "b/kv"])
def test_a_namespace_that_is_written_twice(openbao: OpenBao, namespaces: str, rest: str) -> None:
    """In `namespace` and again in `path`: the message says what to write."""
    of = real_store(openbao, namespace=f"{namespaces}/b", path=rest.format(namespaces))
    error = refusal(of, "s")
    assert error.id == "mount-unknown"
    assert error.remedy.endswith("write path: kv")


@pytest.mark.parametrize("way", [{"namespace": "nope"}, {"environ": {"VAULT_NAMESPACE": "nope"}}])
def test_a_namespace_that_is_not_there(openbao: OpenBao, way: dict[str, Any]) -> None:
    """It is named."""
    error = refusal(real_store(openbao, **way))
    assert (error.id, error.message) == ("mount-unknown", "the vault has no namespace nope")


def test_a_namespace_that_is_missing(openbao: OpenBao, namespaces: str) -> None:
    """A mount of a namespace is not found without it; the remedy says that there are namespaces."""
    error = refusal(real_store(openbao, path="kv"))
    assert error.id == "mount-unknown"
    assert "VAULT_NAMESPACE" in error.remedy


def test_a_token_of_another_namespace(openbao: OpenBao, namespaces: str) -> None:
    """The namespace in which it is not known is named."""
    made = openbao.request("POST", f"{namespaces}/auth/token/create", {"policies": ["default"]})
    bao = server.OpenBao(openbao.address, made["auth"]["client_token"])
    other = f"n{random.token_hex(4)}"
    openbao.request("POST", f"sys/namespaces/{other}", {})
    error = refusal(real_store(bao, namespace=other))
    assert error.id in ("login-failed", "mount-unknown")
    assert f"in namespace {other}" in error.message


# --- keys that repeat what the store's path says


@pytest.mark.parametrize("denied", [True, False])
@pytest.mark.parametrize("start", ["data/", "{0}/", "{0}/data/"])
def test_a_key_that_begins_with_the_mount(openbao: OpenBao, start: str, denied: bool) -> None:
    """Told after a refusal as after a missing secret."""
    mount = f"m{random.token_hex(6)}"
    openbao.mount(mount, "kv", version="2")
    openbao.write(mount, "app/db", {"x": CANARY})
    bao = openbao
    if denied:
        policy = f'path "{mount}/data/app/*" {{ capabilities = ["read"] }}'
        bao = server.OpenBao(openbao.address, openbao.token_for(policy))
    start = start.format(mount)
    error = refusal(real_store(bao, path=mount), f"{start}app/db")
    assert error.id == ("permission-denied" if denied else "not-found")
    assert error.remedy.startswith(f"leave {start} out of key")
