"""What else a kustomization sets, and what else a claim asks for."""

from __future__ import annotations

from tests.differential.trees import Tree, claim, claims, generated, generator, secret

SHAPES = {
    "claim-extract": {"data": None, "dataFrom": [{"extract": {"key": "app/db"}}]},
    "claim-template": {
        "template": {
            "data": {"url": "postgres://{{ .password | urlquery }}@db"},
            "mergePolicy": "Merge",
        }
    },
    "claim-template-type": {"template": {"type": "kubernetes.io/basic-auth"}},
    "claim-as-json": {"data": [{"secretKey": "all", "remoteRef": {"key": "app/db", "as": "json"}}]},
    "claim-two-keys": {
        "data": [
            {"secretKey": k, "remoteRef": {"key": "app/db", "property": k}}
            for k in ("username", "password")
        ]
    },
    "claim-empty-value": {
        "data": [{"secretKey": "e", "remoteRef": {"key": "app/odd", "property": "empty"}}],
        "allowEmpty": True,
    },
}

TREES: list[Tree] = [
    *[claims(name, of=[claim(**shape)]) for name, shape in SHAPES.items()],  # type: ignore[arg-type]
    claims("sort-fifo", of=[claim(), claim("mail", "app/mail")], top="sortOptions: {order: fifo}"),
    claims("sort-legacy", top="sortOptions: {order: legacy}"),
    claims(
        "sort-legacy-with-an-order",
        top="sortOptions: {order: legacy, legacySortOptions: {orderFirst: [SealedSecret], "
        "orderLast: [Deployment]}}",
    ),
    generated(
        "sort-fifo-generated",
        of=[secret(), secret("a", "app/mail")],
        top="sortOptions: {order: fifo}",
    ),
    claims("sort-below", base="sortOptions: {order: fifo}"),
    claims(
        "generator-options",
        base="configMapGenerator: [{name: c, literals: [a=b]}]\n"
        "generatorOptions: {labels: {g: 'yes'}, annotations: {h: 'no'}, immutable: true}",
    ),
    claims(
        "generator-options-of-one",
        base="configMapGenerator: [{name: c, literals: [a=b], options: {labels: {x: y}, "
        "disableNameSuffixHash: true, immutable: true}}, {name: d, literals: [e=f]}]",
    ),
    claims(
        "configmap-from-files",
        base="configMapGenerator: [{name: c, files: [a.txt, renamed=b.txt], envs: [c.env]}]",
        files={
            "base/a.txt": "one\ntwo\n",
            "base/b.txt": "\u00e9\U0001f600 \t\n",
            "base/c.env": "# comment\nA=1\nB=two words\nC=\n",
        },
    ),
    claims(
        "configmap-env",
        base="configMapGenerator: [{name: c, env: c.env}]",
        files={"base/c.env": "A=1\n"},
    ),
    claims(
        "configmap-merge-and-replace",
        base="configMapGenerator: [{name: c, literals: [a=b, c=d]}, {name: e, literals: [f=g]}]",
        top="configMapGenerator: [{name: c, behavior: merge, literals: [a=x]}, "
        "{name: e, behavior: replace, literals: [h=i]}]",
    ),
    claims(
        "secret-generator-allowed",
        base="secretGenerator: [{name: s, literals: [a=b], type: Opaque}]",
        files={
            "top/validator.yaml": {
                "apiVersion": "krmfn.dev/v1alpha1",
                "kind": "SealedSecretValidator",
                "metadata": {"name": "v"},
                "spec": {"plainSecrets": "allow"},
            }
        },
    ),
    claims("images", top="images: [{name: registry.example/app, newTag: v2}]"),
    claims(
        "images-renamed-by-digest",
        top="images: [{name: registry.example/app, newName: other/app, digest: 'sha256:"
        + "0" * 64
        + "'}]",
    ),
    claims("replicas", top="replicas: [{name: app, count: 5}]"),
    claims("replicas-under-a-prefix", top="namePrefix: p-\nreplicas: [{name: app, count: 0}]"),
    claims(
        "a-namespace-object",
        top="resources: [ns.yaml]",
        files={"top/ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: production}\n"},
    ),
    claims(
        "role-bindings",
        base="resources: [rb.yaml]",
        top="namePrefix: p-",
        files={
            "base/rb.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa}\n"
            "secrets: [{name: db}]\nimagePullSecrets: [{name: db}]\n---\n"
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n"
            "rules: [{apiGroups: [''], resources: [secrets], resourceNames: [db], verbs: [get]}]\n---\n"
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: rb}\n"
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\n"
            "subjects: [{kind: ServiceAccount, name: sa, namespace: default}]\n"
        },
    ),
    claims(
        "an-ingress-with-a-tls-secret",
        of=[claim(nameSuffixHash=True)],
        base="resources: [i.yaml]",
        files={
            "base/i.yaml": "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\n"
            "spec: {tls: [{hosts: [a.example], secretName: db}]}\n"
        },
    ),
    claims(
        "a-statefulset-with-a-projected-volume",
        of=[claim(nameSuffixHash=True)],
        base="resources: [s.yaml]",
        files={
            "base/s.yaml": "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\n"
            "spec: {serviceName: s, template: {spec: {containers: [{name: s, image: s}], volumes: "
            "[{name: p, projected: {sources: [{secret: {name: db}}]}}]}}}\n"
        },
    ),
    claims(
        "a-committed-sealedsecret",
        base="resources: [s.yaml]",
        top="namePrefix: p-",
        files={
            "base/s.yaml": "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\n"
            "metadata: {name: theirs, namespace: production}\nspec: {encryptedData: {a: AgBy}}\n"
        },
    ),
    claims(
        "a-builtin-replica-transformer",
        top="transformers: [r.yaml]",
        files={
            "top/r.yaml": "apiVersion: builtin\nkind: ReplicaCountTransformer\nmetadata: {name: r}\n"
            "replica: {name: app, count: 7}\nfieldSpecs: [{path: spec/replicas, create: true, "
            "kind: Deployment}]\n"
        },
    ),
    claims(
        "a-builtin-image-transformer",
        top="transformers: [i.yaml]",
        files={
            "top/i.yaml": "apiVersion: builtin\nkind: ImageTagTransformer\nmetadata: {name: i}\n"
            "imageTag: {name: registry.example/app, newTag: v9}\n"
        },
    ),
    claims(
        "a-builtin-configmap-generator",
        top="generators: [c.yaml]",
        files={
            "top/c.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: c}\n"
            "literals: [a=b]\nfiles: [x.txt]\n",
            "top/x.txt": "x\n",
        },
    ),
    claims(
        "a-builtin-value-add-transformer",
        top="transformers: [v.yaml]",
        files={
            "top/v.yaml": "apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: v}\n"
            "value: added\ntargets: [{selector: {kind: SealedSecret}, fieldPath: "
            "metadata/annotations/x}]\n"
        },
    ),
    claims(
        "a-builtin-hash-transformer",
        base="configMapGenerator: [{name: c, literals: [a=b]}]",
        top="transformers: [h.yaml]",
        files={"top/h.yaml": "apiVersion: builtin\nkind: HashTransformer\nmetadata: {name: h}\n"},
    ),
    generated(
        "a-generator-and-claims-of-nobody",
        files={
            "top/krmfn.yaml": generator(secret(), secret("mail", "app/mail", scope="cluster-wide"))
        },
    ),
    claims(
        "everything",
        of=[
            claim(nameSuffixHash=True, checksumAnnotation=True, metadata={"labels": {"a": "b"}}),
            claim("mail", "app/mail", template={"type": "Opaque", "immutable": True}),
        ],
        base="namePrefix: b-\nconfigMapGenerator: [{name: c, literals: [a=b]}]\ncommonLabels: {x: 'y'}",
        top="namePrefix: t-\nnameSuffix: -s\nlabels: [{pairs: {z: '1'}, includeSelectors: true}]\n"
        "commonAnnotations: {o: p}\nbuildMetadata: [originAnnotations, transformerAnnotations]\n"
        "sortOptions: {order: fifo}\nreplicas: [{name: app, count: 2}]\n"
        "images: [{name: registry.example/app, newTag: v3}]",
    ),
]
