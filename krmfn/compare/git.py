"""Read a git revision without touching the work tree.

Rules enforced here: objects are read as they were committed, so that no filter, attribute or hook
of a repository has a say; nothing is fetched; git is given no credential. What comes out goes into
a private folder: all directories first, so that nothing is written through a link.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from krmfn.errors import SpecError
from krmfn.files.private import private_folder
from krmfn.files.read import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.deadline import Deadline

MAX_BYTES = 256 * 1024 * 1024
_KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME")
_LINK, _SUBMODULE = "120000", "160000"


@dataclass(frozen=True)
class Revision:
    """A commit, or a tree, of the repository around the working directory."""

    name: str
    tree: str
    prefix: str
    deadline: Deadline

    def path(self, path: str) -> str:
        """``path`` from the repository's root; ``./x`` and ``../x`` are as git reads them.

        Raises:
            SpecError: it leads out of the repository.
        """
        here = path in (".", "..") or path.startswith(("./", "../"))
        found = os.path.normpath(f"{self.prefix if here else ''}{path}")
        if found == ".." or found.startswith(("../", "/")):
            raise SpecError("path", f"{path} is outside the repository", where=self.name)
        return "" if found == "." else found

    def kind(self, path: str) -> str:
        """``tree``, ``blob``, or empty when there is nothing."""
        done = _git(self.deadline, "cat-file", "-t", f"{self.tree}:{path}")
        return done.stdout.decode().strip() if not done.returncode else ""

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            SpecError: it is not there, or over 16 MiB.
        """
        found = [entry for entry in self._entries(path) if entry.path == path]
        if len(found) != 1 or found[0].size > MAX_FILE:
            raise SpecError("file", f"{path} is not a file, or is too large", where=self.name)
        return self._contents(found)[0]

    @contextmanager
    def extracted(self, path: str = "") -> Iterator[Path]:
        """Extract everything below ``path`` into a private folder, at the same relative path.

        Files over 16 MiB and submodules are left out: no build could read them.
        """
        with private_folder() as folder:
            entries = self._entries(path)
            wanted = [e for e in entries if e.mode != _SUBMODULE and e.size <= MAX_FILE]
            if sum(entry.size for entry in wanted) > MAX_BYTES:
                raise SpecError(
                    "file",
                    "the revision holds more than 256 MiB",
                    where=self.name,
                    remedy="check it out beside this one (git worktree add) and name the directory",
                )
            _put(folder, dict(zip(wanted, self._contents(wanted), strict=True)))
            yield folder

    def _entries(self, path: str) -> list[_Entry]:
        """Files and links at or below ``path``."""
        limit = ["--", path] if path else []
        done = _git(self.deadline, "ls-tree", "-r", "-l", "-z", "--full-tree", self.tree, *limit)
        if done.returncode:
            raise SpecError("file", "git cannot list the revision", where=self.name)
        found = []
        for line in done.stdout.split(b"\0"):
            if line:
                head, _, name = line.partition(b"\t")
                mode, _, digest, size = head.decode().split()
                number = int(size) if size.isdigit() else 0
                found.append(_Entry(os.fsdecode(name), mode, digest, number))
        return found

    def _contents(self, entries: list[_Entry]) -> list[bytes]:
        """The content of each, in order."""
        asked = "".join(f"{entry.digest}\n" for entry in entries).encode()
        output = _git(self.deadline, "cat-file", "--batch", stdin=asked).stdout
        found, start = [], 0
        for entry in entries:
            head = f"{entry.digest} blob {entry.size}\n".encode()
            if not output.startswith(head, start):
                raise SpecError("file", f"{entry.path} cannot be read", where=self.name)
            start += len(head)
            found.append(output[start : start + entry.size])
            start += entry.size + 1
        return found


@dataclass(frozen=True)
class _Entry:
    path: str
    mode: str
    digest: str
    size: int


def revision(name: str, deadline: Deadline) -> Revision:
    """Resolve ``name`` in the repository around the working directory.

    Raises:
        SpecError: git is not installed, there is no repository, or no such revision.
    """
    if shutil.which("git") is None:
        raise SpecError("file", "git is not installed", where=name)
    where = _git(deadline, "rev-parse", "--show-prefix")
    if where.returncode:
        raise SpecError("file", "the working directory is in no git repository", where=name)
    # With --verify nothing that begins with a dash is taken for an option.
    found = _git(deadline, "rev-parse", "--verify", "--quiet", f"{name}^{{tree}}")
    if found.returncode:
        raise SpecError("usage", "git knows no such revision", where=name)
    prefix = os.fsdecode(where.stdout).rstrip("\n")
    return Revision(name, found.stdout.decode().strip(), prefix, deadline)


def _put(folder: Path, contents: dict[_Entry, bytes]) -> None:
    """Everything below ``folder``: each directory is there before the first link is."""
    targets = {entry: folder.joinpath(*_parts(entry.path)) for entry in contents}
    try:
        for entry in contents:
            targets[entry].parent.mkdir(parents=True, exist_ok=True)
        for entry, content in contents.items():
            if entry.mode == _LINK:
                targets[entry].symlink_to(os.fsdecode(content))
            else:
                with targets[entry].open("xb") as file:
                    file.write(content)
    except (OSError, ValueError):
        raise SpecError("file", f"{entry.path} cannot be taken out of the revision") from None


def _parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    if not parts or {"/", "..", ".git"} & set(parts):
        raise SpecError("path", f"{path} is not a path in a repository")
    return parts


def _git(
    deadline: Deadline, *arguments: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run git once, within the deadline."""
    environ = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("GIT_")}
    environ |= {"LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}
    try:
        return subprocess.run(  # noqa: S603  # no shell
            ["git", *arguments],  # noqa: S607  # as the user's PATH has it
            input=stdin,
            env=environ,
            capture_output=True,
            check=False,
            timeout=deadline.left(),
        )
    except subprocess.TimeoutExpired:
        raise deadline.error() from None
