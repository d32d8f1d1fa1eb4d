"""Name the environments of a repository's overlays by their directories. Pure.

Rules enforced here: an environment is the segment behind `overlays`, `environments`, `clusters` and
the like, else a segment that is a usual name of one; where some overlays have an environment, the
others share `common`; a pattern never matches an overlay of another environment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from krmfn.spec.pattern import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COMMON = "common"
_BEHIND = frozenset(
    [
        "overlays",
        "overlay",
        "environments",
        "environment",
        "envs",
        "env",
        "clusters",
        "cluster",
        "stages",
    ]
)
_USUAL = re.compile(
    r"(?:prod|production|live|pre-?prod|stag(?:e|ing)|dev|devel|development|test|testing|qa|uat|"
    r"int|integration|acc|acceptance|preview|review|sandbox|demo|canary|local)(?:[-_.]?[a-z]{0,2}\d*)"
)
# Segments that say nothing about what is deployed there.
_PLAIN = _BEHIND | frozenset(
    ["base", "bases", "apps", "app", "kustomize", "k8s", "deploy", "manifests", "components"]
)


def environment(directory: str) -> tuple[str, str]:
    """Return the environment of an overlay, and the part of its directory that names it.

    Args:
        directory: relative to the repository's root.

    Returns:
        A DNS label and a directory; both are empty if the directory names no environment.
    """
    segments = directory.split("/")
    behind = [n + 1 for n, one in enumerate(segments[:-1]) if one.lower() in _BEHIND]
    usual = [n for n, one in enumerate(segments) if _USUAL.fullmatch(one.lower())]
    for number in (behind or usual)[-1:]:
        return label(segments[number]), "/".join(segments[: number + 1])
    return "", ""


def environments(directories: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the environment of each overlay, as `environment` does; `COMMON` where others have one."""
    found = {one: environment(one) for one in directories}
    if any(name for name, _ in found.values()):
        found = {one: said if said[0] else (COMMON, one) for one, said in found.items()}
    return found


def label(text: str) -> str:
    """Return a DNS label that is like a text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "x"


def patterns(own: Iterable[str], others: Iterable[str]) -> list[str]:
    """Return the fewest patterns that match some directories.

    Args:
        own: the directories to match, with everything below them.
        others: overlays that no pattern may match.
    """
    found = sorted(set(own))
    apart = [one.split("/") for one in others]
    merged = True
    while merged:
        merged = False
        for number, one in enumerate(found):
            for two in found[number + 1 :]:
                if (both := _both(one, two)) and not any(_matches(both, other) for other in apart):
                    found = sorted({*found} - {one, two} | {both})
                    merged = True
                    break
            if merged:
                break
    return found


def _both(one: str, two: str) -> str:
    """Return the pattern for two directories that differ in one segment; else nothing."""
    left, right = one.split("/"), two.split("/")
    differing = [n for n, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]]
    if len(left) != len(right) or len(differing) != 1 or differing[0] == len(left) - 1:
        return ""
    left[differing[0]] = "*"
    return "/".join(left)


def _matches(pattern: str, directory: list[str]) -> bool:
    return matches(pattern, "/".join(directory[: pattern.count("/") + 1]))


def application(directory: str, known: Mapping[str, object]) -> str:
    """Return the part of a directory that names what is deployed there, for a path in a store.

    Args:
        directory: relative to the repository's root.
        known: the names of environments.
    """
    kept = [
        one
        for one in directory.split("/")
        if one not in (".", "") and one.lower() not in _PLAIN and label(one) not in known
    ]
    return "".join(f"{one}/" for one in kept)
