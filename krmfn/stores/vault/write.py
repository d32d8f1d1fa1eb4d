"""Writing a new secret to KV version 2.

Rules enforced here: a write says that nothing may be there (check-and-set 0), so that no value is
ever replaced, whoever else writes; what is there in the end is read back, since a repeated request
cannot tell its own success from another's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from krmfn.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from krmfn.plaintext import Plaintext
    from krmfn.stores.content import Json, Location

CHECK_AND_SET = 2  # the KV version that has it


def create(
    send: Callable[[dict[str, Any]], None],
    read: Callable[[], dict[str, Json]],
    location: Location,
    fields: Mapping[str, Plaintext],
) -> None:
    """Write ``fields``, UTF-8 text each, where nothing is.

    Args:
        send: writes the body of a request, and takes a refused check for an answer.
        read: what is there.

    Raises:
        ProviderError: ``occupied``, something else is there, or the mount is KV version 1.
    """
    if location.kv_version != CHECK_AND_SET:
        raise occupied(location, "the mount has no check-and-set", "use a KV version 2 mount")
    content = {name: value.reveal().decode() for name, value in fields.items()}
    send({"options": {"cas": 0}, "data": content})
    if read() != content:
        raise occupied(location)


def occupied(
    location: Location,
    message: str = "something else is stored there, and is not replaced",
    remedy: str = "remove it, or choose another --path-template",
) -> ProviderError:
    """Return the error for a path that is not free."""
    return ProviderError("occupied", message, source=location.text, remedy=remedy)
