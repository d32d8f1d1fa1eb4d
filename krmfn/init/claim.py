"""The text of a proposed claim: six lines, and one more where its Secret has a type or labels. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from krmfn.documents.append import flow, scalar
from krmfn.names import API_VERSION, CLAIM

if TYPE_CHECKING:
    from krmfn.audit.inventory import Wanted


def claim_text(one: Wanted, path: str, namespace: str, store: str, *, comment: bool) -> str:
    """Return a claim for a missing Secret.

    Args:
        path: of its values in the store.
        namespace: where kustomize gives it none; else empty.
        store: where it has to name one; else empty.
        comment: say what uses the Secret.
    """
    metadata = {"name": one.name, **({"namespace": namespace} if namespace else {})}
    users = f"     # used by {', '.join(one.users)}" if comment else ""
    lines = [f"apiVersion: {API_VERSION}", f"kind: {CLAIM}", f"metadata: {flow(metadata)}{users}"]
    lines += ["spec:", *([f"  store: {store}"] if store else [])]
    if one.keys and not one.whole:
        lines += [f"  from: {scalar(path, flow=False)}", f"  keys: {flow(one.keys)}"]
    else:
        remark = "     # every field that is stored there" if one.whole else ""
        lines += [f"  dataFrom: [{{extract: {{key: {scalar(path)}}}}}]{remark}"]
    template: dict[str, Any] = {"type": one.type} if one.type != "Opaque" else {}
    template |= {"metadata": {"labels": dict(one.labels)}} if one.labels else {}
    lines += [f"  template: {flow(template)}"] if template else []
    return "\n".join(lines) + "\n"
