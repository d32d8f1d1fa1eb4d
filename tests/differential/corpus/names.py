"""What renames: prefixes, suffixes and hashes, of kustomize and of krmfn, and all of them together."""

from __future__ import annotations

from tests.differential.trees import DEPLOYMENT, WIDGET, Tree, claim, claims, generated, secret

HASHED = claim(nameSuffixHash=True)
TWO = [claim(), claim("mail", "app/mail", nameSuffixHash=True)]
USES_MAIL = DEPLOYMENT.replace("name: db", "name: mail").replace("name: app", "name: mailer")

TREES: list[Tree] = [
    claims("names-plain"),
    claims("names-prefix", top="namePrefix: p-"),
    claims("names-suffix", top="nameSuffix: -s"),
    claims("names-prefix-and-suffix", top="namePrefix: p-\nnameSuffix: -s"),
    claims("names-prefix-in-base", base="namePrefix: b-"),
    claims("names-prefix-in-both", base="namePrefix: b-", top="namePrefix: t-"),
    claims("names-hash", of=[HASHED]),
    claims("names-hash-and-prefix", of=[HASHED], top="namePrefix: p-"),
    claims(
        "names-hash-prefix-suffix-in-both",
        of=[HASHED],
        base="namePrefix: b-\nnameSuffix: -c",
        top="namePrefix: t-\nnameSuffix: -u",
    ),
    claims(
        "names-hash-of-one-of-two",
        of=TWO,
        base="resources: [mailer.yaml]",
        files={"base/mailer.yaml": USES_MAIL},
    ),
    claims(
        "names-immutable-and-hashed",
        of=[claim(nameSuffixHash=True, template={"immutable": True})],
    ),
    claims(
        "names-configmap-hash-beside",
        of=[HASHED],
        base="configMapGenerator: [{name: settings, literals: [a=b]}]",
    ),
    claims(
        "names-configmap-without-hash",
        base="configMapGenerator: [{name: settings, literals: [a=b]}]\n"
        "generatorOptions: {disableNameSuffixHash: true}",
    ),
    claims(
        "names-prefix-transformer",
        top="transformers!: [prefix.yaml, krmfn.yaml, skip-marker.yaml]",
        files={
            "top/prefix.yaml": "apiVersion: builtin\nkind: PrefixTransformer\n"
            "metadata: {name: p}\nprefix: q-\nfieldSpecs: [{path: metadata/name}]\n"
        },
    ),
    claims(
        "names-namespace-transformer",
        top="namespace: null\ntransformers!: [namespace.yaml, krmfn.yaml, skip-marker.yaml]",
        files={
            "top/namespace.yaml": "apiVersion: builtin\nkind: NamespaceTransformer\n"
            "metadata: {name: n, namespace: production}\n"
            "fieldSpecs: [{path: metadata/namespace, create: true}]\n"
        },
    ),
    claims(
        "names-namespace-written-in-claim",
        top="namespace: null",
        of=[claim(metadata={"namespace": "production"})],
    ),
    claims(
        "names-claims-of-two-namespaces",
        top="namespace: null",
        of=[
            claim(metadata={"namespace": "one"}),
            claim(metadata={"namespace": "two"}, nameSuffixHash=True),
        ],
    ),
    claims("names-long", of=[claim("d" * 60)]),
    claims("names-with-dots", of=[claim("db.internal.v1")]),
    claims("names-like-a-number", of=[claim("0123")]),
    claims(
        "names-hash-of-a-custom-resource",
        of=[HASHED],
        base="resources: [w.yaml]\nconfigurations: [nr.yaml]",
        files={
            "base/w.yaml": WIDGET,
            "base/nr.yaml": "nameReference: [{kind: Secret, version: v1, fieldSpecs: "
            "[{group: example.com, kind: Widget, path: spec/credentials/secretName}]}]\n",
        },
    ),
    generated("names-generator"),
    generated("names-generator-hash", of=[secret(nameSuffixHash=True)]),
    generated(
        "names-generator-two",
        of=[secret(), secret("mail", "app/mail", nameSuffixHash=True)],
        base="resources: [mailer.yaml]",
        files={"base/mailer.yaml": USES_MAIL},
    ),
    generated(
        "names-generator-namespace-wide-under-a-prefix",
        of=[secret(scope="namespace-wide")],
        top="namePrefix: p-",
    ),
    generated(
        "names-generator-cluster-wide-under-a-prefix",
        of=[secret(scope="cluster-wide")],
        top="namePrefix: p-\nnameSuffix: -s",
    ),
    generated("names-generator-prefix-below", base="namePrefix: b-"),
]
