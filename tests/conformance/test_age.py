"""The age store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyrage
import pytest

from krmfn.deadline import Deadline
from krmfn.files.read import Place
from krmfn.spec.stores import Age, AgeDocument
from krmfn.stores.access import Access
from krmfn.stores.age.file import AgeFile, render_file
from krmfn.stores.age.store import AgeBackend
from tests.conformance.store_conformance import StoreConformance

if TYPE_CHECKING:
    from pathlib import Path

    from krmfn.stores.content import Json
    from krmfn.stores.store import Store
    from tests.conformance.store_conformance import Make


class TestAge(StoreConformance):
    """A file made for each test."""

    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        """A store in a file."""
        identity = pyrage.x25519.Identity.generate()

        def make(secrets: dict[str, dict[str, Json]]) -> Store:
            frame = AgeDocument.model_validate(
                {"storeId": "s", "boundTo": {}, "encryptedTo": [str(identity.to_public())]}
            )
            (tmp_path / "s.age").write_bytes(render_file(AgeFile(frame, secrets)))
            environ = {"KRMFN_AGE_IDENTITY": str(identity)}
            access = Access(environ, Deadline(30), Place(tmp_path, tmp_path))
            return AgeBackend("main", Age.model_validate({"file": "s.age"}), access)

        return make
