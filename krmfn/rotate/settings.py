"""`.krmfn.yaml` as rotations see it: the entry of an overlay's environment, and its fields in the file."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from krmfn.build.estate import layers, read_settings
from krmfn.documents import strict
from krmfn.documents.strict import mapping
from krmfn.errors import SpecError
from krmfn.files.read import Place
from krmfn.kustomize.configs import Config
from krmfn.kustomize.kustomization import read_overlay
from krmfn.names import API_VERSION, ENVIRONMENT, GENERATOR, TRANSFORMER
from krmfn.plan.estate import FILE, SHARED, Scene, choose, settled
from krmfn.spec.parse import check
from krmfn.spec.repository import RepositoryConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from krmfn.kustomize.configs import OverlayConfigs


@dataclass(frozen=True)
class OverlaySettings:
    """The settings of one overlay.

    Attributes:
        config: `.krmfn.yaml`.
        entry: number of the overlay's environment; None without environments.
        name: of the environment; empty without.
        directory: of the overlay.
    """

    config: Config
    entry: int | None
    name: str
    directory: Path

    def own(self, field: str) -> tuple[str | int, ...]:
        """Return the path of a field of the overlay's environment alone."""
        above = ("environments", self.entry) if self.entry is not None else ()
        return ("spec", *above, field)

    def path(self, field: str) -> tuple[str | int, ...]:
        """Return the path of the field that holds for the overlay."""
        own = self.own(field)
        return own if self.config.get(*own) is not None else ("spec", field)

    def completed(self, config: Config) -> Config:
        """Return a configuration with the fields that the file sets for it."""
        spec = mapping(config.get("spec"))
        own = {name: spec[name] for name in SHARED if name in spec}
        entry = mapping(self.config.get(*self.own("")[:-1])) if self.entry is not None else {}
        prefix = os.path.relpath(self.config.base, config.base)
        found = layers(own, entry, mapping(self.config.get("spec")), prefix)
        return replace(config, value=settled(config.value, found, self.name))

    def empty(self) -> Config:
        """Return the transformer that `krmfn build` adds to a tree without one."""
        value: dict[str, Any] = {
            "apiVersion": API_VERSION,
            "kind": TRANSFORMER,
            "metadata": {"name": "krmfn"},
        }
        return replace(self.config, base=self.directory, value=value)


def settings_of(overlay: OverlayConfigs, environ: Mapping[str, str]) -> OverlaySettings | None:
    """Return the settings of an overlay; None without `.krmfn.yaml`, or if it needs none.

    Raises:
        SpecError, ErrorList: the file is wrong, or no environment or several match.
    """
    base = overlay.directory if overlay.directory.is_dir() else overlay.directory.parent
    base = base.resolve()
    place = Place(base, overlay.root)
    found = read_settings(place)
    if found is None:
        return None
    file = overlay.root / FILE
    document = strict.document(overlay.read(file), FILE)
    config = Config(file, overlay.root, 0, (), document, found)
    entries = check(RepositoryConfig, found, name=FILE).spec.environments
    namespace = read_overlay(place).namespace
    directory = base.relative_to(overlay.root).as_posix()
    scene = Scene(directory, frozenset({namespace} - {""}), _named(overlay, environ))
    try:
        chosen = choose(entries, scene)
    except SpecError:
        sealing = [one for one in overlay.configs if one.kind in (GENERATOR, TRANSFORMER)]
        if sealing and all(one.get("spec", "sealing", "certificate") for one in sealing):
            return None
        raise
    number = next((n for n, one in enumerate(entries) if one is chosen), None)
    return OverlaySettings(config, number, chosen.name if chosen else "", base)


def _named(overlay: OverlayConfigs, environ: Mapping[str, str]) -> str:
    """Return the environment that a configuration or the command names; may be empty."""
    said = [one.get("spec", "environment") for one in overlay.configs]
    return next((str(one) for one in said if one), environ.get(ENVIRONMENT, ""))
