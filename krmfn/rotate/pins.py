"""Versions of references as changes of files: pins to the newest version in each store.

Rules enforced here: a pin is never lowered; values of secrets are neither read nor needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from krmfn.documents.strict import mapping, sequence
from krmfn.errors import KrmfnError, SpecError
from krmfn.names import CLAIM, GENERATOR, TRANSFORMER
from krmfn.parallel import at_once
from krmfn.plan.estate import PLACEHOLDER, finished
from krmfn.rotate.rotation import HAND, check_patches, refused
from krmfn.rotate.settings import settings_of
from krmfn.spec.parse import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from krmfn.documents.edit import Value
    from krmfn.kustomize.configs import Config, OverlayConfigs
    from krmfn.rotate.rotation import Rotation
    from krmfn.sealing.job import Job
    from krmfn.spec.stores import Store


@dataclass(frozen=True)
class Pin:
    """A reference with a version, or a claim's ``from`` that is a path alone.

    Attributes:
        path: of the version, or of ``from``.
        version: 0 if there is none yet.
        key: of the secret, with the environment's name.
        holder: the object that defines the store.
        written: the key as written, if the reference is a path alone.
    """

    config: Config
    path: tuple[str | int, ...]
    version: int
    store: str
    key: str
    holder: Config
    written: str = ""

    @property
    def question(self) -> tuple[object, ...]:
        """Return what tells questions to stores apart."""
        return self.holder.file, self.holder.number, self.holder.above, self.store, self.key

    def value(self, version: int) -> Value:
        """Return the new value at the path."""
        return {"key": self.written, "version": version} if self.written else version


def pins(overlay: OverlayConfigs, environ: Mapping[str, str]) -> list[Pin]:
    """Every pinned reference of an overlay's secrets, and every ``from`` that is a path alone.

    The derivation key's and the certificate's own versions are no such pins: they reseal.

    Raises:
        SpecError: ``in-place``, a patch sets a version, or what it is looked up by.
    """
    for patch in overlay.patches:
        names = [config.name for config in overlay.configs if config.kind == CLAIM]
        if patch.pins and any(
            patch.sets(CLAIM, name, ("spec",), renamed=overlay.renames) for name in names
        ):
            raise SpecError("in-place", "a patch sets a version", where=patch.where, remedy=HAND)
    found = []
    settings = settings_of(overlay, environ)
    for config in overlay.configs:
        if config.kind == GENERATOR:
            holders = [settings.completed(config) if settings else config]
            for number, secret in enumerate(sequence(config.get("spec", "secrets"))):
                above = ("spec", "secrets", number)
                found += list(_pins(overlay, config, above, mapping(secret), holders))
                found += list(_path_alone(overlay, config, above, mapping(secret), holders))
        elif config.kind == CLAIM:
            holders = [c for c in overlay.configs if c.kind == TRANSFORMER]
            if settings:
                holders = [settings.completed(one) for one in holders or [settings.empty()]]
            own = list(_pins(overlay, config, ("spec",), mapping(config.get("spec")), holders))
            if own:
                for name in ("data", "dataFrom", "from", "store"):
                    check_patches(overlay, config, ("spec", name))
            found += own
            found += _path_alone(overlay, config, ("spec",), mapping(config.get("spec")), holders)
    return found


def versions(rotation: Rotation, overlay: OverlayConfigs, wanted: Sequence[Pin], job: Job) -> None:
    """Pin references to the newest version in each store; never lower a pin.

    Args:
        job: with the repository's root; its base is not used.

    Raises:
        KrmfnError: a store does not say, with the pin's position.
    """

    def newest(pin: Pin) -> int:
        try:
            with job.at(pin.holder.base).stores(_store_of(pin)) as stores:
                store = stores.get(pin.store)
                return store.newest(store.locate(pin.key))
        except KrmfnError as error:
            if pin.written and error.id == "version-unsupported":
                return 0  # nothing to pin
            raise error.at(where=pin.config.where(pin.path)) from None

    # Many pins of one secret are one question.
    asked = {pin.question: pin for pin in wanted}
    tasks = [partial(newest, pin) for pin in asked.values()]
    found = dict(zip(asked, at_once(tasks, job.access.deadline), strict=True))
    for pin in wanted:
        if number := max(found[pin.question], pin.version):
            rotation.set(overlay, pin.config, pin.path, pin.value(number))


def _pins(
    overlay: OverlayConfigs,
    config: Config,
    above: tuple[str | int, ...],
    secret: dict[str, Any],
    holders: Sequence[Config],
) -> Iterator[Pin]:
    """Yield the pins of one secret."""
    for below, ref, named in _references(secret):
        version, key = ref.get("version"), ref.get("key")
        if not isinstance(version, int) or not isinstance(key, str):
            continue
        path = (*above, *below, "version")
        stores = {str(named or secret.get("store") or _default(h)) for h in holders}
        store = stores.pop() if len(stores) == 1 else ""
        holding = [h for h in holders if store in mapping(h.get("spec", "stores"))]
        if not holding or any(_store(h, store) != _store(holding[0], store) for h in holding):
            why = "several transformers define" if holding else "nothing defines"
            raise refused(config, path, f"{why} the store {store}".rstrip())
        check_patches(overlay, holding[0], ("spec", "stores", store))
        if environment := holding[0].get("spec", "environment"):
            key = finished(key, str(environment), "key")
        yield Pin(config, path, version, store, key, holding[0])


def _path_alone(
    overlay: OverlayConfigs,
    config: Config,
    above: tuple[str | int, ...],
    secret: dict[str, Any],
    holders: Sequence[Config],
) -> Iterator[Pin]:
    """Yield the pin of a ``from`` that is a path alone.

    A path with an environment's name is a secret for each environment, each with its own versions.
    """
    key = secret.get("from")
    stores = {str(secret.get("store") or _default(h)) for h in holders}
    definitions = [_store(h, next(iter(stores))) for h in holders] if len(stores) == 1 else [None]
    if not isinstance(key, str) or PLACEHOLDER in key or config.inline:
        return
    if None in definitions or any(one != definitions[0] for one in definitions):
        return
    steps = [str(step) for step in (*above, "from")]
    if any(
        p.sets(config.kind, config.name, steps, renamed=overlay.renames) for p in overlay.patches
    ):
        return
    yield Pin(config, (*above, "from"), 0, stores.pop(), key, holders[0], written=key)


def _references(
    secret: dict[str, Any],
) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any], object]]:
    """Yield the path of each reference of a secret, the reference, and its own store."""
    yield ("from",), mapping(secret.get("from")), None
    for name, reference in (("data", "remoteRef"), ("dataFrom", "extract")):
        for number, entry in enumerate(sequence(secret.get(name))):
            ref = mapping(mapping(entry).get(reference))
            yield (name, number, reference), ref, mapping(entry).get("store")


def _default(holder: Config) -> str:
    """Return the store of secrets that name none."""
    stores = mapping(holder.get("spec", "stores"))
    only = next(iter(stores)) if len(stores) == 1 else ""
    return str(holder.get("spec", "defaultStore") or only)


def _store(config: Config, name: str) -> Any:
    return mapping(config.get("spec", "stores")).get(name)


def _store_of(pin: Pin) -> dict[str, Store]:
    """Return the store of a pin, as its holder defines it, by its name."""
    found: Any = parse(pin.holder.value, where=pin.holder.where())
    return {pin.store: found.spec.stores[pin.store]}
