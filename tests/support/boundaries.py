"""What an author could write so that kustomize reads or fetches what no build of his may.

Each attack is a function of the overlay, of a server that must not be asked, and of a directory outside
of the repository. The server answers with a resource, and so would the directory: both say `OUTSIDE`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OUTSIDE = "OUTSIDE-THE-REPOSITORY"
CONFIGMAP = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{x: {OUTSIDE}}}\n"
OWN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\ndata: {x: y}\n"


@dataclass(frozen=True)
class Place:
    """Where an attack is written.

    Attributes:
        overlay: the directory that is built.
        address: of the server, without a slash at the end.
        outside: a directory with `kustomization.yaml` and `x.yaml`, not in the repository.
    """

    overlay: Path
    address: str
    outside: Path


def prepare(root: Path, address: str) -> Place:
    """A repository that does nothing wrong yet, and what is beside it."""
    overlay, outside = root / "r/overlay", root / "outside"
    for directory in (overlay, outside, root / "r/.git"):
        directory.mkdir(parents=True)
    (overlay / "own.yaml").write_text(OWN)
    (outside / "x.yaml").write_text(CONFIGMAP)
    (outside / "kustomization.yaml").write_text("resources: [x.yaml]\n")
    return Place(overlay, address, outside)


def _write(place: Place, value: Any, name: str = "kustomization.yaml") -> None:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    (place.overlay / name).write_text(text)


def _filled(value: Any, what: str) -> Any:
    """A copy with ``@`` replaced by what is named."""
    if isinstance(value, dict):
        return {k: _filled(v, what) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, what) for v in value]
    return value.replace("@", what) if isinstance(value, str) else value


def _kustomization(value: dict[str, Any], what: str, place: Place) -> None:
    what = what.format(address=place.address, outside=place.outside)
    what = what.replace("HTTPhttp", "HTTP")
    _write(place, {"resources": ["own.yaml"], **_filled(value, what)})


def _builtin(config: dict[str, Any], way: str, what: str, place: Place) -> None:
    """A builtin's configuration, in a file, inline, or in a directory of configurations."""
    what = what.format(address=place.address, outside=place.outside)
    head = {"apiVersion": "builtin", "metadata": {"name": "b"}}
    value = head | _filled(config, what)
    field = "generators" if value["kind"].endswith("Generator") else "transformers"
    entry = "b.yaml"
    if way == "inline":
        entry = json.dumps(value) + "\n"
    elif way == "directory":
        entry = "functions"
        (place.overlay / entry).mkdir()
        _write(place, {"resources": ["b.yaml"]}, f"{entry}/kustomization.yaml")
        _write(place, value, f"{entry}/b.yaml")
    else:
        _write(place, value, entry)
    _write(place, {"resources": ["own.yaml"], field: [entry]})


SELECT = {"kind": "ConfigMap"}
# Every field of a kustomization that names something, with the name as `@`.
FIELDS: dict[str, dict[str, Any]] = {
    "resources": {"resources": ["own.yaml", "@"]},
    "bases": {"bases": ["@"]},
    "components": {"components": ["@"]},
    "crds": {"crds": ["@"]},
    "configurations": {"configurations": ["@"]},
    "generators": {"generators": ["@"]},
    "transformers": {"transformers": ["@"]},
    "validators": {"validators": ["@"]},
    "patchesStrategicMerge": {"patchesStrategicMerge": ["@"]},
    "patchesJson6902": {"patchesJson6902": [{"path": "@", "target": {**SELECT, "name": "own"}}]},
    "patches": {"patches": [{"path": "@", "target": SELECT}]},
    "replacements": {"replacements": [{"path": "@"}]},
    "openapi": {"openapi": {"path": "@"}},
    "configMapGenerator.files": {"configMapGenerator": [{"name": "g", "files": ["k=@"]}]},
    "configMapGenerator.files-bare": {"configMapGenerator": [{"name": "g", "files": ["@"]}]},
    "configMapGenerator.envs": {"configMapGenerator": [{"name": "g", "envs": ["@"]}]},
    "configMapGenerator.env": {"configMapGenerator": [{"name": "g", "env": "@"}]},
    "secretGenerator.files": {"secretGenerator": [{"name": "g", "files": ["k=@"]}]},
    "secretGenerator.envs": {"secretGenerator": [{"name": "g", "envs": ["@"]}]},
    "helmCharts": {"helmCharts": [{"name": "c", "repo": "@", "version": "1"}]},
    "helmChartInflationGenerator": {
        "helmChartInflationGenerator": [{"chartName": "c", "chartRepoUrl": "@"}]
    },
}
# Every builtin that reads files.
BUILTINS: dict[str, dict[str, Any]] = {
    "PatchTransformer": {"kind": "PatchTransformer", "path": "@", "target": SELECT},
    "PatchJson6902Transformer": {
        "kind": "PatchJson6902Transformer",
        "path": "@",
        "target": {**SELECT, "name": "own"},
    },
    "PatchStrategicMergeTransformer": {"kind": "PatchStrategicMergeTransformer", "paths": ["@"]},
    "ReplacementTransformer": {"kind": "ReplacementTransformer", "replacements": [{"path": "@"}]},
    "ValueAddTransformer": {
        "kind": "ValueAddTransformer",
        "value": "x",
        "targetFilePath": "@",
        "targets": [{"fieldPath": "data/x"}],
    },
    "ConfigMapGenerator.files": {"kind": "ConfigMapGenerator", "files": ["k=@"]},
    "ConfigMapGenerator.envs": {"kind": "ConfigMapGenerator", "envs": ["@"]},
    "ConfigMapGenerator.env": {"kind": "ConfigMapGenerator", "env": "@"},
    "SecretGenerator.files": {"kind": "SecretGenerator", "files": ["k=@"]},
    "HelmChartInflationGenerator": {
        "kind": "HelmChartInflationGenerator",
        "name": "c",
        "repo": "@",
        "version": "1",
    },
}
WHERE = {
    "address": "{address}/x.yaml",
    "outside": "{outside}/x.yaml",
}
DIRECTORIES = ("resources", "bases", "components", "generators", "transformers", "validators")
REMOTES = {
    "git": "git::{address}/x.git//a?ref=main",
    "git-suffix": "{address}/x.git?timeout=5",
    "git-user": "git@127.0.0.1:x/y",
    "git-file": "file://{outside}",
    "git-ssh": "ssh://git@127.0.0.1/x/y.git",
    "host": "github.com/krmfn/nothing?ref=main",
    "query": "{address}/x.yaml?a=b#c",
    "capitals": "HTTP{address}/x.yaml",
}
ODD_KEYS = {
    "long-s": lambda key: key.replace("s", "\u017f", 1),
    "long-s-last": lambda key: "\u017f".join(key.rsplit("s", 1)),
    "upper": str.upper,
    "title": lambda key: key[0].upper() + key[1:],
    "kelvin": lambda key: key.replace("k", "\u212a", 1),
}
OUT_OF_IT = {
    "dots": "../../outside",
    "more-dots": "../../../../../../../../../../../../..{outside}",
    "absolute": "{outside}",
    "proc-root": "/proc/self/root{outside}",
    "proc-cwd": "/proc/self/cwd/../../outside",
    "link": "link",
    "link-up": "up/outside",
}


def _odd_key(key: str, way: str, value: dict[str, Any], place: Place) -> None:
    """A field that Go takes for another one."""
    odd = ODD_KEYS[way](key)
    what = f"{place.address}/x.yaml"

    def renamed(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {odd if k == key else k: renamed(v) for k, v in inner.items()}
        return [renamed(v) for v in inner] if isinstance(inner, list) else inner

    _write(place, {"commonLabels": {}, **renamed(_filled(value, what))})


def _outside(field: str, what: str, place: Place) -> None:
    (place.overlay / "link").symlink_to(place.outside)
    (place.overlay / "up").symlink_to(place.overlay.parent.parent)
    named = what.format(outside=place.outside)
    _write(place, {"resources": ["own.yaml"]} | _filled(FIELDS[field], named))


def _linked_file(field: str, place: Place) -> None:
    (place.overlay / "l.yaml").symlink_to(place.outside / "x.yaml")
    _write(place, {"resources": ["own.yaml"]} | _filled(FIELDS[field], "l.yaml"))


def _linked_kustomization(place: Place) -> None:
    (place.overlay / "kustomization.yaml").symlink_to(place.outside / "kustomization.yaml")


def _arguments(kind: str, field: str, place: Place) -> None:
    """A legacy configuration whose arguments kustomize itself reads."""
    api = "krmfn.dev/v1alpha1" if kind.startswith("SealedSecret") else "builtin"
    head = {"apiVersion": api, "kind": kind, "metadata": {"name": "a"}}
    _write(place, head | {field: f"{place.address}/args"}, "a.yaml")
    _write(place, {"resources": ["own.yaml"], "transformers": ["a.yaml"]})


def _foreign(config: dict[str, Any], place: Place) -> None:
    _write(place, _filled(config, place.address), "f.yaml")
    _write(place, {"resources": ["own.yaml"], "transformers": ["f.yaml"]})


KEYS = {
    "resources": "resources",
    "bases": "bases",
    "components": "components",
    "transformers": "transformers",
    "patches": "patches",
    "files": "configMapGenerator.files",
    "configMapGenerator": "configMapGenerator.files",
    "envs": "configMapGenerator.envs",
}
FUNCTIONS = {
    "container": "container: {image: x, network: true}",
    "starlark": "starlark: {url: '@/x.star', name: x}",
    "exec": "exec: {path: /bin/sh, args: [-c, exit]}",
}


def _named() -> Iterator[tuple[str, Callable[[Place], None]]]:
    """Addresses and paths in every field that names something."""
    for where, what in WHERE.items():
        for name, value in FIELDS.items():
            yield f"field {name} {where}", partial(_kustomization, value, what)
        for name, config in BUILTINS.items():
            for way in ("file", "inline", "directory"):
                yield f"builtin {name} {way} {where}", partial(_builtin, config, way, what)
    for name, what in REMOTES.items():
        for field in ("resources", "components", "transformers"):
            yield f"remote {name} {field}", partial(_kustomization, FIELDS[field], what)


def _keyed() -> Iterator[tuple[str, Callable[[Place], None]]]:
    """Keys that kustomize takes for others."""
    for way, spelled in ODD_KEYS.items():
        for key, name in KEYS.items():
            if spelled(key) != key:
                yield f"key {way} {key}", partial(_odd_key, key, way, FIELDS[name])


def _around() -> Iterator[tuple[str, Callable[[Place], None]]]:
    """Ways out of the repository, and configurations that run or read something."""
    for field in DIRECTORIES:
        for way, what in OUT_OF_IT.items():
            yield f"directory {way} {field}", partial(_outside, field, what)
    for field in ("resources", "patches", "configMapGenerator.files", "configurations", "crds"):
        yield f"linked file {field}", partial(_linked_file, field)
    yield "linked kustomization", _linked_kustomization
    for field in ("argsFromFile", "argsOneLiner"):
        for kind in ("SealedSecretTransformer", "PatchTransformer"):
            yield f"{field} {kind}", partial(_arguments, kind, field)
    for name, function in FUNCTIONS.items():
        annotations = {"config.kubernetes.io/function": function}
        metadata = {"name": "f", "annotations": annotations}
        config = {"apiVersion": "evil.example/v1", "kind": "Evil", "metadata": metadata}
        yield name, partial(_foreign, config)


ATTACKS: dict[str, Callable[[Place], None]] = dict([*_named(), *_keyed(), *_around()])
