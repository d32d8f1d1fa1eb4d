"""The settings and the folder that all overlays of a repository share: as they are, and as text.

Rules enforced here: what exists is read strictly and is never written over; a new folder has one
transformer and the skip marker's patch, in that order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.documents.append import fields, flow
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import SpecError
from krmfn.files.read import Place
from krmfn.init.committed import values_in
from krmfn.kustomize.kustomization import kustomization_in
from krmfn.names import API_VERSION, TRANSFORMER
from krmfn.plan.estate import FILE, Scene, choose
from krmfn.spec.parse import parse
from krmfn.spec.repository import RepositoryConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from krmfn.spec.repository import RepositorySpec

FOLDER = "krmfn"
NAME = "transformer.yaml"
STORES: dict[str, dict[str, Any]] = {
    "vault": {"vault": {"path": "secret"}},
    "age": {"age": {"file": "secrets.age"}},
}
_ABOUT = {"vault": "at VAULT_ADDR, with VAULT_TOKEN", "age": "made by `krmfn age init`"}
_FUNCTION = "config.kubernetes.io/function"
# How kustomize starts krmfn, by route.
ROUTES = {
    "exec": f'  annotations: {{{_FUNCTION}: "exec: {{path: krmfn}}"}}\n',
    "legacy": "",
    "container": f"""\
  annotations:
    {_FUNCTION}: |
      container: {{image: krmfn, network: true, envs: [VAULT_ADDR, VAULT_TOKEN]}}
""",
}
_MARKER = """\
---
# Deletes what krmfn emits, so that the build fails if kustomize skipped krmfn.
apiVersion: builtin
kind: PatchTransformer
metadata: {name: krmfn-skip-marker}
patch: |-
  apiVersion: v1
  kind: ConfigMap
  metadata: {name: krmfn-was-skipped-add---enable-exec}
  $patch: delete
"""


@dataclass
class Layout:
    """What all overlays of a repository share.

    Attributes:
        holder: the file with the settings: `.krmfn.yaml`, or the transformer of a container.
        spec: the settings as values; empty without a file.
        exists: whether the holder has settings.
        folder: the directory that overlays list.
    """

    root: Path
    holder: Path
    folder: Path
    spec: dict[str, Any] = field(default_factory=dict)
    exists: bool = False

    @property
    def transformer(self) -> Path:
        """The folder's transformer."""
        return self.folder / NAME

    @property
    def is_container(self) -> bool:
        """Whether the settings are in the transformer."""
        return self.holder != self.root / FILE

    def has_folder(self) -> bool:
        """Whether the folder is there."""
        return _is_ours(self.folder)

    @property
    def any_environment(self) -> str:
        """The name of an environment; empty without one."""
        entries = [mapping(one) for one in sequence(self.spec.get("environments"))]
        return str(entries[0].get("name")) if entries else ""

    def environment(self, directory: str, spaces: set[str]) -> str | None:
        """Return the environment of an overlay; None if it has none, although there are some.

        Raises:
            SpecError: several match, or the settings are wrong.
        """
        entries = sequence(self.spec.get("environments"))
        if not entries:
            return ""
        scene = Scene(None if self.is_container else directory, frozenset(spaces))
        try:
            found = choose(_parsed(self.spec).environments, scene)
        except SpecError as error:
            if "match none of" in error.message:
                return None
            raise
        return found.name if found else ""

    def store(self, environment: str) -> str:
        """Return the store that a claim has to name; empty if it need not name one."""
        entries = [mapping(one) for one in sequence(self.spec.get("environments"))]
        own = next((one for one in entries if one.get("name") == environment), {})
        stores = {**mapping(self.spec.get("stores")), **mapping(own.get("stores"))}
        named = own.get("defaultStore") or self.spec.get("defaultStore")
        return "" if named or len(stores) <= 1 else next(iter(stores))


def layout(root: Path, *, container: bool) -> Layout:
    """Read the settings and the folder of a repository.

    Args:
        container: put new settings into the transformer.

    Raises:
        SpecError, ErrorList: they are wrong, or the folder's name is taken.
    """
    folder, file = root / FOLDER, root / FILE
    if kustomization_in(folder) is not None and not _is_ours(folder):
        raise SpecError(
            "file",
            f"{FOLDER}/ is a kustomization without a {TRANSFORMER}",
            remedy=f"rename it, or list {NAME} in it",
        )
    if file.exists():
        found = strict.load(Place(root, root).read(FILE, key=""), FILE)
        parse(found, where=FILE, kinds={"RepositoryConfig": RepositoryConfig})
        return Layout(root, file, folder, mapping(mapping(found).get("spec")), exists=True)
    own = next((one for one in values_in(folder / NAME) if one.get("kind") == TRANSFORMER), {})
    spec = {k: v for k, v in mapping(own.get("spec")).items() if k in _SETTINGS}
    if spec or container:
        return Layout(root, folder / NAME, folder, spec, exists=bool(spec))
    return Layout(root, file, folder)


_SETTINGS = frozenset(
    [
        "certificate",
        "derivationKey",
        "scope",
        "mode",
        "epoch",
        "stores",
        "defaultStore",
        "environments",
    ]
)


def _is_ours(folder: Path) -> bool:
    return any(one.get("kind") == TRANSFORMER for one in values_in(folder / NAME))


def _parsed(spec: Mapping[str, Any]) -> RepositorySpec:
    value = {"apiVersion": API_VERSION, "kind": "RepositoryConfig", "spec": spec}
    found: Any = parse(value, where=FILE, kinds={"RepositoryConfig": RepositoryConfig})
    return found.spec  # type: ignore[no-any-return]  # the kinds are this one


def settings_file(spec: dict[str, Any]) -> str:
    """Return the text of a new `.krmfn.yaml`."""
    return f"apiVersion: {API_VERSION}\nkind: RepositoryConfig\nspec:\n{_spec(spec)}"


def folder_files(route: str, spec: dict[str, Any], checks: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of a new folder, as name to text.

    Args:
        route: a key of `ROUTES`.
        spec: settings for a container; else empty.
        checks: fields of ``validate``.
    """
    head = f"apiVersion: {API_VERSION}\nkind: {TRANSFORMER}\nmetadata:\n  name: krmfn\n"
    body = (fields({"validate": dict(checks)}, "  ") if checks else "") + _spec(spec)
    return {
        "kustomization.yaml": f"resources: [{NAME}]\n",
        NAME: head + ROUTES[route] + (f"spec:\n{body}" if body else "") + _MARKER,
    }


def _spec(spec: dict[str, Any]) -> str:
    """Return settings, a field per line; the store with a remark."""
    if "stores" not in spec:
        return fields(spec, "  ")
    rest = {k: v for k, v in spec.items() if k != "stores"}
    known = [_ABOUT[k] for k, v in STORES.items() if spec["stores"] == {"main": v}]
    remark = "".join(f"     # {one}" for one in known)
    return f"  stores: {flow(spec['stores'])}{remark}\n{fields(rest, '  ')}"
