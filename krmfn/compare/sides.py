"""The sides of a comparison: a build, rendered files, a git revision, standard input.

Rules enforced here: a directory with a kustomization is built, any other is read, and nothing is
guessed: a directory of files that has kustomizations below is refused, and so is a place that holds
no resource at all, which would compare as if everything had gone. Errors name a revision as it was
given, and never the private folder that it was read into.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.build.many import build_all
from krmfn.compare.compare import sealed_secrets
from krmfn.compare.git import revision
from krmfn.errors import Failure, SpecError
from krmfn.files.read import exists, read_file, read_standard_input
from krmfn.kustomize.kustomization import FILE_NAMES
from krmfn.objects import stream
from krmfn.objects.kinds import may_be_list
from krmfn.objects.sealed_secret import KIND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from krmfn.compare.compare import Snapshot
    from krmfn.deadline import Deadline
    from krmfn.objects.kinds import NamespacedName
    from krmfn.warned import Warned

CLUSTER = "cluster"
_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Side:
    """One of the two sides.

    Attributes:
        name: as it was given.
        files: the SealedSecrets by file, relative to the directory; under an empty name what is not
            a directory of files.
        random: those that are known to be sealed at random.
        warnings: of a build.
    """

    name: str
    files: dict[str, list[Snapshot]]
    random: frozenset[NamespacedName] = frozenset()
    warnings: list[Warned] = field(default_factory=list)

    @property
    def by_file(self) -> bool:
        """Whether the side is a directory of rendered files."""
        return "" not in self.files

    @property
    def sealed(self) -> list[Snapshot]:
        """All of them."""
        return [one for found in self.files.values() for one in found]


def load(name: str, deadline: Deadline) -> Side:
    """Load the side ``name``: a file, a directory, ``REV:PATH`` or ``-``.

    Raises:
        Failure: it cannot be read or built, or holds no resource.
    """
    if name == "-":
        return Side(name, {"": sealed_of(read_standard_input("SealedSecrets"), "<stdin>")})
    path = Path(name)
    if exists(path):
        if path.is_dir():
            return _directory(path, name, deadline)
        return Side(name, {"": sealed_of(read_file(path, name=name, key=""), name)})
    if ":" in name:
        return _revision(name, deadline)
    raise SpecError(
        "usage",
        f"{name} is not a directory, a file, REV:PATH, - or cluster",
    )


def rendered(name: str, place: Path, deadline: Deadline) -> list[Snapshot]:
    """Load `krmfn build --output`'s file for one overlay: ``place`` in a directory.

    Args:
        name: the directory, or ``REV:DIR``.

    Raises:
        SpecError: there is no such file.
    """
    if exists(Path(name)) or ":" not in name:
        content = read_file(Path(name) / place, name=f"{name}/{place}", key="")
    else:
        commit, _, inside = name.partition(":")
        found = revision(commit, deadline)
        content = found.read(found.path(f"{inside or '.'}/{place}"))
    return sealed_of(content, f"{name}/{place}")


def deployed(sealed: Iterable[Snapshot], context: str | None) -> list[Snapshot]:
    """Every SealedSecret of the cluster in the namespaces of ``sealed``.

    Raises:
        SpecError: one of them names no namespace.
        ProviderError: the cluster does not give them.
    """
    from krmfn.cluster import api  # lazy: the client is large

    namespaces = set()
    for one in sealed:
        if not one.namespace:
            raise SpecError(
                "namespace-missing",
                "it names no namespace, and in the cluster it has one",
                secret=one.name,
                remedy="set namespace: in the outermost kustomization",
            )
        namespaces.add(one.namespace)
    return sealed_secrets(api.sealed_secrets(sorted(namespaces), context=context))


def sealed_of(text: str | bytes, name: str, *, empty: bool = False) -> list[Snapshot]:
    """The SealedSecrets of a stream.

    Args:
        empty: whether it may hold no resource.

    Raises:
        SpecError: not YAML, or it holds none.
    """
    items = stream.stream(text, name)
    if not items and not empty:
        raise SpecError("input", "there is no resource in it", where=name)
    # Everything else is left unread.
    wanted = [i for i in items if i.kind == KIND or may_be_list(i.kind)]
    return sealed_secrets(item.document.value() for item in wanted)


def _revision(name: str, deadline: Deadline) -> Side:
    commit, _, path = name.partition(":")
    found = revision(commit, deadline)
    path = found.path(path)
    kind = found.kind(path)
    if kind == "blob":
        return Side(name, {"": sealed_of(found.read(path), name)})
    if kind != "tree":
        raise SpecError("file", "the revision holds no such path", where=name)
    below = f"{path}/" if path else ""
    overlay = any(found.kind(below + file) for file in FILE_NAMES)
    # An overlay needs its bases, wherever they are.
    with found.extracted("" if overlay else path) as folder, _named(name, folder, commit):
        side = _directory(folder / path, name, deadline, root=folder)
        return replace(side, warnings=[_placed(w, folder, commit) for w in side.warnings])


def _directory(path: Path, name: str, deadline: Deadline, root: Path | None = None) -> Side:
    if any((path / file).is_file() for file in FILE_NAMES):
        done = build_all([path], [], deadline, root=root)
        (one,) = done.built.values()
        return Side(name, {"": sealed_of(one.text, name)}, one.random, done.warnings)
    files: dict[str, list[Snapshot]] = {}
    for file in sorted(path.rglob("*")):
        inside = file.relative_to(path)
        if any(part.startswith(".") for part in inside.parts) or not file.is_file():
            continue
        if file.name in FILE_NAMES:
            raise SpecError(
                "usage",
                f"{inside.parent} is a kustomization, and {name} is none",
                remedy="name the directory to build, or one of rendered files",
            )
        if file.name.endswith(_ENDINGS):
            text = read_file(file, name=f"{name}/{inside}", key="", root=root)
            files[inside.as_posix()] = sealed_of(text, f"{name}/{inside}", empty=True)
    if not files:
        raise SpecError("input", "there is no YAML file in it", where=name)
    return Side(name, files)


@contextmanager
def _named(name: str, folder: Path, commit: str) -> Iterator[None]:
    """Put the revision into errors, in place of a private folder or before a path inside."""
    try:
        yield
    except Failure as failure:
        for error in failure.errors:
            for part in ("message", "where", "source", "found", "remedy"):
                setattr(error, part, _said(getattr(error, part), folder, commit))
            if f"{commit}:" not in f"{error.where} {error.message}":
                error.where = ": ".join(filter(None, (name, error.where)))
        raise


def _said(text: str, folder: Path, commit: str) -> str:
    return text.replace(f"{folder}/", f"{commit}:").replace(str(folder), f"{commit}:")


def _placed(warning: Warned, folder: Path, commit: str) -> Warned:
    subject, text = (_said(part, folder, commit) for part in (warning.subject, warning.text))
    return replace(warning, subject=subject, text=text)
