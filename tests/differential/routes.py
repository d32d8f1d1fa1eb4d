"""A tree by each route, and what the routes say."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from krmfn.errors import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.served import Served

KUBECTL = Path(sys.executable).parent / "kubectl"
TOPICS = (
    "examples",
    "layouts",
    "names",
    "references",
    "patches",
    "metadata",
    "layers",
    "configs",
    "scalars",
    "options",
    "refusals",
)


class AnyTree(Protocol):
    """What every topic's trees have in common."""

    @property
    def id(self) -> str:
        """Of the test."""

    @property
    def refused(self) -> str:
        """The id of the error by which every route refuses; ``kustomize`` for any of kustomize's."""

    @property
    def since(self) -> str:
        """The oldest kustomize that knows all of it."""

    def write(self, root: Path, store: Mapping[str, bytes], *, exec_: bool) -> Path:
        """Write it below ``root`` and return the directory to build."""


def corpus() -> dict[str, AnyTree]:
    """All trees by their ids."""
    found: dict[str, AnyTree] = {}
    for topic in TOPICS:
        for tree in import_module(f"tests.differential.corpus.{topic}").TREES:
            assert tree.id not in found, f"two trees are called {tree.id}"
            found[tree.id] = tree
    return found


@dataclass(frozen=True)
class Said:
    """What a route said of a tree.

    Attributes:
        ids: of krmfn's errors, in order, once each.
    """

    code: int
    printed: str
    told: str

    @property
    def ids(self) -> list[str]:
        """Of the errors that krmfn reported."""
        found = re.findall(r"\[error\] .*\[([a-z0-9-]+)\]", self.told)
        return list(dict.fromkeys(one for one in found if one in CATALOGUE))

    def by_refusal(self, refused: str) -> bool:
        """Whether it was refused by this error, and nothing was printed."""
        if self.code == 0 or self.printed:
            return False
        return refused in self.ids if refused != "kustomize" else self.ids in ([], ["kustomize"])


@dataclass(frozen=True)
class Routes:
    """All that is needed to build trees.

    Attributes:
        store: files for each tree, by name.
        environ: credentials.
    """

    served: Served
    store: dict[str, bytes]
    environ: dict[str, str]

    def with_environ(self, environ: dict[str, str]) -> Routes:
        """The same with other credentials."""
        return replace(self, environ=environ)

    def exec_(self, tree: AnyTree, root: Path, kustomize: Path) -> Said:
        """`kustomize build` with exec functions."""
        top = tree.write(root / "exec/r", self.store, exec_=True)
        return self._run(kustomize, "build", "--enable-alpha-plugins", "--enable-exec", top)

    def legacy(self, tree: AnyTree, root: Path, kustomize: Path) -> Said:
        """`kustomize build` or `kubectl kustomize` with legacy plugins."""
        top = tree.write(root / "legacy/r", self.store, exec_=False)
        command = "kustomize" if kustomize == KUBECTL else "build"
        return self._run(kustomize, command, "--enable-alpha-plugins", top)

    def build(self, tree: AnyTree, root: Path, kustomize: Path, *, exec_: bool) -> Said:
        """`krmfn build`, of the tree as the exec or the legacy route has it."""
        top = tree.write(root / "build/r", self.store, exec_=exec_)
        return self._run("krmfn", "build", top, KRMFN_KUSTOMIZE=str(kustomize))

    def _run(self, *command: str | Path, **environ: str) -> Said:
        done = self.served.run(*command, environ=self.environ | environ)
        return Said(done.returncode, done.stdout, done.stderr)
