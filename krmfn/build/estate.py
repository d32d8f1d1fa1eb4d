"""`.krmfn.yaml`: found, read, and put into the configuration of a call. The one place that does so.

Rules enforced here: it stands at the repository's root and nowhere else on the way to a call's
directory; without it every configuration stays as it is; no environment is looked for by a
configuration that needs nothing of one.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import SpecError
from krmfn.files.read import exists, read_repository_file
from krmfn.names import API_VERSION, CLAIM, GENERATOR, TRANSFORMER, VALIDATOR
from krmfn.objects.kinds import each
from krmfn.objects.sealed_secret import KIND
from krmfn.plan.estate import FILE, PLACEHOLDER, Scene, choose, settled
from krmfn.policy.file import platform_of
from krmfn.spec.parse import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from krmfn.kustomize.kustomization import Kustomization
    from krmfn.objects.stream import Item
    from krmfn.stores.store import Surroundings

VARIABLE = "KRMFN_ENVIRONMENT"
_ABOUT = ("name", "paths", "namespaces", "environments")


def settle(
    value: Any,
    items: Iterable[Item],
    overlay: Kustomization,
    around: Surroundings,
    *,
    in_overlay: bool = True,
) -> Any:
    """A configuration with what the repository's own says for it.

    Args:
        value: the configuration, as a function is given it.
        items: what it is given beside.
        in_overlay: whether a kustomization lists it.

    Raises:
        SpecError, ErrorList: the file is wrong or elsewhere, or no environment is meant for sure.
    """
    found, platform = _file(around), platform_of(around)
    kind = mapping(value).get("kind")
    if kind not in (GENERATOR, TRANSFORMER, VALIDATOR) or (found is None and platform is None):
        return value
    spec = mapping(value.get("spec"))
    parts = (value.get("spec"), spec.get("sealing"), spec.get("stores"))
    if not all(isinstance(part, dict | None) for part in parts):
        return value  # the parser says what is wrong
    from krmfn.spec.repository import RepositoryConfig  # lazy: most repositories have none

    found = found or {"apiVersion": API_VERSION, "kind": "RepositoryConfig", "spec": {}}
    config: Any = parse(found, where=FILE, kinds={"RepositoryConfig": RepositoryConfig})
    raw = mapping(found["spec"])
    claims = [one for item in items for one in _claims(item, value)]
    directory = around.base.resolve().relative_to(around.root).as_posix() if in_overlay else None
    spaces = {_namespace(one) or overlay.namespace for one in claims}
    if value["kind"] == GENERATOR:
        spaces = {str(mapping(value.get("metadata")).get("namespace") or overlay.namespace)}
    named = str(spec.get("environment") or around.environ.get(VARIABLE) or "")
    scene = Scene(directory, frozenset(spaces - {""}), named)
    try:
        chosen = choose(config.spec, scene)
    except SpecError:
        if named or not _is_whole(value, claims):
            raise
        chosen = None
    entries = [one for one in sequence(raw.get("environments")) if chosen]
    layers = [one for one in entries if chosen and mapping(one).get("name") == chosen.name]
    prefix = os.path.relpath(around.root, around.base.resolve())
    own = [
        _moved({k: v for k, v in layer.items() if k not in _ABOUT}, prefix)
        for layer in (*layers, raw)
    ]
    if platform is not None and kind != VALIDATOR and (kind == GENERATOR or claims):
        from krmfn.policy.offer import offered  # lazy: for those whom a policy governs

        missing = _missing(value, own, claims)
        own.append(offered(platform.spec, platform.application, scene.namespaces, missing))
    name = chosen.name if chosen else ""
    return settled(value, own, name, governed=platform is not None)


def _missing(
    value: dict[str, Any], layers: list[dict[str, Any]], claims: list[dict[str, Any]]
) -> list[str]:
    """What is needed and nobody names, of what a rule of the platform's may say."""
    spec = mapping(value.get("spec"))
    sealing = mapping(spec.get("sealing"))
    secrets = [mapping(one.get("spec")) for one in claims]
    secrets += [mapping(one) for one in sequence(spec.get("secrets"))]
    mode = next((one["mode"] for one in (sealing, *layers) if "mode" in one), "deterministic")
    needed = {
        "certificate": True,
        "derivationKey": any(one.get("mode", mode) != "random" for one in secrets),
        "stores": any(_reads(one) for one in secrets),
    }
    said = {*sealing, *(name for layer in layers for name, one in layer.items() if one)}
    said |= {"stores"} if spec.get("stores") else set()
    return [name for name, wanted in needed.items() if wanted and name not in said]


def _reads(secret: dict[str, Any]) -> bool:
    entries = [mapping(one) for one in sequence(secret.get("data"))]
    return "from" in secret or "dataFrom" in secret or any("remoteRef" in one for one in entries)


def _file(around: Surroundings) -> dict[str, Any] | None:
    """The file at the repository's root, as values; None without one.

    Raises:
        SpecError: it cannot be read, or there is another one on the way to the directory.
    """
    base, root = around.base.resolve(), around.root
    for place in (base, *base.parents):
        if place == root or not place.is_relative_to(root):
            break
        if exists(place / FILE):
            raise SpecError(
                "file",
                f"{(place / FILE).relative_to(root)} is below the repository's root {root}",
                expected=f"one {FILE}, at {root / FILE}",
                remedy="move it there, or set KRMFN_ROOT",
            )
    if not exists(root / FILE):
        return None
    content = read_repository_file(FILE, base=root, root=root, key="")
    found = strict.load(content, FILE)
    if not isinstance(found, dict):
        raise SpecError("file", f"{FILE} is not an object")
    return found


def _claims(item: Item, value: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Those of an item's objects that say where a call belongs."""
    wanted = KIND if value["kind"] == VALIDATOR else CLAIM
    if item.kind == wanted or item.kind.endswith("List"):
        for _, one in each(item.document.value()):
            if one.get("kind") == wanted:
                yield one


def _namespace(claim: dict[str, Any]) -> str:
    return str(mapping(claim.get("metadata")).get("namespace") or "")


def _is_whole(value: dict[str, Any], claims: list[dict[str, Any]]) -> bool:
    """Whether a configuration needs nothing from an environment."""
    spec = mapping(value.get("spec"))
    if value["kind"] == VALIDATOR:
        return "certificate" in spec
    if value["kind"] == TRANSFORMER and not claims:
        return True
    sealing = mapping(spec.get("sealing"))
    keyed = "derivationKey" in sealing or sealing.get("mode") == "random"
    asks = PLACEHOLDER in json.dumps([value, claims])
    return "certificate" in sealing and keyed and "stores" in spec and not asks


def _moved(value: Any, prefix: str) -> Any:
    """The same, its files named from another directory."""
    if isinstance(value, dict):
        return {
            key: os.path.join(prefix, each)  # noqa: PTH118  # a text of the configuration
            if key in ("file", "caFile") and isinstance(each, str)
            else _moved(each, prefix)
            for key, each in value.items()
        }
    return [_moved(each, prefix) for each in value] if isinstance(value, list) else value
