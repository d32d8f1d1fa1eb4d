"""The API server's requirements for built-in Secret types (pkg/apis/core/validation, ValidateSecret).

The errors name type and key, never a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.documents import strict_json
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Mapping

    from krmfn.plaintext import Plaintext

MAX_SECRET_BYTES = 1024 * 1024

# All of these keys, or one of them.
_ALL = {"kubernetes.io/tls": ("tls.crt", "tls.key"), "kubernetes.io/ssh-auth": ("ssh-privatekey",)}
_ANY = {"kubernetes.io/basic-auth": ("username", "password")}
_JSON = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}


def type_for(keys: Collection[str]) -> str:
    """Return the most likely type of a Secret with these keys."""
    wanted = {**_ALL, **{type_: (key,) for type_, key in _JSON.items()}}
    for type_, needed in wanted.items():
        if all(key in keys for key in needed):
            return type_
    return next((type_ for type_, known in _ANY.items() if set(keys) == {*known}), "Opaque")


def missing_keys(type_: str | None, keys: Container[str]) -> list[str]:
    """Return the keys that the API server would miss: each a key, or ``a or b``."""
    if type_ is None:
        return []
    needed = [*_ALL.get(type_, ()), *([_JSON[type_]] if type_ in _JSON else [])]
    missing = [key for key in needed if key not in keys]
    any_of = _ANY.get(type_, ())
    return missing + (
        [" or ".join(any_of)] if any_of and not any(k in keys for k in any_of) else []
    )


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
    if missing := missing_keys(type_, data):
        raise _error(type_, f"needs the key {missing[0]}")
    if type_ == "kubernetes.io/ssh-auth" and not data["ssh-privatekey"].reveal():
        raise _error(type_, "needs a value in ssh-privatekey")
    if type_ in _JSON and not _is_object(data[_JSON[type_]].reveal()):
        raise _error(type_, f"needs a JSON object in {_JSON[type_]}")


def _is_object(value: bytes) -> bool:
    try:
        return isinstance(strict_json.loads(value), dict)
    except ValueError:
        return False


def _error(type_: str, message: str) -> SpecError:
    return SpecError("secret-type", f"type {type_} {message}")
