"""What the API server demands of a Secret's built-in types (pkg/apis/core/validation, ValidateSecret).

The errors name type and key, never a value.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.plaintext import Plaintext

MAX_SECRET_BYTES = 1024 * 1024

# All of these keys, or one of them.
_ALL = {"kubernetes.io/tls": ("tls.crt", "tls.key"), "kubernetes.io/ssh-auth": ("ssh-privatekey",)}
_ANY = {"kubernetes.io/basic-auth": ("username", "password")}
_JSON = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}


def check_type(type_: str | None, data: Mapping[str, Plaintext]) -> None:
    """Refuse data that the API server would refuse for the type.

    Raises:
        SpecError: a key is missing, a docker config is not a JSON object, or all is over 1 MiB.
    """
    size = sum(len(value.reveal()) for value in data.values())
    if size > MAX_SECRET_BYTES:
        raise SpecError("secret-type", "the data is over 1 MiB", remedy="split the secret")
    if type_ is None:
        return
    missing = [key for key in _ALL.get(type_, ()) if key not in data]
    if missing:
        raise _error(type_, f"needs the key {missing[0]}")
    if type_ == "kubernetes.io/ssh-auth" and not data["ssh-privatekey"].reveal():
        raise _error(type_, "needs a value in ssh-privatekey")
    if type_ in _ANY and not any(key in data for key in _ANY[type_]):
        raise _error(type_, f"needs one of the keys {', '.join(_ANY[type_])}")
    if type_ in _JSON:
        if _JSON[type_] not in data:
            raise _error(type_, f"needs the key {_JSON[type_]}")
        if not _is_object(data[_JSON[type_]].reveal()):
            raise _error(type_, f"needs a JSON object in {_JSON[type_]}")


def _is_object(value: bytes) -> bool:
    try:
        return isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


def _error(type_: str, message: str) -> SpecError:
    return SpecError("secret-type", f"type {type_} {message}")
