"""Minimal objects out of entries of the catalogue: what an entry's own paths and conditions ask for."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from krmfn import catalogue
from krmfn.audit.judge import Audit, audit
from krmfn.audit.objects import groups
from krmfn.fieldpath import compiled, first
from krmfn.objects import stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from krmfn.spec.catalogue import Condition, SecretCatalogue

HOME = "home"
NAME = "thing"
FIELD = "app_user"  # what a field is called where a path leaves that open


def new(group_kind: str) -> dict[str, Any]:
    """An object of a kind; ``*`` becomes a group or kind that nobody knows."""
    group, _, kind = group_kind.rpartition("/")
    version = "v1" if group == "core" else f"{'example.org' if group in ('', '*') else group}/v1"
    kind = "Anything" if kind == "*" else kind
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": NAME, "namespace": HOME},
    }


def put(root: Any, path: str, leaf: Any, *, here: str = "") -> Any:
    """``root`` with ``leaf`` at a path; mappings merge with what stands there.

    Args:
        here: the path that stands for ``here`` in ``path``.
    """
    return _put(root, list(compiled(_whole(path, here))), leaf)


def _whole(path: str, here: str) -> str:
    """A path from the object's own root."""
    inside = path.removeprefix("here.")
    return f"{here}.{inside}" if here and inside != path else inside


def _put(value: Any, steps: list[tuple[Any, str]], leaf: Any) -> Any:
    if not steps:
        both = isinstance(value, dict) and isinstance(leaf, dict)
        return {**value, **leaf} if both else copy.deepcopy(leaf)
    (kind, name), rest = steps[0], steps[1:]
    if kind == "items":
        old = value if isinstance(value, list) else [None]
        return [_put(old[0], rest, leaf), *old[1:]]
    step = {"field": name, "values": FIELD, "ending": f"some{name}", "any": "some"}[kind]
    old = value if isinstance(value, dict) else {}
    return {**old, step: _put(old.get(step), rest, leaf)}


def satisfy(root: Any, condition: Condition | None, *, here: str = "") -> Any:
    """``root`` with what a condition asks for; of alternatives, the first."""
    if condition is None:
        return root
    for path, wanted in condition.is_.items():
        root = put(root, path, wanted[0] if isinstance(wanted, list) else wanted, here=here)
    for path in condition.has:
        if first(root, _whole(path, here)) is not None:
            continue
        root = put(root, path, {"set": "set"} if not _scalar(path) else "set", here=here)
    for path in condition.same:
        root = put(root, path, NAME, here=here)
    for inner in condition.any[:1]:
        root = satisfy(root, inner, here=here)
    return root


def _scalar(path: str) -> bool:
    """Whether text may stand at a path, rather than something that other paths look into."""
    return path.rpartition(".")[2] in ("name", "key") or "annotations" in path


def violations(root: Any, condition: Condition, *, here: str = "") -> Iterator[Any]:
    """Objects one of which a condition does not hold for."""
    yield root
    yield _others(root, condition, here)
    for path in condition.has:
        yield _without(satisfy(root, condition, here=here), _whole(path, here))
    for path in condition.lacks:
        yield put(satisfy(root, condition, here=here), path, "something", here=here)
    for inner in condition.none:
        yield satisfy(satisfy(root, condition, here=here), inner, here=here)


def _without(value: Any, path: str) -> Any:
    """A mapping without what stands at a path of fields."""
    field, _, rest = path.partition(".")
    if not isinstance(value, dict) or field not in value:
        return value
    kept = {k: v for k, v in value.items() if k != field}
    return {**kept, field: _without(value[field], rest)} if rest else kept


def _others(root: Any, condition: Condition, here: str) -> Any:
    for path in condition.is_:
        root = put(root, path, "other", here=here)
    for inner in condition.any:
        root = _others(root, inner, here)
    return root


def judged(*objects: Any, versions: Mapping[str, str] | None = None, **more: Any) -> Audit:
    """The audit of objects by the packaged catalogue."""
    text = "---\n".join(json.dumps(one) + "\n" for one in objects)
    items = stream.stream(text)
    return audit(items, catalogue.packaged(groups(items)), versions=versions or {}, **more)


def files() -> Iterable[tuple[str, SecretCatalogue]]:
    """Every packaged file, by its name; with the very entries that an audit uses."""
    for file in sorted(catalogue.FOLDER.glob("*.yaml")):
        known = catalogue.packaged([file.stem])
        yield file.stem, next(one for one in known if one.metadata.name == file.stem)
