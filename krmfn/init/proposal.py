"""`krmfn init`'s proposal for a repository: new files, and entries of files that are there.

Rules enforced here: a Secret that somebody refers to and nobody creates gets a claim, beside what
refers to it if every overlay that takes that in needs the same claim; nothing that exists is written
over; an overlay gets one line.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.append import with_field, with_items
from krmfn.documents.remove import without_entries
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import OutputError, SpecError
from krmfn.init.claim import claim_text
from krmfn.init.committed import values_in
from krmfn.init.environments import application, environment, environments, patterns
from krmfn.init.layout import STORES, folder_files, settings_file
from krmfn.names import CLAIM
from krmfn.objects.kinds import NamespacedName
from krmfn.plan.estate import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from krmfn.audit.inventory import Wanted
    from krmfn.init.layout import Layout
    from krmfn.init.move import Old
    from krmfn.init.survey import Survey

FILES = ("claims.yaml", "krmfn-claims.yaml")
_WHERE = ("paths", "namespaces")


@dataclass
class Overlay:
    """One overlay, and what it lacks.

    Attributes:
        directory: resolved.
        namespace: that kustomize gives to its objects; empty when it gives none.
        told: the namespace to which it is deployed, for a kustomization that has none.
        wanted: the Secrets to claim.
        elsewhere: Secrets that are created elsewhere, and why that is known.
        lacks_line: it has claims to seal, and lists no transformer.
        lacks_environment: no environment matches it, although there are some.
        old: its own transformer, to be moved to the shared one.
        plain: it has unencrypted Secrets, which are to be reported and not refused.
        environment: its name; empty where a repository has none.
    """

    directory: Path
    namespace: str = ""
    told: str = ""
    wanted: list[Wanted] = field(default_factory=list)
    elsewhere: list[tuple[Wanted, str]] = field(default_factory=list)
    lacks_line: bool = False
    lacks_environment: bool = False
    old: Old | None = None
    plain: bool = False
    environment: str = ""

    def place(self, one: Wanted) -> str:
        """Return the namespace of a Secret."""
        return one.namespace or self.namespace or self.told

    def full(self, one: Wanted) -> NamespacedName:
        """Return namespace and name of a Secret."""
        return NamespacedName(self.place(one), one.name)


@dataclass(frozen=True)
class Settings:
    """The settings of a proposal.

    Attributes:
        store: a key of `STORES`.
        path: template of each Secret's path; empty for the usual one.
        route: a key of `krmfn.init.layout.ROUTES`.
        certificates: environment to certificate, as `RepositoryConfig` has it; the one of all
            environments has the key "".
    """

    store: str = "vault"
    path: str = ""
    route: str = "exec"
    certificates: Mapping[str, dict[str, str]] = field(default_factory=dict)

    def certificate(self, name: str) -> dict[str, str]:
        """Return the certificate of an environment."""
        own = self.certificates.get(name) or self.certificates.get("")
        return own or {"file": f"certs/{name or 'controller'}.pem"}


@dataclass
class Claimed:
    """A proposed claim.

    Attributes:
        home: the directory of the kustomization that lists it.
        path: of its values in the store.
    """

    one: Wanted
    home: Path
    path: str
    overlays: list[Overlay]


class Proposal:
    """The changes for a repository.

    Attributes:
        texts: path to new text; None removes the file.
        claims: the proposed claims.
        added: the environments that are new, by name.
    """

    def __init__(self, survey: Survey, known: Layout, settings: Settings) -> None:
        self._survey = survey
        self._known = known
        self._settings = settings
        self.texts: dict[Path, str | None] = {}
        self.claims: list[Claimed] = []
        self.added: dict[str, dict[str, Any]] = {}
        self._widened: dict[int, list[str]] = {}

    def add(self, found: Sequence[Overlay]) -> None:
        """Propose what overlays lack.

        Raises:
            Failure: a file cannot be edited in place, or the name of a new one is taken.
        """
        self._choose_environments(found)
        self._claim(found)
        self._write_claims()
        for one in found:
            if one.told and one.lacks_line:
                self._edit(
                    one.directory, lambda t, n, o=one: with_field(t, ("namespace",), o.told, n)
                )
            if one.old is not None:
                self._remove(one.old)
            if one.lacks_line:
                line = os.path.relpath(self._known.folder, one.directory)
                self._edit(
                    one.directory, lambda t, n, x=line: with_items(t, ("transformers",), [x], n)
                )
        lacking = any(one.lacks_line or one.elsewhere for one in found)
        if lacking or self.added or self._widened:
            self._share(found)

    # --- environments

    def _choose_environments(self, found: Sequence[Overlay]) -> None:
        short = {one.directory: self._short(one.directory) for one in found}
        said: dict[str, tuple[str, str]] = {}
        if not self._known.exists:
            needy = [short[one.directory] for one in found if one.lacks_line]
            said = environments(needy)
        for one in found:
            name = short[one.directory]
            if self._known.exists:
                spaces = {one.namespace or one.told} - {""} or {w.namespace for w in one.wanted}
                own = self._known.environment(name, spaces - {""})
                if own is None:
                    own, path = environment(name)
                    said[name] = (own or "common", path or name)
                    own = said[name][0]
                one.environment = own
            else:
                one.environment = said.get(name, ("", ""))[0]
        numbers = {one.get("name"): n for n, one in enumerate(self._entries())}
        for name in sorted({own for own, _ in said.values()} - {""}):
            entry = self._entry(name, found, said)
            if name in numbers:
                self._widened[numbers[name]] = next(v for k, v in entry.items() if k in _WHERE)
            else:
                self.added[name] = entry

    def _entry(
        self, name: str, found: Sequence[Overlay], said: Mapping[str, tuple[str, str]]
    ) -> dict[str, Any]:
        mine = [one for one in found if said.get(self._short(one.directory), ("",))[0] == name]
        if self._known.is_container:
            where = {"namespaces": sorted({one.namespace or one.told for one in mine} - {""})}
        else:
            own = [path for one, path in said.values() if one == name]
            others = [d for d, (one, _) in said.items() if one != name]
            where = {"paths": patterns(own, others)}
        shared = "certificate" in self._known.spec or (
            "" in self._settings.certificates and not self._known.exists
        )
        own_one = name in self._settings.certificates
        certificate = (
            {} if shared and not own_one else {"certificate": self._settings.certificate(name)}
        )
        return {"name": name, **where, **certificate, **self._old_entry(mine)}

    def _old_entry(self, found: Sequence[Overlay]) -> dict[str, Any]:
        """Return the settings that overlays had, if all of them had the same."""
        entries = [one.old.entry for one in found if one.old is not None]
        return entries[0] if entries and all(one == entries[0] for one in entries) else {}

    def _remove(self, old: Old) -> None:
        """Remove the transformer, the marker and the validator of one overlay."""
        self._edit(old.directory, lambda t, n: without_entries(t, old.listed, n))
        known = self._survey.checkout.at.values()
        others = {f for one in known if one.directory != old.directory for f in one.included()}
        self.texts |= {file: None for file in old.files if file not in others}

    # --- claims

    def _claim(self, found: Sequence[Overlay]) -> None:
        asking: dict[str, list[tuple[Overlay, Wanted]]] = defaultdict(list)
        # An overlay that another one takes in comes first: its claims serve both.
        for overlay in sorted(found, key=lambda o: len(self._survey.checkout.below(o.directory))):
            for one in overlay.wanted:
                asking[one.name].append((overlay, one))
        for pairs in asking.values():
            left = list(pairs)
            while left:
                home, sharing = self._home(*left[0], left)
                overlay, one = sharing[0]
                path = self._path(overlay, home, one)
                self.claims.append(Claimed(one, home, path, [each for each, _ in sharing]))
                left = [pair for pair in left if pair not in sharing]

    def _home(
        self, overlay: Overlay, one: Wanted, left: Sequence[tuple[Overlay, Wanted]]
    ) -> tuple[Path, list[tuple[Overlay, Wanted]]]:
        """Return where a claim is listed, and the overlays that get it there."""
        for home in self._survey.home(overlay.directory, one.users):
            taking = {overlay.directory, *self._survey.taking(home)}
            sharing = [pair for pair in left if pair[0].directory in taking]
            texts = {self._text(o, home, w, comment=False) for o, w in sharing}
            if {o.directory for o, _ in sharing} == taking and len(texts) == 1:
                return home, sharing
        return overlay.directory, [(overlay, one)]

    def _path(self, overlay: Overlay, home: Path, one: Wanted) -> str:
        name, place = overlay.environment, overlay.place(one)
        template = self._settings.path
        if not template:
            known = {name: 1, **{str(e.get("name")): 1 for e in self._entries()}}
            app = application(self._short(home), known)
            template = f"{app}{{environment}}/{{name}}" if name else "{namespace}/{name}"
        if PLACEHOLDER in template and not name:
            raise SpecError(
                "usage",
                f"--path has {PLACEHOLDER}, and the overlays have no environments",
                remedy="use {namespace}",
            )
        return template.format(namespace=place, name=one.name, environment=PLACEHOLDER)

    def _text(self, overlay: Overlay, home: Path, one: Wanted, *, comment: bool = True) -> str:
        """Return the text of a claim."""
        namespace = "" if self._gives_namespace(overlay, home, one) else one.namespace
        store = self._known.store(overlay.environment)
        path = self._path(overlay, home, one)
        return claim_text(one, path, namespace, store, comment=comment)

    def _gives_namespace(self, overlay: Overlay, home: Path, one: Wanted) -> bool:
        """Whether kustomize gives a claim the namespace of its Secret."""
        if not one.namespace or one.namespace in (overlay.namespace, overlay.told):
            return True
        below = self._survey.checkout.below
        return any(
            each.value.get("namespace") == one.namespace and home in below(each.directory)
            for each in below(overlay.directory).values()
        )

    def _write_claims(self) -> None:
        for one in sorted(self.claims, key=lambda c: (c.home, c.one.name)):
            text = self._text(one.overlays[0], one.home, one.one)
            file = next(self._claim_files(one.home), None)
            if file is not None:
                before = self._current(file)
                ending = "" if before.endswith("\n") else "\n"
                self.texts[file] = f"{before}{ending}---\n{text}"
                continue
            name = next((n for n in FILES if not (one.home / n).exists()), None)
            if name is None:
                raise OutputError(
                    "output",
                    f"{self._short(one.home / FILES[1])} exists and is never overwritten",
                    remedy="list it under resources:, or rename it",
                )
            self.texts[one.home / name] = text
            self._edit(one.home, lambda t, n, x=name: with_items(t, ("resources",), [x], n))

    def _claim_files(self, home: Path) -> Iterator[Path]:
        """Yield the files with claims that a kustomization lists, or will list."""
        yield from (home / n for n in FILES if home / n in self.texts)
        for file in self._survey.checkout.at[home].included():
            if any(one.get("kind") == CLAIM for one in values_in(file)):
                text = self._current(file)
                if list(strict.documents(text, str(file))) and not text.lstrip().startswith("{"):
                    yield file

    # --- what overlays share

    def _share(self, found: Sequence[Overlay]) -> None:
        known = self._known
        spec = self._settings_spec(found) if not known.exists else {}
        if spec and not known.is_container:
            self.texts[known.holder] = settings_file(spec)
        for number, more in self._widened.items():
            at = "namespaces" if known.is_container else "paths"
            self._set(known.holder, ("spec", "environments", number, at), more)
        if known.exists and self.added:
            self._set(known.holder, ("spec", "environments"), list(self.added.values()))
        plain = any(
            one.plain and one.lacks_line and not (one.old and one.old.audit) for one in found
        )
        checks = {"plainSecrets": "warn"} if plain else {}
        levels = {one.old.audit for one in found if one.old is not None} - {""}
        checks |= {"audit": levels.pop()} if len(levels) == 1 else {}
        if not known.has_folder():
            self._make_folder(spec if known.is_container else {}, checks)
        for name, value in checks.items():
            text = self._current(known.transformer)
            short = self._short(known.transformer)
            self._keep(
                known.transformer, with_field(text, ("spec", "validate", name), value, short)
            )
        if assumed := [a for one in found for a in _assumptions(one)]:
            self._set(known.transformer, ("spec", "validate", "assume"), assumed)

    def _settings_spec(self, found: Sequence[Overlay]) -> dict[str, Any]:
        """Return the settings of a repository that has none."""
        spec: dict[str, Any] = {"stores": {"main": STORES[self._settings.store]}}
        if not self.added or "" in self._settings.certificates:
            spec["certificate"] = self._settings.certificate("")
        if not self.added:
            return spec | self._old_entry(found)
        entries = list(self.added.values())
        for name in entries[0].keys() - {"name", *_WHERE, "certificate"}:
            if all(one.get(name) == entries[0][name] for one in entries[1:]):
                spec[name] = entries[0][name]
        entries = [
            {k: v for k, v in one.items() if k not in spec or spec[k] != v} for one in entries
        ]
        return {**spec, "environments": entries}

    def _make_folder(self, spec: dict[str, Any], checks: dict[str, Any]) -> None:
        for name, text in folder_files(self._settings.route, spec, checks).items():
            file = self._known.folder / name
            if file.exists():
                raise OutputError(
                    "output",
                    f"{self._short(file)} exists and is never overwritten",
                    remedy="rename it",
                )
            self.texts[file] = text

    def _set(self, file: Path, at: Sequence[str | int], items: Sequence[Any]) -> None:
        self._keep(file, with_items(self._current(file), at, items, self._short(file)))

    # --- texts

    def _entries(self) -> list[dict[str, Any]]:
        known = [mapping(one) for one in sequence(self._known.spec.get("environments"))]
        return [*known, *self.added.values()]

    def _edit(self, directory: Path, change: Any) -> None:
        file = self._survey.checkout.at[directory].file
        self._keep(file, change(self._current(file), self._short(file)))

    def _keep(self, file: Path, text: str) -> None:
        if text != self._current(file):
            self.texts[file] = text

    def _current(self, file: Path) -> str:
        return self.texts.get(file) or file.read_bytes().decode()

    def _short(self, path: Path) -> str:
        return path.relative_to(self._known.root).as_posix()


def _assumptions(overlay: Overlay) -> Iterable[dict[str, str]]:
    for one, why in overlay.elsewhere:
        place = overlay.place(one)
        yield {"secret": one.name, **({"namespace": place} if place else {}), "because": why}
