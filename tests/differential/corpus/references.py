"""What carries a name into another object: configurations, crds, openapi, replacements and vars."""

from __future__ import annotations

from typing import Any

from tests.differential.trees import WIDGET, Tree, claim, claims, generated, secret

HASHED = claim(nameSuffixHash=True)
WIDGETS = "nameReference: [{kind: Secret, version: v1, fieldSpecs: [{kind: Widget, path: %s}]}]\n"
CREDENTIALS = WIDGETS % "spec/credentials/secretName"
BARE = WIDGET.replace("secretName: db", "secretName: placeholder")
FROM_SECRET = """\
replacements:
- source: {kind: Secret, name: db, fieldPath: metadata.name}
  targets:
  - select: {kind: Widget}
    fieldPaths: [spec.credentials.secretName]
"""
FROM_SEALED = FROM_SECRET.replace("kind: Secret", "kind: SealedSecret")
FROM_CLAIM = FROM_SECRET.replace("kind: Secret", "kind: SecretClaim")
AFTER = """\
apiVersion: builtin
kind: ReplacementTransformer
metadata: {name: after}
replacements:
- source: {kind: %s, name: db, fieldPath: %s}
  targets:
  - select: {kind: Widget}
    fieldPaths: [spec.credentials.secretName]
"""
CRD = """\
{"example.com/v1.Widget": {"Schema": {"properties": {"apiVersion": {"type": "string"},
 "kind": {"type": "string"}, "metadata": {"type": "object"},
 "spec": {"$ref": "example.com/v1.WidgetSpec"}}}, "Dependencies": []},
"example.com/v1.WidgetSpec": {"Schema": {"properties": {"secretRef": {
 "x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "Secret",
 "$ref": "example.com/v1.Ref"}}}, "Dependencies": []},
"example.com/v1.Ref": {"Schema": {"properties": {"name": {"type": "string"}}}, "Dependencies": []}}
"""
OPENAPI = """\
{"definitions": {"com.example.v1.Widget": {"properties": {"apiVersion": {"type": "string"},
 "kind": {"type": "string"}, "metadata": {"type": "object"}, "spec": {"properties": {"parts": {
 "items": {"type": "object"}, "type": "array", "x-kubernetes-patch-merge-key": "name",
 "x-kubernetes-patch-strategy": "merge"}}, "type": "object"}}, "type": "object",
 "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Widget", "version": "v1"}]}}}
"""
PARTS = """\
apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
spec: {parts: [{name: a, secretName: db}, {name: b, secretName: other}]}
"""
VAR = "vars: [{name: DB, objref: {apiVersion: v1, kind: Secret, name: db}}]"
VAR_OF_WIDGET = """\
vars:
- name: HOST
  objref: {apiVersion: example.com/v1, kind: Widget, name: w}
  fieldref: {fieldPath: spec.credentials.secretName}
"""
WIDGET_IN_BASE = {"base/w.yaml": BARE}


def _after(id_: str, source: str, field: str, of: dict[str, Any]) -> Tree:
    """A ReplacementTransformer that runs behind krmfn's transformer."""
    return claims(
        id_,
        of=[of],
        base="resources: [w.yaml]",
        top="transformers: [after.yaml]",
        files={"base/w.yaml": BARE, "top/after.yaml": AFTER % (source, field)},
    )


TREES: list[Tree] = [
    claims(
        "configurations-in-base",
        of=[HASHED],
        base="resources: [w.yaml]\nconfigurations: [nr.yaml]",
        files={"base/w.yaml": WIDGET, "base/nr.yaml": CREDENTIALS},
    ),
    claims(
        "configurations-in-overlay",
        of=[HASHED],
        base="resources: [w.yaml]",
        top="configurations: [nr.yaml]",
        files={"base/w.yaml": WIDGET, "top/nr.yaml": CREDENTIALS},
    ),
    claims(
        "configurations-with-prefix",
        base="resources: [w.yaml]\nconfigurations: [nr.yaml]",
        top="namePrefix: p-",
        files={"base/w.yaml": WIDGET, "base/nr.yaml": CREDENTIALS},
    ),
    claims(
        "configurations-of-a-list",
        of=[HASHED],
        base="resources: [w.yaml]\nconfigurations: [nr.yaml]",
        files={"base/w.yaml": PARTS, "base/nr.yaml": WIDGETS % "spec/parts/secretName"},
    ),
    claims(
        "configurations-two-files",
        of=[HASHED],
        base="resources: [w.yaml]\nconfigurations: [nr.yaml, labels.yaml]",
        top="commonLabels: {team: a}",
        files={
            "base/w.yaml": WIDGET,
            "base/nr.yaml": CREDENTIALS,
            "base/labels.yaml": "commonLabels: [{path: spec/labels, kind: Widget, create: true}]\n",
        },
    ),
    claims(
        "configurations-of-sealedsecret",
        of=[HASHED],
        base="resources: [w.yaml]\nconfigurations: [nr.yaml]",
        files={
            "base/w.yaml": WIDGET,
            "base/nr.yaml": CREDENTIALS.replace("kind: Secret", "kind: SealedSecret").replace(
                "version: v1", "group: bitnami.com, version: v1alpha1"
            ),
        },
    ),
    claims(
        "configurations-name-prefix-of-template",
        base="configurations: [np.yaml]",
        top="namePrefix: p-",
        files={
            "base/np.yaml": "namePrefix: [{path: metadata/name}, "
            "{path: spec/template/metadata/name, kind: Deployment}]\n"
        },
    ),
    generated(
        "configurations-and-generator",
        of=[secret(nameSuffixHash=True)],
        base="resources: [w.yaml]\nconfigurations: [nr.yaml]",
        files={"base/w.yaml": WIDGET, "base/nr.yaml": CREDENTIALS},
    ),
    claims(
        "configurations-images",
        base="configurations: [images.yaml]\nresources: [w.yaml]",
        top="images: [{name: registry.example/w, newTag: '2'}]",
        files={
            "base/w.yaml": WIDGET.replace("spec: {", "spec: {image: 'registry.example/w:1', "),
            "base/images.yaml": "images: [{path: spec/image, kind: Widget}]\n",
        },
    ),
    claims(
        "crds",
        of=[HASHED],
        base="resources: [w.yaml]\ncrds: [crd.json]",
        files={
            "base/w.yaml": WIDGET.replace(
                "{credentials: {secretName: db}}", "{secretRef: {name: db}}"
            ),
            "base/crd.json": CRD,
        },
    ),
    claims(
        "crds-and-prefix",
        base="resources: [w.yaml]\ncrds: [crd.json]",
        top="namePrefix: p-",
        files={
            "base/w.yaml": WIDGET.replace(
                "{credentials: {secretName: db}}", "{secretRef: {name: db}}"
            ),
            "base/crd.json": CRD,
        },
    ),
    claims(
        "openapi",
        of=[HASHED],
        base="resources: [w.yaml]",
        top="openapi: {path: schema.json}\npatches:\n- patch: |-\n    apiVersion: example.com/v1\n"
        "    kind: Widget\n    metadata: {name: w}\n"
        "    spec: {parts: [{name: a, color: red}]}",
        files={"base/w.yaml": PARTS, "top/schema.json": OPENAPI},
    ),
    claims(
        "openapi-version",
        top="openapi: {version: v1.21.2}",
        files={},
    ),
    claims(
        "replacements-from-a-claims-name",
        base="resources: [w.yaml]",
        top=FROM_CLAIM,
        files=WIDGET_IN_BASE,
    ),
    claims(
        "replacements-from-a-claims-name-hashed",
        of=[HASHED],
        base="resources: [w.yaml]",
        top=FROM_CLAIM,
        files=WIDGET_IN_BASE,
    ),
    claims(
        "replacements-from-a-secret-before-there-is-one",
        base="resources: [w.yaml]",
        top=FROM_SECRET,
        files=WIDGET_IN_BASE,
        refused="kustomize",
    ),
    generated(
        "replacements-from-the-secrets-name",
        of=[secret(nameSuffixHash=True)],
        base="resources: [w.yaml]",
        top=FROM_SECRET,
        files=WIDGET_IN_BASE,
    ),
    generated(
        "replacements-from-the-secrets-name-unchanged",
        base="resources: [w.yaml]",
        top=FROM_SECRET,
        files=WIDGET_IN_BASE,
    ),
    generated(
        "replacements-from-the-sealedsecrets-name",
        of=[secret(nameSuffixHash=True)],
        base="resources: [w.yaml]",
        top=FROM_SEALED.replace("name: db, ", ""),
        files=WIDGET_IN_BASE,
    ),
    generated(
        "replacements-into-a-delimited-field",
        of=[secret(nameSuffixHash=True)],
        base="resources: [w.yaml]",
        top=FROM_SECRET.replace(
            "[spec.credentials.secretName]",
            "[spec.credentials.secretName]\n    options: {delimiter: /, index: 1}",
        ),
        files={"base/w.yaml": BARE.replace("placeholder", "a/b/c")},
    ),
    generated(
        "replacements-from-a-file",
        of=[secret(nameSuffixHash=True)],
        base="resources: [w.yaml]",
        top="replacements: [{path: replacement.yaml}]",
        files={
            "base/w.yaml": BARE,
            "top/replacement.yaml": "source: {kind: Secret, name: db, fieldPath: metadata.name}\n"
            "targets: [{select: {kind: Widget}, fieldPaths: [spec.credentials.secretName]}]\n",
        },
    ),
    generated(
        "replacements-from-a-list-in-a-file",
        of=[secret(nameSuffixHash=True)],
        base="resources: [w.yaml]",
        top="replacements: [{path: replacement.yaml}]",
        files={
            "base/w.yaml": BARE,
            "top/replacement.yaml": "- source: {kind: Secret, name: db, fieldPath: metadata.name}\n"
            "  targets: [{select: {kind: Widget}, fieldPaths: [spec.credentials.secretName]}]\n",
        },
    ),
    generated(
        "replacements-of-the-encrypted-data",
        base="resources: [w.yaml]",
        top=FROM_SEALED.replace("metadata.name", "spec.encryptedData.password"),
        files=WIDGET_IN_BASE,
    ),
    claims(
        "replacements-into-the-claims-path",
        base="resources: [settings.yaml]",
        top="replacements:\n- source: {kind: ConfigMap, name: settings, fieldPath: data.where}\n"
        "  targets:\n  - select: {kind: SecretClaim}\n"
        "    fieldPaths: [spec.data.0.remoteRef.key]",
        files={
            "base/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
            "data: {where: app/mail}\n"
        },
    ),
    claims(
        "replacements-into-many-with-reject",
        base="resources: [w.yaml, v.yaml]",
        top="replacements:\n- source: {kind: Deployment, name: app, fieldPath: metadata.name}\n"
        "  targets:\n  - select: {kind: Widget}\n    reject: [{name: v}]\n"
        "    fieldPaths: [spec.credentials.secretName]",
        files={"base/w.yaml": BARE, "base/v.yaml": BARE.replace("name: w", "name: v")},
    ),
    claims(
        "replacements-create-an-annotation",
        top="replacements:\n- source: {kind: Deployment, name: app, fieldPath: metadata.name}\n"
        "  targets:\n  - select: {kind: SecretClaim}\n"
        "    fieldPaths: ['metadata.annotations.[example.com/app]']\n    options: {create: true}",
    ),
    _after("replacements-behind-krmfn-from-the-secret", "Secret", "metadata.name", HASHED),
    _after(
        "replacements-behind-krmfn-of-the-ciphertext",
        "SealedSecret",
        "spec.encryptedData.password",
        claim(),
    ),
    generated(
        "vars-of-the-secret",
        of=[secret(nameSuffixHash=True)],
        base="resources: [d.yaml]",
        top=VAR,
        files={
            "base/d.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
            "spec: {containers: [{name: p, image: p, args: [$(DB)]}]}\n"
        },
    ),
    generated(
        "vars-in-a-configured-place",
        of=[secret(nameSuffixHash=True)],
        base="resources: [w.yaml]\nconfigurations: [vr.yaml]",
        top=VAR,
        files={
            "base/w.yaml": WIDGET.replace("secretName: db", "secretName: $(DB)"),
            "base/vr.yaml": "varReference: [{kind: Widget, path: spec/credentials/secretName}]\n",
        },
    ),
    claims(
        "vars-of-another-object",
        of=[HASHED],
        base="resources: [w.yaml, d.yaml]",
        top=VAR_OF_WIDGET,
        files={
            "base/w.yaml": WIDGET,
            "base/d.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
            "spec: {containers: [{name: p, image: p, args: [--at=$(HOST)]}]}\n",
        },
    ),
    claims(
        "vars-in-lower-case",
        base="resources: [w.yaml]",
        top=VAR_OF_WIDGET.replace("fieldPath", "fieldpath"),
        files={"base/w.yaml": WIDGET},
    ),
    claims(
        "vars-of-a-claim",
        of=[HASHED],
        base="resources: [d.yaml]",
        top="vars: [{name: DB, objref: {apiVersion: krmfn.dev/v1alpha1, kind: SecretClaim, name: db}}]",
        files={
            "base/d.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
            "spec: {containers: [{name: p, image: p, args: [$(DB)]}]}\n"
        },
        refused="kustomize",
    ),
]
