"""Move an overlay with a transformer of its own to the one that all overlays share.

Rules enforced here: only what the shared settings can say is moved, and to the byte: the plans and
the claims of both layouts are equal, or nothing is proposed; a validator with other settings than a
certificate and `audit` stays.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.documents.remove import without_entries
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import Failure
from krmfn.files.read import Place
from krmfn.init.committed import values_in
from krmfn.init.proof import copied
from krmfn.init.survey import glance
from krmfn.kustomize.kustomization import read_overlay
from krmfn.names import TRANSFORMER, VALIDATOR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from krmfn.build.one import Look
    from krmfn.init.survey import Survey
    from krmfn.kustomize.checkout import KustomizationFile

_SEALING = ("certificate", "derivationKey", "scope", "mode", "epoch")
_MOVABLE = {"sealing", "stores", "defaultStore"}


@dataclass
class Old:
    """An overlay's own transformer, and what belongs to it.

    Attributes:
        entry: the settings, as an environment has them.
        listed: field of the kustomization to the entries that go.
        files: that nothing lists any more.
        audit: the level that its validator sets; empty without one that goes.
    """

    directory: Path
    entry: dict[str, Any] = field(default_factory=dict)
    listed: dict[str, list[str]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    audit: str = ""


def old_layout(directory: Path, survey: Survey) -> Old | None:
    """Return what can be moved of an overlay; None if there is nothing, or something that cannot.

    Args:
        directory: resolved.
    """
    try:
        overlay = read_overlay(Place(directory, survey.root))
    except Failure:
        return None
    own = [one for one in overlay.listed if one.kind == TRANSFORMER and one.list == "transformers"]
    text = survey.checkout.at[directory].value
    entries = [e for e in sequence(text.get("transformers")) if isinstance(e, str)]
    if len(own) != 1 or own[0].file not in entries:
        return None
    values = list(values_in(directory / own[0].file))
    spec = mapping(values[0].get("spec")) if len(values) == 1 else {}
    space = mapping(values[0].get("metadata")).get("namespace") if values else None
    if not spec or set(spec) - _MOVABLE or space not in (None, overlay.namespace):
        return None
    prefix = directory.relative_to(survey.root).as_posix()
    sealing = mapping(spec.get("sealing"))
    shared = {k: sealing[k] for k in _SEALING if k in sealing}
    shared |= {k: spec[k] for k in ("stores", "defaultStore") if k in spec}
    found = Old(directory, _moved(shared, prefix))
    gone = [own[0].file, *(e for e in entries if _is_marker(directory / e))]
    found.listed["transformers"] = gone
    validators = [one for one in overlay.listed if one.kind == VALIDATOR and one.file]
    for one in validators:
        spec = next((mapping(v.get("spec")) for v in values_in(directory / one.file)), {})
        certificate = spec.get("certificate")
        if set(spec) <= {"certificate", "audit"} and certificate == sealing.get("certificate"):
            found.listed.setdefault("validators", []).append(one.file)
            found.audit = str(spec.get("audit", "warn"))
    found.files = [directory / one for names in found.listed.values() for one in names]
    return found if _can_go(found.listed, survey.checkout.at[directory]) else None


def _can_go(listed: Mapping[str, list[str]], kustomization: KustomizationFile) -> bool:
    """Whether the entries can be removed without touching anything else."""
    try:
        without_entries(kustomization.text, listed, kustomization.file.name)
    except Failure:
        return False
    return True


def equal(
    root: Path, texts: Mapping[Path, str | None], directory: Path, command: tuple[str, ...]
) -> bool:
    """Whether an overlay seals the same in both layouts: the same plans and the same output.

    Raises:
        Failure: it does not build in one of them.
    """
    with copied(root, texts) as copy:
        after = glance(Place(copy / directory.relative_to(root), copy), command)
    before = glance(Place(directory, root), command)
    return _said(before, root, directory) == _said(after, copy, copy / directory.relative_to(root))


def _said(look: Look, root: Path, base: Path) -> tuple[str, str]:
    """Return the output and the plans of a build, without the names of the copy."""
    plans = [(p.sealing, p.stores, p.targets, p.key_name) for p, _ in look.plans]
    text = str(plans)
    up = os.path.relpath(root, base)
    for name in (str(root), f"{up}/{base.relative_to(root).as_posix()}/", f"{up}/"):
        text = text.replace(name, "")
    return look.output, text


def _is_marker(file: Path) -> bool:
    return any(
        one.get("kind") == "PatchTransformer" and "krmfn-was-skipped" in str(one.get("patch"))
        for one in values_in(file)
    )


def _moved(value: Any, prefix: str) -> Any:
    """Return settings with file names relative to the root."""
    if isinstance(value, dict):
        return {
            k: os.path.normpath(f"{prefix}/{v}")
            if k in ("file", "caFile") and isinstance(v, str)
            else _moved(v, prefix)
            for k, v in value.items()
        }
    return [_moved(one, prefix) for one in value] if isinstance(value, list) else value
