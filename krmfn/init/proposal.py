"""`krmfn init`'s proposal for an overlay: files, and entries of its kustomization. Pure.

Rules enforced here: what is proposed parses as krmfn's own configuration; every Secret that somebody
refers to and nobody makes gets a claim, under the path that a template gives; one that is made
elsewhere is an assumption of the validator's; nothing that exists is written over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn.documents import strict
from krmfn.spec.parse import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from krmfn.audit.inventory import Wanted

CLAIMS = "krmfn-claims.yaml"
TRANSFORMER = "krmfn-transformer.yaml"
SKIP_MARKER = "krmfn-skip-marker.yaml"
VALIDATOR = "krmfn-validator.yaml"
EXEC = "    config.kubernetes.io/function: |\n      exec: {path: krmfn}\n"

STORES = {
    "vault": "      vault: {path: secret, id: main}     # at VAULT_ADDR, with VAULT_TOKEN\n",
    "age": "      age: {file: secrets.age}           # made by `krmfn age init`\n",
}


@dataclass
class Proposal:
    """The settings of one overlay.

    Attributes:
        name: of the configurations: the overlay's directory.
        certificate: the file, relative to the kustomization.
        wanted: the Secrets to claim.
        namespace: that kustomize gives to the claims, as to everything; empty when it gives none.
        destination: of Secrets that name none, where the kustomization has none.
        elsewhere: Secrets that are made elsewhere, and why that is known.
        told: the transformer says the destination, since every claim is sealed for it. Claims that
            name it themselves would be in another namespace than what refers to them, for kustomize.
        plain: there are unencrypted Secrets, which the validator should report and not refuse.
    """

    name: str
    certificate: str
    wanted: Sequence[Wanted]
    namespace: str = ""
    destination: str = ""
    elsewhere: Sequence[tuple[Wanted, str]] = ()
    told: bool = False
    plain: bool = False

    def place(self, one: Wanted) -> str:
        """The namespace of a Secret."""
        return one.namespace or self.namespace or self.destination


@dataclass(frozen=True)
class Settings:
    """The settings shared by all overlays.

    Attributes:
        store: a key of `STORES`.
        path: template of the path of each Secret: ``{namespace}/{name}``.
        legacy: called as a legacy plugin, which `kubectl kustomize` can, too.
    """

    store: str = "vault"
    path: str = "{namespace}/{name}"
    legacy: bool = False

    def key(self, namespace: str, name: str) -> str:
        """Where a Secret's values are."""
        return self.path.format(namespace=namespace, name=name)


def files(proposal: Proposal, settings: Settings) -> dict[str, str]:
    """Return the files of one overlay, as name to text."""
    annotations = "" if settings.legacy else f"  annotations:\n{EXEC}"
    head = f"apiVersion: krmfn.dev/v1alpha1\nkind: %s\nmetadata:\n  name: {proposal.name}\n"
    place = f"  namespace: {proposal.destination}\n" * proposal.told
    certificate = f"certificate: {{file: {proposal.certificate}}}\n"
    made = {
        CLAIMS: "---\n".join(_claim(one, proposal, settings) for one in proposal.wanted),
        TRANSFORMER: head
        % "SealedSecretTransformer"
        + f"{place}{annotations}spec:\n  sealing:\n    {certificate}"
        "    derivationKey: {store: main, key: krmfn/derivation, property: key}\n"
        f"  stores:\n    main:\n{STORES[settings.store]}",
        VALIDATOR: head % "SealedSecretValidator"
        + f"{annotations}spec:\n  {certificate}  audit: error\n"
        + "  plainSecrets: warn     # there are some; error where there are to be none\n"
        * proposal.plain
        + ("  assume:\n" + "".join(_assumed(one, why, proposal) for one, why in proposal.elsewhere))
        * bool(proposal.elsewhere),
    }
    if not proposal.wanted:
        del made[CLAIMS]
    for file, text in made.items():
        for document in strict.documents(text, file):
            parse(document.value(), where=file, position=document.position)
    return {**made, SKIP_MARKER: _MARKER}


def entries(*, claims: bool) -> Mapping[str, Sequence[str]]:
    """Return the kustomization's new entries; the marker's patch follows the transformer."""
    return {
        **({"resources": [CLAIMS]} if claims else {}),
        "transformers": [TRANSFORMER, SKIP_MARKER],
        "validators": [VALIDATOR],
    }


def _assumed(one: Wanted, why: str, proposal: Proposal) -> str:
    place = proposal.place(one)
    namespace = f", namespace: {place}" if place else ""
    return (
        f"  - {{secret: {one.name}{namespace}, because: {json.dumps(why, ensure_ascii=False)}}}\n"
    )


def _claim(one: Wanted, proposal: Proposal, settings: Settings) -> str:
    place = proposal.place(one)
    usual = proposal.destination if proposal.told else proposal.namespace
    key = settings.key(place, one.name)
    lines = [
        f"# Used by {', '.join(one.users)}.",
        "apiVersion: krmfn.dev/v1alpha1",
        "kind: SecretClaim",
        "metadata:",
        f"  name: {one.name}",
        *([f"  namespace: {place}"] if place != usual else []),
        "spec:",
        "  store: main",
    ]
    if one.whole:
        lines += ["  dataFrom:     # used whole: every field that is stored there becomes a key"]
        lines += [f"  - extract: {{key: {key}}}"]
    elif one.keys:
        lines += ["  data:"]
        for name in one.keys:
            lines += [f"  - secretKey: {name}"]
            lines += [f"    remoteRef: {{key: {key}, property: {_property(name)}}}"]
    else:
        lines += ["  dataFrom:", f"  - extract: {{key: {key}}}"]
    if one.type != "Opaque" or one.labels:
        lines += ["  template:"]
        lines += [f"    type: {one.type}"] if one.type != "Opaque" else []
        labels = ", ".join(f'{name}: "{value}"' for name, value in one.labels.items())
        lines += [f"    metadata: {{labels: {{{labels}}}}}"] if labels else []
    return "\n".join(lines) + "\n"


def _property(key: str) -> str:
    """A property walks nested fields by its dots; a key's own are escaped."""
    return f"'{key.replace('.', chr(92) + '.')}'" if "." in key else key


_MARKER = """\
# Deletes what krmfn emits, and fails when krmfn was skipped and there is nothing to delete.
apiVersion: builtin
kind: PatchTransformer
metadata:
  name: krmfn-skip-marker
patch: |-
  apiVersion: v1
  kind: ConfigMap
  metadata:
    name: krmfn-was-skipped-add---enable-exec
  $patch: delete
"""
