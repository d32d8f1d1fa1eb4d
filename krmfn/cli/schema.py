"""Print the JSON Schema of a kind, or check configuration files against the models.

  krmfn schema                                  # lists the kinds
  krmfn schema SealedSecretGenerator > schema.json
  krmfn schema --check overlays/*/krmfn.yaml    # every mistake with file, line and column

Editors use the schema through a first line `# yaml-language-server: $schema=schema.json`.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from krmfn import spec
from krmfn.build.estate import read_settings
from krmfn.cli.console import give, say, say_lines
from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import Failure, SpecError, raise_all
from krmfn.files.read import Place, find_root, read_file
from krmfn.names import API_VERSION, GENERATOR, PLATFORM, TRANSFORMER
from krmfn.plan.estate import SHARED, settled
from krmfn.spec.catalogue import SecretCatalogue
from krmfn.spec.model import to_camel
from krmfn.spec.parse import KINDS, parse
from krmfn.spec.platform import PlatformConfig
from krmfn.spec.published import published
from krmfn.spec.repository import RepositoryConfig

if TYPE_CHECKING:
    import argparse

    from krmfn.errors import KrmfnError
    from krmfn.spec.model import Model

# Kinds in a kustomization, in files beside it, and the platform's.
ALL_KINDS: dict[str, type[Model]] = {
    **KINDS,
    "RepositoryConfig": RepositoryConfig,
    "SecretCatalogue": SecretCatalogue,
    PLATFORM: PlatformConfig,
}


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("kind", nargs="?", help=f"one of {', '.join(ALL_KINDS)}")
    parser.add_argument(
        "--check", nargs="+", metavar="FILE", help="check these files against the models"
    )


def run(options: argparse.Namespace) -> int:
    """Print or check."""
    if options.check:
        return _check(options.check)
    if options.kind is None:
        say_lines("".join(f"{kind}\n" for kind in ALL_KINDS))
        return 0
    if options.kind not in ALL_KINDS:
        raise SpecError("usage", f"no kind {options.kind}", expected=" or ".join(ALL_KINDS))
    give(f"{schema_text(options.kind)}\n")
    return 0


def schema_text(kind: str) -> str:
    """The same as JSON text, its keys in order."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False, sort_keys=True)


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind, draft 2020-12."""
    schema = published(ALL_KINDS[kind]).model_json_schema(by_alias=True, schema_generator=_Untitled)
    _describe(kind, schema)
    for name, definition in schema.get("$defs", {}).items():
        _describe(name, definition)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": f"{kind} ({API_VERSION})",
        **{key: value for key, value in schema.items() if key != "title"},
    }


FILLED = ("sealing", "stores")
# Fields that a complete model requires, and that `.krmfn.yaml` may set.
_INHERITED = {"Sealing": "certificate", "GeneratorSpec": "sealing"}


def _describe(name: str, definition: dict[str, Any]) -> None:
    """Use the docstrings below the fields of one model as their descriptions.

    pydantic can, at the price of reading the sources again at every start: 16 ms of each build.
    """
    if name in _INHERITED:
        definition["required"] = [r for r in definition["required"] if r != _INHERITED[name]]
    for field, text in _docstrings().get(name, {}).items():
        for alias in (to_camel(field), field.rstrip("_")):
            if alias in definition.get("properties", {}):
                definition["properties"][alias]["description"] = text


@cache
def _docstrings() -> dict[str, dict[str, str]]:
    """Return the docstring below each field by class and field, inherited ones as well."""
    found: dict[str, dict[str, str]] = {}
    bases: dict[str, list[str]] = {}

    def whole(name: str) -> dict[str, str]:
        above = (whole(base) for base in bases.get(name, ()))
        return {k: v for texts in (*above, found.get(name, {})) for k, v in texts.items()}

    for file in sorted(Path(spec.__file__).parent.glob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef):
                texts = found.setdefault(node.name, {})
                bases[node.name] = [ast.unparse(base) for base in node.bases]
                for one, after in pairwise(node.body):
                    if isinstance(one, ast.AnnAssign) and isinstance(after, ast.Expr):
                        texts[ast.unparse(one.target)] = inspect.cleandoc(
                            ast.literal_eval(after.value)
                        )
    return {name: whole(name) for name in found}


class _Untitled(GenerateJsonSchema):
    """A schema without a title for every field, such as the useless "Roleid"."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # pydantic's hook
        return False

    def dict_schema(self, schema: Any) -> dict[str, Any]:
        """Schema of a mapping that checks its keys, which pydantic's own schema omits."""
        return {
            "type": "object",
            "propertyNames": self.generate_inner(schema["keys_schema"]),
            "additionalProperties": self.generate_inner(schema["values_schema"]),
        }


def _with_settings(value: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return a configuration with what any environment of `.krmfn.yaml` may set for it.

    Raises:
        SpecError, ErrorList: `.krmfn.yaml` is wrong.
    """
    spec = value.get("spec", {})
    if value.get("kind") not in (GENERATOR, TRANSFORMER) or not isinstance(spec, dict):
        return value
    if not all(isinstance(spec.get(name, {}), dict) for name in ("sealing", "stores")):
        return value
    base = file.resolve().parent
    found = read_settings(Place(base, find_root(base, os.environ)))
    if found is None:
        return value
    shared = mapping(found["spec"])
    own = {name: spec[name] for name in SHARED if name in spec}
    entries = [mapping(one) for one in sequence(shared.get("environments"))]
    known = (own, *entries, shared)
    filled = settled({**value, "spec": spec}, known, str(spec.get("environment") or "x"))
    return {
        **value,
        "spec": {**spec, **{k: filled["spec"][k] for k in FILLED if k in filled["spec"]}},
    }


def _check(files: list[str]) -> int:
    """Every configuration of ours in the files; other documents are left alone."""
    errors: list[KrmfnError] = []
    checked = 0
    for file in files:
        try:
            for document in strict.documents(read_file(Path(file), name=file, key=""), file):
                value = document.value()
                if isinstance(value, dict) and str(value.get("apiVersion")).startswith(
                    "krmfn.dev/"
                ):
                    checked += 1
                    value = _with_settings(value, Path(file))
                    parse(value, where=file, position=document.position, kinds=ALL_KINDS)
        except Failure as failure:
            errors.extend(failure.errors)
    raise_all(errors)
    if not checked:
        raise SpecError("input", f"no {API_VERSION} configuration in {', '.join(files)}")
    say(f"{checked} checked, no mistake", stderr=True)
    return 0
