"""Kustomizations on kustomizations: components, several bases, a transformer on each layer."""

from __future__ import annotations

from tests.differential.trees import (
    DELETION,
    DEPLOYMENT,
    MARKER_PATCH,
    Content,
    Tree,
    claim,
    claims,
    generated,
    generator,
    secret,
    transformer,
    validator,
)

COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
MAIL = DEPLOYMENT.replace("name: db", "name: mail").replace("name: app", "name: mailer")


def _sealing(directory: str, lines: str, up: str = "../") -> dict[str, Content]:
    """A kustomization with a transformer and its marker's deletion, and no validator."""
    return {
        f"{directory}/krmfn.yaml": transformer(up=up),
        f"{directory}/skip-marker.yaml": MARKER_PATCH,
        f"{directory}/kustomization.yaml": lines + "transformers: [krmfn.yaml, skip-marker.yaml]\n",
    }


def _application(directory: str, name: str, key: str = "app/db") -> dict[str, Content]:
    """A base of its own: a Deployment, and a claim of the Secret that it uses."""
    return {
        f"{directory}/d.yaml": DEPLOYMENT.replace("name: app", f"name: {name}"),
        f"{directory}/c.yaml": claim("db", key),
        f"{directory}/kustomization.yaml": "resources: [d.yaml, c.yaml]\n",
    }


NO_BASE = "resources!: %s"
TWO_OVERLAYS = {
    **_sealing("one", "namespace: one\nresources: [../base]\n"),
    **_sealing("two", "namespace: two\nresources: [../base]\nnamePrefix: p-\n"),
}
ONLY_VALIDATOR = "namespace: null\ntransformers!: null\n"

TREES: list[Tree] = [
    claims(
        "component-with-a-claim",
        top="components: [../component]",
        files={
            "component/kustomization.yaml": COMPONENT + "resources: [m.yaml, c.yaml]\n",
            "component/m.yaml": MAIL,
            "component/c.yaml": claim("mail", "app/mail"),
        },
    ),
    claims(
        "component-that-patches-a-claim",
        top="components: [../component]",
        files={
            "component/kustomization.yaml": COMPONENT + "patches:\n- target: {kind: SecretClaim}\n"
            "  patch: '- {op: add, path: /spec/nameSuffixHash, value: true}'\n"
        },
    ),
    claims(
        "component-with-a-prefix",
        top="components: [../component]\nnamePrefix: t-",
        files={"component/kustomization.yaml": COMPONENT + "namePrefix: c-\n"},
    ),
    claims(
        "component-of-a-component",
        top="components: [../one]",
        files={
            "one/kustomization.yaml": COMPONENT + "components: [../two]\n",
            "two/kustomization.yaml": COMPONENT + "commonAnnotations: {two: 'yes'}\n",
        },
    ),
    claims(
        "component-used-by-base-and-overlay",
        base="components: [../component]",
        top="components: [../component]",
        files={"component/kustomization.yaml": COMPONENT + "commonAnnotations: {c: 'yes'}\n"},
    ),
    claims(
        "component-with-a-configmap-generator",
        top="components: [../component]",
        files={
            "component/kustomization.yaml": COMPONENT
            + "configMapGenerator: [{name: c, literals: [a=b]}]\n"
        },
    ),
    claims(
        "component-with-the-transformer",
        top="transformers!: null\ncomponents: [../component]",
        files={
            "component/krmfn.yaml": transformer(),
            "component/skip-marker.yaml": MARKER_PATCH,
            "component/kustomization.yaml": COMPONENT
            + "transformers: [krmfn.yaml, skip-marker.yaml]\n",
        },
        refused="namespace-missing",
    ),
    claims(
        "component-with-the-transformer-and-a-namespace",
        top="transformers!: null\ncomponents: [../component]",
        files={
            "component/krmfn.yaml": transformer(namespace="production"),
            "component/skip-marker.yaml": MARKER_PATCH,
            "component/kustomization.yaml": COMPONENT
            + "transformers: [krmfn.yaml, skip-marker.yaml]\n",
        },
    ),
    claims(
        "component-with-a-validator",
        top="components: [../component]",
        files={
            "component/v.yaml": validator("c", plainSecrets="allow"),
            "component/kustomization.yaml": COMPONENT + "validators: [v.yaml]\n",
        },
        refused="claim-left",
    ),
    generated(
        "component-with-the-generator",
        top="generators!: null\ncomponents: [../component]",
        files={
            "component/krmfn.yaml": generator(namespace="production"),
            "component/kustomization.yaml": COMPONENT + "generators: [krmfn.yaml]\n",
        },
    ),
    claims(
        "two-bases",
        top=NO_BASE % "[../base, ../mail]",
        files={
            "mail/d.yaml": MAIL,
            "mail/c.yaml": claim("mail", "app/mail"),
            "mail/kustomization.yaml": "resources: [d.yaml, c.yaml]\n",
        },
    ),
    claims(
        "two-bases-of-one-name",
        top=NO_BASE % "[../one, ../two]",
        files={
            **_application("a", "first"),
            **_application("b", "second", "app/mail"),
            "one/kustomization.yaml": "resources: [../a]\nnamePrefix: a-\n",
            "two/kustomization.yaml": "resources: [../b]\nnamePrefix: b-\n",
        },
    ),
    claims(
        "two-bases-of-one-name-one-unchanged",
        top=NO_BASE % "[../one, ../b]",
        files={
            **_application("a", "first"),
            **_application("b", "second", "app/mail"),
            "one/kustomization.yaml": "resources: [../a]\nnamePrefix: a-\n",
        },
    ),
    claims(
        "two-bases-hashed",
        top=NO_BASE % "[../one, ../two]" + "\nnamePrefix: t-",
        files={
            **_application("a", "first"),
            **_application("b", "second", "app/mail"),
            "a/c.yaml": claim(nameSuffixHash=True),
            "b/c.yaml": claim("db", "app/mail", nameSuffixHash=True),
            "one/kustomization.yaml": "resources: [../a]\nnamePrefix: a-\n",
            "two/kustomization.yaml": "resources: [../b]\nnameSuffix: -b\n",
        },
    ),
    claims(
        "one-base-twice",
        top="namespace: null\n" + NO_BASE % "[../one, ../two]",
        files={
            "one/kustomization.yaml": "resources: [../base]\nnamespace: one\n",
            "two/kustomization.yaml": "resources: [../base]\nnamespace: two\n",
        },
    ),
    claims(
        "one-base-twice-with-checksums",
        of=[claim(checksumAnnotation=True)],
        top="namespace: null\n" + NO_BASE % "[../one, ../two]",
        files={
            "one/kustomization.yaml": "resources: [../base]\nnamespace: one\n",
            "two/kustomization.yaml": "resources: [../base]\nnamespace: two\nnamePrefix: p-\n",
        },
    ),
    claims(
        "a-transformer-on-each-side",
        top=ONLY_VALIDATOR + NO_BASE % "[../one, ../two]",
        files=TWO_OVERLAYS,
    ),
    claims(
        "a-transformer-on-each-side-and-above",
        top="namespace: null\n" + NO_BASE % "[../one, ../two, mail.yaml]",
        files={
            **TWO_OVERLAYS,
            "top/mail.yaml": claim("mail", "app/mail", metadata={"namespace": "three"}),
        },
    ),
    claims(
        "a-transformer-on-each-layer",
        top=NO_BASE % "[../inner, mail.yaml]",
        files={
            **_sealing("inner", "namespace: production\nresources: [../base]\n"),
            "top/mail.yaml": claim("mail", "app/mail"),
        },
    ),
    claims(
        "a-transformer-on-each-of-three-layers",
        top=NO_BASE % "[../middle, last.yaml]",
        files={
            **_sealing("inner", "namespace: production\nresources: [../base]\n"),
            **_sealing("middle", "namespace: production\nresources: [../inner, mail.yaml]\n"),
            "middle/mail.yaml": claim("mail", "app/mail"),
            "top/last.yaml": claim("last", "app/mail", nameSuffixHash=True),
        },
    ),
    claims(
        "a-transformer-below-and-labels-above",
        top=ONLY_VALIDATOR + NO_BASE % "[../inner]" + "\ncommonLabels: {a: b}",
        files=_sealing("inner", "namespace: production\nresources: [../base]\n"),
    ),
    claims(
        "a-transformer-below-and-a-patch-above",
        top=ONLY_VALIDATOR + NO_BASE % "[../inner]" + "\npatches:\n- target: {kind: SealedSecret}\n"
        "  patch: '- {op: add, path: /metadata/labels, value: {a: b}}'",
        files=_sealing("inner", "namespace: production\nresources: [../base]\n"),
    ),
    claims(
        "a-transformer-below-and-the-same-namespace-above",
        top="transformers!: null\n" + NO_BASE % "[../inner]",
        files=_sealing("inner", "namespace: production\nresources: [../base]\n"),
    ),
    claims(
        "a-transformer-below-and-a-prefix-above",
        top="transformers!: null\nnamePrefix: p-\n" + NO_BASE % "[../inner]",
        files=_sealing("inner", "namespace: production\nresources: [../base]\n"),
        refused="sealed-for",
    ),
    claims(
        "a-generator-below-and-a-transformer-above",
        files={
            "base/kustomization.yaml": "resources: [deployment.yaml, claims.yaml]\n"
            f"generators: [g.yaml]\npatches: [{{patch: '{DELETION.strip()}'}}]\n",
            "base/g.yaml": generator(secret("mail", "app/mail"), namespace="production"),
        },
    ),
    claims(
        "a-generator-beside-a-transformer",
        top="generators: [g.yaml]",
        files={"top/g.yaml": generator(secret("mail", "app/mail"), name="g")},
        refused="kustomize",
    ),
    claims(
        "deep",
        top=NO_BASE % "[../l1]",
        files={
            "l1/kustomization.yaml": "resources: [../l2]\nnamePrefix: a-\n",
            "l2/kustomization.yaml": "resources: [../l3]\nnameSuffix: -b\n",
            "l3/kustomization.yaml": "resources: [../l4]\ncommonLabels: {l: three}\n",
            "l4/kustomization.yaml": "resources: [../base]\nnamePrefix: c-\n",
        },
    ),
    claims(
        "diamond",
        top=NO_BASE % "[../left, ../right]",
        files={
            "left/kustomization.yaml": "resources: [../base]\nnamePrefix: l-\n",
            "right/kustomization.yaml": "resources: [../base]\nnamePrefix: r-\n",
        },
    ),
    claims("bases", top="resources!: null\nbases: [../base]"),
    claims(
        "a-linked-base",
        top=NO_BASE % "[../linked]",
        links={"linked": "base"},
        files={},
    ),
    claims(
        "a-linked-file",
        base="resources: [more]",
        files={
            "base/more/kustomization.yaml": "resources: [c.yaml]\n",
            "base/more/real.yaml": claim("mail", "app/mail"),
        },
        links={"base/more/c.yaml": "real.yaml"},
    ),
    claims(
        "a-directory-inside-the-overlay",
        top="resources: [extra]",
        files={
            "top/extra/kustomization.yaml": "resources: [m.yaml, c.yaml]\nnamePrefix: x-\n",
            "top/extra/m.yaml": MAIL,
            "top/extra/c.yaml": claim("mail", "app/mail"),
        },
    ),
    claims(
        "other-file-names",
        files={
            "base/kustomization.yaml": None,
            "base/kustomization.yml": "resources: [deployment.yaml, claims.yaml]\n",
            "top/kustomization.yaml": None,
            "top/Kustomization": "namespace: production\nresources: [../base]\n"
            "transformers: [krmfn.yaml, skip-marker.yaml]\nvalidators: [validator.yaml]\n",
        },
    ),
]
