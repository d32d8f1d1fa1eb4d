"""Labels, annotations, build metadata and local-config, on claims, SealedSecrets and all the rest."""

from __future__ import annotations

from tests.differential.trees import DEPLOYMENT, Tree, claim, claims, generated, secret

LOCAL = {"annotations": {"config.kubernetes.io/local-config": "true"}}
HASHED = claim(nameSuffixHash=True)
TWO = [claim(), claim("mail", "app/mail")]
FIELDS = """\
labels:
- pairs: {team: a}
  fields:
  - {path: spec/template/metadata/labels, kind: %s, create: true}
"""
LABEL_TRANSFORMER = """\
apiVersion: builtin
kind: LabelTransformer
metadata: {name: l}
labels: {late: 'yes'}
fieldSpecs: [{path: metadata/labels, create: true}]
"""
ANNOTATIONS_TRANSFORMER = """\
apiVersion: builtin
kind: AnnotationsTransformer
metadata: {name: a}
annotations: {late: 'yes'}
fieldSpecs: [{path: metadata/annotations, create: true}]
"""

TREES: list[Tree] = [
    claims("labels-pairs", top="labels: [{pairs: {team: a}}]"),
    claims("labels-selectors", top="labels: [{pairs: {team: a}, includeSelectors: true}]"),
    claims("labels-templates", top="labels: [{pairs: {team: a}, includeTemplates: true}]"),
    claims("labels-fields-of-claims", top=FIELDS % "SecretClaim"),
    claims("labels-fields-of-sealedsecrets", top=FIELDS % "SealedSecret"),
    generated("labels-fields-of-generated", top=FIELDS % "SealedSecret"),
    generated("labels-pairs-of-generated", top="labels: [{pairs: {team: a}}]"),
    claims(
        "labels-in-base-and-overlay",
        base="labels: [{pairs: {a: '1'}}]",
        top="labels: [{pairs: {b: '2'}}]",
    ),
    claims("common-labels", top="commonLabels: {team: a}"),
    generated("common-labels-of-generated", top="commonLabels: {team: a}"),
    claims("common-annotations", top="commonAnnotations: {owner: me}"),
    generated("common-annotations-of-generated", top="commonAnnotations: {owner: me, other: '1'}"),
    claims("common-annotations-hashed", of=[HASHED], base="commonAnnotations: {owner: me}"),
    claims(
        "label-transformer-behind",
        top="transformers: [l.yaml]",
        files={"top/l.yaml": LABEL_TRANSFORMER},
    ),
    claims(
        "label-transformer-before",
        top="transformers!: [l.yaml, krmfn.yaml, skip-marker.yaml]",
        files={"top/l.yaml": LABEL_TRANSFORMER},
    ),
    claims(
        "annotations-transformer-behind",
        top="transformers: [a.yaml]",
        files={"top/a.yaml": ANNOTATIONS_TRANSFORMER},
    ),
    claims(
        "annotations-transformer-inline",
        top="transformers:\n- |\n  " + ANNOTATIONS_TRANSFORMER.replace("\n", "\n  "),
    ),
    claims(
        "metadata-of-a-claim",
        of=[claim(metadata={"labels": {"a": "b"}, "annotations": {"c": "d"}})],
    ),
    claims(
        "metadata-of-a-template",
        of=[claim(template={"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}})],
    ),
    claims("build-metadata-origin", top="buildMetadata: [originAnnotations]"),
    claims("build-metadata-transformer", top="buildMetadata: [transformerAnnotations]"),
    claims("build-metadata-managed-by", top="buildMetadata: [managedByLabel]"),
    claims(
        "build-metadata-all",
        of=[HASHED],
        base="configMapGenerator: [{name: c, literals: [a=b]}]",
        top="buildMetadata: [originAnnotations, transformerAnnotations, managedByLabel]\n"
        "namePrefix: p-",
    ),
    generated("build-metadata-origin-of-generated", top="buildMetadata: [originAnnotations]"),
    generated(
        "build-metadata-transformer-of-generated",
        top="buildMetadata: [transformerAnnotations, originAnnotations]",
    ),
    claims(
        "build-metadata-origin-below",
        base="buildMetadata: [originAnnotations]",
        top="buildMetadata: [originAnnotations]",
    ),
    claims("build-metadata-empty", top="buildMetadata: []"),
    claims("local-config-claim", of=[claim(metadata=LOCAL)]),
    claims("local-config-one-of-two", of=[claim(metadata=LOCAL), claim("mail", "app/mail")]),
    claims("local-config-hashed", of=[claim(metadata=LOCAL, nameSuffixHash=True)]),
    claims(
        "local-config-false",
        of=[claim(metadata={"annotations": {"config.kubernetes.io/local-config": "false"}})],
    ),
    claims(
        "local-config-of-another-object",
        base="resources: [c.yaml]",
        files={
            "base/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n"
            "  annotations: {config.kubernetes.io/local-config: 'true'}\ndata: {a: b}\n"
        },
    ),
    claims(
        "local-config-by-patch",
        top="patches:\n- target: {kind: SecretClaim}\n  patch: |-\n"
        "    apiVersion: krmfn.dev/v1alpha1\n    kind: SecretClaim\n"
        "    metadata: {name: x, annotations: {config.kubernetes.io/local-config: 'true'}}",
    ),
    generated(
        "local-config-generated",
        of=[secret(metadata=LOCAL), secret("mail", "app/mail")],
        refused="annotation",
    ),
    claims("checksum-annotation", of=[claim(checksumAnnotation=True)]),
    claims(
        "checksum-of-two",
        of=[claim(checksumAnnotation=True), claim("mail", "app/mail", checksumAnnotation=True)],
        files={"base/deployment.yaml": DEPLOYMENT.replace("name: db", "name: mail", 1)},
    ),
    claims("checksum-and-hash", of=[claim(checksumAnnotation=True, nameSuffixHash=True)]),
    claims("checksum-under-a-prefix", of=[claim(checksumAnnotation=True)], top="namePrefix: p-"),
    claims(
        "checksum-on-workloads-with-comments-and-anchors",
        of=[claim(checksumAnnotation=True)],
        files={
            "base/deployment.yaml": "# first\n"
            + DEPLOYMENT.replace(
                "metadata: {labels: {app: app}}\n", "metadata: &m {labels: {app: app}}\n"
            )
            + "  # last\n"
        },
    ),
    claims(
        "checksum-where-nobody-uses-it",
        of=[claim("unused", "app/db", checksumAnnotation=True), claim()],
    ),
    claims(
        "checksum-of-a-cronjob",
        of=[claim(checksumAnnotation=True)],
        base="resources: [cron.yaml]",
        files={
            "base/cron.yaml": "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\n"
            "spec: {schedule: '0 3 * * *', jobTemplate: {spec: {template: {spec: {containers: "
            "[{name: c, image: c, envFrom: [{secretRef: {name: db}}]}]}}}}}\n"
        },
    ),
    claims("metadata-two-claims-with-labels", of=TWO, top="labels: [{pairs: {x: 'y'}}]"),
]
