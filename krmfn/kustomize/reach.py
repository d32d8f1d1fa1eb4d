"""Find everything that a build of a kustomization reads, and judge it. Reads only.

Rules enforced here:
- Only kustomizations that are reached, and the files that they name by a field for names, are looked
  at. A string of another field is never asked of the file system.
- Nothing outside the repository is followed, by path or by link; nothing is fetched.
- A function is krmfn's or one of kustomize's builtins.
- Files are counted once for krmfn's memory, and as often as kustomize reads them. No step recurses,
  however deep bases are nested.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.files.read import read_file
from krmfn.kustomize.fields import KUSTOMIZATION, Use
from krmfn.kustomize.functions import Function, functions
from krmfn.kustomize.judge import judge
from krmfn.kustomize.kustomization import FILE_NAMES
from krmfn.kustomize.limits import TreeLimits, count_nodes
from krmfn.kustomize.places import located, refuse_address

if TYPE_CHECKING:
    from pathlib import Path

    from krmfn.files.read import Place
    from krmfn.kustomize.judge import Mention

_SIMPLE_PATH = re.compile(r"[\w./][\w./@=+-]*")


@dataclass(frozen=True)
class ReachedEntry:
    """One entry of ``generators:``, ``transformers:`` or ``validators:``.

    Attributes:
        functions: inline or in its file, in kustomize's order.
        file: the file in the repository, its directory's links resolved.
        directory: the directory of configurations that it names instead, resolved.
    """

    mention: Mention
    functions: tuple[Function, ...] = ()
    file: Path | None = None
    directory: Path | None = None

    @property
    def is_inline(self) -> bool:
        """Whether the configurations are in the kustomization itself."""
        return self.file is None and self.directory is None


@dataclass
class Reached:
    """One kustomization that a build reads.

    Attributes:
        directory: resolved.
        value: judged; the lists of functions as written.
        entries: of its lists of functions.
        size: of its own file, in bytes.
        files: every file that it names, as often as it does.
        below: every directory that it names, as often as it does, with the place that names it.
        nodes: of its own inline patches.
    """

    directory: Path
    file: Path
    value: dict[str, Any]
    entries: list[ReachedEntry] = field(default_factory=list)
    size: int = 0
    files: list[Path] = field(default_factory=list)
    below: list[tuple[Path, str]] = field(default_factory=list)
    nodes: int = 0


@dataclass
class Tree:
    """What a kustomization reaches in its repository.

    Attributes:
        place: the directory that is built, and the repository's root, resolved.
        kustomizations: by directory.
        contents: of the files that are named, by path, whose directory's links are resolved.
        nodes: of YAML in these files.
        links: path of a linked directory to the directory itself.
        bases: directories that are included as resources.
        as_is: the directories that name a file for another use than a function's configuration.
        read: bytes of the files so far.
        old: as `reach` has it.
    """

    place: Place
    limits: TreeLimits = field(default_factory=TreeLimits)
    old: bool = True
    kustomizations: dict[Path, Reached] = field(default_factory=dict)
    contents: dict[Path, bytes] = field(default_factory=dict)
    nodes: dict[Path, int] = field(default_factory=dict)
    links: dict[Path, Path] = field(default_factory=dict)
    bases: set[Path] = field(default_factory=set)
    as_is: dict[Path, set[Path]] = field(default_factory=dict)
    read: int = 0

    @property
    def root(self) -> Path:
        """The repository's root, resolved."""
        return self.place.root

    def short(self, path: Path) -> str:
        """Return a path relative to the repository's root."""
        return str(path.relative_to(self.root)) if path != self.root else path.name

    def content(self, directory: Path, name: str) -> bytes | None:
        """Return a file as it was read; None if a kustomization in ``directory`` names no such file."""
        place = directory / name
        try:
            return self.contents.get(place.parent.resolve() / place.name)
        except (OSError, ValueError):  # an inline patch, for example
            return None


def reach(place: Place, limits: TreeLimits | None = None, *, old: bool = True) -> Tree:
    """Return everything that the kustomization in ``place.base`` reads.

    Args:
        place: with the repository's root resolved.
        old: whether ``namespace: n`` is a boolean, as for kustomize, which then refuses it. Commands
            that edit files without building them read it as text.

    Raises:
        SpecError: it needs something from elsewhere, is not there, is too much, or would run what
            is not krmfn's.
    """
    tree = Tree(place, limits or TreeLimits(), old=old)
    visit(tree, place.base.resolve())
    measure(tree, place.base.resolve())
    return tree


def visit(tree: Tree, directory: Path) -> None:
    """Visit a kustomization and everything it includes.

    Raises:
        SpecError: as `reach`.
    """
    ahead = [(directory, 1)]
    while ahead:
        here, depth = ahead.pop()
        if here not in tree.kustomizations:
            tree.limits.check("depth", depth)
            reached = tree.kustomizations[here] = _kustomization(tree, here)
            ahead += [(one, depth + 1) for one, _ in reached.below]


def measure(tree: Tree, directory: Path) -> None:
    """Count what kustomize reads in a build, each file as often as it is named.

    Raises:
        SpecError: bytes, nodes or depth exceed the limits, or kustomizations include each other.
    """
    sizes: dict[Path, tuple[int, int, int]] = {}  # bytes, nodes, depth
    opened: set[Path] = set()
    ahead = [(directory, "", False)]
    while ahead:
        here, where, all_below_done = ahead.pop()
        reached = tree.kustomizations[here]
        if all_below_done:
            opened.remove(here)
            own = reached.size, reached.nodes, 0
            named = [(len(tree.contents[f]), tree.nodes.get(f, 0), 0) for f in reached.files]
            below = [sizes[one] for one, _ in reached.below]
            size, count, _ = map(sum, zip(own, *named, *below, strict=True))
            depth = 1 + max((one[2] for one in below), default=0)
            tree.limits.check("depth", depth)
            tree.limits.check("nodes", count)
            tree.limits.check("named_bytes", size)
            sizes[here] = size, count, depth
        elif here in opened:
            raise SpecError("path", f"{tree.short(here)} includes itself", where=where)
        elif here not in sizes:
            opened.add(here)
            ahead.append((here, where, True))
            ahead += [(one, at, False) for one, at in reached.below]


def take(tree: Tree, reached: Reached, mention: Mention) -> Path | None:
    """Record what a string names; return the directory if it names one.

    Raises:
        SpecError: it is not there, is outside, or would be fetched.
    """
    if mention.use is Use.PATCH or (
        mention.use is Use.PATCH_OR_FILE and not _is_path(mention, tree.limits)
    ):
        text = mention.text.encode()
        reached.nodes += count_nodes(text, mention.where, tree.limits.nodes)
        return None
    place, real = located(tree.root, reached.directory, mention, tree.links)
    if real.is_dir() and mention.use in (Use.RESOURCE, Use.DIRECTORY, Use.FUNCTION):
        refuse_address(mention)
        if reached.directory.is_relative_to(real):
            raise SpecError(
                "path", f"{mention.text} contains this kustomization", where=mention.where
            )
        reached.below.append((real, mention.where))
        if mention.use is not Use.FUNCTION:
            tree.bases.add(real)
        return real
    if not real.is_file() or mention.use is Use.DIRECTORY:
        kind = "directory" if mention.use is Use.DIRECTORY else "file"
        raise SpecError("file", f"{mention.text} is not a {kind}", where=mention.where)
    if not real.is_relative_to(reached.directory):
        raise SpecError(
            "path",
            f"{mention.text} is outside the directory of its kustomization",
            where=mention.where,
            remedy="move the file below it, or include a directory",
        )
    _read(tree, place, mention)
    reached.files.append(place)
    if mention.use is not Use.FUNCTION:
        tree.as_is.setdefault(place, set()).add(reached.directory)
    return None


def _kustomization(tree: Tree, directory: Path) -> Reached:
    """Read the kustomization of a directory, and take in its files."""
    file = kustomization_file(tree, directory)
    short = tree.short(file)
    content = read_file(file, name=short, key="", root=tree.root, kept=tree.place.kept)
    _count(tree, content)
    count_nodes(content, short, tree.limits.own_nodes)
    judged = judge(strict.document(content, short), KUSTOMIZATION, old=tree.old)
    reached = Reached(directory, file, judged.value, size=len(content))
    for mention in judged.mentions:
        if mention.use is Use.FUNCTION:
            reached.entries.append(_entry(tree, reached, mention))
        else:
            take(tree, reached, mention)
    return reached


def kustomization_file(tree: Tree, directory: Path) -> Path:
    """Return the only kustomization file in a directory.

    Raises:
        SpecError: there is none, there are several, or the directory is outside the repository.
    """
    if not directory.is_relative_to(tree.root):
        raise SpecError("path", f"{directory} is outside the repository")
    found = [directory / name for name in FILE_NAMES if (directory / name).is_file()]
    if len(found) != 1:
        raise SpecError(
            "file",
            f"{tree.short(directory)} has {'several kustomizations' if found else 'no kustomization'}",
            expected=f"one of {', '.join(FILE_NAMES)}",
        )
    if found[0].resolve().parent != directory and not found[0].resolve().is_relative_to(directory):
        raise SpecError("path", f"{tree.short(found[0])} leads out of its directory")
    return found[0]


def _entry(tree: Tree, reached: Reached, mention: Mention) -> ReachedEntry:
    """Read an entry of a list of functions, and record what its builtins name."""
    if _is_path(mention, tree.limits):
        before = len(reached.files)
        if directory := take(tree, reached, mention):
            return ReachedEntry(mention, directory=directory)
        file = reached.files[before]
        entry = ReachedEntry(mention, functions_in(tree, file, mention.field), file=file)
    else:
        text = mention.text.encode()
        entry = ReachedEntry(mention, _in_text(tree, text, mention.where, mention.field))
    for function in entry.functions:
        for each in function.mentions:
            take(tree, reached, each)
    return entry


def functions_in(tree: Tree, file: Path, name: str) -> tuple[Function, ...]:
    """Return the judged configurations in a recorded file.

    Args:
        name: the list that has them.

    Raises:
        SpecError: there is none, or one is neither krmfn's nor a builtin's, or not as those are.
    """
    return _in_text(tree, tree.contents[file], tree.short(file), name)


def _in_text(tree: Tree, text: bytes, where: str, name: str) -> tuple[Function, ...]:
    count_nodes(text, where, tree.limits.own_nodes)
    documents = list(strict.documents(text, where))
    if not documents:
        raise SpecError("spec", "there is not a function configuration", where=where)
    return tuple(one for each in documents for one in functions(each, name))


def _is_path(mention: Mention, limits: TreeLimits) -> bool:
    """Whether kustomize treats an entry as a path: it tries a document first.

    Raises:
        SpecError: it is neither.
    """
    if _SIMPLE_PATH.fullmatch(mention.text):
        return True
    count_nodes(mention.text.encode(), mention.where, limits.own_nodes)
    try:
        found = [one.node for one in strict.documents(mention.text, mention.where)]
    except SpecError:
        if "\n" in mention.text or mention.text.lstrip()[:1] in "{[":
            raise
        return True
    if found and all(isinstance(node, yaml.MappingNode) for node in found):
        return False
    if "\n" in mention.text or not all(isinstance(node, yaml.ScalarNode) for node in found):
        raise SpecError(
            "spec",
            "an entry is not what it must be",
            where=mention.where,
            expected=mention.use.value,
        )
    return True


def _read(tree: Tree, place: Path, mention: Mention) -> None:
    """Read a file once, and count the nodes of YAML."""
    if place not in tree.contents:
        tree.limits.check("files", len(tree.contents) + 1)
        try:
            kept = tree.place.kept
            content = read_file(place, name=mention.text, key="", root=tree.root, kept=kept)
        except SpecError as error:
            raise error.at(where=mention.where) from None
        tree.contents[place] = content
        _count(tree, content)
    if place not in tree.nodes and mention.use not in (Use.DATA, Use.KEYED_DATA):
        content = tree.contents[place]
        tree.nodes[place] = count_nodes(content, tree.short(place), tree.limits.nodes)


def _count(tree: Tree, content: bytes) -> None:
    """Add the bytes of a file that was read for the first time."""
    tree.read += len(content)
    tree.limits.check("input_bytes", tree.read)
