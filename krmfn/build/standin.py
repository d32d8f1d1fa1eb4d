# ruff: noqa: SLF001, TC003
"""A copy by `krmfn.tree`, until the judged copy is there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn import tree
from krmfn.kustomize.kustomization import LISTS
from krmfn.names import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from krmfn.objects.stream import Item


@dataclass(frozen=True)
class Config:
    """A judged configuration: see `Copy`."""

    number: int
    value: dict[str, Any]
    directory: Path
    list: str
    where: str


@dataclass(frozen=True)
class Copy:
    """What kustomize gets."""

    place: Path
    configs: dict[int, Config]
    directories: dict[Path, Path]
    size: int


def copy(
    directory: Path, root: Path, home: Path, *, limits: Any, load: Callable[[Path], list[Item]]
) -> Copy:
    """Copy what a build needs."""
    reached = tree.reach(directory, root)
    to = home / "tree" / root.name
    to.mkdir(parents=True)
    size = tree.copy(reached, to, limits.input_bytes if limits else tree.MAX_BYTES)
    configs: dict[int, Config] = {}

    def build(place: Path) -> str:
        return "---\n".join(item.raw for item in load(place))

    texts: dict[Path, str] = {}
    for base, (file, value) in reached.kustomizations.items():
        lists: dict[str, list[str]] = {}
        for name in LISTS:
            if entries := tree._strings(value.get(name)):
                lists[name] = []
                for entry in entries:
                    for text, found in tree._configs(reached, base, entry, to, build):
                        if found.get("apiVersion") != API_VERSION:
                            lists[name].append(text)
                            continue
                        number = len(configs)
                        configs[number] = Config(number, found, base, name, f"{file}: {entry}")
                        keys = ("apiVersion", "kind", "metadata")
                        stub = {k: found[k] for k in keys} | {"spec": {"call": number}}
                        lists[name].append(json.dumps(stub, ensure_ascii=False) + "\n")
        copied = to / file.relative_to(root)
        if lists:
            texts[copied] = tree._spliced(copied.read_bytes().decode(), lists)
    for copied, text in texts.items():
        copied.write_bytes(text.encode())
    directories = {to / base.relative_to(root): base for base in reached.kustomizations}
    return Copy(to / directory.relative_to(root), configs, directories, size)
