"""Write what kustomize may read: a copy of the judged part of a repository.

Rules enforced here: every kustomization and every configuration of a builtin is written anew from
what was judged, as JSON, under its own file name; krmfn's configurations become stubs with a number,
so that what a function uses is the value in krmfn; other files keep their bytes and paths, and links
to directories stay links. A directory of configurations stays one: what kustomize loads from it is
judged, and krmfn's configurations in it are made stubs by the last transformers of that directory.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn.documents.strict import mapping
from krmfn.errors import SpecError
from krmfn.kustomize.functions import FUNCTION_ANNOTATIONS, Function, functions
from krmfn.kustomize.judge import dump
from krmfn.kustomize.kustomization import FILE_NAMES, LISTS
from krmfn.kustomize.reach import functions_in, measure, reach, take
from krmfn.names import API_VERSION, TRANSFORMER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from krmfn.documents import strict
    from krmfn.files.read import Place
    from krmfn.kustomize.limits import TreeLimits
    from krmfn.kustomize.reach import Reached, ReachedEntry, Tree
    from krmfn.objects.stream import Item

LOADED = 0  # the number of the call whose items `load` returns


@dataclass(frozen=True)
class CopiedConfig:
    """A krmfn configuration that the copy replaces with a stub.

    Attributes:
        value: as judged, without its function annotation.
        directory: in the repository, of the kustomization that lists it.
        list: ``generators``, ``transformers`` or ``validators``.
        where: ``file:line:column`` of the entry that lists it.
        stub: the number in its stub, from 1; the same for all kustomizations that list its file.
        implied: no kustomization lists it (`krmfn.build.implied`).
    """

    value: dict[str, Any]
    directory: Path
    list: str
    where: str
    stub: int
    implied: bool = False


@dataclass(frozen=True)
class Copy:
    """A copy that kustomize can build.

    Attributes:
        place: the directory to build.
        root: the copy of the repository's root.
        configs: krmfn's, in order.
        directories: copy of each kustomization's directory, links resolved, to the directory itself.
        tree: what was read.
    """

    place: Path
    root: Path
    configs: list[CopiedConfig]
    directories: dict[Path, Path]
    tree: Tree

    def called(self, directory: Path, stub: Any) -> CopiedConfig | None:
        """Return the configuration of a call; None if it was not judged.

        Args:
            directory: in the copy, the working directory that kustomize gives the call.
            stub: the configuration that kustomize gives the call.
        """
        number = mapping(mapping(stub).get("spec")).get("call")
        base, kind = self.directories.get(directory), mapping(stub).get("kind")
        return next(
            (
                one
                for one in self.configs
                if (one.stub, one.directory, one.value["kind"]) == (number, base, kind)
            ),
            None,
        )


def copy(
    place: Place,
    home: Path,
    *,
    limits: TreeLimits,
    load: Callable[[Path], Sequence[Item]],
) -> Copy:
    """Copy the files that a build of ``place.base`` reads.

    Args:
        place: with the repository's root resolved.
        home: a private folder without ``tree`` and ``judged``; the copy is made there.
        load: runs kustomize on a kustomization in ``home``, and returns the items that it gives the
            call with the number `LOADED`; only called for directories of configurations.

    Raises:
        SpecError: as `krmfn.kustomize.reach.reach`, or two uses of one file exclude each other.
    """
    top = place.base.resolve()
    tree = reach(place.at(top), limits)
    writer = _Writer(tree, Path(os.path.realpath(home)), load)
    writer.write()
    measure(tree, top)
    return Copy(writer.at(top), writer.root, writer.configs, writer.directories, tree)


@dataclass
class _Writer:
    """Writes one tree below ``home``.

    Attributes:
        anew: files that are written anew, by path in the repository.
        numbers: the stub of a configuration, by its file and its place there.
        loaded: what kustomize loads from a directory of configurations.
    """

    tree: Tree
    home: Path
    load: Callable[[Path], Sequence[Item]]
    configs: list[CopiedConfig] = field(default_factory=list)
    directories: dict[Path, Path] = field(default_factory=dict)
    anew: dict[Path, str] = field(default_factory=dict)
    numbers: dict[tuple[Path, int], int] = field(default_factory=dict)
    loaded: dict[Path, tuple[Item, ...]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Return the copy of the repository's root, with the name that some functions print."""
        return self.home / "tree" / (self.tree.root.name or "root")

    def at(self, path: Path) -> Path:
        """Where the copy of a path of the repository is."""
        return self.root / path.relative_to(self.tree.root)

    def write(self) -> None:
        """Write everything, and judge directories of configurations by loading them."""
        self.root.mkdir(parents=True)
        kustomizations = list(self.tree.kustomizations.values())
        for reached in kustomizations:
            self.kustomization(reached)
        self.files(set())
        directories = [(r, e) for r in kustomizations for e in r.entries if e.directory is not None]
        if directories:
            self.refuse_nested(directories)
            written = set(self.tree.contents)
            for reached, entry in directories:
                if entry.directory is not None:
                    self.directory(reached, entry, entry.directory)
            self.files(written)
        for directory in self.tree.kustomizations:
            self.directories[self.at(directory)] = directory

    def kustomization(self, reached: Reached) -> None:
        """Write a kustomization, and its configurations with stubs for krmfn's."""
        value = {**reached.value}
        for name in LISTS:
            if name in value:
                value[name] = list(value[name])
        for entry in reached.entries:
            if entry.file is not None:
                self.anew[entry.file] = self.stubs(reached, entry)
            elif entry.is_inline:
                value[entry.mention.field][entry.mention.place] = self.stubs(reached, entry)
        self.anew[reached.file] = dump(value) + "\n"

    def stubs(self, reached: Reached, entry: ReachedEntry) -> str:
        """The configurations of an entry as documents."""
        texts = [
            dump(self.stub(reached, entry, each, place))
            for place, each in enumerate(entry.functions)
        ]
        return "\n---\n".join(texts) + "\n"

    def holds_files_only(self, directory: Path) -> bool:
        """Whether kustomize loads exactly the content of a directory's files."""
        inner = self.tree.kustomizations[directory]
        plain = {"apiVersion", "kind", "metadata", "resources"}
        return plain.issuperset(inner.value) and not inner.below

    def stub(self, reached: Reached, entry: ReachedEntry, function: Function, place: int) -> Any:
        """Return the stub for a configuration."""
        if not function.is_ours:
            return function.value
        key = (
            (entry.file, place)
            if entry.file is not None
            else (reached.file, -len(self.configs) - 1)
        )
        config = self.config(reached, entry, function, key)
        return {**function.value, "spec": {"call": config.stub}}

    def config(
        self, reached: Reached, entry: ReachedEntry, function: Function, key: tuple[Path, int]
    ) -> CopiedConfig:
        """Number a configuration."""
        config = CopiedConfig(
            function.value,
            reached.directory,
            entry.mention.field,
            entry.mention.where.removesuffix(f": {entry.mention.field}"),
            self.numbers.setdefault(key, len(self.configs) + 1),
        )
        self.configs.append(config)
        return config

    def files(self, written: set[Path]) -> None:
        """Write links, rewritten files, and all other files unchanged.

        Args:
            written: files that are there already.
        """
        for link, target in self.tree.links.items():
            place = self.at(link)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.symlink_to(os.path.relpath(self.at(target), place.parent))
        for path, text in self.anew.items():
            if self.tree.as_is.get(path):
                raise SpecError(
                    "path",
                    f"{self.tree.short(path)} is a function configuration, and other data as well",
                    remedy="copy it, and name the copy as data",
                )
            self.put(path, text.encode())
        for path, content in self.tree.contents.items():
            if path not in self.anew and path not in written:
                self.put(path, content)

    def put(self, path: Path, content: bytes) -> None:
        """Write the copy of one file."""
        place = self.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def refuse_nested(self, directories: list[tuple[Reached, ReachedEntry]]) -> None:
        """Refuse functions that would run while kustomize loads a directory of configurations.

        Raises:
            SpecError: krmfn's, or another directory.
        """
        ahead = [entry.directory for _, entry in directories if entry.directory is not None]
        seen: set[Path] = set()
        while ahead:
            here = ahead.pop()
            if here in seen:
                continue
            seen.add(here)
            reached = self.tree.kustomizations[here]
            ahead += [one for one, _ in reached.below]
            for entry in reached.entries:
                if entry.directory is not None or any(one.is_ours for one in entry.functions):
                    raise SpecError(
                        "wrong-list",
                        "a directory of function configurations has functions of krmfn itself",
                        where=entry.mention.where,
                        remedy="list them in the kustomization that lists the directory",
                    )

    def directory(self, reached: Reached, entry: ReachedEntry, directory: Path) -> None:
        """Judge the configurations in a directory, and replace krmfn's with stubs."""
        plain = self.holds_files_only(directory)
        names = self.listed_files if plain else self.loaded_items
        if not names(reached, entry, directory):
            return
        if directory in self.tree.bases:
            raise SpecError(
                "path",
                f"{self.tree.short(directory)} holds function configurations and resources",
                where=entry.mention.where,
                remedy="move the configurations to a directory of their own",
            )

    def listed_files(self, reached: Reached, entry: ReachedEntry, directory: Path) -> bool:
        """Put stubs into a directory's files; return whether one has a krmfn configuration."""
        ours = False
        for file in self.tree.kustomizations[directory].files:
            found = functions_in(self.tree, file, entry.mention.field)
            for each in (mention for one in found for mention in one.mentions):
                take(self.tree, reached, each)
            if any(one.is_ours for one in found):
                ours = True
                self.anew[file] = self.stubs(reached, replace(entry, functions=found, file=file))
                self.tree.as_is[file].discard(directory)
        return ours

    def loaded_items(self, reached: Reached, entry: ReachedEntry, directory: Path) -> bool:
        """Add final transformers that make stubs; return whether any is needed."""
        short = self.tree.short(directory)
        transformers: list[str] = []
        stubs: list[int] = []
        for item in self.items(directory):
            document = item.document
            document.name = short
            for function in functions(document, entry.mention.field):
                name = function.value["metadata"].get("name")
                where = f"{short}: {function.value['kind']}/{name}"
                for each in function.mentions:
                    take(self.tree, reached, replace(each, where=where))
                if function.is_ours:
                    key = (directory, len(transformers))
                    config = self.config(reached, entry, replace(function, where=where), key)
                    transformers.append(_stubbing(config, document))
                    stubs.append(config.stub)
        if transformers:
            inner = self.tree.kustomizations[directory]
            listed = [*(inner.value.get("transformers") or []), *transformers]
            self.anew[inner.file] = dump({**inner.value, "transformers": listed}) + "\n"
            if len(stubs) > 1:
                self.check_stubs(entry, directory, inner.file, stubs)
        return bool(transformers)

    def check_stubs(
        self, entry: ReachedEntry, directory: Path, file: Path, stubs: list[int]
    ) -> None:
        """Load a directory with several configurations again: kustomize also selects by former names.

        Raises:
            SpecError: one has the number of another.
        """
        self.put(file, self.anew[file].encode())
        try:
            items = self.load(self.wrapper(directory))
        except SpecError:  # one of the patches has applied twice
            items = ()
        calls = [mapping(mapping(i.document.value()).get("spec")).get("call") for i in items]
        if [one for one in calls if one is not None] != stubs:
            raise SpecError(
                "spec",
                f"{self.tree.short(directory)} gives two configurations one name",
                where=entry.mention.where,
                remedy="give each one its own name",
            )

    def items(self, directory: Path) -> tuple[Item, ...]:
        """Return the items that kustomize loads from a directory of configurations."""
        if directory not in self.loaded:
            self.loaded[directory] = tuple(self.load(self.wrapper(directory)))
        return self.loaded[directory]

    def wrapper(self, directory: Path) -> Path:
        """Write a kustomization whose output is the items of a directory."""
        folder = self.home / "judged"
        folder.mkdir(exist_ok=True)
        wrapper = folder / str(len(list(folder.iterdir())))
        wrapper.mkdir()
        stub = {
            "apiVersion": API_VERSION,
            "kind": TRANSFORMER,
            "metadata": {"name": "loaded"},
            "spec": {"call": LOADED},
        }
        value = {
            "resources": [os.path.relpath(self.at(directory), wrapper)],
            "transformers": [dump(stub)],
        }
        (wrapper / FILE_NAMES[0]).write_text(dump(value))
        return wrapper


def _stubbing(config: CopiedConfig, document: strict.Document) -> str:
    """Return a transformer that replaces one configuration of its directory with a stub."""
    value, metadata = config.value, config.value["metadata"]
    group, _, version = API_VERSION.partition("/")
    target = {"group": group, "version": version, "kind": value["kind"]}
    target |= {k: re.escape(metadata[k]) for k in ("name", "namespace") if k in metadata}
    patch: list[dict[str, Any]] = [{"op": "add", "path": "/spec", "value": {"call": config.stub}}]
    annotations = mapping(mapping(document.value()["metadata"]).get("annotations"))
    for name in FUNCTION_ANNOTATIONS:
        if name in annotations:
            escaped = name.replace("/", "~1")
            patch.append({"op": "remove", "path": f"/metadata/annotations/{escaped}"})
    return dump(
        {
            "apiVersion": "builtin",
            "kind": "PatchTransformer",
            "metadata": {"name": f"call-{config.stub}"},
            "target": target,
            "patch": dump(patch),
        }
    )
