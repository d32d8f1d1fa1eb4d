"""Read files that a configuration names: below the repository's root, after symlinks."""

from __future__ import annotations

import errno
import stat
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO

from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FILE = 16 * 1024 * 1024
MAX_INPUT = 256 * 1024 * 1024
_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
ROOT_VARIABLE = "KRMFN_ROOT"
ARGOCD_SOURCE = "ARGOCD_APP_SOURCE_PATH"
ARGOCD_FOLDER = (
    "_cmp_server"  # a plugin's copies of repositories, which may come without their .git
)


@dataclass(frozen=True)
class Place:
    """Where a configuration is: the directory and the repository of the files that it names.

    Attributes:
        base: the directory that relative paths are relative to.
        root: the repository's root; files of a configuration are below it.
        kept: files that were read, by resolved path; None to read a file each time.
    """

    base: Path = field(default_factory=Path)
    root: Path = field(default_factory=Path)
    kept: dict[Path, bytes] | None = field(default=None, repr=False, compare=False)

    def read(self, name: str, *, key: str) -> bytes:
        """Return the content of a file that a configuration names.

        Args:
            name: the path as written, relative to `base`.
            key: the field that names it, for errors.

        Raises:
            SpecError: absolute, outside the repository, absent, not a file, or over 16 MiB.
        """
        if Path(name).is_absolute():
            raise SpecError(
                "path", f"{name} is absolute", key=key, remedy="write it relative to here"
            )
        return read_file(self.base / name, root=self.root, name=name, key=key, kept=self.kept)

    def at(self, directory: Path) -> Place:
        """Return the place of another configuration of the repository."""
        return replace(self, base=directory)

    def keeping(self) -> Place:
        """Return a place that reads each file once, so that two runs use the same bytes."""
        return replace(self, kept={})


def find_root(base: Path, environ: Mapping[str, str]) -> Path:
    """Return the repository's root, resolved.

    It is ``KRMFN_ROOT``; else the nearest directory above with ``.git``; else, in Argo CD's plugin
    server, whose copies may lack ``.git``, the copy itself or the working directory without
    ``ARGOCD_APP_SOURCE_PATH`` at its end; else the working directory if ``base`` is below it; else
    ``base``.
    """
    if named := environ.get(ROOT_VARIABLE):
        return Path(named).resolve()
    base = base.resolve()
    places = (base, *base.parents)
    if found := next((p for p in places if exists(p / ".git")), None):
        return found
    if found := next((p for p in places if p.parent.name == ARGOCD_FOLDER), None):
        return found
    try:
        here = Path.cwd()
    except OSError:
        return base
    below = PurePath(environ.get(ARGOCD_SOURCE, "")).parts
    if below and here.parts[-len(below) :] == below:
        here = Path(*here.parts[: -len(below)])
    # The file system's root is no repository.
    return here if base.is_relative_to(here) and here != Path(here.anchor) else base


def exists(path: Path) -> bool:
    """Like ``Path.exists``, but False for text that cannot be a path."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def read_standard_input(what: str) -> bytes:
    """Read all of standard input; on a terminal, first print what is expected.

    Raises:
        SpecError: over 256 MiB.
    """
    if sys.stdin.isatty():
        sys.stderr.write(f"krmfn: waiting for {what}; end the input with ctrl-D\n")
    content = sys.stdin.buffer.read(MAX_INPUT + 1)
    if len(content) > MAX_INPUT:
        raise SpecError("input", "standard input is over 256 MiB")
    return content


def read_file(
    path: Path,
    *,
    name: str,
    key: str,
    root: Path | None = None,
    kept: dict[Path, bytes] | None = None,
) -> bytes:
    """Return the content of ``path``; with ``root``, only if it resolves to a file below it.

    Without ``root`` it may be a pipe, such as a shell's ``<(…)``.

    Args:
        kept: as `Place` has it.

    Raises:
        SpecError: as `Place.read`.
    """
    try:
        if root is None and _is_pipe(path):
            with path.open("rb") as file:
                return _whole(file, name, key)
        resolved = path.resolve(strict=True)
        if root is not None and not resolved.is_relative_to(root):
            raise SpecError(
                "path",
                f"{name} is outside the repository",
                key=key,
                remedy=f"move it inside, or set {ROOT_VARIABLE}",
            )
        if not resolved.is_file():
            raise SpecError("file", f"{name} is not a file", key=key)
        if kept is not None and resolved in kept:
            return kept[resolved]
        with resolved.open("rb") as file:
            content = _whole(file, name, key)
    except (OSError, RuntimeError, ValueError) as error:
        if getattr(error, "errno", None) in _LIMITS:
            raise  # it is not the file's fault
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise SpecError("file", f"{name}: {reason.lower()}", key=key) from None
    if kept is not None:
        kept[resolved] = content
    return content


def _is_pipe(path: Path) -> bool:
    mode = path.stat().st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _whole(file: BinaryIO, name: str, key: str) -> bytes:
    content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise SpecError("file", f"{name} is larger than 16 MiB", key=key)
    return content
