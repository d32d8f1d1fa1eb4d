"""The table of the fields of kustomize against the Go types of each kustomize that is tested."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.kustomize.fields import BUILTINS, CHART_KIND, CHARTS, KUSTOMIZATION, METADATA, Texts, Use
from tests.e2e import tools

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

VERSIONS = tools.KUSTOMIZE_VERSIONS
SCALARS = {"string": "text", "bool": "flag", "int": "number", "int64": "number"}
# Charts, and a field that has its name by a slip in old versions' tags.
REFUSED = {*CHARTS, "omitempty"}
# What kustomize takes any keys for, and only reads these of.
NARROWED = {
    ("Kustomization", "openapi"): {"path": "text", "version": "text"},
    ("PatchTransformer", "options"): {"allowNameChange": "flag", "allowKindChange": "flag"},
    ("Patch", "options"): {"allowNameChange": "flag", "allowKindChange": "flag"},
}
# Every place where kustomize reads a file that something names, outside of charts.
LOADS = {
    "internal/accumulator/loadconfigfromcrds.go: path",
    "internal/builtins/PatchJson6902Transformer.go: p.Path",
    "internal/builtins/PatchTransformer.go: p.Path",
    "internal/builtins/ReplacementTransformer.go: r.Path",
    "internal/builtins/ValueAddTransformer.go: p.TargetFilePath",
    "internal/generators/utils.go: sources",  # by kv.go, below
    "internal/plugins/builtinconfig/loaddefaultconfig.go: path",
    "internal/plugins/execplugin/execplugin.go: c.ArgsFromFile",  # krmfn's have four fields
    "internal/target/kusttarget.go: kf",  # the kustomization itself
    "internal/target/kusttarget.go: openApiPath",
    "krusty/kustomizer.go: openApiPath",
    "kv/kv.go: fPath",
    "kv/kv.go: p",
    "resmap/factory.go: path",
    "resource/factory.go: string(path",
}
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^type (\w+) (\[?\]?\w+)$", re.MULTILINE)
_FIELD = re.compile(r"^\t(\w+)\s+([\w.*\[\]{}]+)(?:\s+`(.*)`)?")
_EMBEDDED = re.compile(r"^\t\*?([\w.]+)(?:\s+`(.*)`)?\s*$")


class Source:
    """The Go types of one version."""

    def __init__(self, version: str, work: Path) -> None:
        environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
        package = tools.PACKAGES["kustomize"]
        module = tools.downloaded(f"{package}@v{version}", work, environ)["GoMod"].read_text()
        found = re.findall(r"(sigs\.k8s\.io/kustomize/(api|kyaml)) (v\S+)", module)
        at = {n: tools.downloaded(f"{m}@{v}", work, environ)["Dir"] for m, n, v in found}
        self.api = at["api"]
        self.structs: dict[str, str] = {}
        self.named: dict[str, str] = {}
        folders = [self.api / "types", self.api / "internal/builtins", at["kyaml"] / "resid"]
        folders.append(self.api / "filters/namespace")
        for folder in folders:
            for file in sorted(folder.glob("*.go")):
                if not file.name.endswith("_test.go"):
                    text = re.sub(r"^\s*//.*\n", "", file.read_text(), flags=re.MULTILINE)
                    # Plugins' Target is another one than that of a variable.
                    own = "ValueAdd" if file.name.startswith("ValueAdd") else ""
                    self.structs |= {
                        (own if n == "Target" else "") + n: body
                        for n, body in _STRUCT.findall(text)
                    }
                    self.named |= dict(_NAMED.findall(text))

    def shape(self, kind: str, owner: str = "", name: str = "") -> Any:
        """The shape of a type: text, flag, number, a list, a map or the fields of a struct."""
        if (owner, name) in NARROWED:
            return NARROWED[owner, name]
        if kind == "map[string]string":
            return "texts"
        if kind.startswith("[]"):
            return [self.shape(kind[2:], owner)]
        kind = kind.lstrip("*").rpartition(".")[2]
        if kind in SCALARS:
            return SCALARS[kind]
        if owner.startswith("ValueAdd") and f"ValueAdd{kind}" in self.structs:
            kind = f"ValueAdd{kind}"
        if kind in self.structs:
            return self.fields(kind)
        return self.shape(self.named[kind], owner)

    def fields(self, struct: str) -> dict[str, Any]:
        """The fields of a struct by the names that JSON has for them."""
        found: dict[str, Any] = {}
        owner = struct.removesuffix("Plugin")
        for line in self.structs[struct].splitlines():
            if embedded := _EMBEDDED.match(line):
                kind, tag = embedded[1].rpartition(".")[2], _tag(embedded[2])
                if tag:
                    found[tag] = self.shape(kind, owner)
                else:
                    found |= self.fields(kind)
            elif (field := _FIELD.match(line)) and field[1][0].isupper():
                tag = _tag(field[3]) or field[1]
                if tag not in REFUSED:
                    found[tag] = self.shape(field[2], owner, tag)
        return found


def _tag(tags: str | None) -> str:
    found = re.search(r'json:"([^",]*)', tags or "")
    return found[1] if found else ""


def ours(shape: Any) -> Any:
    """A shape of the table as `Source.shape` says it."""
    if isinstance(shape, dict):
        return {name: ours(inner) for name, inner in shape.items()}
    if isinstance(shape, list):
        return [ours(shape[0])]
    if isinstance(shape, Texts):
        return "texts"
    return {Use.FLAG: "flag", Use.NUMBER: "number"}.get(shape, "text")


def missing(wanted: Any, there: Any, path: str = "") -> list[str]:
    """What one shape has and the other has not, or has of another type."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        absent = [f"{path}.{name}" for name in wanted if name not in there]
        both = [name for name in wanted if name in there]
        inner = [missing(wanted[name], there[name], f"{path}.{name}") for name in both]
        return absent + [one for each in inner for one in each]
    if isinstance(wanted, list) and isinstance(there, list):
        return missing(wanted[0], there[0], f"{path}[]")
    return [] if wanted == there else [f"{path}: {wanted} is {there}"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return cache(lambda version: Source(version, tmp_path_factory.mktemp("go")))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_of_a_kustomization_is_in_the_table(version: str, source: Any) -> None:
    """With its type; fields for charts are refused."""
    assert missing(source(version).fields("Kustomization"), ours(KUSTOMIZATION)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_builtin_is_in_the_table(version: str, source: Any) -> None:
    """The chart inflator is refused; the others have their fields in the table."""
    text = (source(version).api / "internal/plugins/builtinhelpers/builtins.go").read_text()
    kinds = set(re.findall(r"^\t(\w+):\s+(?:builtins\.)?New\w+,", text, re.MULTILINE))
    assert kinds - {CHART_KIND} <= set(BUILTINS)
    for kind in kinds - {CHART_KIND, "PrefixSuffixTransformer"}:
        fields = source(version).fields(f"{kind}Plugin")
        assert missing(fields, ours(BUILTINS[kind]), kind) == []


def test_the_table_has_nothing_else(source: Any) -> None:
    """What no version knows is no field."""
    versions = [source(version) for version in VERSIONS]
    kustomizations = [missing(ours(KUSTOMIZATION), v.fields("Kustomization")) for v in versions]
    assert set.intersection(*map(set, kustomizations)) == set()
    common = {"apiVersion": "text", "kind": "text", "metadata": ours(METADATA)}
    for kind in set(BUILTINS) - {"PrefixSuffixTransformer"}:
        found = [
            missing(ours(BUILTINS[kind]), common | v.fields(f"{kind}Plugin")) for v in versions
        ]
        assert set.intersection(*map(set, found)) == set(), kind


@pytest.mark.parametrize("version", VERSIONS)
def test_every_file_that_kustomize_reads_is_named_by_a_field_of_the_table(
    version: str, source: Any
) -> None:
    """A new place that reads a file is seen here."""
    api, found = source(version).api, set()
    for file in api.rglob("*.go"):
        short = file.relative_to(api).as_posix()
        if (
            file.name.endswith("_test.go")
            or "Helm" in short
            or re.match(r"loader/|internal/(plugins/)?(loader|localizer)/", short)
        ):
            continue
        text = re.sub(r"//.*", "", file.read_text())
        found |= {
            f"{short}: {one}" for one in re.findall(r"[lL](?:oade|d)r\(?\)?\.Load\(([^)]*)\)", text)
        }
    assert found <= LOADS
    assert found
