"""The layouts of docs/matrix.md, with a generator and with a transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e import layouts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# What the functions themselves say; the others are printed.
REFUSED = {
    ("contradiction", "generator"): "namespace-contradiction",
    ("contradiction", "transformer"): "namespace-contradiction",
    ("no-namespace", "generator"): "namespace-missing",
    ("no-namespace", "transformer"): "namespace-missing",
    ("namespace-last", "transformer"): "namespace-missing",
    ("base", "transformer"): "namespace-missing",
    ("component", "transformer"): "namespace-missing",
    ("nested-namespace", "transformer"): "sealed-for",
    ("nested-prefix", "transformer"): "sealed-for",
    ("prefix", "generator"): "name-changes",
    ("suffix", "generator"): "name-changes",
    ("stacked", "generator"): "name-changes",
    ("namespace-first", "generator"): "namespace-missing",
    ("namespace-last", "generator"): "namespace-missing",
    ("base", "generator"): "namespace-missing",
    ("component", "generator"): "namespace-missing",
    ("nested-namespace", "generator"): "sealed-for",
    ("nested-prefix", "generator"): "sealed-for",
    ("two", "generator"): "namespace-missing",
    ("hash-stacked", "generator"): "name-changes",
}


@dataclass(frozen=True)
class LayoutTree:
    """A layout as a tree."""

    name: str
    route: str
    since: str = "5.0.3"

    @property
    def id(self) -> str:
        """Of the test."""
        return f"layout-{self.name}-{self.route}"

    @property
    def refused(self) -> str:
        """The error's id, or nothing."""
        return REFUSED.get((self.name, self.route), "")

    def write(self, root: Path, store: Mapping[str, bytes], *, exec_: bool) -> Path:
        """As `Tree.write`."""
        mode = "exec" if exec_ else "legacy"
        layouts.write(root, layouts.LAYOUTS[self.name], self.route, mode, dict(store))
        return root / "top"


TREES = [LayoutTree(n, route) for n in layouts.LAYOUTS for route in ("generator", "transformer")]
