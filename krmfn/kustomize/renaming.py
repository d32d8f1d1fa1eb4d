"""Find a Secret's name from before the kustomizations of its build renamed it.

Rules enforced here: a prefix or suffix is taken off where a kustomization on the way declares it, the
outermost first; a hash of the content only from a name that a ``secretGenerator`` on the way declares.
A name that fits none of them is its own base name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from krmfn.kustomize.reach import Tree

_BELOW = ("resources", "bases", "components")
# Ten hex digits, 0, 1, 3, a and e of which kustomize writes as g, h, k, m and t.
_HASH = re.compile(r"-[2456789bcdfghkmt]{10}$")


@dataclass(frozen=True)
class Names:
    """Prefixes and suffixes of a kustomization tree, to undo renaming.

    Attributes:
        generated: names that its ``secretGenerator`` gives.
    """

    prefix: str = ""
    suffix: str = ""
    generated: frozenset[str] = frozenset()
    below: tuple[Names, ...] = ()

    def base(self, name: str) -> str:
        """Return the resource's original name."""
        unhashed = self.bare(_HASH.sub("", name))
        return unhashed if unhashed in set(self.every_generated()) else self.bare(name)

    def bare(self, name: str) -> str:
        """The name without prefixes and suffixes."""
        rest = name.removeprefix(self.prefix).removesuffix(self.suffix)
        if len(rest) != len(name) - len(self.prefix) - len(self.suffix) or not rest:
            return name  # nothing of this kustomization's
        return next((b for one in self.below if (b := one.bare(rest)) != rest), rest)

    def every_generated(self) -> Iterator[str]:
        """The names of every ``secretGenerator``."""
        yield from self.generated
        for one in self.below:
            yield from one.every_generated()


def names_in(tree: Tree, directory: Path) -> Names:
    """Return the prefixes and suffixes of the tree that ``directory`` builds.

    Args:
        directory: resolved; one of the tree's kustomizations.
    """
    value = tree.kustomizations[directory].value
    inside = [(directory / one).resolve() for field in _BELOW for one in _strings(value, field)]
    return Names(
        _text(value.get("namePrefix")),
        _text(value.get("nameSuffix")),
        frozenset(_text(one.get("name")) for one in _mappings(value.get("secretGenerator"))),
        tuple(names_in(tree, one) for one in inside if one in tree.kustomizations),
    )


def _strings(value: dict[str, Any], field: str) -> list[str]:
    return [one for one in value.get(field) or [] if isinstance(one, str)]


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [one for one in value or [] if isinstance(one, dict)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
