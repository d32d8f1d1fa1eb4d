"""Rotations as changes of files: another certificate, epoch, or newer versions.

Rules enforced here: a change is made where the value stands, or refused with the place that it
comes from; one place that several overlays share gets one value; nothing is written here, so that
all files can be replaced together. Values of secrets are neither read nor needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from krmfn.crypto.certificate import choose
from krmfn.documents.edit import Edit, edit
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import KrmfnError, SealingError, SpecError
from krmfn.files.diff import unified
from krmfn.files.read import Place
from krmfn.names import CLAIM, GENERATOR, TRANSFORMER, VALIDATOR
from krmfn.parallel import at_once
from krmfn.spec.parse import parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from krmfn.crypto.certificate import SealingCertificate
    from krmfn.kustomize.configs import Config, OverlayConfigs
    from krmfn.sealing.job import Job
    from krmfn.spec.stores import Store
    from krmfn.stores.content import Location

CERTIFICATES = {
    GENERATOR: ("spec", "sealing", "certificate"),
    TRANSFORMER: ("spec", "sealing", "certificate"),
    VALIDATOR: ("spec", "certificate"),
}
EPOCH = ("spec", "sealing", "epoch")


@dataclass
class Rotation:
    """The planned changes, collected overlay by overlay.

    Attributes:
        values: file to document and path to the new value.
        contents: file to what it held, and its whole new content.
        overlays: file to the overlay that it was found by.
    """

    values: dict[Path, dict[tuple[int, tuple[str | int, ...]], str | int]] = field(
        default_factory=dict
    )
    contents: dict[Path, tuple[bytes, bytes]] = field(default_factory=dict)
    overlays: dict[Path, OverlayConfigs] = field(default_factory=dict)

    def set(
        self, overlay: OverlayConfigs, config: Config, path: tuple[str | int, ...], value: str | int
    ) -> None:
        """Set ``path`` of an object to ``value``.

        Raises:
            SpecError: ``in-place``, a patch sets it too, or another overlay wants another value.
        """
        check_patches(overlay, config, path)
        if config.inline and config.get(*path) != value:
            raise _refused(config, path, "it is inside the kustomization")
        if config.inline:
            return
        wanted = self.values.setdefault(config.file, {})
        self.overlays[config.file] = overlay
        place = (config.number, (*config.above, *path))
        if wanted.setdefault(place, value) != value:
            raise _refused(config, path, f"overlays that share it need {wanted[place]} and {value}")

    def replace(self, overlay: OverlayConfigs, file: Path, before: bytes, after: bytes) -> None:
        """Have a file hold something else."""
        self.contents[file] = before, after
        self.overlays[file] = overlay

    def result(self) -> dict[Path, tuple[str, bytes, bytes]]:
        """Return each changed file: its name from the repository's root, its old and its new content.

        Raises:
            SpecError: ``in-place``, a value cannot be replaced in the text.
        """
        found: dict[Path, tuple[str, bytes, bytes]] = {}
        for file, values in self.values.items():
            overlay = self.overlays[file]
            before, name = overlay.read(file), overlay.short(file)
            changes = [Edit(number, path, value) for (number, path), value in values.items()]
            found[file] = name, before.encode(), edit(before, name, changes).encode()
        for file, sides in self.contents.items():
            found[file] = self.overlays[file].short(file), *sides
        return {file: each for file, each in sorted(found.items()) if each[1] != each[2]}


def certificate(
    rotation: Rotation, overlay: OverlayConfigs, new: SealingCertificate, now: datetime
) -> None:
    """Seal for another certificate from now on.

    Raises:
        SpecError: ``in-place``, the certificate comes from a store or a patch.
    """
    for config in _sealing(overlay, CERTIFICATES):
        path = CERTIFICATES[config.kind]
        check_patches(overlay, config, path)
        found = config.get(*path)
        if not isinstance(found, dict):
            continue
        if isinstance(name := found.get("file"), str):
            held = Place(config.base, overlay.root).read(name, key=".".join(path))
            if not _is(held, new, now):
                rotation.replace(overlay, (config.base / name).resolve(), held, new.pem)
        elif isinstance(pem := found.get("pem"), str):
            if not _is(pem.encode(), new, now):
                rotation.set(overlay, config, (*path, "pem"), new.pem.decode())
        elif "url" in found:
            rotation.set(overlay, config, (*path, "sha256"), new.fingerprint)
        else:
            raise _refused(config, path, "the certificate comes from a store", "write it there")


def epoch(rotation: Rotation, overlay: OverlayConfigs, to: str | None) -> None:
    """Seal everything anew: the next number, or ``to``.

    Raises:
        SpecError: ``in-place``; or the present one is no number, and ``to`` is None.
    """
    for config in _sealing(overlay, (GENERATOR, TRANSFORMER)):
        if not isinstance(config.get(*EPOCH[:-1]), dict):
            check_patches(overlay, config, EPOCH)
            continue
        found = config.get(*EPOCH)
        present = "1" if found is None else found
        if to is None and not (isinstance(present, str) and present.isdecimal()):
            raise SpecError(
                "usage",
                "the epoch is not a number",
                where=config.where(EPOCH),
                remedy="say the new one with --to",
            )
        rotation.set(overlay, config, EPOCH, to or str(int(present) + 1))


@dataclass(frozen=True)
class Pin:
    """The pinned version of a reference.

    Attributes:
        holder: the object that defines the store.
    """

    config: Config
    path: tuple[str | int, ...]
    version: int
    store: str
    key: str
    holder: Config


def pins(overlay: OverlayConfigs) -> list[Pin]:
    """Every pinned reference of an overlay's secrets.

    The derivation key's and the certificate's own versions are no such pins: they reseal.

    Raises:
        SpecError: ``in-place``, a patch sets a version, or what it is looked up by.
    """
    for patch in overlay.patches:
        names = [config.name for config in overlay.configs if config.kind == CLAIM]
        if patch.pins and any(
            patch.sets(CLAIM, name, ("spec",), renamed=overlay.renames) for name in names
        ):
            raise SpecError("in-place", "a patch sets a version", where=patch.where, remedy=_HAND)
    found = []
    for config in overlay.configs:
        if config.kind == GENERATOR:
            for number, secret in enumerate(sequence(config.get("spec", "secrets"))):
                above = ("spec", "secrets", number)
                found += list(_pins(overlay, config, above, mapping(secret), [config]))
        elif config.kind == CLAIM:
            holders = [c for c in overlay.configs if c.kind == TRANSFORMER]
            own = list(_pins(overlay, config, ("spec",), mapping(config.get("spec")), holders))
            if own:
                for name in ("data", "dataFrom", "from", "store"):
                    check_patches(overlay, config, ("spec", name))
            found += own
    return found


def versions(rotation: Rotation, overlay: OverlayConfigs, wanted: Sequence[Pin], job: Job) -> None:
    """Pin references to the newest version in each store; never lower a pin.

    Args:
        job: with the repository's root; its base is not used.

    Raises:
        KrmfnError: a store does not say, with the pin's position.
    """

    def newest(pin: Pin) -> tuple[Location, int]:
        try:
            with job.at(pin.holder.base).stores(_store_of(pin)) as stores:
                store = stores.get(pin.store)
                location = store.locate(pin.key)
                return location, store.newest(location)
        except KrmfnError as error:
            raise error.at(where=pin.config.where(pin.path)) from None

    # Many pins of one secret are one question.
    asked = {(id(pin.holder), pin.store, pin.key): pin for pin in wanted}
    tasks = [partial(newest, pin) for pin in asked.values()]
    found = dict(zip(asked, at_once(tasks, job.access.deadline), strict=True))
    for pin in wanted:
        _, number = found[id(pin.holder), pin.store, pin.key]
        rotation.set(overlay, pin.config, pin.path, max(number, pin.version))


def check_patches(overlay: OverlayConfigs, config: Config, path: Sequence[str | int]) -> None:
    """Refuse to change a value that a patch sets.

    Raises:
        SpecError: ``in-place``, with the patch's position.
    """
    steps = [str(step) for step in path]
    for patch in overlay.patches:
        if patch.sets(config.kind, config.name, steps, renamed=overlay.renames):
            raise SpecError(
                "in-place",
                f"a patch sets {'.'.join(steps)} of {config.kind}/{config.name}",
                where=patch.where,
                remedy=_HAND,
            )


def shown(changed: dict[Path, tuple[str, bytes, bytes]]) -> str:
    """Return the changes as a diff for `git apply` and `patch -p1`, without possible secret values."""
    return "".join(
        unified(
            before.decode(errors="replace"),
            after.decode(errors="replace"),
            f"a/{name}",
            f"b/{name}",
        )
        for name, before, after in changed.values()
    )


_HAND = "change it by hand"


def _sealing(overlay: OverlayConfigs, kinds: Collection[str]) -> list[Config]:
    """The objects of these kinds.

    Raises:
        SpecError: there is none, as where another command is given the configuration.
    """
    found = [config for config in overlay.configs if config.kind in kinds]
    if not found:
        raise SpecError(
            "input",
            "there is no configuration that seals",
            where=str(overlay.directory),
            remedy="name the file that krmfn seal --config is given",
        )
    return found


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
            raise _refused(config, path, f"{why} the store {store}".rstrip())
        check_patches(overlay, holding[0], ("spec", "stores", store))
        yield Pin(config, path, version, store, key, holding[0])


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


def _is(pem: bytes, wanted: SealingCertificate, now: datetime) -> bool:
    """Whether a build would take the same key from ``pem``."""
    try:
        return choose(pem, now).fingerprint == wanted.fingerprint
    except SealingError:
        return False


def _refused(
    config: Config, path: tuple[str | int, ...], why: str, remedy: str = "change it by hand"
) -> SpecError:
    return SpecError("in-place", why, where=config.where(path), key=str(path[-1]), remedy=remedy)
