"""What krmfn knows of the kustomization that calls it. Pure; `kustomization` reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

from krmfn.errors import SpecError


@dataclass(frozen=True)
class Listed:
    """A krmfn configuration that the kustomization lists.

    Attributes:
        list: ``generators``, ``transformers`` or ``validators``.
        file: the entry as written, or empty if it is inline.
    """

    list: str
    file: str
    kind: str
    name: str


@dataclass(frozen=True)
class Kustomization:
    """The facts of one kustomization; all empty if there is none."""

    file: str = ""
    namespace: str = ""
    name_prefix: str = ""
    name_suffix: str = ""
    listed: tuple[Listed, ...] = field(default=())

    def file_of(self, kind: str, name: str) -> str:
        """Return the file of a configuration, if exactly one listed file contains it."""
        files = {e.file for e in self.listed if (e.kind, e.name) == (kind, name) and e.file}
        return files.pop() if len(files) == 1 else ""

    def check_list(self, kind: str, name: str, allowed: str) -> None:
        """Refuse a configuration in a list where kustomize cannot use it.

        Raises:
            SpecError: it is in another list only, or is the second one of its kind.
        """
        lists = {e.list for e in self.listed if (e.kind, e.name) == (kind, name)}
        if lists and allowed not in lists:
            raise SpecError(
                "wrong-list",
                f"listed under {', '.join(sorted(lists))}: of {self.file}",
                expected=f"{allowed}:",
                remedy=f"move the entry to {allowed}:",
            )
        same = sorted({e.name for e in self.listed if e.kind == kind and e.list == allowed})
        # Each would emit the skip marker, and two of the same name are one too many.
        if allowed != "validators" and len(same) > 1:
            raise SpecError(
                "wrong-list",
                f"{self.file} lists several {allowed} of krmfn: {', '.join(same)}",
                expected="one, with any number of secrets",
                remedy="put their secrets into one",
            )
