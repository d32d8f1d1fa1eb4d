"""`krmfn init`'s lists, and the commands for a person to run."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.init.committed import ENCRYPTED, GENERATOR, SOPS
from krmfn.plan.estate import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krmfn.audit.inventory import Wanted
    from krmfn.init.committed import Committed
    from krmfn.init.layout import Layout
    from krmfn.init.proposal import Proposal, Settings

NAMED = 3  # in a list of what is alike
MANY = 6  # files in the summary
LINES = 10  # of the summary
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


def question(name: str, by: str) -> str:
    """Ask about a Secret that a file may create."""
    assume = shlex.quote(f"{name}={by}")
    return (
        f"{name} is not claimed: does {by} create it? If so, --assume {assume}; else --claim {name}"
    )


def summary(
    proposal: Proposal, known: Layout, settings: Settings, directories: Sequence[Path]
) -> list[str]:
    """Return at most ten lines: the files, the values to store, the next step."""
    files = [Path(os.path.relpath(path)) for path in proposal.texts]
    lines = [f"Written: {', '.join(map(str, files[:MANY]))}"]
    if len(files) > MANY:
        lines[0] += f", {len(files) - MANY} more"
    lines.append("Next:")
    names = list(proposal.added) or [""]
    certificates = [settings.certificate(one).get("file", "") for one in names]
    missing = [
        one for one in dict.fromkeys(certificates) if one and not (known.root / one).exists()
    ]
    commands = [
        f"krmfn cert fetch -o {shlex.quote(os.path.relpath(known.root / m))}" for m in missing
    ]
    if known.exists and not proposal.added:
        commands = []
    if settings.store == "age" and not known.exists:
        commands.append("krmfn age init secrets.age …     # then `krmfn age set` for each value")
    elif not known.exists or proposal.added:
        below = f"/{_each(names)}" if proposal.added else ""
        put = f"openssl rand -hex 32 | vault kv put secret/krmfn/derivation{below} key=-"
        commands.append(_looped(put, list(proposal.added)))
    if settings.store != "age":
        for claimed in proposal.claims:
            used = sorted({one.environment for one in claimed.overlays} - {""})
            path = claimed.path.replace(PLACEHOLDER, _each(used))
            commands.append(_looped(_put(claimed.one, path), used))
    commands = list(dict.fromkeys(commands))
    room = LINES - len(lines) - 1
    shown = commands if len(commands) <= room else commands[: room - 1]
    lines += [f"  {one}" for one in shown]
    if len(commands) > len(shown):
        lines.append(f"  … and {len(commands) - len(shown)} more; `krmfn plan` lists the paths")
    changed = [one for one in directories if one.resolve() in _directories(proposal)]
    where = shlex.quote(str((changed or directories)[0]))
    return [*lines, f"  krmfn plan {where} && krmfn build {where}"]


def _directories(proposal: Proposal) -> set[Path]:
    return {one.directory for claimed in proposal.claims for one in claimed.overlays}


def _each(names: Sequence[str]) -> str:
    """Return a shell variable for several environments, or the only one."""
    return "$E" if len(names) > 1 else "".join(names)


def _looped(command: str, names: Sequence[str]) -> str:
    if len(names) <= 1:
        return command
    return f"for E in {' '.join(names)}; do {command}; done"


def _put(one: Wanted, path: str) -> str:
    """Return the vault's command for a Secret's values, in files because others can read arguments."""
    fields = [shlex.quote(f"{key}=@FILE") for key in one.keys]
    fields += ["KEY=@FILE …"] if one.whole or not one.keys else []
    return f"vault kv put secret/{path} {' '.join(fields)}"
