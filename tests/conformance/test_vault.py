"""The vault store, on a real OpenBao, under both versions of KV."""

from __future__ import annotations

import os
import secrets as random
from typing import TYPE_CHECKING

import pytest

from krmfn.deadline import Deadline
from krmfn.spec.stores import Vault
from krmfn.stores.access import Access
from krmfn.stores.content import Number
from krmfn.stores.vault.store import VaultBackend
from tests.conformance.store_conformance import StoreConformance

if TYPE_CHECKING:
    from krmfn.stores.content import Json
    from krmfn.stores.store import Store
    from tests.conformance.store_conformance import Make
    from tests.support.openbao import OpenBao


def as_json(value: Json) -> object:
    """The value with its numbers as numbers."""
    if isinstance(value, Number):
        return int(value)
    if isinstance(value, dict):
        return {key: as_json(one) for key, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, list) else value


class TestVault(StoreConformance):
    """Both versions."""

    @pytest.fixture(params=["1", "2"])
    def make(self, request: pytest.FixtureRequest, openbao: OpenBao) -> Make:
        """A store on a fresh mount."""
        mount = f"m{random.token_hex(6)}"
        openbao.mount(mount, "kv", version=request.param)

        def make(secrets: dict[str, dict[str, Json]]) -> Store:
            from urllib.parse import quote

            for path, fields in secrets.items():
                body = as_json(dict(fields))
                if request.param == "2":
                    openbao.request("POST", f"{mount}/data/{quote(path)}", {"data": body})
                else:
                    openbao.request("POST", f"{mount}/{quote(path)}", body)
            access = Access(os.environ | openbao.environ, Deadline(30))
            return VaultBackend("main", Vault.model_validate({"path": mount}), access)

        return make
