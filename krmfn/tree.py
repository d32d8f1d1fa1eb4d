"""What a build needs of a repository, copied to where nothing of it can run.

Rules enforced here: only the kustomizations that are reached, and the files that they name, are
copied; nothing outside the repository is followed, by path or by link; nothing is fetched; charts
are not inflated; a function is krmfn's own or a builtin of kustomize's. A function config is looked
at as kustomize will see it: a directory of configs is built first, without plugins, so that no
patch, common annotation or replacement can hide one.

The refusals are for good messages. That nothing runs is kept by how kustomize is called.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.files.read import read_file
from krmfn.kustomize.kustomization import FILE_NAMES, LISTS
from krmfn.names import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FUNCTION_ANNOTATIONS = ("config.kubernetes.io/function", "config.k8s.io/function")
MAX_FILES = 20_000
MAX_BYTES = 256 * 1024 * 1024
_DIRECTORIES = ("resources", "bases", "components")
_CHARTS = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")
_CHART_KIND = "HelmChartInflationGenerator"
# What kustomize would take for an address: a scheme, user@host, host:path, a known forge, a query.
_REMOTE = re.compile(
    r"://|::|\?|@|^[\w.+-]+:|^(www\.)?github\.com([/:]|$)|\.git(/|$)|(^|/)_git/", re.IGNORECASE
)
_FETCHED = re.compile(r"^https?:", re.IGNORECASE)
_PATH_FIELDS = {"path", "files", "envs", "env", "crds", "configurations", "patchesstrategicmerge"}
_LOOKED_AT = {name.lower(): name for name in (*_DIRECTORIES, *_CHARTS, *LISTS)}
_MERGE = "<<"


@dataclass
class Tree:
    """What a kustomization reaches in its repository.

    Attributes:
        root: the repository's root, resolved.
        kustomizations: directory to its kustomization's path and value.
        files: paths of the other files.
        links: path of a linked directory to the directory itself.
    """

    root: Path
    kustomizations: dict[Path, tuple[Path, dict[str, Any]]] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)
    links: dict[Path, Path] = field(default_factory=dict)


def reach(directory: Path, root: Path) -> Tree:
    """Everything that the kustomization in ``directory`` needs.

    Raises:
        SpecError: it needs something from elsewhere, or is not there.
    """
    tree = Tree(root)
    _visit(tree, directory.resolve())
    return tree


def copy(tree: Tree, to: Path, enough: int = MAX_BYTES) -> int:
    """Put the files of ``tree`` below ``to``, each where it is below the root.

    Args:
        enough: stop when more than so many bytes were read.

    Returns:
        How many bytes were.

    Raises:
        SpecError: too many, too large, or gone by now.
    """
    sources = {file for file, _ in tree.kustomizations.values()} | tree.files
    if len(sources) > MAX_FILES:
        raise SpecError("file", f"the build needs more than {MAX_FILES} files")
    total = 0
    for source in sorted(sources):
        content = read_file(source, name=_short(tree, source), key="", root=tree.root)
        total += len(content)
        if total > MAX_BYTES:
            raise SpecError("file", "the build needs more than 256 MiB of files")
        if total > enough:
            return total
        target = to / source.relative_to(tree.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for link, target in tree.links.items():
        place = to / link.relative_to(tree.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(to / target.relative_to(tree.root), target_is_directory=True)
    return total


def plain_functions(
    tree: Tree, to: Path, build: Callable[[Path], str]
) -> dict[Path, list[dict[str, Any]]]:
    """Rewrite the copy below ``to`` so that krmfn's functions are called as legacy plugins.

    Args:
        build: what kustomize makes of a directory without any plugin.

    Returns:
        For each kustomization's directory the validators of krmfn's that it lists.

    Raises:
        SpecError: a function is neither krmfn's nor a builtin.
    """
    validators: dict[Path, list[dict[str, Any]]] = {}
    texts: dict[Path, str] = {}
    # All are looked at before one is rewritten: a directory of configs may be listed twice.
    for directory, (file, value) in tree.kustomizations.items():
        lists: dict[str, list[str]] = {}
        for name in LISTS:
            entries = _strings(value.get(name))
            if entries:
                lists[name] = []
                for entry in entries:
                    found = list(_configs(tree, directory, entry, to, build))
                    lists[name] += [text for text, _ in found]
                    ours = [v for _, v in found if v.get("kind") == "SealedSecretValidator"]
                    validators.setdefault(directory, []).extend(ours)
        copied = to / file.relative_to(tree.root)
        if lists:
            texts[copied] = _spliced(copied.read_bytes().decode(), lists)
    for copied, text in texts.items():
        copied.write_bytes(text.encode())
    return validators


def _visit(tree: Tree, directory: Path) -> None:
    if not directory.is_relative_to(tree.root):
        raise SpecError("path", f"{directory} is outside the repository")
    if directory in tree.kustomizations:
        return
    file, value = tree.kustomizations[directory] = _kustomization(tree, directory)
    short = _short(tree, file)
    for name in _DIRECTORIES:
        for entry in _strings(value.get(name)):
            _entry(tree, directory, entry, f"{short}: {name}")
    for name in LISTS:
        for entry in _strings(value.get(name)):
            _function_entry(tree, directory, entry, f"{short}: {name}")
    _files(tree, directory, value, short)


def _kustomization(tree: Tree, directory: Path) -> tuple[Path, dict[str, Any]]:
    """The file and the value of the one kustomization in ``directory``."""
    found = [directory / name for name in FILE_NAMES if (directory / name).exists()]
    if len(found) != 1:
        raise SpecError(
            "file",
            f"{_short(tree, directory)} has {'several kustomizations' if found else 'no kustomization'}",
            expected=f"one of {', '.join(FILE_NAMES)}",
        )
    short = _short(tree, found[0])
    text = read_file(found[0], name=short, key="", root=tree.root)
    value = strict.load(text, short)
    if not isinstance(value, dict):
        raise SpecError("file", f"{short} is not an object")
    for key in value:
        # kustomize reads fields in any case, and merge keys: what it sees is to be seen here.
        if key == _MERGE or _LOOKED_AT.get(key.lower(), key) != key:
            raise SpecError("file", f"{short}: {key} is not read", remedy="write the field itself")
    for name in LISTS:
        if _strings(value.get(name)) != (value.get(name) or []):
            raise SpecError("file", f"{short}: {name} holds more than strings")
    for name in _CHARTS:
        if value.get(name):
            raise _foreign(f"{name}: no chart is inflated", short, "commit what the chart renders")
    return found[0], value


def _entry(tree: Tree, directory: Path, entry: str, where: str) -> Path:
    """Take a file or directory in; returns its resolved path."""
    if _REMOTE.search(entry):
        raise _foreign(f"{entry}: nothing is fetched", where, "copy it into the repository")
    path = Path(os.path.normpath(directory / entry))
    real = path.resolve()
    if not real.is_relative_to(tree.root) or not path.is_relative_to(tree.root):
        raise SpecError("path", f"{entry} is outside the repository", where=where)
    if real.is_dir():
        if path != real:
            tree.links[path] = real
        _visit(tree, real)
    elif real.is_file():
        tree.files.add(path)
    else:
        raise SpecError("file", f"{entry} is not there, and nothing is fetched", where=where)
    return real


def _function_entry(tree: Tree, directory: Path, entry: str, where: str) -> None:
    """Take in a file or directory of function configs, or what an inline one names."""
    if _inline(entry):
        documents = list(strict.documents(entry, where))
    else:
        real = _entry(tree, directory, entry, where)
        if real.is_dir():
            return
        text = read_file(real, name=entry, key="", root=tree.root)
        documents = list(strict.documents(text, f"{where}: {entry}"))
    for document in documents:
        value = document.value()
        _check_function(value, where)
        _files(tree, directory, value, where)


def _files(tree: Tree, directory: Path, value: Any, where: str, key: str = "") -> None:
    """Take in every file that a string of ``value`` names: taking too many harms nobody."""
    if isinstance(value, dict):
        for name, each in value.items():
            _files(tree, directory, each, where, name)
    elif isinstance(value, list):
        for each in value:
            _files(tree, directory, each, where, key)
    elif isinstance(value, str) and "\n" not in value and value:
        for name in (value, value.partition("=")[2]):
            if key.lower() in _PATH_FIELDS and _FETCHED.match(name):
                raise _foreign(f"{name}: nothing is fetched", where, "copy it into the repository")
            path = Path(os.path.normpath(directory / name))
            if name and len(name) < 1024 and path.is_file() and path.is_relative_to(tree.root):  # noqa: PLR2004  # longer than any path
                if not path.resolve().is_relative_to(tree.root):
                    raise SpecError("path", f"{name} leads out of the repository", where=where)
                tree.files.add(path)


def _configs(
    tree: Tree, directory: Path, entry: str, to: Path, build: Callable[[Path], str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The configs behind one entry: what to list instead, and the value of ours."""
    copied = to / directory.relative_to(tree.root)
    short = _short(tree, directory)
    if _inline(entry):
        text = entry
    elif (copied / entry).is_dir():
        text = _listed_in_order(tree, (directory / entry).resolve(), to, build)
    else:
        text = (copied / entry).read_bytes().decode()
    documents = list(strict.documents(text, f"{short}: {entry if '/' in entry else ''}"))
    values = [document.value() for document in documents]
    for value in values:
        _check_function(value, short)
    if not any(value["apiVersion"] == API_VERSION for value in values) and not _built(
        entry, copied
    ):
        yield entry, {}
        return
    for value in values:
        if value["apiVersion"] == API_VERSION:
            annotations = value["metadata"].get("annotations") or {}
            for name in FUNCTION_ANNOTATIONS:
                annotations.pop(name, None)
        yield json.dumps(value, ensure_ascii=False) + "\n", value


def _listed_in_order(tree: Tree, directory: Path, to: Path, build: Callable[[Path], str]) -> str:
    """A directory of configs as it builds, in the order of its lists: functions run in order."""
    file, value = tree.kustomizations[directory]
    copied = to / file.relative_to(tree.root)
    content = copied.read_bytes()
    copied.write_bytes(json.dumps({**value, "sortOptions": {"order": "fifo"}}).encode())
    try:
        return build(copied.parent)
    finally:
        copied.write_bytes(content)


def _built(entry: str, copied: Path) -> bool:
    return not _inline(entry) and (copied / entry).is_dir()


def _check_function(value: Any, where: str) -> None:
    """Refuse what is neither krmfn's nor kustomize's own."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(metadata, dict):
        raise SpecError("spec", "a function config needs metadata", where=where)
    if _merges(value):
        raise SpecError("spec", "merge keys are not read in a function config", where=where)
    annotations = metadata.get("annotations")
    marked = isinstance(annotations, dict) and any(a in annotations for a in FUNCTION_ANNOTATIONS)
    version, kind = value.get("apiVersion"), value.get("kind")
    if version == API_VERSION:
        return
    if version != "builtin" or marked or kind == _CHART_KIND:
        raise _foreign(
            f"{kind}/{metadata.get('name')}: no function but krmfn's own is run",
            where,
            "use plain `kustomize build` where its author is trusted",
        )


def _merges(value: Any) -> bool:
    if isinstance(value, dict):
        return _MERGE in value or any(map(_merges, value.values()))
    return isinstance(value, list) and any(map(_merges, value))


def _inline(entry: str) -> bool:
    """Whether an entry is a config itself, as kustomize tries first."""
    if "\n" not in entry and "{" not in entry and ": " not in entry:
        return False
    try:
        return any(isinstance(d.node, yaml.MappingNode) for d in strict.documents(entry, ""))
    except SpecError:
        return False


def _spliced(text: str, lists: dict[str, list[str]]) -> str:
    """A kustomization with these lists in place of its own, and not a byte else changed."""
    text = text.removeprefix("\ufeff")
    (document,) = strict.documents(text, "")
    nodes = {key.value: (key, value) for key, value in document.node.value}
    last = len(text)
    for name in sorted(lists, key=lambda n: nodes[n][1].start_mark.index, reverse=True):
        key, value = nodes[name]
        start, stop = value.start_mark.index, value.end_mark.index
        if start < key.end_mark.index or stop > last:
            raise SpecError("file", f"{name} is an alias", remedy="write the list itself")
        last = start
        after = "" if value.flow_style else "\n" + " " * value.end_mark.column
        text = f"{text[:start]} {json.dumps(lists[name], ensure_ascii=False)}{after}{text[stop:]}"
    return text


def _strings(value: Any) -> list[str]:
    return [v for v in strict.sequence(value) if isinstance(v, str)]


def _short(tree: Tree, path: Path) -> str:
    return str(path.relative_to(tree.root)) if path != tree.root else path.name


def _foreign(message: str, where: str, remedy: str) -> SpecError:
    return SpecError("foreign", message, where=where, remedy=remedy)
