"""Scalars that parsers disagree about, in resources, kustomizations, claims and configurations."""

from __future__ import annotations

from tests.differential.trees import Tree, claim, claims, generated, transformer, validator

SEALING = """\
apiVersion: krmfn.dev/v1alpha1
kind: SealedSecretTransformer
metadata:
  name: krmfn
  annotations:
    config.kubernetes.io/function: "exec: {path: krmfn}"
    note: "yes"
"""


def _resource(id_: str, text: str, **more: object) -> Tree:
    """An object of somebody else's that has to pass unchanged."""
    return claims(id_, base="resources: [x.yaml]", files={"base/x.yaml": text}, **more)  # type: ignore[arg-type]


def _data(id_: str, lines: str, **more: object) -> Tree:
    """A Widget with these fields."""
    body = "".join(f"  {line}\n" for line in lines.splitlines())
    text = f"apiVersion: example.com/v1\nkind: Widget\nmetadata: {{name: x}}\nspec:\n{body}"
    return _resource(id_, text, **more)


def _top(lines: str) -> str:
    return (
        "resources: [../base]\ntransformers: [krmfn.yaml, skip-marker.yaml]\n"
        "validators: [validator.yaml]\n" + lines
    )


TREES: list[Tree] = [
    _data("scalars-booleans-of-1.1", "a: yes\nb: no\nc: on\nd: off\ne: y\nf: N\ng: 'yes'\nh: True"),
    _data(
        "scalars-numbers",
        "a: 0644\nb: 0o17\nc: 1e3\nd: 1_000\ne: 0x1F\nf: 0b11\ng: 190:20:30\nh: .5",
    ),
    _data(
        "scalars-quoted-numbers", "a: '0644'\nb: \"1e3\"\nc: '0o17'\nd: '1_000'\ne: '.5'\nf: '1.0'"
    ),
    _data(
        "scalars-big-numbers", "a: 9007199254740993\nb: 12345678901234567\nc: 1.0\nd: 3.10\ne: -0"
    ),
    _data("scalars-floats", "a: 1.5e+10\nb: -0.5\nc: 1e-7\nd: 100000000000000000000.0"),
    _data("scalars-dates", "a: 2001-12-14\nb: 2001-12-14t21:59:43.10-05:00\nc: '2001-12-14'"),
    _data("scalars-nulls", "a: ~\nb: null\nc:\nd: 'null'\ne: \"~\"\nf: Null"),
    _data(
        "scalars-punctuation", "a: '='\nb: '<<'\nc: '*'\nd: '&a'\ne: '%'\nf: '@x'\ng: '-'\nh: '?'"
    ),
    _data("scalars-equals-unquoted", "a: ="),
    _data(
        "scalars-unicode",
        'a: \u00e9\u00df\u4e2d\nb: "\\U0001F600"\nc: \U0001f600\nd: "\\u00a0x"\ne: \u2028',
    ),
    _data("scalars-escapes", 'a: "tab\\tnew\\nline"\nb: "\\x41\\e[0m"\nc: "\\0x"\nd: "\\\\"'),
    _data(
        "scalars-multi-line",
        "a: |\n  one\n   two\n\n  three\nb: >\n  folded\n  text\n\n  more\nc: |-\n  x\nd: |+\n  kept\n\n",
    ),
    _data(
        "scalars-plain-over-lines", "a: one\n  two\n  three\nb: 'one\n\n  two'\nc: \"one\\\n  two\""
    ),
    _data("scalars-trailing-blanks", 'a: "x  "\nb: "  x"\nc: " "\nd: ""'),
    _data("scalars-long-lines", f"a: {'word ' * 60}\nb: '{'x' * 300}'\nc: \"{'y ' * 200}\""),
    _data("scalars-anchors", "a: &x {k: v}\nb: *x\nc: [*x, *x]"),
    _data("scalars-merge-keys", "a: &x {k: v, l: w}\nb:\n  <<: *x\n  l: z"),
    _data("scalars-flow", "a: {b: [1, 'two', {c: d}], e: ''}\nf: []\ng: {}"),
    _data("scalars-keys", "yes: 1\n'no': 2\n'1': 3\n'1.0': 4\n? complex\n: 5\n'with space': 6"),
    _data("scalars-number-keys", "1: 2", refused="kustomize"),
    _data("scalars-infinite", "a: .inf", refused="kustomize"),
    _data("scalars-tags", "a: !!str 5\nb: !!int '6'\nc: !!binary aGVsbG8="),
    _data("scalars-comments", "# one\na: b # two\n# three\nc:\n# four\n- d # five"),
    _data("scalars-crlf", "a: b\r\nc: |\r\n  one\r\n  two"),
    _resource(
        "scalars-configmap",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: '1e3'\n  b: '0o17'\n"
        "  c: 'on'\n  d: '='\n  e: |\n    x: 1\n    # y\n  f: \"\\u00e9\\U0001F600\"\n"
        "binaryData: {g: AAEC/w==}\n",
    ),
    _resource(
        "scalars-documents",
        "---\n# nothing\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n...\n",
    ),
    _resource(
        "scalars-json",
        '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"},\n'
        ' "data": {"a": "\\u00e9", "c": "\\t"}}\n',
    ),
    _resource(
        "scalars-list",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: y}, data: {a: 'yes'}}\n",
    ),
    _resource(
        "scalars-list-with-a-claim",
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: krmfn.dev/v1alpha1\n  kind: SecretClaim\n"
        "  metadata: {name: mail}\n  spec: {store: main, data: [{secretKey: p, remoteRef: "
        "{key: app/mail, property: password}}]}\n",
    ),
    _resource("scalars-bom", "\ufeffapiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
    claims(
        "kustomization-anchors",
        files={"top/kustomization.yaml": _top("namespace: &n production\nnamePrefix: *n\n")},
    ),
    claims(
        "kustomization-merge-key",
        files={
            "top/kustomization.yaml": _top(
                "namespace: production\nlabels:\n- &l {pairs: {a: b}}\n- <<: *l\n  pairs: {c: d}\n"
            )
        },
    ),
    claims(
        "kustomization-flow",
        files={
            "top/kustomization.yaml": "{namespace: production, resources: [../base], "
            "transformers: [krmfn.yaml, skip-marker.yaml], validators: [validator.yaml]}\n"
        },
    ),
    claims(
        "kustomization-json",
        files={
            "top/kustomization.yaml": '{"namespace": "production", "resources": ["../base"],\n'
            '"transformers": ["krmfn.yaml", "skip-marker.yaml"], "validators": ["validator.yaml"]}\n'
        },
    ),
    claims(
        "kustomization-quoted-numbers",
        top="commonAnnotations: {a: '1', b: 'true', c: '0644', d: 1e3x}\nnameSuffix: '-1'",
    ),
    claims(
        "kustomization-values-of-1.1",
        top="sortOptions: {order: fifo}",
        base="configMapGenerator: [{name: c, literals: [a=yes, b=0644, c=1e3], "
        "options: {disableNameSuffixHash: true}}]",
    ),
    claims(
        "kustomization-annotation-number",
        files={
            "top/kustomization.yaml": _top("namespace: production\ncommonAnnotations: {a: 1}\n")
        },
        refused="kustomize",
    ),
    claims(
        "kustomization-annotation-yes",
        files={
            "top/kustomization.yaml": _top("namespace: production\ncommonAnnotations: {a: yes}\n")
        },
        refused="kustomize",
    ),
    claims(
        "kustomization-annotation-date",
        files={
            "top/kustomization.yaml": _top(
                "namespace: production\ncommonAnnotations: {a: 2001-12-14, b: ~}\n"
            )
        },
    ),
    claims(
        "kustomization-unicode",
        top="commonAnnotations: {a: \u00e9\u4e2d, b: \"\\U0001F600\", '\u00fc.example/x': y}",
    ),
    claims(
        "kustomization-comments-and-documents",
        files={
            "top/kustomization.yaml": "---\n# first\n"
            + _top("namespace: production # here\n")
            + "# last\n"
        },
    ),
    claims(
        "kustomization-multi-line-patch",
        top="patches:\n- target: {kind: Deployment}\n  patch: |\n    # a comment\n    - op: add\n"
        "      path: /metadata/annotations\n      value:\n        a: |\n          one\n          two",
    ),
    claims(
        "kustomization-folded-patch",
        top="patches:\n- patch: >\n    {apiVersion: apps/v1, kind: Deployment,\n"
        "    metadata: {name: app,\n    annotations: {a: 'yes'}}}",
    ),
    claims(
        "kustomization-empty-fields",
        top="labels: []\npatches: []\ncomponents: []\nimages: []",
    ),
    claims(
        "kustomization-api-version",
        top="apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: {name: x}",
    ),
    claims(
        "function-with-anchors",
        files={
            "top/krmfn.yaml": SEALING + "spec:\n  sealing:\n"
            "    certificate: {file: ../cert.pem}\n"
            "    derivationKey: {store: &s main, key: krmfn/derivation, property: key}\n"
            '    epoch: "0644"\n'
            "  stores:\n    main: {age: {file: ../secrets.age}}\n"
        },
    ),
    claims(
        "claim-with-odd-metadata",
        of=[claim(metadata={"labels": {"a": "yes", "b": "1e3", "c": "0644"}})],
    ),
    claims(
        "claim-with-unicode",
        of=[claim(metadata={"annotations": {"a": "\u00e9\U0001f600", "b": " x "}})],
    ),
    claims(
        "claim-with-literal-values",
        of=[
            claim(
                data=[
                    {"secretKey": "password", "value": "0644"},
                    {"secretKey": "b", "value": "yes"},
                    {"secretKey": "c", "value": "one\ntwo\n"},
                    {"secretKey": "d", "value": "\u00e9\U0001f600\t"},
                ]
            )
        ],
    ),
    claims(
        "claim-in-block-text",
        of=[claim()],
        base="resources: [m.yaml]",
        files={
            "base/m.yaml": "# a claim\napiVersion: krmfn.dev/v1alpha1\nkind: SecretClaim\nmetadata:\n"
            '  name: mail # its name\n  annotations: &a {x: "yes"}\n  labels: *a\nspec:\n'
            "  store: main\n  data:\n  - secretKey: password\n    remoteRef: {key: app/mail, "
            "property: password}\n"
        },
    ),
    claims(
        "values-that-are-odd",
        of=[claim("db", "app/odd", data=None, dataFrom=[{"extract": {"key": "app/odd"}}])],
    ),
    generated(
        "validator-with-odd-text", files={"top/validator.yaml": validator(plainSecrets="error")}
    ),
    claims("sealing-epoch-like-a-number", files={"top/krmfn.yaml": transformer(epoch="1e3")}),
]
