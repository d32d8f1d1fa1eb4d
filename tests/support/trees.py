# ruff: noqa: E501  # a table
"""Small repositories without krmfn, for comparing what kustomize makes of one and of its copy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import random
    from pathlib import Path

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {app: app}}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
        - {name: app, image: "example/app:1", envFrom: [{configMapRef: {name: env}}]}
      volumes: [{name: v, secret: {secretName: db}}]
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {selector: {app: app}}\n"
WIDGET = (
    "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {secret: db, on: 'on'}\n"
)
FILES = {
    "base/app.yaml": DEPLOYMENT,
    "base/service.yaml": SERVICE,
    "base/widget.yaml": WIDGET,
    "overlay/patch.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {type: NodePort}\n",
    "overlay/json.yaml": "[{op: add, path: /metadata/annotations, value: {j: '1'}}]\n",
    "overlay/env.txt": "A=1\nB=two words\n",
    "overlay/data.bin": "\u00fcber\u2028\n",
    "overlay/names.yaml": "nameReference: [{kind: Secret, fieldSpecs: [{kind: Widget, path: spec/secret}]}]\n",
    "overlay/replace.yaml": "source: {kind: Service, name: app, fieldPath: metadata.name}\n"
    "targets: [{select: {kind: Widget}, fieldPaths: [spec.secret]}]\n",
    "overlay/label.yaml": "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: l}\n"
    "labels: {from: file, yes: 'no', quoted: yes}\n"
    "fieldSpecs: [{path: metadata/labels, create: true}]\n",
    "overlay/more/kustomization.yaml": "resources: [p.yaml]\ncommonAnnotations: {seen: no one}\n",
    "overlay/more/p.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: p}\n"
    "path: patch.yaml\ntarget: {kind: Service}\n",
    "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    "commonAnnotations: {part: 'true'}\n",
}
BASES: list[dict[str, Any]] = [
    {"resources": ["app.yaml", "service.yaml", "widget.yaml"]},
    {"resources": ["app.yaml", "service.yaml", "widget.yaml"], "namePrefix": "b-"},
    {"resources": ["app.yaml", "service.yaml", "widget.yaml"], "namespace": "below"},
]
SERVICE_PATCH = '{"op": "replace", "path": "/spec/type", "value": "NodePort"}'
# Fields of the overlay, to be combined.
FIELDS: list[dict[str, Any]] = [
    {"namespace": "prod"},
    {"namePrefix": "eu-"},
    {"nameSuffix": "-x"},
    {"commonLabels": {"team": "a", "n": "1", "\u00fc": "\u20ac\U0001f600"}},
    {
        "labels": [
            {
                "pairs": {"l": "yes"},
                "includeSelectors": True,
                "fields": [{"path": "spec/x", "create": True}],
            }
        ]
    },
    {"labels": [{"pairs": {"l": "null"}, "includeTemplates": True}]},
    {
        "commonAnnotations": {
            "a": "on",
            "b": "0644",
            "c": "1e3",
            "d": "line one\nline two\n",
            "e": "\u2028\ufeffx",
            "f": "",
        }
    },
    {"patches": [{"path": "patch.yaml"}, {"path": "json.yaml", "target": {"kind": "Widget"}}]},
    {"patches": [{"patch": f"[{SERVICE_PATCH}]", "target": {"kind": "Service", "name": ".*"}}]},
    {
        "patchesStrategicMerge": [
            "patch.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {x: yes}",
        ]
    },
    {
        "patchesJson6902": [
            {"path": "json.yaml", "target": {"version": "v1", "kind": "Service", "name": "app"}}
        ]
    },
    {"images": [{"name": "example/app", "newTag": "2.0", "digest": None}]},
    {"replicas": [{"name": "app", "count": 3}]},
    {
        "configMapGenerator": [
            {
                "name": "env",
                "envs": ["env.txt"],
                "files": ["data.bin", "k=env.txt"],
                "literals": ["a=b=c", "u=https://x.example/y"],
            }
        ]
    },
    {
        "secretGenerator": [
            {
                "name": "db",
                "literals": ["a=b"],
                "type": "Opaque",
                "options": {"labels": {"g": "1"}, "immutable": True},
            }
        ]
    },
    {"generatorOptions": {"annotations": {"made": "yes"}}},
    {"configurations": ["names.yaml"]},
    {"replacements": [{"path": "replace.yaml"}]},
    {"transformers": ["label.yaml"]},
    {"transformers": ["more", "label.yaml"]},
    {
        "transformers": [
            '{"apiVersion": "builtin", "kind": "PrefixTransformer", "metadata": {"name": "p"}, "prefix": "p-", "fieldSpecs": [{"path": "metadata/name"}]}'
        ]
    },
    {
        "transformers": [
            "apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: v}\ntargets: [{fieldPath: metadata/annotations/dir, selector: {kind: Widget}}]\n"
        ]
    },
    {
        "generators": [
            "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nliterals: [x=y]\n"
        ]
    },
    {"buildMetadata": ["originAnnotations", "transformerAnnotations"]},
    {"sortOptions": {"order": "fifo"}},
    {"components": ["../part"]},
    {"openapi": {"version": "v1.20.4"}},
    {
        "vars": [
            {
                "name": "X",
                "objref": {"kind": "Service", "name": "app", "apiVersion": "v1"},
                "fieldref": {"fieldPath": "metadata.name"},
            }
        ]
    },
    {"crds": None, "bases": None},
    {"metadata": {"name": "overlay", "annotations": {"x": "y"}}},
]
# Plain scalars in YAML 1.1: kustomize's own reading of them.
ODD = [
    "replicas: [{name: app, count: 0x3}]\n",
    "replicas: [{name: app, count: 03}]\n",
    "replicas: [{name: app, count: 1_0}]\n",
    "replicas: [{name: app, count: +2}]\n",
    "generatorOptions: {disableNameSuffixHash: yes}\nconfigMapGenerator: [{name: z, literals: [a=1]}]\n",
    "generatorOptions: {immutable: On}\nconfigMapGenerator: [{name: z, literals: [a=1]}]\n",
    "commonAnnotations: {date: 2001-01-01, v: 1.2.3, t: 12:30, s: !!str 12, p: ~x, m: -}\n",
    "commonAnnotations: &a {x: 'y'}\ncommonLabels: *a\n",
    "namePrefix: !!str 1\n",
    "namespace:\n",
    "images: [{name: example/app, newTag: v1}]\n",
    "nameSuffix: |-\n  -x\n",
    "namePrefix: >-\n  a-\n",
]


def write(root: Path, chosen: random.Random) -> None:
    """One tree, its fields, styles and spellings chosen at random."""
    (root / ".git").mkdir(parents=True)
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "base/kustomization.yaml").write_text(_styled(chosen.choice(BASES), chosen))
    (root / "linked").symlink_to("base")
    value: dict[str, Any] = {"resources": [chosen.choice(["../base", "../linked", "../base/"])]}
    for fields in chosen.sample(FIELDS, chosen.randint(1, 7)):
        value |= fields
    text = _styled(value, chosen)
    odd = chosen.choice(ODD)
    if chosen.random() < 0.4 and not set(yaml.safe_load(odd)) & set(value):
        text = yaml.safe_dump(value, allow_unicode=True) + odd
    name = chosen.choice(["kustomization.yaml", "kustomization.yml", "Kustomization"])
    (root / "overlay" / name).write_text(text)


def _styled(value: dict[str, Any], chosen: random.Random) -> str:
    style = chosen.randrange(4)
    if style == 0:
        return (
            json.dumps(value, ensure_ascii=False)
            .replace("\ufeff", "\\ufeff")
            .replace("\u2028", "\\u2028")
        )
    text = yaml.safe_dump(
        value,
        default_flow_style=[None, False, None][style - 1],
        default_style=[None, '"', "'"][style - 1],
        allow_unicode=chosen.random() < 0.5,
        sort_keys=chosen.random() < 0.5,
        explicit_start=chosen.random() < 0.2,
    )
    # A dumper that quotes everything needs tags, which are refused.
    return re.sub(r"!!(?:bool|int|null) [\"'](\w*)[\"']", r"\1", text)
