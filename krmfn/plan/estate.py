"""Fill a configuration with the settings of its repository and environment. Pure.

Rules enforced here: a configuration's own field overrides its environment's, and that overrides the
repository's; nothing is merged deeper than a field or a named store; a call has one environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krmfn.documents.strict import mapping
from krmfn.errors import SpecError
from krmfn.names import VALIDATOR
from krmfn.spec.pattern import matches

if TYPE_CHECKING:
    from collections.abc import Collection

    from krmfn.spec.repository import Environment

SEALING = ("certificate", "derivationKey", "scope", "mode", "epoch")
SHARED = (*SEALING, "stores", "defaultStore", "environments")
PLACEHOLDER = "{environment}"
FILE = ".krmfn.yaml"


@dataclass(frozen=True)
class Scene:
    """The facts about a call that choose its environment.

    Attributes:
        directory: of the kustomization that lists the configuration, relative to the repository's
            root; None if it is unknown, as in `krmfn seal` and in a container.
        namespaces: of its claims.
        named: by the configuration, an option or a variable; may be empty.
    """

    directory: str | None = None
    namespaces: frozenset[str] = frozenset()
    named: str = ""


def choose(entries: Collection[Environment], scene: Scene) -> Environment | None:
    """Return the environment of a call; None where there are no environments.

    Raises:
        SpecError: the named one is unknown, or no entry or several entries match.
    """
    known = {one.name: one for one in entries}
    if scene.named:
        if scene.named not in known:
            raise SpecError(
                "environment-unclear",
                f"there is no environment {scene.named}",
                expected=f"one of {', '.join(known)}" if known else "",
                remedy=f"name one of {FILE}" if known else f"define it in {FILE}",
            )
        return known[scene.named]
    if not known:
        return None
    found = [one for one in known.values() if _holds(one, scene)]
    if len(found) == 1:
        return found[0]
    raise SpecError(
        "environment-unclear",
        f"{_words(scene)} {'match' if found else 'match none of'} the environments "
        + ", ".join(one.name for one in found or known.values()),
        expected="exactly one",
        remedy=f"correct paths and namespaces in {FILE}, or name one in spec.environment",
    )


def _holds(one: Environment, scene: Scene) -> bool:
    """Whether all conditions of an entry hold."""
    paths, namespaces = one.paths, one.namespaces
    if paths is not None and not any(_below(p, scene.directory) for p in paths):
        return False
    return namespaces is None or (
        bool(scene.namespaces)
        and all(any(matches(p, each) for p in namespaces) for each in scene.namespaces)
    )


def _below(pattern: str, directory: str | None) -> bool:
    """Whether a pattern matches a directory or one above it."""
    if directory is None:
        return False
    depth = pattern.count("/") + 1
    return matches(pattern, "/".join(directory.split("/")[:depth]))


def _words(scene: Scene) -> str:
    """Return the words for a call in an error."""
    spaces = ", ".join(sorted(scene.namespaces)) or "none"
    place = f"the directory {scene.directory or '.'} and " if scene.directory is not None else ""
    return f"{place}the namespaces {spaces}"


def settled(
    value: dict[str, Any],
    layers: Collection[dict[str, Any]],
    environment: str,
    *,
    governed: bool = False,
) -> dict[str, Any]:
    """Return a configuration with its missing fields filled in.

    Args:
        value: the configuration.
        layers: settings in the shape of `RepositoryConfig.spec`, the first of them overriding the
            next; those of the configuration's own ``spec`` are among them.
        environment: its name; may be empty.
        governed: whether derivation keys are the platform's to name.
    """
    kind = value.get("kind")
    spec = {k: v for k, v in mapping(value.get("spec")).items() if k not in SHARED}
    if kind == VALIDATOR:
        said = [mapping(layer["certificate"]) for layer in layers if "certificate" in layer]
        local = [one for one in said if {"file", "pem"} & set(one)]
        return {**value, "spec": {**spec, **({"certificate": local[0]} if local else {})}}
    sealing = dict(mapping(spec.get("sealing")))
    stores: dict[str, Any] = {}
    for layer in layers:
        for name in SEALING:
            if name in layer:
                sealing.setdefault(name, layer[name])
        stores = {**mapping(layer.get("stores")), **stores}
        if "defaultStore" in layer:
            spec.setdefault("defaultStore", layer["defaultStore"])
    default = spec.get("defaultStore") or (next(iter(stores)) if len(stores) == 1 else None)
    if default and not governed and sealing and sealing.get("mode") != "random":
        sealing.setdefault("derivationKey", _default_key(default, environment))
    key = sealing.get("derivationKey")
    if isinstance(key, dict) and isinstance(key.get("key"), str):
        path = finished(key["key"], environment, "derivationKey.key")
        sealing["derivationKey"] = {**key, "key": path}
    filled = {"environment": environment, "stores": stores, "sealing": sealing}
    return {**value, "spec": spec | {name: one for name, one in filled.items() if one}}


def _default_key(store: str, environment: str) -> dict[str, Any]:
    """One key for each environment."""
    path = "krmfn/derivation" + (f"/{PLACEHOLDER}" if environment else "")
    return {"store": store, "key": path, "property": "key"}


def finished(path: str, environment: str, field: str) -> str:
    """Return a path with the environment's name filled in.

    Raises:
        SpecError: there is no environment to name, or there is another brace.
    """
    if PLACEHOLDER in path and not environment:
        raise SpecError(
            "environment-unclear",
            f"the path has {PLACEHOLDER}, and no environment is known",
            key=field,
            remedy=f"define environments in {FILE}, or write the path out",
        )
    text = path.replace(PLACEHOLDER, environment)
    if {"{", "}"} & set(text):
        raise SpecError("path", f"the path has a brace outside {PLACEHOLDER}", key=field)
    return text
