"""What `krmfn init` finds in each overlay: what to claim, what to ask, and why nothing is proposed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.errors import Failure
from krmfn.files.read import Place
from krmfn.init.advice import by_hand, question, some
from krmfn.init.elsewhere import makers
from krmfn.init.move import old_layout
from krmfn.init.proposal import Overlay
from krmfn.init.survey import in_git
from krmfn.kustomize.kustomization import read_overlay
from krmfn.names import GENERATOR, TRANSFORMER
from krmfn.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from krmfn.audit.inventory import Wanted
    from krmfn.init.elsewhere import FileMaker
    from krmfn.init.layout import Layout
    from krmfn.init.survey import Seen, Survey
    from krmfn.kustomize.checkout import KustomizationFile
    from krmfn.objects.kinds import NamespacedName

ALL_THERE = "every Secret that it refers to is there"


@dataclass(frozen=True)
class Answers:
    """The user's answers on the command line.

    Attributes:
        namespace: of overlays that have none and are deployed nowhere, or to several.
        assumed: Secrets that are created elsewhere, and why.
        claimed: Secrets to claim, although a file may create them.
    """

    namespace: str
    assumed: Mapping[str, str]
    claimed: frozenset[str]


@dataclass
class OverlayFinding:
    """One overlay.

    Attributes:
        file: of its kustomization, as the user wrote it.
        note: why nothing is proposed.
        refused: something is missing, or may be, for which nothing is proposed.
        position: of the note in the kustomization, as ``:line:column``; else empty.
        questions: Secrets that files may create, and which.
        advice: what else to do there.
        bases: the kustomizations that it takes in, and itself.
        where: where the namespace comes from, when the kustomization does not say.
    """

    file: Path
    directory: Path
    overlay: Overlay
    note: str = ""
    refused: bool = False
    position: str = ""
    questions: list[tuple[Wanted, FileMaker]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    bases: frozenset[Path] = frozenset()
    where: str = ""

    @property
    def details(self) -> bool:
        """Whether there is more to say than the note."""
        return bool(self.advice or self.questions or self.overlay.elsewhere)

    def count(self) -> str:
        """Say how much there is to do."""
        number = len(self.overlay.wanted)
        text = (
            f"{counted(number, 'Secret')} to claim" if number else "claims that nothing seals yet"
        )
        if self.overlay.old is not None and not number:
            text = "its own transformer moves to the shared one"
        elif self.overlay.lacks_environment and not number:
            text = "no environment matches it"
        elif not number and not self.overlay.lacks_line:
            text = f"{ALL_THERE}, or made elsewhere"
        return f"{text}; {self.where}" if self.where else text

    def lines(self) -> Iterator[str]:
        """Yield the Secrets, the questions and the advice."""
        for one in self.overlay.wanted:
            keys = ", ".join(one.keys) or "any key"
            yield f"{one.name} ({one.type}: {keys}), for {', '.join(one.users)}"
        for one, why in self.overlay.elsewhere:
            yield f"{one.name} is not a claim: {why}"
        for one, maker in self.questions:
            yield question(one.name, maker.by)
        if self.overlay.old is not None:
            yield "plans and output are equal in both layouts, so the bytes stay the same"
        for text in self.advice:
            yield f"then: {text}"


def look(one: KustomizationFile, survey: Survey, known: Layout, answers: Answers) -> OverlayFinding:
    """Examine one overlay: its missing Secrets, and their producers in other builds."""
    directory = one.directory.resolve()
    mine = Overlay(directory)
    found = OverlayFinding(one.file, one.directory, mine)
    seen = survey.look(directory)
    if seen.failed:
        found.position, found.note, found.refused = seen.position, seen.failed, True
        return found
    mine.namespace = seen.overlay.namespace
    destination = "" if mine.namespace else seen.namespace or answers.namespace
    mine.told = destination
    mine.plain = any(map(in_git, seen.made))
    beside = survey.beside(directory, [mine.full(w) for w in seen.wanted])
    mine.elsewhere = [
        (w, why)
        for w in seen.wanted
        if (why := answers.assumed.get(w.name) or beside.get(mine.full(w)))
    ]
    assumed = [w for w, _ in mine.elsewhere]
    mine.wanted = [w for w in seen.wanted if w not in assumed]
    found.bases = survey.bases(directory)
    namespace = mine.namespace or destination
    found.advice = [by_hand(o, one.directory, namespace) for o in survey.origins(directory)]
    taken = _taken(mine.wanted, seen, survey.checkout.at[directory].value)
    mine.wanted = [w for w in mine.wanted if w.name not in taken]
    found.advice += taken.values()
    _judge(found, seen, known, survey)
    found.refused = found.refused or bool(taken)
    return found


def _taken(
    wanted: Sequence[Wanted], seen: Seen, kustomization: Mapping[str, Any]
) -> dict[str, str]:
    """Return the Secrets that cannot be claimed, since the claim's final name is taken, and the remedy.

    kustomize renames a claim and the references to it, but no reference to somebody else's SealedSecret.
    """
    prefix, suffix = (str(kustomization.get(f) or "") for f in ("namePrefix", "nameSuffix"))
    made = {one.secret: one for one in seen.made if one.how != "claim" and one.resource}
    return {
        w.name: f"{made[name].by} creates {name}, and nothing creates {w.name}: refer to {name}, or "
        f"replace it by a claim"
        for w in wanted
        if (name := f"{prefix}{w.name}{suffix}") != w.name and name in made
    }


def _judge(found: OverlayFinding, seen: Seen, known: Layout, survey: Survey) -> None:
    """Find out what is lacking, where the namespace comes from, or why nothing can be proposed."""
    mine = found.overlay
    claims = [made for made in seen.made if made.how == "claim"]
    kinds = _kinds(mine.directory, survey)
    implied = known.exists and not known.is_container and not known.has_folder()
    sealed = TRANSFORMER in kinds or (bool(claims) and implied) or _has_generated(claims, kinds)
    mine.lacks_line = not sealed and bool(claims or mine.wanted)
    spaces = {one.namespace or "" for one in claims} | {one.namespace for one in mine.wanted}
    if mine.namespace or "" not in spaces or (not mine.lacks_line and not mine.wanted):
        mine.told = ""
    agreed = mine.namespace in ("", *(one.namespace for one in seen.where))
    over = [] if agreed else [one for one in seen.where if one.over]
    if TRANSFORMER in kinds and not seen.unclear and not mine.wanted:
        mine.old = old_layout(mine.directory, survey)
        mine.lacks_line = mine.lacks_line or mine.old is not None
    mine.lacks_environment = seen.unclear
    if not mine.wanted and not mine.lacks_line and not seen.unclear:
        # An assumption is for a build that krmfn checks.
        if not mine.elsewhere or TRANSFORMER not in kinds or not known.has_folder():
            found.note = ALL_THERE if not mine.elsewhere else f"{ALL_THERE}, or made elsewhere"
    elif GENERATOR in kinds and TRANSFORMER not in kinds:
        names = ", ".join(one.name for one in mine.wanted)
        found.note = f"it lists a {GENERATOR}; add to its secrets: {names}"
    elif over:
        found.note = (
            f"{over[0].by} deploys it to {over[0].namespace}, whatever its namespace: says; "
            f"correct {mine.namespace} there"
        )
    elif "" in spaces and not mine.namespace and not mine.told and seen.where:
        found.note = "deployed to several namespaces; say which one with --namespace: " + ", ".join(
            f"{one.namespace} ({one.by})" for one in seen.where
        )
    elif "" in spaces and not mine.namespace and not mine.told:
        found.note = (
            "no namespace is known to seal for; set namespace: in the kustomization, "
            "or say --namespace"
        )
    elif mine.told:
        _tell_namespace(found, seen)
    found.refused = bool(found.note) and not found.note.startswith(ALL_THERE)


def _tell_namespace(found: OverlayFinding, seen: Seen) -> None:
    """Say where the namespace comes from, unless writing it would move other objects."""
    mine = found.overlay
    moved = sorted(seen.spaces - {mine.told})
    if moved and not any(one.over for one in seen.where):
        found.note = (
            f"it is deployed to {mine.told}, and objects in it name {', '.join(moved)}; "
            "give each workload its namespace"
        )
        return
    by = seen.where[0].by if seen.namespace else "--namespace"
    found.where = f"namespace {mine.told}, as {by} says"


def _kinds(directory: Path, survey: Survey) -> set[str]:
    """Return the kinds of krmfn's configurations that a kustomization lists for kustomize to call."""
    try:
        listed = read_overlay(Place(directory, survey.root)).listed
    except Failure:
        return set()
    return {one.kind for one in listed if one.list in ("generators", "transformers")}


def _has_generated(claims: Sequence[object], kinds: set[str]) -> bool:
    """Whether all claims of a build may be those of a generator, which it shows as claims."""
    return bool(claims) and GENERATOR in kinds


def ask(looked: Sequence[OverlayFinding], survey: Survey, answers: Answers) -> None:
    """Take out of the claims what a file of the repository may create, and ask about it."""
    names = {w.name for f in looked if not f.note for w in f.overlay.wanted} - answers.claimed
    found: dict[str, list[tuple[Path, FileMaker]]] = defaultdict(list)
    for path, maker in makers(survey.root, names, survey.covered()):
        found[maker.secret].append((path, maker))
    for finding in looked:
        mine = finding.overlay
        for one in list(mine.wanted) if found and not finding.note else ():
            place = mine.place(one)
            for path, maker in found.get(one.name, ()):
                spaces = {maker.namespace} - {""} or survey.deployed(path.parent)
                if not spaces or not place or place in spaces:
                    finding.questions.append((one, maker))
                    mine.wanted.remove(one)
                    break
        if finding.questions and not mine.wanted and not finding.note:
            claims = any(p.how == "claim" for p in survey.look(mine.directory).made)
            mine.lacks_line = mine.lacks_line and claims
            if not mine.lacks_line and not mine.elsewhere:
                finding.note = "nothing to claim for sure"


def share(looked: Sequence[OverlayFinding]) -> None:
    """Give a Secret that several overlays claim the same keys in each, as it is one object."""
    claims: dict[NamespacedName, list[tuple[OverlayFinding, Wanted]]] = defaultdict(list)
    for found in looked:
        for one in found.overlay.wanted if not found.note else ():
            claims[found.overlay.full(one)].append((found, one))
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
                    "where one cluster gets several of them, keep one claim, and --assume it in "
                    "the others"
                )
