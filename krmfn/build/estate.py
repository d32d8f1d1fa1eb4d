"""Find and read `.krmfn.yaml`, and fill the configuration of a call from it; nothing else does so.

Rules enforced here: the file is at the repository's root, and another one on the way to a call's
directory is an error; without it, a configuration with none of its fields stays as it is; a
configuration that needs nothing from an environment needs no environment.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import SpecError
from krmfn.files.read import exists
from krmfn.names import API_VERSION, CLAIM, ENVIRONMENT, GENERATOR, TRANSFORMER, VALIDATOR
from krmfn.objects.kinds import each
from krmfn.objects.sealed_secret import KIND
from krmfn.plan.estate import FILE, PLACEHOLDER, SEALING, SHARED, Scene, choose, settled
from krmfn.spec.parse import check, name_of, parse
from krmfn.spec.repository import RepositoryConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from krmfn.files.read import Place
    from krmfn.kustomize.overlay import Kustomization
    from krmfn.objects.stream import Item
    from krmfn.sealing.job import Job
    from krmfn.spec.model import Model

_ABOUT = ("name", "paths", "namespaces", "environments")
_NONE: dict[str, Any] = {
    "apiVersion": API_VERSION,
    "kind": "RepositoryConfig",
    "spec": {},
}


def completed(value: Any, items: Iterable[Item], overlay: Kustomization, job: Job) -> Model:
    """Return the model of a configuration, filled from `.krmfn.yaml`.

    Raises:
        SpecError, ErrorList: as `settle`, or the configuration is wrong.
    """
    return parse(settle(value, items, overlay, job))


def settle(
    value: Any,
    items: Iterable[Item],
    overlay: Kustomization,
    job: Job,
    *,
    in_overlay: bool = True,
) -> Any:
    """Fill the configuration of a call from `.krmfn.yaml` and from the policy.

    Args:
        value: the configuration, as kustomize gives it to a function.
        items: the resources of the call.
        in_overlay: whether a kustomization lists the configuration.

    Raises:
        SpecError, ErrorList: the file is wrong or elsewhere, or no environment or several match.
    """
    kind, spec = mapping(value).get("kind"), mapping(mapping(value).get("spec"))
    if kind not in (GENERATOR, TRANSFORMER, VALIDATOR) or not _is_shaped(value):
        return value
    found, policy = read_settings(job.access.place), job.policy
    own = {name: spec[name] for name in SHARED if name in spec}
    fields = {"environments", "environment", *(() if kind == VALIDATOR else SEALING)}
    if found is None and policy is None and fields.isdisjoint(spec):
        return value
    if own:
        check(RepositoryConfig, {**_NONE, "spec": own}, name=name_of(value))
    repository = mapping((found or _NONE)["spec"])
    claims = [one for item in items for one in _claims(item, value)]
    scene = _scene(value, claims, overlay, job, in_overlay=in_overlay and bool(overlay.file))
    holder = own if "environments" in own else repository
    entry = _entry(holder, scene, needed=bool(scene.named) or not _is_whole(value, own, claims))
    place = job.access.place
    prefix = os.path.relpath(place.root, place.base.resolve())
    found_layers = layers(own, entry, repository, prefix)
    if policy is not None and kind != VALIDATOR and (kind == GENERATOR or claims):
        from krmfn.policy.offer import offered  # lazy: only under a policy

        missing = _missing(value, found_layers, claims)
        found_layers.append(offered(policy.spec, policy.application, scene.namespaces, missing))
    done = settled(value, found_layers, str(entry.get("name", "")), governed=policy is not None)
    if kind == TRANSFORMER and found is not None and not _has_validator(overlay):
        done["spec"].setdefault("validate", {})
    return done


def layers(
    own: dict[str, Any], entry: dict[str, Any], repository: dict[str, Any], prefix: str
) -> list[dict[str, Any]]:
    """Return the settings of a configuration, the first overriding the next.

    Args:
        own: of the configuration's own ``spec``.
        entry: its environment's, from ``own`` if that has environments, else from the repository.
        repository: ``spec`` of `.krmfn.yaml`.
        prefix: the path from the configuration's directory to the repository's root.
    """
    shared = _moved(repository, prefix)
    inner = "environments" in own
    found = [entry, own, shared] if inner else [own, _moved(entry, prefix), shared]
    return [{k: v for k, v in layer.items() if k not in _ABOUT} for layer in found]


def _is_shaped(value: dict[str, Any]) -> bool:
    """Whether the parts that are filled have the right types; otherwise the parser reports them."""
    spec = value.get("spec")
    parts = [spec, *(mapping(spec).get(name) for name in ("sealing", "stores"))]
    return all(isinstance(part, dict | None) for part in parts)


def _has_validator(overlay: Kustomization) -> bool:
    return any(one.kind == VALIDATOR and one.list == "validators" for one in overlay.listed)


def _scene(
    value: dict[str, Any],
    claims: list[dict[str, Any]],
    overlay: Kustomization,
    job: Job,
    *,
    in_overlay: bool,
) -> Scene:
    """Return the facts that choose a call's environment."""
    place = job.access.place
    directory = place.base.resolve().relative_to(place.root).as_posix() if in_overlay else None
    spaces = {_namespace(one) or overlay.namespace for one in claims}
    if value["kind"] == GENERATOR:
        spaces = {_namespace(value) or overlay.namespace}
    spec = mapping(value.get("spec"))
    named = spec.get("environment") or job.access.environ.get(ENVIRONMENT) or ""
    return Scene(directory, frozenset(spaces - {""}), str(named))


def _entry(holder: dict[str, Any], scene: Scene, *, needed: bool) -> dict[str, Any]:
    """Return the entry of the call's environment; empty without one.

    Args:
        holder: settings with `environments`, as values.
        needed: whether it is an error if no entry or several match.

    Raises:
        SpecError: as `krmfn.plan.estate.choose`.
    """
    config = check(RepositoryConfig, {**_NONE, "spec": holder}, name=FILE)
    try:
        chosen = choose(config.spec.environments, scene)
    except SpecError:
        if needed:
            raise
        return {}
    entries = [mapping(one) for one in sequence(holder.get("environments")) if chosen]
    return next((one for one in entries if chosen and one["name"] == chosen.name), {})


def _missing(
    value: dict[str, Any], layers: list[dict[str, Any]], claims: list[dict[str, Any]]
) -> list[str]:
    """Return the fields that sealing needs and nothing sets, of those that a policy may set."""
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
    return [name for name, wanted in needed.items() if wanted and name not in said]


def _reads(secret: dict[str, Any]) -> bool:
    """Whether a secret has values from a store."""
    entries = [mapping(one) for one in sequence(secret.get("data"))]
    return "from" in secret or "dataFrom" in secret or any("remoteRef" in one for one in entries)


def read_settings(place: Place) -> dict[str, Any] | None:
    """Return `.krmfn.yaml` of the repository's root as values; None without one.

    Args:
        place: a directory in the repository.

    Raises:
        SpecError, ErrorList: it is wrong, or there is another one between the directory and the root.
    """
    base, root = place.base.resolve(), place.root
    for above in (base, *base.parents):
        if above == root or not above.is_relative_to(root):
            break
        if exists(above / FILE):
            raise SpecError(
                "file",
                f"{(above / FILE).relative_to(root)} is below the repository's root {root}",
                expected=f"one {FILE}, at {root / FILE}",
                remedy="move it there, or set KRMFN_ROOT",
            )
    if not os.path.lexists(root / FILE):
        return None
    content = place.at(root).read(FILE, key="")
    document = strict.document(content, FILE)
    found = document.value()
    parse(
        found, where=FILE, position=document.position, kinds={"RepositoryConfig": RepositoryConfig}
    )
    return mapping(found)


def _claims(item: Item, value: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield the objects of an item whose namespaces choose the environment."""
    wanted = KIND if value["kind"] == VALIDATOR else CLAIM
    if item.kind == wanted or item.kind.endswith("List"):
        for _, one in each(item.document.value()):
            if one.get("kind") == wanted:
                yield one


def _namespace(claim: dict[str, Any]) -> str:
    return str(mapping(claim.get("metadata")).get("namespace") or "")


def _is_whole(value: dict[str, Any], own: dict[str, Any], claims: list[dict[str, Any]]) -> bool:
    """Whether a configuration needs nothing from an environment."""
    if value["kind"] == VALIDATOR:
        return "certificate" in own
    if value["kind"] == TRANSFORMER and not claims:
        return True
    return not _missing(value, [own], claims) and PLACEHOLDER not in json.dumps([value, claims])


def _moved(value: Any, prefix: str) -> Any:
    """Return the same settings, with file names relative to another directory."""
    if isinstance(value, dict):
        return {
            key: os.path.join(prefix, each)  # noqa: PTH118  # a text of the configuration
            if key in ("file", "caFile") and isinstance(each, str)
            else _moved(each, prefix)
            for key, each in value.items()
        }
    return [_moved(each, prefix) for each in value] if isinstance(value, list) else value
