"""Credentials, which a configuration names and never contains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.errors import ProviderError
from krmfn.plaintext import Plaintext
from krmfn.spec.stores import EnvCredential

if TYPE_CHECKING:
    from krmfn.spec.stores import FileCredential
    from krmfn.stores.access import Access

MAX_CREDENTIAL = 1024 * 1024


def read_credential(ref: EnvCredential | FileCredential, access: Access, *, what: str) -> Plaintext:
    """Read the credential that ``ref`` names, and strip white space.

    Args:
        what: the field's name, for errors.

    Raises:
        ProviderError: the variable or file is absent, unreadable or empty.
    """
    if isinstance(ref, EnvCredential):
        value = access.environ.get(ref.env, "").strip().encode()
        missing, remedy = f"the variable {ref.env} is not set", f"export {ref.env}"
    else:
        path = Path(ref.file) if Path(ref.file).is_absolute() else access.place.base / ref.file
        missing, remedy = f"the file {ref.file} is absent, unreadable or empty", ""
        try:
            value = b""
            # Not a pipe or a device, which could be waited for without end.
            if path.is_file():
                with path.open("rb") as file:
                    value = file.read(MAX_CREDENTIAL).strip()
        except (OSError, ValueError):
            value = b""
    if not value:
        raise ProviderError("credential-missing", f"{what}: {missing}", remedy=remedy)
    return Plaintext(value)
