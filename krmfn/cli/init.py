"""Propose the files that krmfn needs in each overlay of a repository, as a diff.

  krmfn init                                    # shows everything, asks, then writes
  krmfn init overlays/prod --certificate certs/production.pem
  krmfn init --dry-run                          # shows and writes nothing
  krmfn init --yes --store age
  krmfn init apps/shop --namespace shop --assume 'pull=the cluster comes with it'

For each overlay that builds, krmfn claims every Secret that an object refers to and nothing creates,
and lists a transformer, the skip marker and a validator. A Secret that another kustomization of the
repository creates in the same namespace becomes an assumption of the validator. The namespace is the
kustomization's, else the one that an Argo CD Application or a Flux Kustomization in the repository
deploys the directory to, else --namespace. You write the values into the vault.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.build.sandbox import find_kustomize
from krmfn.cli.console import progress, say, say_lines
from krmfn.documents.append import with_entries
from krmfn.errors import Failure, SpecError
from krmfn.files.diff import unified
from krmfn.files.read import find_root
from krmfn.files.write import File, write_files
from krmfn.init import proposal
from krmfn.init.advice import NAMED, by_hand, copied, put, some
from krmfn.init.proposal import Proposal
from krmfn.init.survey import Survey, in_git
from krmfn.kustomize.checkout import KustomizationFile, kustomizations, overlays
from krmfn.kustomize.kustomization import NAMESPACE
from krmfn.objects.kinds import NamespacedName
from krmfn.text import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from krmfn.audit.inventory import Wanted
    from krmfn.init.survey import Seen

FETCHED = "controller.pem"
ALL_THERE = "every Secret that it refers to is there"


@dataclass
class Found:
    """The findings in one overlay, and the proposal for it.

    Attributes:
        note: why nothing is proposed.
        position: of that in the kustomization, as ``:line:column``; else empty.
        proposal: what is, with the Secrets to claim.
        files: path to new text.
        edited: the kustomization's new text.
        advice: what else to do there.
        bases: the kustomizations that it takes in, and itself.
        where: where the namespace comes from, when the kustomization does not say.
    """

    kustomization: KustomizationFile
    proposal: Proposal
    note: str = ""
    position: str = ""
    files: dict[Path, str] = field(default_factory=dict)
    edited: str = ""
    advice: list[str] = field(default_factory=list)
    bases: frozenset[Path] = frozenset()
    where: str = ""
    claimed: bool = False

    @property
    def directory(self) -> Path:
        """The directory as the user wrote it."""
        return self.kustomization.directory


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "directories",
        nargs="*",
        default=["."],
        metavar="DIR",
        help="where to look; default: the working directory",
    )
    parser.add_argument(
        "--certificate",
        metavar="FILE",
        help=f"the controller's certificate; default: {FETCHED} in each overlay",
    )
    parser.add_argument(
        "--store", choices=list(proposal.STORES), default="vault", help="default: vault"
    )
    parser.add_argument(
        "--path",
        default=proposal.Settings.path,
        metavar="TEMPLATE",
        help="store path of each Secret's values; default: {namespace}/{name}",
    )
    parser.add_argument(
        "--namespace",
        metavar="NS",
        default="",
        help="namespace for overlays whose namespace cannot be found otherwise",
    )
    parser.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="SECRET=WHY",
        help="do not claim a Secret that is created elsewhere; the validator gets the reason",
    )
    parser.add_argument(
        "--legacy",
        action="store_true",
        help="write legacy plugins, which kubectl kustomize can run",
    )
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--yes", action="store_true", help="write without asking")
    answer.add_argument("--dry-run", action="store_true", help="print the diff and write nothing")


def run(options: argparse.Namespace) -> int:
    """Look, show, ask, write."""
    settings = _settings(options)
    assumed = _assumed(options.assume)
    roots = [find_root(Path(top), os.environ) for top in options.directories]
    command = find_kustomize(os.environ, *roots)
    every = [kustomizations(Path(top)) for top in options.directories]
    known = [one for found in every for one in overlays(found)]
    if not known:
        raise SpecError("file", f"there is no kustomization below {', '.join(options.directories)}")
    founds, surveys = [], dict[Path, Survey]()
    with progress("building", len(known)) as step:
        for one in known:
            root = find_root(one.directory, os.environ)
            survey = surveys.setdefault(root, Survey(root, command))
            founds.append(_look(one, survey, options.namespace, assumed))
            step()
    _share(founds)
    for found in founds:
        if not found.note:
            _propose(found, settings, options.certificate)
    _show(founds, len(options.directories))
    used = {one.name for found in founds for one, _ in found.proposal.elsewhere}
    for name in sorted(assumed.keys() - used):
        say()
        say(f"{name}: nothing asks for a Secret of that name (--assume)")
    _show_taken(one for found in every for one in found if one not in known)
    changes = [found for found in founds if found.files]
    if not changes:
        say()
        say("Nothing to propose.")
        return 0
    if options.dry_run:
        say()
        say("Nothing was written.")
        return 0
    if not options.yes and not _consent():
        say("Nothing was written.")
        return 0
    _write(changes)
    _next(changes, settings)
    return 0


def _settings(options: argparse.Namespace) -> proposal.Settings:
    try:
        options.path.format(namespace="n", name="s")
    except (KeyError, IndexError, ValueError):
        raise SpecError(
            "usage", "--path knows {namespace} and {name} only", found=options.path
        ) from None
    if options.namespace and not NAMESPACE.fullmatch(options.namespace):
        raise SpecError("usage", "not a namespace's name", key="--namespace")
    return proposal.Settings(options.store, options.path, options.legacy)


def _assumed(said: Sequence[str]) -> dict[str, str]:
    """Map each Secret without a need for a claim to the reason."""
    pairs = [one.partition("=") for one in said]
    if not all(name and why for name, _, why in pairs):
        raise SpecError("usage", "--assume is SECRET=WHY", remedy="name the Secret's producer")
    return {name: why for name, _, why in pairs}


def _look(one: KustomizationFile, survey: Survey, namespace: str, assumed: dict[str, str]) -> Found:
    """Examine one overlay: its missing Secrets, and their producers elsewhere."""
    directory = one.directory.resolve()
    mine = Proposal(directory.name.lower().replace("_", "-"), "", ())
    found = Found(one, mine)
    if survey.is_done(directory):
        found.note = "uses krmfn already; `krmfn audit` tells what is missing"
        return found
    seen = survey.look(directory)
    if seen.failed:
        found.position, found.note = seen.position, seen.failed
        return found
    mine.namespace = seen.overlay.namespace
    mine.destination = seen.namespace or namespace
    mine.plain = any(map(in_git, seen.made))
    sought = [NamespacedName(mine.place(w), w.name) for w in seen.wanted]
    beside = survey.beside(directory, sought)
    mine.elsewhere = [
        (w, why)
        for w, place in zip(seen.wanted, sought, strict=True)
        if (why := assumed.get(w.name) or beside.get(place))
    ]
    known = [w for w, _ in mine.elsewhere]
    mine.wanted = [w for w in seen.wanted if w not in known]
    claims = [made for made in seen.made if made.how == "claim"]
    found.claimed = bool(claims)
    found.bases = survey.bases(directory)
    places = {one.namespace or "" for one in claims} | {one.namespace for one in mine.wanted}
    mine.told = not mine.namespace and "" in places and places <= {"", mine.destination}
    found.advice = [by_hand(o, one.directory, mine.destination) for o in survey.origins(directory)]
    _judge(found, seen)
    return found


def _judge(found: Found, seen: Seen) -> None:
    """Why nothing can be proposed, or where the namespace comes from."""
    mine = found.proposal
    nowhere = any(not mine.place(one) for one in mine.wanted)
    nowhere = nowhere or (mine.told and not mine.destination)
    agreed = mine.namespace in ("", *(one.namespace for one in seen.where))
    over = [] if agreed else [one for one in seen.where if one.over]
    if not mine.wanted and not found.claimed:
        found.note = ALL_THERE if not mine.elsewhere else f"{ALL_THERE}, or made elsewhere"
    elif over:
        found.note = (
            f"{over[0].by} deploys it to {over[0].namespace}, whatever its namespace: says; "
            f"correct {mine.namespace} there"
        )
    elif nowhere and seen.where:
        found.note = "deployed to several namespaces; say which one with --namespace: " + ", ".join(
            f"{one.namespace} ({one.by})" for one in seen.where
        )
    elif nowhere:
        found.note = (
            "no namespace is known to seal for; set namespace: in the kustomization, "
            "or say --namespace"
        )
    elif mine.told or (not mine.namespace and any(not one.namespace for one in mine.wanted)):
        by = seen.where[0].by if seen.namespace else "--namespace"
        found.where = f"namespace {mine.destination}, as {by} says"


def _share(founds: Sequence[Found]) -> None:
    """Give a Secret that several overlays claim the same keys in each, as it is one object."""
    claims: dict[NamespacedName, list[tuple[Found, Wanted]]] = defaultdict(list)
    for found in founds:
        for one in found.proposal.wanted if not found.note else ():
            place = NamespacedName(found.proposal.place(one), one.name)
            claims[place].append((found, one))
    for (namespace, name), asking in claims.items():
        asked = {id(found): (list(one.keys), one.whole) for found, one in asking}
        for found, one in asking:
            # Variants of one base are alternatives: a cluster gets one of them.
            others = [f for f, _ in asking if f is not found and not f.bases & found.bases]
            if others:
                all_asked = [asked[id(f)] for f, _ in asking if f is found or f in others]
                one.keys = sorted({key for keys, _ in all_asked for key in keys})
                one.whole = any(whole for _, whole in all_asked)
                found.advice.append(
                    f"{namespace}/{name} is claimed in {some([f.directory for f in others])} too; "
                    "where one cluster gets several of them, keep one claim, and list it under "
                    "assume: in the others' validators"
                )


def _propose(found: Found, settings: proposal.Settings, certificate: str | None) -> None:
    directory = found.directory
    file = os.path.relpath(certificate, directory) if certificate else FETCHED
    found.proposal.certificate = file
    made = proposal.files(found.proposal, settings)
    standing = [name for name in made if (directory / name).exists()]
    if standing:
        found.note = f"{standing[0]} exists, and is never written over"
        return
    try:
        added = proposal.entries(claims=bool(found.proposal.wanted))
        text = found.kustomization.text
        found.edited = with_entries(text, added, str(found.kustomization.file))
    except Failure as failure:
        found.note = failure.errors[0].line()
        return
    found.files = {directory / name: text for name, text in made.items()}
    if not (directory / file).exists():
        found.advice.append(f"krmfn cert fetch -o {directory / file}")


def _show(founds: Sequence[Found], named: int) -> None:
    """Show each overlay that has findings; summarise the others if there are many."""
    quiet = [
        f for f in founds if f.note.startswith(ALL_THERE) and not (f.advice or f.proposal.elsewhere)
    ]
    if len(quiet) <= max(NAMED, named):
        quiet = []
    for found in founds:
        if found not in quiet:
            _show_one(found)
    if quiet:
        files = some([found.kustomization.file for found in quiet])
        say()
        say(f"{files}: every Secret that they refer to is there")


def _show_one(found: Found) -> None:
    """Show the overlay in one line, then its changes as a diff."""
    file, mine = found.kustomization.file, found.proposal
    say()
    say(f"{file}{found.position}: {found.note or _count(found)}")
    for one in mine.wanted:
        keys = ", ".join(one.keys) or "any key"
        say(f"  {one.name} ({one.type}: {keys}), for {', '.join(one.users)}")
    for one, why in mine.elsewhere:
        say(f"  {one.name} is not a claim: {why}")
    for advice in found.advice:
        say(f"  then: {advice}")
    if not found.files:
        return
    _diff(file, found.kustomization.text, found.edited)
    for path, text in found.files.items():
        _diff(path, "", text)


def _show_taken(others: Iterable[KustomizationFile]) -> None:
    """Show the directories that may be overlays and were not examined."""
    taken = [one.file for one in others if one.value.get("namespace")]
    if taken:
        say()
        say(f"{some(taken)}: another kustomization takes it in; name it where it is an overlay")


def _count(found: Found) -> str:
    number = len(found.proposal.wanted)
    text = f"{counted(number, 'Secret')} to claim" if number else "claims that nothing seals yet"
    return f"{text}; {found.where}" if found.where else text


def _diff(path: Path, before: str, after: str) -> None:
    say_lines(unified(before, after, str(path) if before else "/dev/null", str(path)))


def _consent() -> bool:
    if not sys.stdin.isatty():
        raise SpecError(
            "usage",
            "there is no terminal to ask",
            remedy="say --yes to write, or --dry-run to look",
        )
    try:
        return input("\nWrite this? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _write(changes: Sequence[Found]) -> None:
    """Everything, or nothing."""
    new = [
        File(path, text.encode(), new=True)
        for found in changes
        for path, text in found.files.items()
    ]
    edited = [File(found.kustomization.file, found.edited.encode()) for found in changes]
    write_files([*new, *edited])


def _next(changes: Sequence[Found], settings: proposal.Settings) -> None:
    where = changes[0].directory
    say()
    say(f"Written. Next, for {some([found.directory for found in changes])}:")
    for advice in (a for found in changes for a in found.advice if a.startswith("krmfn cert")):
        say(f"  {advice}")
    if settings.store == "age":
        say("  krmfn age init secrets.age …       # then `krmfn age set` for each value")
    else:
        say("  openssl rand -hex 32 | vault kv put secret/krmfn/derivation key=-      # once")
        claims = [(f.proposal.place(one), one) for f in changes for one in f.proposal.wanted]
        for line in dict.fromkeys(put(one, settings.key(at, one.name)) for at, one in claims):
            say(f"  {line}")
        if claims:
            say("  or, what is in the cluster already:")
            say(f"  {copied(*claims[0], settings)}")
    say(f"  krmfn plan {where}      # what will be read and sealed")
    say(f"  krmfn build {where}")
