"""Rotations as changes of files: another certificate, epoch, or newer versions.

Rules enforced here: a change is made where the value stands, or refused with the place that it
comes from; one place that several overlays share gets one value; nothing is written here, so that
all files can be replaced together. Values of secrets are neither read nor needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.crypto.certificate import choose
from krmfn.documents.edit import Edit, edit
from krmfn.errors import SealingError, SpecError
from krmfn.files.diff import unified
from krmfn.files.read import Place
from krmfn.names import GENERATOR, TRANSFORMER, VALIDATOR
from krmfn.rotate.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from krmfn.crypto.certificate import SealingCertificate
    from krmfn.documents.edit import Value
    from krmfn.kustomize.configs import Config, OverlayConfigs
    from krmfn.rotate.settings import OverlaySettings

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

    values: dict[Path, dict[tuple[int, tuple[str | int, ...]], Value]] = field(default_factory=dict)
    contents: dict[Path, tuple[bytes, bytes]] = field(default_factory=dict)
    overlays: dict[Path, OverlayConfigs] = field(default_factory=dict)

    def set(
        self, overlay: OverlayConfigs, config: Config, path: tuple[str | int, ...], value: Value
    ) -> None:
        """Set ``path`` of an object to ``value``.

        Raises:
            SpecError: ``in-place``, a patch sets it too, or another overlay wants another value.
        """
        check_patches(overlay, config, path)
        if config.inline and config.get(*path) != value:
            raise refused(config, path, "it is inside the kustomization")
        if config.inline:
            return
        wanted = self.values.setdefault(config.file, {})
        self.overlays[config.file] = overlay
        place = (config.number, (*config.above, *path))
        if wanted.setdefault(place, value) != value:
            raise refused(config, path, f"overlays that share it need {wanted[place]} and {value}")

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
    rotation: Rotation,
    overlay: OverlayConfigs,
    new: SealingCertificate,
    now: datetime,
    environ: Mapping[str, str],
) -> None:
    """Seal for another certificate from now on; that of the overlay's environment, too.

    Raises:
        SpecError: ``in-place``, the certificate comes from a store or a patch.
    """
    settings = settings_of(overlay, environ)
    sealing = _sealing(overlay, CERTIFICATES, settings)
    places: list[tuple[Config, tuple[str | int, ...]]] = [
        (one, CERTIFICATES[one.kind]) for one in sealing
    ]
    if settings is not None:
        places.append((settings.config, settings.path("certificate")))
    for config, path in places:
        check_patches(overlay, config, path)
        found = config.get(*path)
        if not isinstance(found, dict):
            continue
        if isinstance(name := found.get("file"), str):
            held = Place(config.base, overlay.root).read(name, key=".".join(map(str, path)))
            if not _is(held, new, now):
                rotation.replace(overlay, (config.base / name).resolve(), held, new.pem)
        elif isinstance(pem := found.get("pem"), str):
            if not _is(pem.encode(), new, now):
                rotation.set(overlay, config, (*path, "pem"), new.pem.decode())
        elif "url" in found:
            rotation.set(overlay, config, (*path, "sha256"), new.fingerprint)
        else:
            raise refused(config, path, "the certificate comes from a store", "write it there")


def epoch(
    rotation: Rotation, overlay: OverlayConfigs, to: str | None, environ: Mapping[str, str]
) -> None:
    """Seal everything anew: the next number, or ``to``.

    The epoch is the configuration's own if that says how it seals, else the environment's.

    Raises:
        SpecError: ``in-place``; or the present one is no number, and ``to`` is None.
    """
    settings = settings_of(overlay, environ)
    places: list[tuple[Config, tuple[str | int, ...], Any]] = []
    for config in _sealing(overlay, (GENERATOR, TRANSFORMER), settings):
        if not isinstance(config.get(*EPOCH[:-1]), dict):
            check_patches(overlay, config, EPOCH)
            continue
        found = config.get(*EPOCH)
        if found is not None or settings is None:
            places.append((config, EPOCH, found))
    if settings is not None and not places:
        shared = settings.config.get(*settings.path("epoch"))
        places.append((settings.config, settings.own("epoch"), shared))
    for config, path, found in places:
        present = "1" if found is None else found
        if to is None and not (isinstance(present, str) and present.isdecimal()):
            raise SpecError(
                "usage",
                "the epoch is not a number",
                where=config.where(path),
                remedy="say the new one with --to",
            )
        rotation.set(overlay, config, path, to or str(int(present) + 1))


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
                remedy=HAND,
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


HAND = "change it by hand"


def _sealing(
    overlay: OverlayConfigs, kinds: Collection[str], settings: OverlaySettings | None
) -> list[Config]:
    """The objects of these kinds.

    Raises:
        SpecError: there is none, as where another command is given the configuration.
    """
    found = [config for config in overlay.configs if config.kind in kinds]
    if not found and settings is None:
        raise SpecError(
            "input",
            "there is no configuration that seals",
            where=str(overlay.directory),
            remedy="name the file that krmfn seal --config is given",
        )
    return found


def _is(pem: bytes, wanted: SealingCertificate, now: datetime) -> bool:
    """Whether a build would take the same key from ``pem``."""
    try:
        return choose(pem, now).fingerprint == wanted.fingerprint
    except SealingError:
        return False


def refused(
    config: Config, path: tuple[str | int, ...], why: str, remedy: str = "change it by hand"
) -> SpecError:
    """Return the error for a value that cannot be changed in place."""
    return SpecError("in-place", why, where=config.where(path), key=str(path[-1]), remedy=remedy)
