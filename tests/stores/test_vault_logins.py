"""Logins with a real OpenBao: wrapped credentials, no credential at all, and why a login is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from krmfn.deadline import Deadline
from krmfn.errors import KrmfnError
from krmfn.spec.stores import Vault
from krmfn.stores.access import Access
from krmfn.stores.vault.http import VaultAnswer
from krmfn.stores.vault.login_causes import login_refused
from krmfn.stores.vault.store import VaultBackend
from tests.stores.test_vault import enable, policy_for, read, refusal, store, tokens
from tests.support.trap import trap
from tests.support.wire import Reset, healthy, serving

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

CANARY = "c4n4ry-7c11"


def wrapped(bao: OpenBao, path: str, **body: Any) -> str:
    """The wrapping token around the answer of this path."""
    answer = bao.request("POST", path, body, **{"X-Vault-Wrap-TTL": "60"})
    token: str = answer["wrap_info"]["token"]
    return token


def approle(bao: OpenBao, **role: Any) -> tuple[str, str]:
    """A fresh AppRole mount with a role `r`, and the role's id."""
    name = enable(bao, "approle")
    bao.request("POST", f"auth/{name}/role/r", {"token_policies": [policy_for(bao)], **role})
    role_id: str = bao.request("GET", f"auth/{name}/role/r/role-id")["data"]["role_id"]
    return name, role_id


# --- wrapped


def test_a_wrapped_secret_id(openbao: OpenBao) -> None:
    """It is unwrapped once, logs in, and cannot be used again."""
    openbao.write("secret", "login", {"x": "1"})
    name, role = approle(openbao)
    token = wrapped(openbao, f"auth/{name}/role/r/secret-id")
    auth = {"appRole": {"path": name, "roleId": role, "secretRef": {"env": "S"}, "wrapped": True}}
    before = tokens(openbao)
    of = store(openbao, auth=auth, environ={"S": token})
    assert read(of, "login") == {"x": "1"}
    assert read(of, "login") == {"x": "1"}
    of.close()
    assert tokens(openbao) < before  # the wrapping token is gone, and the login's
    error = refusal(store(openbao, auth=auth, environ={"S": token}), "login")
    assert error.id == "login-failed"
    assert "was unwrapped before, has expired" in error.message
    assert token not in error.line()


def test_a_wrapped_token(openbao: OpenBao) -> None:
    """The token inside is used and revoked, since nobody else has it."""
    openbao.write("secret", "login", {"x": "1"})
    before = tokens(openbao)
    token = wrapped(openbao, "auth/token/create", policies=[policy_for(openbao)])
    auth = {"tokenRef": {"env": "T"}, "wrapped": True}
    of = store(openbao, auth=auth, environ={"T": token})
    assert read(of, "login") == {"x": "1"}
    of.close()
    assert of._access.warnings.found == []
    assert tokens(openbao) == before


def test_what_was_wrapped_is_no_credential(openbao: OpenBao) -> None:
    """A wrapped secret is neither a SecretID nor a token."""
    openbao.write("secret", "wrap", {"x": CANARY})
    for auth in (
        {"tokenRef": {"env": "W"}, "wrapped": True},
        {"appRole": {"roleId": "r", "secretRef": {"env": "W"}, "wrapped": True}},
    ):
        token = wrapped(openbao, "sys/wrapping/wrap", x=CANARY)
        error = refusal(store(openbao, auth=auth, environ={"W": token}))
        assert error.id == "login-failed"


def test_unwrapping_is_never_repeated() -> None:
    """A connection that breaks may have used the wrapping token up: that is said."""

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        return (0, Reset()) if path == "sys/wrapping/unwrap" else healthy(method, path)

    with serving(answer) as wire:
        access = Access({"VAULT_ADDR": wire.address, "W": CANARY}, Deadline(10))
        auth = {"tokenRef": {"env": "W"}, "wrapped": True}
        of = VaultBackend("main", Vault.model_validate({"path": "secret", "auth": auth}), access)
        with pytest.raises(KrmfnError) as caught:
            read(of, "a")
    assert (caught.value.id, "used up" in caught.value.remedy) == ("unavailable", True)
    assert wire.asked == [("POST", "sys/wrapping/unwrap")]


def test_only_a_secret_id_is_wrapped() -> None:
    """`wrapped` without a SecretID says nothing."""
    with pytest.raises(ValueError, match="secretRef: required"):
        Vault.model_validate({"path": "p", "auth": {"appRole": {"roleId": "r", "wrapped": True}}})


# --- without


def test_approle_without_a_secret_id(openbao: OpenBao) -> None:
    """A role that wants none is logged in to by its id alone."""
    openbao.write("secret", "login", {"x": "1"})
    name, role = approle(openbao, bind_secret_id=False, token_bound_cidrs=["127.0.0.1/32"])
    of = store(openbao, auth={"appRole": {"path": name, "roleId": role}})
    assert read(of, "login") == {"x": "1"}
    of.close()
    name, role = approle(openbao)
    error = refusal(store(openbao, auth={"appRole": {"path": name, "roleId": role}}))
    assert (error.id, error.message) == ("login-failed", "the AppRole wants a SecretID")


def test_no_login_sends_no_token() -> None:
    """For a proxy that adds its own; the environment's token stays here."""
    with serving(lambda method, path, _body, _n: healthy(method, path)) as wire:
        environ = {"VAULT_ADDR": wire.address, "VAULT_TOKEN": CANARY}
        spec = Vault.model_validate({"path": "secret", "auth": {"none": {}}})
        of = VaultBackend("main", spec, Access(environ, Deadline(10)))
        assert read(of, "a") == {"x": "1"}
        of.close()
    assert set(wire.tokens) == {None}
    assert ("POST", "auth/token/revoke-self") not in wire.asked


@pytest.mark.parametrize("address", ["https://vault.example:8200", "https://10.0.0.1"])
def test_no_login_is_for_this_machine(address: str) -> None:
    """Elsewhere such a listener would be everybody's."""
    spec = Vault.model_validate({"path": "secret", "auth": {"none": {}}})
    with pytest.raises(KrmfnError) as caught:
        VaultBackend("main", spec, Access({"VAULT_ADDR": address}, Deadline(10)))
    assert (caught.value.id, caught.value.exit_code) == ("spec", 2)


def test_no_token_tells_of_agents(openbao: OpenBao) -> None:
    """Who has an agent reads what to write."""
    access = Access({"VAULT_ADDR": openbao.address}, Deadline(30))
    of = VaultBackend("main", Vault.model_validate({"path": "secret"}), access)
    assert "auth: {none: {}}" in refusal(of).remedy


@pytest.mark.parametrize("auth", [{"none": None}, {"none": {"x": 1}}, {"none": {}, "jwt": {}}])
def test_none_has_no_settings(auth: Any) -> None:
    """Anything beside it is refused."""
    with pytest.raises(ValueError, match="none"):
        Vault.model_validate({"path": "p", "auth": auth})


# --- causes


def test_causes_of_a_real_server(openbao: OpenBao) -> None:
    """What OpenBao says of each refused login is recognised."""
    name, role = approle(openbao)
    user = enable(openbao, "userpass")
    openbao.request("POST", f"auth/{user}/users/ann", {"password": "right"})
    jwt, kubernetes = enable(openbao, "jwt"), enable(openbao, "kubernetes")
    ref = {"secretRef": {"env": "S"}}
    found = {
        refusal(store(openbao, auth=auth, environ={"S": CANARY})).message
        for auth in (
            {"appRole": {"path": name, "roleId": role, **ref}},
            {"userPass": {"path": user, "username": "ann", **ref}},
            {"jwt": {"path": jwt, "role": "r", **ref}},
            {"jwt": {"path": "absent", "role": "r", **ref}},
            {"kubernetes": {"mountPath": kubernetes, "role": "r", **ref}},
        )
    }
    assert found == {
        "the RoleID or the SecretID is wrong, expired or used up",
        "the user name or the password is wrong",
        "the auth mount is not configured",
        "the vault refuses the credential, or has no such auth mount, and does not say which",
        "there is no such role",
    }


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (400, 'role "x" could not be found', "no such role"),
        (400, "error validating token: invalid audience (aud) claim: …", "another audience"),
        (400, "audience claim found in JWT but no audiences bound to the role", "another audience"),
        (400, "error validating token: token is expired (exp)", "the JWT has expired"),
        (
            400,
            'error validating claims: claim "project" does not match any …',
            "a claim of the JWT",
        ),
        (400, "error verifying token signature: no known key …", "signature"),
        (403, "namespace not authorized", "not for this Kubernetes namespace"),
        (403, "service account name not authorized", "not for this service account"),
        (400, "ldap operation failed: failed to bind as user", "the directory refuses"),
        (400, "invalid secret id", "the SecretID is wrong"),
        (400, 'source address "10.0.0.1" unauthorized by CIDR …', "logins from this address"),
        (404, "namespace not found", "no such namespace"),
        (404, 'no handler for route "auth/x/login". route entry not found.', "no such auth mount"),
        (403, "permission denied", "the vault refuses the credential"),
        (405, "unsupported operation", "answers 405"),
    ],
)
def test_causes(status: int, text: str, words: str) -> None:
    """Told in our words; what the server says is never quoted."""
    error = login_refused(VaultAnswer(status, {"errors": [f"{text} {CANARY}"]}), "main", "")
    assert error.id == "login-failed"
    assert words in error.message
    assert CANARY not in error.line()
    assert error.remedy


@pytest.mark.parametrize("errors", [None, "x", [1, None], {}])
def test_errors_that_are_none(errors: Any) -> None:
    """An answer of another form is a refusal all the same."""
    assert login_refused(VaultAnswer(403, {"errors": errors}), "main", "n").id == "login-failed"


def test_the_namespace_of_a_login_is_named() -> None:
    """Logins go to the wrong namespace often enough."""
    error = login_refused(VaultAnswer(403, {"errors": ["permission denied"]}), "main", "teams/a")
    assert error.message.endswith("in namespace teams/a")


def test_a_login_goes_nowhere_else() -> None:
    """A wrapped credential is bound to VAULT_ADDR like any other."""
    with trap() as other:
        spec = {
            "path": "secret",
            "server": other.address,
            "auth": {"tokenRef": {"env": "T"}, "wrapped": True},
        }
        access = Access({"VAULT_ADDR": "http://127.0.0.1:1", "T": CANARY}, Deadline(5))
        with pytest.raises(KrmfnError) as caught:
            VaultBackend("main", Vault.model_validate(spec), access)
    assert caught.value.id == "credential-origin"
    assert other.came == []
