"""Propose the files that krmfn needs in a repository, as a diff.

  krmfn init                                    # show everything, ask, then write
  krmfn init overlays/prod --certificate certs/production.pem
  krmfn init --certificate prod=certs/production.pem --certificate dev=certs/dev.pem
  krmfn init --dry-run                          # show everything, write nothing
  krmfn init --yes --store age
  krmfn init apps/shop --namespace shop --assume 'pull=the cluster comes with it'

init builds each overlay and proposes a claim for every Secret that something refers to and nothing
creates. The claim is listed beside the workload, if all overlays that share the workload need it.
The settings go into .krmfn.yaml, and each overlay gets one line that lists the folder krmfn/.
init builds and audits the proposal in a copy before it shows it. Run again, it proposes what is
missing by then. You write the values into the vault.

Exit code 1: for at least one overlay init cannot propose what is missing; it says why.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.build.sandbox import find_kustomize
from krmfn.cli.console import progress, say, say_lines
from krmfn.crypto.certificate import choose
from krmfn.errors import Failure, KrmfnError, SealingError, SpecError
from krmfn.files.diff import unified
from krmfn.files.read import Place, find_root
from krmfn.files.write import File, write_files
from krmfn.init import advice, findings
from krmfn.init.advice import NAMED, some
from krmfn.init.findings import ALL_THERE, Answers, OverlayFinding
from krmfn.init.layout import ROUTES, STORES, Layout, layout
from krmfn.init.move import equal
from krmfn.init.proof import prove
from krmfn.init.proposal import Overlay, Proposal, Settings
from krmfn.init.survey import Survey
from krmfn.kustomize.checkout import KustomizationFile, kustomizations, overlays
from krmfn.kustomize.kustomization import NAMESPACE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence


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
        action="append",
        default=[],
        metavar="[ENVIRONMENT=]FILE",
        help="the controller's certificate, of one environment or of all; "
        "default: certs/ENVIRONMENT.pem",
    )
    parser.add_argument(
        "--store", choices=list(STORES), default="vault", help="the kind of a new store"
    )
    parser.add_argument(
        "--path",
        default="",
        metavar="TEMPLATE",
        help="the path of each Secret's values, with {namespace}, {name} and {environment}",
    )
    parser.add_argument(
        "--namespace",
        metavar="NS",
        default="",
        help="namespace for overlays whose namespace cannot be found otherwise",
    )
    _add_answers(parser)


def _add_answers(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that answer what init cannot know."""
    parser.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="SECRET=WHY",
        help="claim no Secret of this name, because it is created elsewhere",
    )
    parser.add_argument(
        "--claim",
        action="append",
        default=[],
        metavar="SECRET",
        help="claim a Secret of this name, although a file of the repository may create it",
    )
    route = parser.add_mutually_exclusive_group()
    route.add_argument(
        "--legacy",
        action="store_true",
        help="write a legacy plugin, which kubectl kustomize can run",
    )
    route.add_argument(
        "--container",
        action="store_true",
        help="write a container function, with the settings in the transformer",
    )
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--yes", action="store_true", help="write without asking")
    answer.add_argument("--dry-run", action="store_true", help="show the proposal, write nothing")


def run(options: argparse.Namespace) -> int:
    """Look, propose, prove, show, ask, write."""
    answers = _answers(options)
    roots = {find_root(Path(top), os.environ) for top in options.directories}
    if len(roots) > 1:
        raise SpecError("usage", "the directories are in several repositories", remedy="name one")
    (root,) = roots
    command = find_kustomize(os.environ, root)
    known = layout(root, container=options.container)
    settings = _settings(options, root)
    every = [kustomizations(Path(top)) for top in options.directories]
    survey, looked = Survey(root, command, known.any_environment), list[OverlayFinding]()
    taken = {known.folder, known.folder.resolve()}
    outer = [
        one
        for found in every
        for one in found
        if (one in overlays(found) or one.directory.resolve() in survey.outermost)
        and one.directory.resolve() not in taken
    ]
    if not outer:
        raise SpecError("file", f"there is no kustomization below {', '.join(options.directories)}")
    with progress("building", len(outer)) as step:
        for one in outer:
            looked.append(findings.look(one, survey, known, answers))
            step()
    findings.ask(looked, survey, answers)
    findings.share(looked)
    changed = [one.overlay for one in looked if not one.note]
    proposal = _proposed(changed, survey, known, settings, command)
    _check_names(settings, known, proposal)
    if proposal.texts:
        asked = {one.directory: {w.name for w in one.wanted} for one in changed}
        prove(root, proposal.texts, asked, command)
    _show(looked, proposal, len(options.directories))
    unused = answers.assumed.keys() - {w.name for f in looked for w, _ in f.overlay.elsewhere}
    for name in sorted(unused):
        say()
        say(f"{name}: nothing asks for a Secret of that name (--assume)")
    _show_taken(o for found in every for o in found if o not in outer)
    return _finish(options, looked, proposal, known, settings)


def _proposed(
    changed: Sequence[Overlay],
    survey: Survey,
    known: Layout,
    settings: Settings,
    command: tuple[str, ...],
) -> Proposal:
    """Return the proposal; an overlay whose bytes would change keeps its own transformer."""
    while True:
        proposal = Proposal(survey, known, settings)
        proposal.add([one for one in changed if _is_needy(one)])
        kept = [one for one in changed if one.old and not _stays(one, proposal, known, command)]
        if not kept:
            return proposal
        for one in kept:
            one.old, one.lacks_line = None, False


def _is_needy(one: Overlay) -> bool:
    return bool(one.wanted or one.elsewhere or one.lacks_line or one.lacks_environment)


def _stays(one: Overlay, proposal: Proposal, known: Layout, command: tuple[str, ...]) -> bool:
    try:
        return equal(known.root, proposal.texts, one.directory, command)
    except Failure:
        return False


def _finish(
    options: argparse.Namespace,
    looked: Sequence[OverlayFinding],
    proposal: Proposal,
    known: Layout,
    settings: Settings,
) -> int:
    """Ask and write, and return the exit code."""
    code = int(any(one.refused for one in looked))
    say()
    if not proposal.texts:
        say("Nothing to propose.")
    elif options.dry_run:
        say("Nothing was written.")
    elif not options.yes and not _consent():
        say("Nothing was written.")
        return 1
    else:
        _write(proposal)
        for line in advice.summary(proposal, known, settings, [f.directory for f in looked]):
            say(line)
    return code


def _answers(options: argparse.Namespace) -> Answers:
    try:
        options.path.format(namespace="n", name="s", environment="e")
    except (KeyError, IndexError, ValueError):
        raise SpecError(
            "usage",
            "--path knows {namespace}, {name} and {environment} only",
            found=options.path,
        ) from None
    if options.namespace and not NAMESPACE.fullmatch(options.namespace):
        raise SpecError("usage", "not a namespace's name", key="--namespace")
    pairs = [one.partition("=") for one in options.assume]
    if not all(name and why for name, _, why in pairs):
        raise SpecError("usage", "--assume is SECRET=WHY", remedy="name the producer of the Secret")
    assumed = {name: why for name, _, why in pairs}
    return Answers(options.namespace, assumed, frozenset(options.claim))


def _settings(options: argparse.Namespace, root: Path) -> Settings:
    """Return the settings, with certificates that a build would take.

    Raises:
        KrmfnError: a certificate is outside the repository, or nothing can be sealed for it.
    """
    certificates: dict[str, dict[str, str]] = {}
    for one in options.certificate:
        name, separator, file = one.rpartition("=")
        if separator and not NAMESPACE.fullmatch(name):
            raise SpecError("usage", "--certificate is [ENVIRONMENT=]FILE", found=one)
        if name in certificates:
            raise SpecError("usage", "--certificate names an environment twice", found=one)
        certificates[name] = _certificate(file, root, container=options.container)
    route = next((one for one in ROUTES if getattr(options, one, False)), "exec")
    return Settings(options.store, options.path, route, certificates)


def _certificate(file: str, root: Path, *, container: bool) -> dict[str, str]:
    short = os.path.relpath(Path(file).parent.resolve() / Path(file).name, root)
    try:
        pem = Place(root, root).read(short, key="--certificate")
        certificate = choose(pem, datetime.now(UTC))
    except SealingError as error:
        raise error.at(key="--certificate", source=file) from None
    except KrmfnError as error:
        if error.id == "path":
            error.remedy = "copy it into the repository: a build reads nothing outside"
        raise
    return {"pem": certificate.pem.decode()} if container else {"file": Path(short).as_posix()}


def _check_names(settings: Settings, known: Layout, proposal: Proposal) -> None:
    """Refuse certificates of environments that are not new.

    Raises:
        SpecError: there is such a one.
    """
    names = settings.certificates.keys() - {""} - proposal.added.keys()
    if names and proposal.texts:
        raise SpecError(
            "usage",
            f"--certificate: {', '.join(sorted(names))} is not a new environment",
            expected=f"one of {', '.join(proposal.added)}" if proposal.added else "",
            remedy=f"edit {known.holder.name} for an environment that exists",
        )


def _show(looked: Sequence[OverlayFinding], proposal: Proposal, named: int) -> None:
    """Show each overlay with findings, summarise the others if there are many; then the changes."""
    quiet = [f for f in looked if f.note.startswith(ALL_THERE) and not f.details]
    if len(quiet) <= max(NAMED, named):
        quiet = []
    for found in looked:
        if found not in quiet:
            say()
            say(f"{found.file}{found.position}: {found.note or found.count()}")
            for line in found.lines():
                say(f"  {line}")
    if quiet:
        say()
        say(f"{some([found.file for found in quiet])}: every Secret that they refer to is there")
    for path, text in proposal.texts.items():
        shown = os.path.relpath(path)
        before = path.read_bytes().decode() if path.exists() else ""
        names = (shown if path.exists() else "/dev/null", "/dev/null" if text is None else shown)
        say_lines(unified(before, text or "", *names))


def _show_taken(others: Iterable[KustomizationFile]) -> None:
    """Show the directories that may be overlays and were not examined."""
    taken = [one.file for one in others if one.value.get("namespace")]
    if taken:
        say()
        say(f"{some(taken)}: another kustomization takes it in; name it where it is an overlay")


def _consent() -> bool:
    if not sys.stdin.isatty():
        raise SpecError(
            "usage",
            "there is no terminal to ask",
            remedy="say --yes to write, or --dry-run to look",
        )
    try:
        return input("Write this? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _write(proposal: Proposal) -> None:
    """Write everything, or nothing."""
    write_files(
        [
            File(path, None)
            if text is None
            else File(path, text.encode(), new=not path.exists(), parents=0o777)
            for path, text in proposal.texts.items()
        ]
    )
