"""Choose the namespace for which a configuration's secrets are sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.errors import SpecError
from krmfn.kustomize.kustomization import NAMESPACE
from krmfn.policy.application import DESTINATION, policy_required
from krmfn.warned import Warned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.kustomize.overlay import Kustomization

# In this order; Argo CD exports the destination namespace of the application.
NAMESPACE_VARIABLES = ("KRMFN_NAMESPACE", DESTINATION)


def choose_namespace(
    *,
    explicit: str | None,
    overlay: Kustomization,
    environ: Mapping[str, str],
    item: str | None = None,
) -> tuple[str, Warned | None]:
    """Return the namespace to seal for, and a note if it comes from the environment.

    The config's own namespace, the item's and the kustomization's must agree. The environment counts
    only when none of them says anything: an application may own several namespaces.

    Args:
        explicit: the config's ``metadata.namespace``.
        item: the claim's own, which kustomize has set by now.

    Returns:
        The namespace, or an empty string if it is unknown; and the note or None.

    Raises:
        SpecError: two different namespaces, or a variable that holds none.
    """
    said = {
        "metadata.namespace": explicit,
        "the claim": item,
        overlay.file: overlay.namespace,
    }
    known = {place: value for place, value in said.items() if value}
    if len(set(known.values())) > 1:
        raise SpecError(
            "namespace-contradiction",
            ", and ".join(f"{place} says {value}" for place, value in known.items()),
            remedy="make them agree, or leave metadata.namespace out",
        )
    if known:
        return next(iter(known.values())), None
    for variable in (DESTINATION,) if policy_required(environ) else NAMESPACE_VARIABLES:
        if value := environ.get(variable):
            if not NAMESPACE.fullmatch(value):
                raise SpecError("usage", f"{variable} is not a namespace's name")
            text = f"the namespace {value} comes from {variable}"
            remedy = "set namespace: in the kustomization"
            return value, Warned("namespace-from-environment", "", text, remedy)
    return "", None
