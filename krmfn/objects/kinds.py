"""Kubernetes objects as values: lists taken apart; kind, place and annotations of an object. Pure.

Rules enforced here: every reader of a stream takes lists apart in this one way; a name that is no
text is an error with its place, and never printed as Python writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from krmfn.documents.strict import mapping
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

Object: TypeAlias = "dict[str, Any]"
Path: TypeAlias = "tuple[str | int, ...]"

_LIST = "List"
_FOUND = {bool: "true or false", int: "a number", float: "a number", list: "a list"}


class NamespacedName(NamedTuple):
    """Where an object is in a cluster; the namespace is empty where the object names none."""

    namespace: str
    name: str


def each(value: Any, path: Path = ()) -> Iterator[tuple[Path, Object]]:
    """Yield each object of a document with its path in the document.

    The entries of a ``List``, or of a list of one kind such as ``SecretList``, are objects of their
    own, also inside of another list. An entry that names no kind has that of its list, as the API
    server's answers mean it. What is no mapping is left out.

    Raises:
        SpecError: the kind, name or data of an object are behind a merge key, or in no entry.
    """
    if not isinstance(value, dict):
        return
    _check_merged(value)
    items = list_items(value)
    if items is None:
        yield path, value
        return
    inherited = _inherited(value)
    for number, item in enumerate(items):
        if isinstance(item, dict):
            own = {k: v for k, v in item.items() if v is not None or k not in inherited}
            yield from each({**inherited, **own}, (*path, "items", number))
        elif isinstance(item, list) and not inherited:
            raise SpecError(
                "object", f"items[{number}] of a {_LIST} is not an object", found="a list"
            )


def _check_merged(value: Object) -> None:
    """Refuse YAML 1.1's merge keys where they may hide what an object is, or what is in it."""
    secret = ("data", "stringData") if is_secret(value) else ()
    for place in ("", "metadata", *secret):
        inside = mapping(value.get(place) if place else value)
        if isinstance(inside.get("<<"), dict | list):
            raise SpecError(
                "object",
                "the merge key << is not understood",
                where=title_of(value),
                key=place,
                remedy="write the merged fields out",
            )


def list_items(value: Any) -> list[Any] | None:
    """Return the entries of a list; None for any other object.

    Raises:
        SpecError: the entries of a ``List`` are no list.
    """
    found = mapping(value)
    kind, items = found.get("kind"), found.get("items")
    if isinstance(kind, str) and may_be_list(kind) and isinstance(items, list):
        return items
    if kind == _LIST and isinstance(items, dict):
        raise SpecError("object", f"items of a {_LIST} is not a list", found="an object")
    return None


def may_be_list(kind: str) -> bool:
    """Return whether an object of this kind is a list, if it has ``items``."""
    return kind.endswith(_LIST)


def _inherited(value: Object) -> Object:
    """Return ``apiVersion`` and ``kind`` for the items of a list of one kind."""
    kind = str(value["kind"]).removesuffix(_LIST)
    return {"apiVersion": value.get("apiVersion"), "kind": kind} if kind else {}


def metadata_of(value: Any) -> Object:
    """Return the object's metadata; empty when there is none."""
    return mapping(mapping(value).get("metadata"))


def annotations_of(value: Any) -> Object:
    """Return the object's own annotations; empty when there are none."""
    return mapping(metadata_of(value).get("annotations"))


def kind_of(value: Any, where: str = "") -> str:
    """Return the object's kind; empty if it has none.

    Raises:
        SpecError: it is not text.
    """
    return text(mapping(value).get("kind"), "kind", where)


def place_of(value: Any, where: str = "") -> NamespacedName:
    """Return the object's namespace and name; each empty if it has none.

    Args:
        where: the object's file or place, for the error.

    Raises:
        SpecError: one of them is no text.
    """
    own = metadata_of(value)
    kind = mapping(value).get("kind")
    place = ": ".join(part for part in (where, kind if isinstance(kind, str) else "") if part)
    name = text(own.get("name"), "metadata.name", place)
    place += f"/{name}" if place and name else ""
    return NamespacedName(text(own.get("namespace"), "metadata.namespace", place), name)


def title_of(value: Any) -> str:
    """Return ``Kind/name`` as far as the object has them as text; for messages about what is wrong."""
    parts = (mapping(value).get("kind"), metadata_of(value).get("name"))
    return "/".join(part for part in parts if isinstance(part, str) and part)


def group_of(api_version: str) -> str:
    """Return the group of an ``apiVersion``; ``core`` for the one without a name, as in ``/v1``."""
    return api_version.rpartition("/")[0] or "core"


def is_secret(value: Any) -> bool:
    """Whether an object is a Secret of Kubernetes, in whatever way its version is written."""
    found = mapping(value)
    version = found.get("apiVersion")
    core = version is None or (isinstance(version, str) and group_of(version.strip()) == "core")
    return found.get("kind") == "Secret" and core


def text(value: Any, key: str, where: str = "") -> str:
    """Return a field that must be text; null or a missing field gives empty text.

    Raises:
        SpecError: ``object``, it is something else.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    found = _FOUND.get(type(value), "an object")
    remedy = "" if isinstance(value, dict | list) else "put it in quotes"
    raise SpecError("object", "it is not text", where=where, key=key, found=found, remedy=remedy)
