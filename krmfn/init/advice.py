"""`krmfn init`'s lists, and the commands for a person to run."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from krmfn.init.proposal import Settings
from krmfn.init.survey import ENCRYPTED, GENERATOR, SOPS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from krmfn.audit.inventory import Wanted
    from krmfn.init.survey import Committed

NAMED = 3  # in a list of what is alike
_HOW = {
    "sealedsecret": "sealed by hand",
    "secret": "unencrypted",
    GENERATOR: "unencrypted, by a secretGenerator",
    SOPS: "encrypted by sops",
    ENCRYPTED: "encrypted, or placeholders, in the files of a secretGenerator",
}


def by_hand(origin: Committed, listing: Path, namespace: str) -> str:
    """Return the advice about Secrets that are already in git.

    Args:
        listing: the overlay's directory, as the user wrote it.
    """
    titles = ", ".join(sorted(made.by for made in origin.made))
    stands = f"{_HOW[origin.source]}: {titles}; to claim instead, "
    if origin.source == ENCRYPTED and origin.directory is not None:
        shown_directory = shlex.quote(os.path.relpath(origin.directory))
        return f"{stands}decrypt the files, then run `krmfn import kustomization {shown_directory}`"
    if origin.directory is None:
        return f"{stands}`krmfn import {origin.source}`"
    here = listing.resolve()

    def shown(path: Path) -> str:
        return os.path.normpath(listing / os.path.relpath(path, here))

    sops, generated = origin.source == SOPS, origin.source == GENERATOR
    new = f"claims-{origin.made[0].secret}.yaml" if sops else "claims.yaml"
    paths = ["-"] if sops else [shown(path) for path in origin.paths]
    command = ["krmfn", "import", "secret" if sops else origin.source, *paths]
    command += ["--output", shown(origin.directory / new)]
    # No --namespace: the claim would not be where what refers to it is, for kustomize. A base has
    # none, and its overlays have several.
    if not origin.namespaced:
        own = f"{namespace}/" if origin.directory == here and namespace else ""
        command += ["--path-template", f"{own}{{name}}"]
    command += ["--write-values"] if origin.source != "sealedsecret" else []
    first = f"sops --decrypt {shlex.quote(shown(origin.paths[0]))} | " if sops else ""
    stead = "under resources: in place of the generator" if generated else "in their place"
    return f"{stands}run `{first}{shlex.join(command)}`, list {new} {stead}, and init again"


def some(paths: Sequence[Path]) -> str:
    """The first few, and how many more."""
    more = [f"{len(paths) - NAMED} more"] if len(paths) > NAMED else []
    return ", ".join([*map(str, paths[:NAMED]), *more])


def put(one: Wanted, path: str) -> str:
    """Return the vault's command for a Secret's values, in files because others can read arguments."""
    fields = shlex.join(f"{key}=@FILE" for key in one.keys)
    more = "KEY=@FILE …" if one.whole or not one.keys else ""
    return f"vault kv put {shlex.quote(f'secret/{path}')} {fields} {more}".rstrip()


def copied(namespace: str, one: Wanted, settings: Settings) -> str:
    """Return the pipe that copies a Secret's values from a cluster to the vault without showing them."""
    told = settings.path != Settings.path
    other = f" --path-template {shlex.quote(settings.path)}" if told else ""
    return (
        f"kubectl get secret -n {namespace} {one.name} -o yaml | "
        f"krmfn import secret - --write-values{other} > /dev/null"
    )
