"""Resolve paths that a kustomization names: inside the repository, or an error.

Rules enforced here: nothing is fetched; a path outside the repository is refused before the file
system is asked, and after links are followed.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.errors import SpecError

if TYPE_CHECKING:
    from krmfn.kustomize.judge import Mention

# What kustomize could take for an address of a repository: a scheme, user@host, host:path, a forge.
_REMOTE = re.compile(
    r"://|::|\?|@|^[\w.+-]+:|^(www\.)?github\.com([/:]|$)|\.git(/|$)|(^|/)_git/", re.IGNORECASE
)
_FETCHED = re.compile(r"^https?:", re.IGNORECASE)


def refuse_address(mention: Mention) -> None:
    """Refuse text that kustomize could interpret as a repository's address.

    Raises:
        SpecError: it is one.
    """
    if _REMOTE.search(mention.text):
        raise _fetched(mention)


def located(
    root: Path, directory: Path, mention: Mention, links: dict[Path, Path]
) -> tuple[Path, Path]:
    """Where a path leads: with the links of its directory resolved, and with all of them.

    ``..`` is taken off the text before links are followed, as kustomize does.
    """
    text = mention.text
    if not text:
        raise SpecError("file", "a path is empty", where=mention.where)
    if _FETCHED.match(text):
        raise _fetched(mention)
    if text.startswith("/"):
        raise SpecError(
            "path", f"{text} is absolute", where=mention.where, remedy="write it relative to here"
        )
    path = os.path.normpath(directory / text)
    _check_inside(root, path, mention)  # before the file system is asked
    try:
        real = os.path.realpath(path, strict=True)
    except (OSError, ValueError) as error:
        if _REMOTE.search(text):
            raise _fetched(mention) from None
        raise _unusable(mention, error) from None
    _check_inside(root, real, mention)
    place = Path(path) if path == real else _through_links(root, links, Path(path), mention)
    return place, Path(real)


def _check_inside(root: Path, path: str, mention: Mention) -> None:
    """Refuse a path outside the repository."""
    if not Path(path).is_relative_to(root):
        raise SpecError(
            "path",
            f"{mention.text[:200]} is outside the repository",
            where=mention.where,
            remedy="copy it into the repository, or set KRMFN_ROOT to the directory of both",
        )


def _through_links(root: Path, links: dict[Path, Path], path: Path, mention: Mention) -> Path:
    """The path with the links of its directories resolved; they are kept in ``links``."""
    here = root
    for part in path.relative_to(root).parts:
        here /= part
        if here.is_symlink() and here.is_dir():
            real = here.resolve()
            _check_inside(root, str(real), mention)
            links[here] = here = real
    return here


def _unusable(mention: Mention, error: OSError | ValueError) -> SpecError:
    code = getattr(error, "errno", None)
    name = mention.text[:100]
    reasons = {
        errno.ENOENT: "is not there, and nothing is fetched",
        errno.ENOTDIR: "is not there, and nothing is fetched",
        errno.ELOOP: "is a loop of links",
        errno.ENAMETOOLONG: "is too long for a path",
        errno.EACCES: "may not be read",
    }
    return SpecError("file", f"{name} {reasons.get(code or 0, 'is no path')}", where=mention.where)


def _fetched(mention: Mention) -> SpecError:
    return SpecError(
        "foreign",
        f"{mention.text[:200]}: nothing is fetched",
        where=mention.where,
        remedy="copy it into the repository",
    )
