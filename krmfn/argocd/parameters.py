"""The plugin parameters that an Application may set.

Rules enforced here: two parameters are read, each of which chooses among flags that anybody may hand
to `krmfn build`; a wrong value is an error, an unknown name is told and has no effect. Addresses,
roles, paths, certificates and time limits are the platform's: ``PARAM_…`` and ``ARGOCD_ENV_…``, which
an application's author writes too, are never read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.errors import KrmfnError, SpecError
from krmfn.files.read import Place
from krmfn.kustomize.kustomization import FILE_NAMES
from krmfn.warned import Warned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "ARGOCD_APP_PARAMETERS"
# parameter -> value -> flags of kustomize; the first value is what happens without it.
PARAMETERS: dict[str, dict[str, tuple[str, ...]]] = {
    "reorder": {
        "": (),
        "none": ("--reorder=none",),
        "legacy": ("--reorder=legacy",),
    },
    "managed-by-label": {
        "false": (),
        "true": ("--enable-managedby-label",),
    },
}
_REORDER = {
    "name": "reorder",
    "title": "Order of resources",
    "tooltip": "none or legacy, as kustomize's --reorder",
    "string": "",
}


def flags(environ: Mapping[str, str]) -> tuple[list[str], list[Warned]]:
    """Return the kustomize flags for the Application's parameters, and warnings.

    Raises:
        SpecError: not a list of parameters, or a value that a parameter does not have.
    """
    found: dict[str, tuple[str, ...]] = {}
    warnings: list[Warned] = []
    for name, value in _given(environ.get(VARIABLE, "")):
        if name not in PARAMETERS:
            subject, text = f"the parameter {name[:40]}", "it is not known, and has no effect"
            warnings.append(Warned("unknown-parameter", subject, text, "remove it"))
        elif not isinstance(value, str) or value not in PARAMETERS[name]:
            raise SpecError(
                "usage",
                f"the parameter {name} has no such value",
                expected=" or ".join(v or "nothing" for v in PARAMETERS[name]),
            )
        else:
            found[name] = PARAMETERS[name][value]
    return [flag for name in PARAMETERS for flag in found.get(name, ())], warnings


def announcement(directory: Path, root: Path) -> list[dict[str, str]]:
    """Announce parameters besides those in plugin.yaml: the order, where it has an effect.

    kustomize prefers the kustomization's own ``sortOptions``. What cannot be read has no parameters:
    the build will say why.
    """
    file = next((name for name in FILE_NAMES if (directory / name).is_file()), "")
    try:
        content = Place(directory, root).read(file, key="") if file else b""
        value = strict.mapping(strict.load(content, file)) if file else {}
    except KrmfnError:
        return []
    return [_REORDER] if file and not value.get("sortOptions") else []


def _given(text: str) -> list[tuple[str, Any]]:
    """Return names and string values of Argo CD's parameter list."""
    try:
        value = json.loads(text or "[]") or []
        return [(str(one["name"]), one.get("string", "")) for one in value]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SpecError("usage", f"{VARIABLE} is not a list of parameters") from None
