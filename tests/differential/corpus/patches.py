"""Patches, by target, name, label and kind, before and behind krmfn's functions."""

from __future__ import annotations

from tests.differential.trees import Tree, claim, claims, generated, secret

WAVE = """\
- op: add
  path: /metadata/annotations/argocd.argoproj.io~1sync-wave
  value: "-5"
"""
ADD_ANNOTATIONS = "- op: add\n  path: /metadata/annotations\n  value: {a: b}\n"


def _behind(id_: str, patch: str, target: str = "", **more: object) -> Tree:
    """A PatchTransformer that runs behind krmfn's transformer."""
    lines = "".join(f"  {line}\n" for line in patch.splitlines())
    text = f"apiVersion: builtin\nkind: PatchTransformer\nmetadata: {{name: p}}\npatch: |-\n{lines}"
    return claims(
        id_,
        top="transformers: [patch.yaml]",
        files={"top/patch.yaml": text + (f"target: {target}\n" if target else "")},
        **more,  # type: ignore[arg-type]
    )


def _lines(patch: str, target: str) -> str:
    body = "".join(f"    {line}\n" for line in patch.splitlines())
    return f"patches:\n- target: {target}\n  patch: |-\n{body}"


TREES: list[Tree] = [
    generated("patch-kind-sealedsecret", top=_lines(WAVE, "{kind: SealedSecret}")),
    generated("patch-name-of-sealedsecret", top=_lines(WAVE, "{kind: SealedSecret, name: db}")),
    generated("patch-name-pattern", top=_lines(WAVE, "{kind: SealedSecret, name: d.*}")),
    generated(
        "patch-group-and-version",
        top=_lines(WAVE, "{group: bitnami.com, version: v1alpha1, kind: SealedSecret}"),
    ),
    generated("patch-no-kind", top=_lines(WAVE, "{name: db, kind: Sealed.*}")),
    generated(
        "patch-label-of-sealedsecret",
        of=[secret(metadata={"labels": {"team": "a"}}), secret("mail", "app/mail")],
        top=_lines(WAVE, "{labelSelector: team=a}"),
    ),
    generated(
        "patch-annotation-of-sealedsecret",
        of=[secret(metadata={"annotations": {"team": "a"}}), secret("mail", "app/mail")],
        top=_lines(WAVE, "{annotationSelector: team=a}"),
    ),
    generated(
        "patch-strategic-merge-of-sealedsecret",
        top="patches:\n- patch: |-\n    apiVersion: bitnami.com/v1alpha1\n    kind: SealedSecret\n"
        "    metadata: {name: db, namespace: production, labels: {added: 'yes'}}",
    ),
    generated(
        "patch-template-of-sealedsecret",
        top=_lines(
            "- op: add\n  path: /spec/template/metadata/labels\n  value: {a: b}\n",
            "{kind: SealedSecret}",
        ),
    ),
    generated(
        "patch-file",
        top="patches: [{path: wave.yaml, target: {kind: SealedSecret}}]",
        files={"top/wave.yaml": WAVE},
    ),
    generated(
        "patch-json6902",
        top="patchesJson6902:\n- target: {group: bitnami.com, version: v1alpha1, "
        "kind: SealedSecret, name: db}\n  path: wave.yaml",
        files={"top/wave.yaml": WAVE},
    ),
    generated(
        "patch-json6902-inline",
        top="patchesJson6902:\n- target: {version: v1alpha1, group: bitnami.com, "
        "kind: SealedSecret, name: db}\n"
        '  patch: \'[{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]\'',
    ),
    generated(
        "patch-strategic-merge-list",
        top="patchesStrategicMerge:\n- |-\n  apiVersion: apps/v1\n  kind: Deployment\n"
        "  metadata: {name: app}\n  spec: {replicas: 3}\n- merge.yaml",
        files={
            "top/merge.yaml": "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\n"
            "metadata: {name: db, namespace: production, annotations: {merged: 'true'}}\n"
        },
    ),
    generated(
        "patch-options-allow-name-change",
        top="patches:\n- target: {kind: Deployment}\n  options: {allowNameChange: true}\n"
        "  patch: |-\n    - {op: replace, path: /metadata/name, value: renamed}",
    ),
    generated(
        "patch-delete-a-sealedsecret",
        of=[secret(), secret("mail", "app/mail")],
        top="patches:\n- patch: |-\n    apiVersion: bitnami.com/v1alpha1\n    kind: SealedSecret\n"
        "    metadata: {name: mail, namespace: production}\n    $patch: delete",
    ),
    generated(
        "patch-selects-nothing",
        top=_lines(WAVE, "{kind: NoSuchKind}"),
    ),
    generated(
        "patch-moves-the-sealedsecret",
        top=_lines(
            "- op: replace\n  path: /metadata/name\n  value: moved\n", "{kind: SealedSecret}"
        ).replace("  patch: |-", "  options: {allowNameChange: true}\n  patch: |-"),
        refused="sealed-for",
    ),
    generated(
        "patch-the-ciphertext",
        top=_lines(
            "- op: replace\n  path: /spec/encryptedData/password\n  value: AgBy\n",
            "{kind: SealedSecret}",
        ),
    ),
    claims("patch-claim-by-kind", top=_lines(ADD_ANNOTATIONS, "{kind: SecretClaim}")),
    claims(
        "patch-claims-path",
        top=_lines(
            "- op: replace\n  path: /spec/data/0/remoteRef/key\n  value: app/mail\n",
            "{kind: SecretClaim, name: db}",
        ),
    ),
    claims(
        "patch-claim-strategic-merge",
        top="patches:\n- patch: |-\n    apiVersion: krmfn.dev/v1alpha1\n    kind: SecretClaim\n"
        "    metadata: {name: db, labels: {tier: one}}\n    spec: {nameSuffixHash: true}",
    ),
    claims(
        "patch-claim-delete",
        of=[claim(), claim("mail", "app/mail")],
        top="patches:\n- patch: |-\n    apiVersion: krmfn.dev/v1alpha1\n    kind: SecretClaim\n"
        "    metadata: {name: mail}\n    $patch: delete",
    ),
    claims(
        "patch-kind-sealedsecret-before-there-is-one",
        top=_lines(WAVE, "{kind: SealedSecret}"),
    ),
    claims(
        "patch-deployment-in-base-and-overlay",
        base=_lines("- {op: add, path: /spec/replicas, value: 2}", "{kind: Deployment}"),
        top=_lines("- {op: replace, path: /spec/replicas, value: 3}", "{kind: Deployment}"),
    ),
    claims(
        "patch-of-several-documents",
        top="patches: [{path: many.yaml}]",
        files={
            "top/many.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\n"
            "spec: {replicas: 2}\n---\napiVersion: krmfn.dev/v1alpha1\nkind: SecretClaim\n"
            "metadata: {name: db, annotations: {a: b}}\n"
        },
        since="5.4.2",
    ),
    _behind("patch-behind-by-kind", WAVE, "{kind: SealedSecret}"),
    _behind("patch-behind-by-name", WAVE, "{kind: SealedSecret, name: db}"),
    _behind(
        "patch-behind-by-hashed-name",
        WAVE,
        "{kind: SealedSecret, name: db-.*}",
        of=[claim(nameSuffixHash=True)],
    ),
    _behind(
        "patch-behind-by-label",
        WAVE,
        "{labelSelector: tier=one}",
        of=[claim(metadata={"labels": {"tier": "one"}}), claim("mail", "app/mail")],
    ),
    _behind(
        "patch-behind-strategic-merge",
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\n"
        "metadata: {name: db, namespace: production, labels: {x: z}}\n",
    ),
    _behind(
        "patch-behind-namespace",
        "- {op: replace, path: /metadata/namespace, value: other}",
        "{kind: SealedSecret}",
        refused="sealed-for",
    ),
    _behind(
        "patch-behind-the-workload",
        "- {op: add, path: /spec/replicas, value: 4}",
        "{kind: Deployment}",
    ),
    claims(
        "patch-json6902-transformer",
        top="transformers: [j.yaml]",
        files={
            "top/j.yaml": "apiVersion: builtin\nkind: PatchJson6902Transformer\n"
            "metadata: {name: j}\ntarget: {group: bitnami.com, version: v1alpha1, "
            "kind: SealedSecret, name: db}\npath: wave.yaml\n",
            "top/wave.yaml": WAVE,
        },
    ),
    claims(
        "patch-strategic-merge-transformer",
        top="transformers: [s.yaml]",
        files={
            "top/s.yaml": "apiVersion: builtin\nkind: PatchStrategicMergeTransformer\n"
            "metadata: {name: s}\npaths: [merge.yaml]\n",
            "top/merge.yaml": "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\n"
            "metadata: {name: db, namespace: production, annotations: {merged: 'true'}}\n",
        },
    ),
    claims(
        "patch-by-path-of-a-transformer-elsewhere",
        top="transformers: [../shared]",
        files={
            "shared/kustomization.yaml": "resources: [p.yaml]\n",
            "shared/p.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: p}\n"
            "path: wave.yaml\ntarget: {kind: SealedSecret}\n",
            "top/wave.yaml": WAVE,
        },
    ),
]
