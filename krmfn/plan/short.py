"""Convert the short form of a secret, `from` and `keys`, to the long one. Pure.

Rules enforced here: from here on nothing tells the two apart but the place that an error names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from krmfn.errors import SpecError
from krmfn.plan.estate import PLACEHOLDER, finished
from krmfn.spec.generator import DataEntry, SecretShape, stores_of_secret
from krmfn.spec.stores import RemoteRef

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from krmfn.spec.generator import DataFrom, GeneratorSpec
    from krmfn.spec.transformer import TransformerSpec

Shape = TypeVar("Shape", bound=SecretShape)
Entry = TypeVar("Entry", DataEntry, "DataFrom")


def long_form(
    secret: Shape,
    spec: GeneratorSpec | TransformerSpec,
) -> Shape:
    """The same secret with every key under `data`, and its store named.

    Args:
        spec: of the configuration that seals it: its stores, and the environment.

    Raises:
        SpecError: it names none, and there is none or there are several.
    """
    store = secret.store
    if store is None and "" in stores_of_secret(secret):
        store = spec.default_store or _only(spec.stores)
    name = spec.environment or ""
    data = tuple(_finished(one, name) for one in (*secret.data, *_entries(secret)))
    extracts = tuple(_finished(one, name) for one in secret.data_from)
    update = {"from_": None, "keys": None, "store": store, "data": data, "data_from": extracts}
    return secret.model_copy(update=update)


def _finished(entry: Entry, environment: str) -> Entry:
    """The same entry with the environment's name in its path."""
    field = "remote_ref" if hasattr(entry, "remote_ref") else "extract"
    ref = getattr(entry, field)
    if ref is None or not (environment or PLACEHOLDER in ref.key):
        return entry
    path = finished(ref.key, environment, "key")
    return entry.model_copy(update={field: ref.model_copy(update={"key": path})})


def written(secret: SecretShape, path: str) -> dict[str, str]:
    """Return the field of each key of the short form, for errors.

    Args:
        path: the field that contains the secret.
    """
    keys = secret.keys or ()
    if isinstance(keys, dict):
        return {key: f"{path}.keys.{key}" for key in keys}
    return {key: f"{path}.keys[{number}]" for number, key in enumerate(keys)}


def advice(remedy: str) -> str:
    """Return the remedy in the short form's words."""
    known = {"remoteRef.property": "the name in keys", "remoteRef.": "from."}
    for long, short in known.items():
        remedy = remedy.replace(long, short)
    return remedy


def _only(stores: Collection[str]) -> str:
    if len(stores) == 1:
        return next(iter(stores))
    raise SpecError(
        "spec",
        "no store is named",
        key="store",
        expected=f"one of {', '.join(sorted(stores))}" if stores else "",
        remedy="name it, or set spec.defaultStore" if stores else "define one under spec.stores",
    )


def _entries(secret: SecretShape) -> Iterator[DataEntry]:
    """Yield the equivalent `data` entries."""
    at, keys = secret.from_, secret.keys
    if at is None or keys is None:
        return
    own = {"key": at} if isinstance(at, str) else at.model_dump(by_alias=True)
    for key in keys:
        name = keys[key] if isinstance(keys, dict) else key
        property_ = name.replace("\\", "\\\\").replace(".", "\\.")
        ref = RemoteRef.model_validate(own | {"property": property_})
        yield DataEntry.model_validate({"secretKey": key, "remoteRef": ref})
