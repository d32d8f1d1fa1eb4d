"""What krmfn's functions do inside `krmfn build`: they leave claims, and read nothing.

Rules enforced here: no store and no certificate is opened; every claim that leaves a generator or a
transformer carries in one annotation the configuration that it will be sealed with, under a key of
this run alone; beside it stand the name companion and the skip marker that kustomize is always
given. An annotation that this run did not make is refused, so that a repository cannot bring one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from krmfn.errors import SpecError
from krmfn.kustomize.kustomization import Overlay
from krmfn.names import API_VERSION
from krmfn.objects.sealed_secret import IDENTITY, PREVIOUS_NAMES, claim_companion, name_companion
from krmfn.plan.make import make_plan, plan_claims
from krmfn.spec.parse import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from krmfn.objects.sealed_secret import Object
    from krmfn.objects.stream import Item
    from krmfn.spec.generator import SealedSecretGenerator
    from krmfn.spec.transformer import SealedSecretTransformer, SecretClaim

SHAPE_VARIABLE = "KRMFN_SHAPE_ONLY"
PLAN = "krmfn.dev/plan"
CLAIM = "SecretClaim"
GENERATOR, TRANSFORMER = "SealedSecretGenerator", "SealedSecretTransformer"
_NEEDS_HASH = "internal.config.kubernetes.io/needsHashSuffix"
# Stands for a namespace that is not known yet: it is when the stream is final.
_LATER = "later"


def run_key(environ: Mapping[str, str]) -> str | None:
    """The key of the build that this function is part of; None outside of one."""
    return environ.get(SHAPE_VARIABLE) or None


def mark(plan: Mapping[str, Any], key: str) -> str:
    """The annotation's value: the plan as JSON behind its HMAC."""
    text = json.dumps(plan, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return f"{_mac(text, key)} {text}"


def read_mark(value: Any, key: str) -> dict[str, Any]:
    """The plan of an annotation that this run made.

    Raises:
        SpecError: it did not.
    """
    digest, _, text = str(value).partition(" ")
    if not hmac.compare_digest(digest.encode(), _mac(text, key).encode()):
        raise SpecError(
            "annotation", f"{PLAN} is not of this build", remedy="remove the annotation"
        )
    plan: dict[str, Any] = json.loads(text)
    return plan


def generated_claims(
    config: SealedSecretGenerator,
    value: Mapping[str, Any],
    *,
    namespace: str,
    directory: str,
    key: str,
) -> list[Object]:
    """A claim for each secret of a generator, and its name companion.

    Args:
        value: the configuration as it came.
        namespace: what is known of the namespace by now; may be empty.
        directory: the working directory, relative to the repository's root.
    """
    make_plan(config, namespace=namespace or _LATER, overlay=Overlay())
    spec = value["spec"]
    # Each claim says its own scope: the widest is what a generator may give.
    sealing = {**spec["sealing"], "scope": "cluster-wide"}
    plan = _plan(value, {"sealing": sealing, "stores": spec.get("stores") or {}}, directory)
    claims: list[Object] = []
    for secret, raw in zip(config.spec.secrets, spec["secrets"], strict=True):
        shape = {k: v for k, v in raw.items() if k not in ("name", "metadata")}
        shape["scope"] = secret.scope or config.spec.sealing.scope
        shape["mode"] = secret.mode or config.spec.sealing.mode
        own = raw.get("metadata") or {}
        metadata: Object = {
            "name": secret.name,
            "annotations": {**(own.get("annotations") or {}), PLAN: mark(plan, key)},
        }
        metadata |= {"labels": own["labels"]} if own.get("labels") else {}
        metadata |= {"namespace": namespace} if namespace else {}
        claims.append(
            {"apiVersion": API_VERSION, "kind": CLAIM, "metadata": metadata, "spec": shape}
        )
    return [*claims, *(name_companion(claim) for claim in claims)]


def marked_claims(
    items: Sequence[Item],
    config: SealedSecretTransformer,
    value: Mapping[str, Any],
    *,
    directory: str,
    key: str,
) -> tuple[list[Item], list[Object]]:
    """What a transformer passes on as it came; and the claims with their plan, and companions.

    A claim that another function of this build has marked keeps that mark.
    """
    plan = _plan(value, value.get("spec") or {}, directory)
    kept: list[Item] = []
    claims: list[Object] = []
    companions: list[Object] = []
    for item in items:
        ours = item.api_version == API_VERSION
        if ours and item.kind == config.kind:
            continue
        if not ours or item.kind != CLAIM:
            kept.append(item)
            continue
        annotations = item.header()["metadata"].get("annotations") or {}
        if PLAN in annotations:
            read_mark(annotations[PLAN], key)
            kept.append(item)
        else:
            claim = item.document.value()
            _check(claim, config)
            history = {k: v for k, v in annotations.items() if k in IDENTITY}
            annotations = {k: v for k, v in annotations.items() if k != _NEEDS_HASH}
            place = {k: v for k, v in claim["metadata"].items() if k in ("name", "namespace")}
            companions.append(claim_companion({"metadata": {**place, "annotations": {}}}, history))
            former = {"former": history[PREVIOUS_NAMES]} if PREVIOUS_NAMES in history else {}
            claim["metadata"]["annotations"] = {**annotations, PLAN: mark(plan | former, key)}
            claims.append(claim)
    return kept, [*claims, *companions]


def config_of(plan: Mapping[str, Any]) -> SealedSecretTransformer:
    """The configuration to seal a marked claim with."""
    metadata = {k: plan[k] for k in ("name", "namespace") if plan.get(k)}
    config: SealedSecretTransformer = parse(  # type: ignore[assignment]  # by its kind
        {"apiVersion": API_VERSION, "kind": TRANSFORMER, "metadata": metadata, "spec": plan["spec"]}
    )
    return config


def _plan(value: Mapping[str, Any], spec: Mapping[str, Any], directory: str) -> dict[str, Any]:
    metadata = value["metadata"]
    return {
        "kind": value["kind"],
        "name": metadata["name"],
        "namespace": metadata.get("namespace"),
        "directory": directory,
        "spec": spec,
    }


def _check(value: Any, config: SealedSecretTransformer) -> None:
    """What can be known to be wrong before names are final."""
    claim: SecretClaim = parse(value)  # type: ignore[assignment]  # by its kind
    plan_claims(config, [(claim, claim.metadata.namespace or _LATER)])


def _mac(text: str, key: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
