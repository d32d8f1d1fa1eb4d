"""Every overlay of examples/ that krmfn seals for, and those that need no krmfn."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
OLD = ROOT / "tests/upgrade/examples"  # with an overlay of the shop for each route
FUNCTION = "    config.kubernetes.io/function: |\n      exec: {path: krmfn}\n"


@dataclass(frozen=True)
class ExampleTree:
    """An example's overlay.

    Attributes:
        overlay: as exec functions.
        legacy: as legacy plugins; empty where the example has no such overlay, and the annotations
            are taken out.
        annotated: whether the example has annotations; else they are put in for exec.
        source: the folder of the examples.
    """

    overlay: str
    legacy: str = ""
    annotated: bool = True
    refused: str = ""
    since: str = "5.0.3"
    source: Path = EXAMPLES

    @property
    def id(self) -> str:
        """Of the test."""
        kind = "example-" if self.source == EXAMPLES else "old-example-"
        return kind + self.overlay.replace("/", "-").replace("-overlays", "")

    def write(self, root: Path, store: Mapping[str, bytes], *, exec_: bool) -> Path:
        """Copy the whole example below ``root`` and return the overlay."""
        example = self.overlay.partition("/")[0]
        shutil.copytree(self.source / example, root / example, symlinks=True)
        (root / example / ".git").mkdir()
        if not exec_ and self.legacy:
            return root / self.legacy
        for file in (root / example).rglob("*.yaml"):
            text = file.read_text()
            if not exec_:
                text = text.replace("  annotations:\n" + FUNCTION, "")
            elif not self.annotated and re.search("(?m)^kind: SealedSecret(Gen|Val|Tra)", text):
                text = text.replace("metadata:\n", f"metadata:\n  annotations:\n{FUNCTION}", 1)
            file.write_text(text)
        return root / self.overlay


TREES = [
    ExampleTree("logto/overlays/prod", "logto/overlays/prod-legacy"),
    ExampleTree("logto/overlays/dev"),
    ExampleTree("age", annotated=False),
    ExampleTree("shop/overlays/staging"),
    ExampleTree("shop/overlays/production"),
    *(
        ExampleTree(f"shop/overlays/{name}", source=OLD)
        for name in ("transformer/staging", "generator/staging", "generator/production")
    ),
    *(ExampleTree(f"shop/overlays/seal/{name}", source=OLD) for name in ("staging", "production")),
    *(
        ExampleTree(f"estate/overlays/{name}", f"estate/overlays/{name}-legacy")
        for name in ("dev", "prod", "prod-barman-plugin")
    ),
]
