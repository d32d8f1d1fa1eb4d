"""Trees for the differential test: what each is made of, in a few lines.

A tree is a repository whose directory `top` is built. `claims` and `generated` give the usual one, an
overlay on a base with a Deployment that uses the Secret `db`, with lines added to its kustomizations and
files added beside them. krmfn's configurations are values: a route writes them with its annotation.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANNOTATION = "config.kubernetes.io/function"
EXEC = "exec: {path: krmfn}"
FUNCTIONS = ("SealedSecretGenerator", "SealedSecretTransformer", "SealedSecretValidator")
API = "krmfn.dev/v1alpha1"
# What a description may put into a file: text as it is, a document, several; None takes a usual file out.
Content = str | dict[str, Any] | list[Any] | None

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {app: app}}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - name: app
        image: registry.example/app:1
        envFrom: [{secretRef: {name: db}}]
        env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]
      volumes: [{name: db, secret: {secretName: db}}]
"""
WIDGET = """\
apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
spec: {credentials: {secretName: db}}
"""
MARKER = "krmfn-was-skipped-add---enable-exec"
DELETION = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {MARKER}}}, $patch: delete}}\n"
MARKER_PATCH = {
    "apiVersion": "builtin",
    "kind": "PatchTransformer",
    "metadata": {"name": "skip-marker"},
    "patch": DELETION,
}


@dataclass(frozen=True)
class Inline:
    """A configuration as text in the list of a kustomization."""

    value: dict[str, Any]


@dataclass(frozen=True)
class Tree:
    """A repository to build.

    Attributes:
        id: of the test.
        files: path to content.
        refused: the id of krmfn's error by which every route refuses; ``kustomize`` where kustomize
            itself refuses; empty where the build is printed.
        since: the oldest kustomize that knows what the tree uses; with older ones the routes have
            to agree, whatever they do.
    """

    id: str
    files: Mapping[str, Content]
    refused: str = ""
    since: str = "5.0.3"
    links: Mapping[str, str] = field(default_factory=dict)

    def write(self, root: Path, store: Mapping[str, bytes], *, exec_: bool) -> Path:
        """Write the repository below ``root`` and return the directory to build."""
        (root / ".git").mkdir(parents=True)
        for name, data in store.items():
            (root / name).write_bytes(data)
        for name, content in self.files.items():
            if content is None:
                continue
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text(content, exec_=exec_), encoding="utf-8")
        for name, target in self.links.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(target)
        return root / "top"


def text(content: Content, *, exec_: bool) -> str:
    """A file's text, with krmfn's configurations annotated for exec or for no function."""
    if isinstance(content, str):
        return content if exec_ else re.sub(rf"(?m)^ *{ANNOTATION}: .*\n", "", content)
    documents = content if isinstance(content, list) else [content]
    return "---\n".join(_document(one, exec_=exec_) for one in documents)


class _Dumper(yaml.SafeDumper):
    """Quotes what a parser might take for something other than a string."""


_PLAIN = re.compile(r"[A-Za-z/{.][A-Za-z0-9_./${}: -]{2,}")
_WORDS = re.compile("(?i)yes|no|on|off|true|false|null")


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) and not _WORDS.fullmatch(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _string)


def _document(value: Any, *, exec_: bool) -> str:
    copy = _annotated(value, exec_=exec_)
    return yaml.dump(copy, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def _annotated(value: Any, *, exec_: bool) -> Any:
    """A copy in which every configuration of krmfn's bears the annotation, or none."""
    if isinstance(value, Inline):
        return json.dumps(_annotated(value.value, exec_=exec_)) + "\n"
    if isinstance(value, list):
        return [_annotated(one, exec_=exec_) for one in value]
    if not isinstance(value, dict):
        return value
    copy = {name: _annotated(one, exec_=exec_) for name, one in value.items()}
    if copy.get("apiVersion") == API and copy.get("kind") in FUNCTIONS:
        metadata = dict(copy["metadata"])
        annotations = {k: v for k, v in metadata.get("annotations", {}).items() if k != ANNOTATION}
        annotations |= {ANNOTATION: EXEC} if exec_ else {}
        metadata.pop("annotations", None)
        copy["metadata"] = metadata | ({"annotations": annotations} if annotations else {})
    return copy


# --- krmfn's configurations


def config(kind: str, name: str = "krmfn", spec: Any = None, **metadata: Any) -> dict[str, Any]:
    """One of krmfn's configurations."""
    value = {"apiVersion": API, "kind": kind, "metadata": {"name": name, **metadata}}
    return value | ({} if spec is None else {"spec": spec})


def _power(up: str, sealing: dict[str, Any]) -> dict[str, Any]:
    key = {"store": "main", "key": "krmfn/derivation", "property": "key"}
    base = {"certificate": {"file": f"{up}cert.pem"}, "derivationKey": key}
    return {"sealing": base | sealing, "stores": {"main": {"age": {"file": f"{up}secrets.age"}}}}


def transformer(
    name: str = "krmfn", *, up: str = "../", namespace: str = "", **sealing: Any
) -> dict[str, Any]:
    """The transformer, in a directory from which ``up`` leads to the root."""
    more = {"namespace": namespace} if namespace else {}
    return config("SealedSecretTransformer", name, _power(up, sealing), **more)


def secret(name: str = "db", key: str = "app/db", **more: Any) -> dict[str, Any]:
    """One Secret of a generator, with the password at a path of the store."""
    reference = {"key": key, "property": "password"}
    data = [{"secretKey": "password", "remoteRef": reference}]
    return {"name": name, "store": "main", "data": data} | more


def generator(
    *secrets: dict[str, Any],
    name: str = "krmfn",
    up: str = "../",
    namespace: str = "",
    **sealing: Any,
) -> dict[str, Any]:
    """The generator of these Secrets, of `db` when there are none."""
    more = {"namespace": namespace} if namespace else {}
    spec = _power(up, sealing) | {"secrets": list(secrets or [secret()])}
    return config("SealedSecretGenerator", name, spec, **more)


def validator(name: str = "krmfn", **spec: Any) -> dict[str, Any]:
    """The validator."""
    return config("SealedSecretValidator", name, spec or None)


def claim(
    name: str = "db", key: str = "app/db", metadata: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    """A claim of the password at a path of the store."""
    fields = {k: v for k, v in secret(name, key, **spec).items() if k != "name" and v is not None}
    value = {"apiVersion": API, "kind": "SecretClaim", "metadata": {"name": name}, "spec": fields}
    value["metadata"] |= metadata or {}  # type: ignore[operator]
    return value


# --- whole trees


def kustomization(fields: dict[str, Any], lines: str) -> dict[str, Any]:
    """Fields of a kustomization and lines of YAML: lists are joined, what else is there replaced.

    A key that ends in ``!`` replaces a list, too.
    """
    merged = dict(fields)
    for key, value in (yaml.safe_load(lines) or {}).items():
        name = key.removesuffix("!")
        joined = isinstance(value, list) and name in merged and name == key
        merged[name] = [*merged[name], *value] if joined else value
    return {name: value for name, value in merged.items() if value is not None}


def claims(
    id_: str,
    *,
    top: str = "",
    base: str = "",
    files: Mapping[str, Content] | None = None,
    of: list[Any] | None = None,
    **more: Any,
) -> Tree:
    """Claims in the base, transformer, marker and validator in the overlay.

    Args:
        top, base: lines of the kustomizations, joined with the usual ones (see `kustomization`).
        files: more files, or others.
        of: the claims, where it is not the one of `db`.
    """
    usual: dict[str, Content] = {
        "base/deployment.yaml": DEPLOYMENT,
        "base/claims.yaml": of or [claim()],
        "base/kustomization.yaml": kustomization(
            {"resources": ["deployment.yaml", "claims.yaml"]}, base
        ),
        "top/krmfn.yaml": transformer(),
        "top/skip-marker.yaml": MARKER_PATCH,
        "top/validator.yaml": validator(),
        "top/kustomization.yaml": kustomization(
            {
                "namespace": "production",
                "resources": ["../base"],
                "transformers": ["krmfn.yaml", "skip-marker.yaml"],
                "validators": ["validator.yaml"],
            },
            top,
        ),
    }
    return Tree(id_, usual | dict(files or {}), **more)


def generated(
    id_: str,
    *,
    top: str = "",
    base: str = "",
    files: Mapping[str, Content] | None = None,
    of: list[Any] | None = None,
    **more: Any,
) -> Tree:
    """A generator, the marker's deletion and a validator in the overlay; arguments as of `claims`."""
    usual: dict[str, Content] = {
        "base/deployment.yaml": DEPLOYMENT,
        "base/kustomization.yaml": kustomization({"resources": ["deployment.yaml"]}, base),
        "top/krmfn.yaml": generator(*(of or [])),
        "top/validator.yaml": validator(),
        "top/kustomization.yaml": kustomization(
            {
                "namespace": "production",
                "resources": ["../base"],
                "generators": ["krmfn.yaml"],
                "patches": [{"patch": DELETION}],
                "validators": ["validator.yaml"],
            },
            top,
        ),
    }
    return Tree(id_, usual | dict(files or {}), **more)
