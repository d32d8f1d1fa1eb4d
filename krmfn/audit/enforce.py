"""Run the audit with its files: the catalogue, users' entries, and the validators' settings.

Rules enforced here: a Secret that an operator makes is never sealed over, whatever the level; every
other finding fails a build only where the validator says ``audit: error``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn import catalogue
from krmfn.audit.judge import Audit, audit
from krmfn.audit.name_references import field_specs
from krmfn.audit.objects import groups
from krmfn.audit.rules import check
from krmfn.documents import strict
from krmfn.documents.strict import sequence
from krmfn.errors import raise_all
from krmfn.warned import is_silenced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from krmfn.audit.findings import Finding
    from krmfn.audit.name_references import FieldSpec
    from krmfn.files.read import Place
    from krmfn.kustomize.reach import Reached, Tree
    from krmfn.objects.stream import Item
    from krmfn.spec.validator import Checks
    from krmfn.warned import Warned

OWNED = "operator-owned"


def audit_stream(
    items: Sequence[Item],
    specs: Iterable[Checks] = (),
    *,
    place: Place,
    in_build: bool = False,
    refers: Iterable[FieldSpec] = (),
) -> Audit:
    """Judge a stream by the packaged catalogue and the validators' additions.

    Args:
        specs: the validators of the kustomization; their assumptions and entries add up.
        place: of the files that they name.
        in_build: kustomize has yet to rename references.
        refers: what `configured_fields` finds in the build.

    Raises:
        SpecError, ErrorList: an item, or a catalogue of the user's, cannot be read.
    """
    specs = list(specs)
    known = catalogue.packaged(groups(items))
    for name in dict.fromkeys(file for spec in specs for file in spec.catalogue):
        content = place.read(name, key="spec.catalogue")
        known += catalogue.of_user(content, name)
    cnpg = [spec.cnpg_version for spec in specs if spec.cnpg_version]
    return audit(
        items,
        known,
        assume=[one for spec in specs for one in spec.assume],
        versions={"cnpg": cnpg[0]} if cnpg else {},
        in_build=in_build,
        refers=refers,
    )


def enforce(
    items: Sequence[Item],
    spec: Checks,
    warn: Callable[[Warned], None],
    *,
    place: Place,
    in_build: bool = False,
    refers: Iterable[FieldSpec] = (),
) -> None:
    """Turn a validator's findings into errors and warnings.

    Args:
        in_build, refers: as `audit_stream` has them.

    Raises:
        ErrorList, errors.Finding: those that fail the build.
    """
    found = audit_stream(items, [spec], place=place, in_build=in_build, refers=refers)
    findings = check(found, only=OWNED if spec.audit == "off" else None)
    fatal = [f for f in findings if f.severity == "error" and spec.audit == "error"]
    fatal += [f for f in findings if f.rule == OWNED and f not in fatal]
    for finding in findings:
        if finding not in fatal and finding.severity != "info":
            one = finding.warned()
            if not is_silenced(one, spec.silence):
                warn(one)
    raise_all([finding.error() for finding in fatal])


def refuse_owned(items: Sequence[Item]) -> None:
    """Refuse claims for Secrets that operators in the same stream create, before anything is read.

    Raises:
        ErrorList, errors.Finding: there are such claims.
    """
    found = audit(items, catalogue.packaged(groups(items)))
    findings: list[Finding] = check(found, only=OWNED)
    raise_all([finding.error() for finding in findings])


def configured_fields(tree: Tree) -> tuple[FieldSpec, ...]:
    """Return the fields that refer to Secrets according to all configurations of a build.

    kustomize applies the configurations of a base, too, to the whole build.

    Raises:
        SpecError: one of the files is not YAML.
    """
    found = {
        spec: None
        for reached in tree.kustomizations.values()
        for name, content in _configurations(tree, reached)
        for spec in field_specs(strict.load(content, name))
    }
    return tuple(found)


def _configurations(tree: Tree, reached: Reached) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each file under ``configurations:``."""
    for name in sequence(reached.value.get("configurations")):
        path = reached.directory / str(name)
        place = path.parent.resolve() / path.name
        yield tree.short(place), tree.contents[place]
