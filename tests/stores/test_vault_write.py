"""Writing a new secret to a real OpenBao, and never over another."""

from __future__ import annotations

import secrets
import traceback
from typing import TYPE_CHECKING

import pytest

from krmfn.errors import KrmfnError
from krmfn.plaintext import Plaintext
from tests.stores.test_vault import store
from tests.support.openbao import OpenBao

if TYPE_CHECKING:
    from krmfn.stores.vault.store import VaultBackend

CANARY = "c4n4ry-2b6c"


@pytest.fixture
def path() -> str:
    """A place where nothing is."""
    return f"write/{secrets.token_hex(4)}"


def create(of: VaultBackend, path: str, **fields: str) -> None:
    """Write these fields."""
    of.create(of.locate(path), {k: Plaintext(v.encode()) for k, v in fields.items()})


def refusal(of: VaultBackend, path: str, **fields: str) -> KrmfnError:
    """The one error of writing them, which holds no value."""
    with pytest.raises(KrmfnError) as caught:
        create(of, path, **fields)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_a_new_secret(openbao: OpenBao, path: str) -> None:
    """What is written is what is read, as text."""
    of = store(openbao)
    create(of, path, password=CANARY, number="1e3", empty="")
    assert of.read(of.locate(path), None) == {"password": CANARY, "number": "1e3", "empty": ""}


def test_the_server_itself_refuses_to_overwrite(openbao: OpenBao, path: str) -> None:
    """Whoever has written first stays, also when nobody has looked before."""
    openbao.write("secret", path, {"password": "first"})
    error = refusal(store(openbao), path, password=CANARY)
    assert (error.id, error.exit_code) == ("occupied", 3)
    found = openbao.request("GET", f"secret/data/{path}")["data"]
    assert (found["data"], found["metadata"]["version"]) == ({"password": "first"}, 1)


def test_the_same_again_is_no_error(openbao: OpenBao, path: str) -> None:
    """A request that is repeated finds its own work."""
    for _ in range(2):
        create(store(openbao), path, password=CANARY)
    assert openbao.request("GET", f"secret/data/{path}")["data"]["metadata"]["version"] == 1


def test_what_was_deleted_is_not_written_over(openbao: OpenBao, path: str) -> None:
    """It can be undeleted, so the place is not free."""
    openbao.write("secret", path, {"password": "first"})
    openbao.request("DELETE", f"secret/data/{path}")
    assert refusal(store(openbao), path, password=CANARY).id == "version-deleted"


def test_a_token_that_may_not(openbao: OpenBao, path: str) -> None:
    """The error names the capability."""
    token = openbao.token_for('path "secret/data/*" { capabilities = ["read"] }')
    of = store(OpenBao(openbao.address, token))
    error = refusal(of, path, password=CANARY)
    assert (error.id, '["create"]' in error.remedy) == ("permission-denied", True)


def test_kv_1_is_not_written_to(openbao: OpenBao, path: str) -> None:
    """It has no check-and-set."""
    mount = f"one-{secrets.token_hex(4)}"
    openbao.mount(mount, "kv", version="1")
    assert refusal(store(openbao, path=mount), path, password=CANARY).id == "occupied"
