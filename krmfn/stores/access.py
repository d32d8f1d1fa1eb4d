"""What a store may use of the world: environment, time, files and warnings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from krmfn.files.read import Place
from krmfn.warned import Warnings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.deadline import Deadline


@dataclass(frozen=True)
class Access:
    """A store's access to its surroundings; it knows no policy.

    Attributes:
        place: where the configuration is that names the store.
        warnings: collects warnings, each once.
    """

    environ: Mapping[str, str]
    deadline: Deadline
    place: Place = field(default_factory=Place)
    warnings: Warnings = field(default_factory=Warnings)
