"""The fields of kustomize's files: their names and types, and which of them name a file.

Rules enforced here: the tables hold exactly what some supported kustomize reads, in its own spelling.
Fields for charts are left out on purpose (`CHARTS`): no chart is inflated. A test compares the tables
with the Go types and the builtins of each supported kustomize.

A shape is a `Use` for a scalar, ``[shape]`` for a list, `Texts` for a map of strings, and a dict of
shapes by field for an object.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias


class Use(Enum):
    """The type of a scalar, and the kind of thing that it names."""

    TEXT = "text"
    FLAG = "true or false"
    NUMBER = "an integer"
    FILE = "the path of a YAML file"
    DATA = "the path of a file"
    KEYED_DATA = "the path of a file, or key=path"
    RESOURCE = "the path of a file or directory"
    DIRECTORY = "the path of a directory"
    FUNCTION = "a configuration, or the path of a file or directory"
    PATCH_OR_FILE = "a patch, or the path of a file"
    PATCH = "a patch"


@dataclass(frozen=True)
class Texts:
    """A map of strings with any keys."""


Shape: TypeAlias = "Use | Texts | list[Any] | dict[str, Any]"

_TEXT, _FLAG, _NUMBER = Use.TEXT, Use.FLAG, Use.NUMBER
_TEXTS = Texts()
_GVK: dict[str, Shape] = dict.fromkeys(("group", "version", "kind"), _TEXT)
_ID: dict[str, Shape] = {**_GVK, "name": _TEXT, "namespace": _TEXT}
_SELECTOR: dict[str, Shape] = {**_ID, "annotationSelector": _TEXT, "labelSelector": _TEXT}
_FIELD_SPECS: list[Shape] = [{**_GVK, "path": _TEXT, "create": _FLAG}]
_FIELD_OPTIONS: dict[str, Shape] = {
    "delimiter": _TEXT,
    "index": _NUMBER,
    "encoding": _TEXT,
    "create": _FLAG,
}
_IMAGE: dict[str, Shape] = dict.fromkeys(
    ("name", "newName", "tagSuffix", "newTag", "digest"), _TEXT
)
_REPLICA: dict[str, Shape] = {"name": _TEXT, "count": _NUMBER}
_REPLACEMENTS: list[Shape] = [
    {
        "path": Use.FILE,
        "source": {**_ID, "fieldPath": _TEXT, "options": _FIELD_OPTIONS},
        "sourceValue": _TEXT,
        "targets": [
            {
                "select": _SELECTOR,
                "reject": [_SELECTOR],
                "fieldPaths": [_TEXT],
                "options": _FIELD_OPTIONS,
            }
        ],
    }
]
_GENERATOR_OPTIONS: dict[str, Shape] = {
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "disableNameSuffixHash": _FLAG,
    "immutable": _FLAG,
}
_CONFIG_MAP: dict[str, Shape] = {
    "name": _TEXT,
    "namespace": _TEXT,
    "behavior": _TEXT,
    "literals": [_TEXT],
    "files": [Use.KEYED_DATA],
    "envs": [Use.DATA],
    "env": Use.DATA,
    "options": _GENERATOR_OPTIONS,
}
_SECRET: dict[str, Shape] = {**_CONFIG_MAP, "type": _TEXT}
_PATCH: dict[str, Shape] = {
    "path": Use.FILE,
    "patch": Use.PATCH,
    "target": _SELECTOR,
    "options": {"allowNameChange": _FLAG, "allowKindChange": _FLAG},
}
METADATA: dict[str, Shape] = {
    "name": _TEXT,
    "namespace": _TEXT,
    "labels": _TEXTS,
    "annotations": _TEXTS,
}

CHARTS = ("helmCharts", "helmGlobals", "helmChartInflationGenerator")
CHART_KIND = "HelmChartInflationGenerator"

KUSTOMIZATION: dict[str, Shape] = {
    "apiVersion": _TEXT,
    "kind": _TEXT,
    "metadata": METADATA,
    "openapi": {"path": Use.FILE, "version": _TEXT},
    "namePrefix": _TEXT,
    "nameSuffix": _TEXT,
    "namespace": _TEXT,
    "commonLabels": _TEXTS,
    "labels": [
        {
            "pairs": _TEXTS,
            "includeSelectors": _FLAG,
            "includeTemplates": _FLAG,
            "includeVolumeClaimTemplates": _FLAG,
            "fields": _FIELD_SPECS,
        }
    ],
    "commonAnnotations": _TEXTS,
    "patchesStrategicMerge": [Use.PATCH_OR_FILE],
    "patchesJson6902": [_PATCH],
    "patches": [_PATCH],
    "images": [_IMAGE],
    "imageTags": [_IMAGE],
    "replacements": _REPLACEMENTS,
    "replicas": [_REPLICA],
    "vars": [
        {
            "name": _TEXT,
            "objref": {"apiVersion": _TEXT, **_ID},
            "fieldref": {"fieldPath": _TEXT},
        }
    ],
    "sortOptions": {
        "order": _TEXT,
        "legacySortOptions": {"orderFirst": [_TEXT], "orderLast": [_TEXT]},
    },
    "resources": [Use.RESOURCE],
    "components": [Use.DIRECTORY],
    "crds": [Use.FILE],
    "bases": [Use.RESOURCE],
    "configMapGenerator": [_CONFIG_MAP],
    "secretGenerator": [_SECRET],
    "generatorOptions": _GENERATOR_OPTIONS,
    "configurations": [Use.FILE],
    "generators": [Use.FUNCTION],
    "transformers": [Use.FUNCTION],
    "validators": [Use.FUNCTION],
    "buildMetadata": [_TEXT],
}

_BUILTINS: dict[str, dict[str, Shape]] = {
    "AnnotationsTransformer": {"annotations": _TEXTS, "fieldSpecs": _FIELD_SPECS},
    "ConfigMapGenerator": _CONFIG_MAP,
    "HashTransformer": {},
    "IAMPolicyGenerator": {
        "cloud": _TEXT,
        "kubernetesService": {"name": _TEXT, "namespace": _TEXT},
        "serviceAccount": {"name": _TEXT, "projectId": _TEXT},
    },
    "ImageTagTransformer": {"imageTag": _IMAGE, "fieldSpecs": _FIELD_SPECS},
    "LabelTransformer": {"labels": _TEXTS, "fieldSpecs": _FIELD_SPECS},
    "NamespaceTransformer": {
        "fieldSpecs": _FIELD_SPECS,
        "unsetOnly": _FLAG,
        "setRoleBindingSubjects": _TEXT,
    },
    "PatchJson6902Transformer": {"target": _SELECTOR, "path": Use.FILE, "jsonOp": Use.PATCH},
    "PatchStrategicMergeTransformer": {"paths": [Use.PATCH_OR_FILE], "patches": Use.PATCH},
    "PatchTransformer": _PATCH,
    "PrefixSuffixTransformer": {"prefix": _TEXT, "suffix": _TEXT, "fieldSpecs": _FIELD_SPECS},
    "PrefixTransformer": {"prefix": _TEXT, "fieldSpecs": _FIELD_SPECS},
    "ReplacementTransformer": {"replacements": _REPLACEMENTS},
    "ReplicaCountTransformer": {"replica": _REPLICA, "fieldSpecs": _FIELD_SPECS},
    "SecretGenerator": _SECRET,
    "SuffixTransformer": {"suffix": _TEXT, "fieldSpecs": _FIELD_SPECS},
    "ValueAddTransformer": {
        "value": _TEXT,
        "targets": [{"selector": _SELECTOR, "fieldPath": _TEXT, "filePathPosition": _NUMBER}],
        "targetFilePath": Use.FILE,
    },
}
_OBJECT: dict[str, Shape] = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": METADATA}
# Each builtin's configuration file, by its kind.
BUILTINS: dict[str, dict[str, Shape]] = {
    kind: {**_OBJECT, **shape} for kind, shape in _BUILTINS.items()
}
