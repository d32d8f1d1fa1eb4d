"""Settings of a repository and of its environments, put into a configuration. Pure.

Rules enforced here: a configuration's own field wins over its environment's, and that over what holds
for all; nothing is merged deeper than a field or a named store; one environment for one call.
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

    from krmfn.spec.repository import Environment, RepositorySpec

SEALING = ("certificate", "derivationKey", "scope", "mode", "epoch")
PLACEHOLDER = "{environment}"
FILE = ".krmfn.yaml"


@dataclass(frozen=True)
class Scene:
    """What a call is known by.

    Attributes:
        directory: of the kustomization that lists the configuration, from the repository's root; None
            where there is none, as in `krmfn seal`.
        namespaces: those of its claims.
        named: the environment that the configuration, an option or a variable names.
    """

    directory: str | None = None
    namespaces: frozenset[str] = frozenset()
    named: str = ""


def choose(spec: RepositorySpec, scene: Scene) -> Environment | None:
    """The one environment of a call; None where a repository has none.

    Raises:
        SpecError: it is not there, or no entry or several match.
    """
    known = {one.name: one for one in spec.environments}
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
    """Whether a directory is the named one, or below it."""
    if directory is None:
        return False
    depth = pattern.count("/") + 1
    return matches(pattern, "/".join(directory.split("/")[:depth]))


def _words(scene: Scene) -> str:
    """How an error names a call."""
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
    """A configuration with everything that it leaves out and somebody else says.

    Args:
        value: the configuration.
        layers: what is said elsewhere, the first winning over the next.
        environment: its name; may be empty.
        governed: whether derivation keys are the platform's to name.
    """
    spec = dict(mapping(value.get("spec")))
    if value.get("kind") == VALIDATOR:
        said = [layer["certificate"] for layer in layers if "certificate" in layer]
        local = [one for one in said if {"file", "pem"} & set(one)]
        return {**value, "spec": {**dict(zip(["certificate"], local, strict=False)), **spec}}
    sealing, stores = dict(mapping(spec.get("sealing"))), dict(mapping(spec.get("stores")))
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
    if environment:
        spec["environment"] = environment
    if stores:
        spec["stores"] = stores
    return {**value, "spec": {**spec, **({"sealing": sealing} if sealing else {})}}


def _default_key(store: str, environment: str) -> dict[str, Any]:
    """One key for each environment."""
    path = "krmfn/derivation" + (f"/{PLACEHOLDER}" if environment else "")
    return {"store": store, "key": path, "property": "key"}


def finished(path: str, environment: str, field: str) -> str:
    """A path with the environment's name in it.

    Raises:
        SpecError: there is no environment to name, or there is another brace.
    """
    if PLACEHOLDER in path and not environment:
        raise SpecError(
            "environment-unclear",
            f"{PLACEHOLDER} is used, and no environment is known",
            key=field,
            remedy=f"define environments in {FILE}, or write the path out",
        )
    text = path.replace(PLACEHOLDER, environment)
    if {"{", "}"} & set(text):
        raise SpecError("path", f"a brace is part of no path but in {PLACEHOLDER}", key=field)
    return text
