"""Where krmfn's configurations stand: files, directories, inline, patched, several in one file."""

from __future__ import annotations

from tests.differential.trees import (
    MARKER_PATCH,
    Inline,
    Tree,
    claim,
    claims,
    generated,
    generator,
    secret,
    transformer,
    validator,
)

DIRECTORY = "transformers!: [functions]\nvalidators!: [checks]"
USUAL = {
    "top/functions/krmfn.yaml": transformer(),
    "top/functions/skip-marker.yaml": MARKER_PATCH,
    "top/functions/kustomization.yaml": "resources: [krmfn.yaml, skip-marker.yaml]\n",
    "top/checks/v.yaml": validator(),
    "top/checks/kustomization.yaml": "resources: [v.yaml]\n",
}


def _directory(id_: str, lines: str, **more: object) -> Tree:
    """The transformer in a directory of configs with these lines."""
    listed = {
        "top/functions/kustomization.yaml": "resources: [krmfn.yaml, skip-marker.yaml]\n" + lines
    }
    return claims(id_, top=DIRECTORY, files=USUAL | listed, **more)  # type: ignore[arg-type]


def _inline(id_: str, field: str, value: dict[str, object], top: dict[str, object]) -> Tree:
    tree = claims(id_)
    return Tree(id_, {**tree.files, "top/kustomization.yaml": {**top, field: [Inline(value)]}})


TOP = {
    "namespace": "production",
    "resources": ["../base"],
    "transformers": ["krmfn.yaml", "skip-marker.yaml"],
    "validators": ["validator.yaml"],
}

TREES: list[Tree] = [
    _directory("directory-of-configs", ""),
    _directory(
        "directory-with-a-patch",
        "patches:\n- target: {kind: SealedSecretTransformer}\n"
        "  patch: '- {op: add, path: /spec/sealing/epoch, value: \"2\"}'\n",
    ),
    _directory("directory-with-a-prefix", "namePrefix: p-\n"),
    _directory("directory-with-a-namespace", "namespace: production\n"),
    _directory(
        "directory-with-another-namespace",
        "namespace: elsewhere\n",
        refused="namespace-contradiction",
    ),
    _directory("directory-with-labels", "commonLabels: {a: b}\n"),
    _directory("directory-with-annotations", "commonAnnotations: {a: b}\n"),
    _directory("directory-with-metadata", "buildMetadata: [originAnnotations]\n"),
    claims(
        "directory-on-a-directory",
        top="transformers!: [functions]\nvalidators!: [checks]",
        files={
            **USUAL,
            "shared/krmfn.yaml": transformer(),
            "shared/skip-marker.yaml": MARKER_PATCH,
            "shared/kustomization.yaml": "resources: [krmfn.yaml, skip-marker.yaml]\n",
            "top/functions/kustomization.yaml": "resources: [../../shared]\n"
            "patches:\n- target: {kind: SealedSecretTransformer}\n"
            "  patch: '- {op: add, path: /spec/sealing/scope, value: namespace-wide}'\n",
        },
    ),
    claims(
        "directory-shared-by-two-overlays",
        top="namespace: null\nresources!: [../one, ../two]\ntransformers!: null\nvalidators!: [../v]",
        files={
            "v/v.yaml": validator(),
            "v/kustomization.yaml": "resources: [v.yaml]\n",
            "t/krmfn.yaml": transformer(),
            "t/skip-marker.yaml": MARKER_PATCH,
            "t/kustomization.yaml": "resources: [krmfn.yaml, skip-marker.yaml]\n",
            "one/kustomization.yaml": "resources: [../base]\nnamespace: one\ntransformers: [../t]\n",
            "two/kustomization.yaml": "resources: [../base]\nnamespace: two\ntransformers: [../t]\n",
        },
    ),
    claims(
        "directory-with-a-component",
        top=DIRECTORY,
        files={
            **USUAL,
            "top/functions/kustomization.yaml": "resources: [krmfn.yaml, skip-marker.yaml]\n"
            "components: [../../component]\n",
            "component/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\n"
            "kind: Component\npatches:\n- target: {kind: SealedSecretTransformer}\n"
            "  patch: '- {op: add, path: /spec/sealing/epoch, value: \"3\"}'\n",
        },
    ),
    claims(
        "directory-with-a-builtin-behind",
        top=DIRECTORY,
        files={
            **USUAL,
            "top/functions/kustomization.yaml": "resources: [krmfn.yaml, skip-marker.yaml, a.yaml]\n",
            "top/functions/a.yaml": "apiVersion: builtin\nkind: AnnotationsTransformer\n"
            "metadata: {name: a}\nannotations: {late: 'yes'}\n"
            "fieldSpecs: [{path: metadata/annotations, create: true}]\n",
        },
    ),
    claims(
        "directory-with-replacements",
        top=DIRECTORY,
        files={
            **USUAL,
            "top/functions/kustomization.yaml": "resources: [krmfn.yaml, skip-marker.yaml, s.yaml]\n"
            "replacements:\n- source: {kind: AnnotationsTransformer, fieldPath: annotations.epoch}\n"
            "  targets:\n  - select: {kind: SealedSecretTransformer}\n"
            "    fieldPaths: [spec.sealing.epoch]\n    options: {create: true}\n",
            "top/functions/s.yaml": "apiVersion: builtin\nkind: AnnotationsTransformer\n"
            "metadata: {name: a}\nannotations: {epoch: e7}\n"
            "fieldSpecs: [{path: metadata/annotations, create: true, kind: ConfigMap}]\n",
        },
    ),
    claims(
        "directory-of-validators-with-a-patch",
        top="validators!: [checks]",
        files={
            "top/checks/v.yaml": validator(),
            "top/checks/kustomization.yaml": "resources: [v.yaml]\npatches:\n"
            "- target: {kind: SealedSecretValidator}\n"
            "  patch: '- {op: add, path: /spec, value: {plainSecrets: allow}}'\n",
        },
    ),
    generated(
        "directory-of-generators",
        top="generators!: [make]",
        files={
            "top/make/g.yaml": generator(),
            "top/make/kustomization.yaml": "resources: [g.yaml]\n",
        },
    ),
    generated(
        "directory-of-generators-with-a-namespace",
        top="generators!: [make]\nnamespace: null\nresources!: null",
        files={
            "top/make/g.yaml": generator(),
            "top/make/kustomization.yaml": "resources: [g.yaml]\nnamespace: elsewhere\n",
        },
    ),
    _inline("inline-validator", "validators", validator(), TOP),
    claims(
        "inline-transformer",
        files={
            "top/kustomization.yaml": {
                **TOP,
                "transformers": [Inline(transformer()), "skip-marker.yaml"],
            }
        },
    ),
    generated(
        "inline-generator",
        files={
            "top/kustomization.yaml": {
                "namespace": "production",
                "resources": ["../base"],
                "generators": [Inline(generator(secret(nameSuffixHash=True)))],
                "validators": ["validator.yaml"],
                "transformers": ["skip-marker.yaml"],
            },
            "top/skip-marker.yaml": MARKER_PATCH,
        },
    ),
    claims(
        "several-in-one-file",
        top="transformers!: [krmfn.yaml]",
        files={"top/krmfn.yaml": [transformer(), MARKER_PATCH]},
    ),
    claims(
        "two-validators",
        top="validators: [second.yaml]",
        files={"top/second.yaml": validator("second", plainSecrets="allow")},
    ),
    claims(
        "validator-with-the-certificate",
        files={"top/validator.yaml": validator(certificate={"file": "../cert.pem"})},
    ),
    claims(
        "validator-and-a-plain-secret-allowed",
        base="secretGenerator: [{name: fixtures, literals: [a=b]}]",
        files={"top/validator.yaml": validator(plainSecrets="allow")},
    ),
    claims(
        "validator-and-a-plain-secret-warned-of",
        base="resources: [s.yaml]",
        files={
            "base/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n",
            "top/validator.yaml": validator(plainSecrets="warn"),
        },
    ),
    claims(
        "no-validator",
        top="validators!: null",
    ),
    claims(
        "no-marker-patch",
        top="transformers!: [krmfn.yaml]",
    ),
    generated("generator-of-many", of=[secret(f"db-{n}") for n in range(20)] + [secret()]),
    claims(
        "claims-many",
        of=[claim(f"db-{n}", nameSuffixHash=n % 2 == 0) for n in range(20)] + [claim()],
    ),
    claims(
        "sealing-namespace-wide",
        of=[claim(scope="namespace-wide")],
        top="namePrefix: p-",
        files={"top/krmfn.yaml": transformer(scope="cluster-wide")},
    ),
    claims(
        "sealing-cluster-wide",
        of=[claim(scope="cluster-wide"), claim("mail", "app/mail")],
        files={"top/krmfn.yaml": transformer(scope="cluster-wide")},
    ),
    claims("sealing-wider-than-allowed", of=[claim(scope="namespace-wide")], refused="scope"),
    claims("sealing-epoch", files={"top/krmfn.yaml": transformer(epoch="2026-11")}),
    claims(
        "sealing-scope-of-all",
        files={"top/krmfn.yaml": transformer(scope="namespace-wide")},
    ),
    claims(
        "function-with-labels",
        files={
            "top/krmfn.yaml": {
                **transformer(),
                "metadata": {"name": "krmfn", "labels": {"a": "b"}, "annotations": {"c": "d"}},
            }
        },
    ),
    claims(
        "function-named-oddly",
        files={"top/krmfn.yaml": transformer("a.b-c"), "top/validator.yaml": validator("0")},
    ),
]
