"""docs/reference/configuration.md, out of the JSON Schemas that the models give."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from krmfn.cli.schema import ALL_KINDS, schema_text

HEAD = """\
# Configuration

Every kind has `apiVersion: krmfn.dev/v1alpha1`, `kind`, `metadata` and the fields below.
A field that is not here is refused, with file, line and column: `krmfn schema --check FILE`.
The same as JSON Schema, for editors: `krmfn schema KIND`. This page is made from the models.
"""


def model_page() -> str:
    """The page: each kind, and below each shape that it uses, once."""
    schemas = {kind: json.loads(schema_text(kind)) for kind in ALL_KINDS}
    shapes: dict[str, dict[str, Any]] = {}
    for schema in schemas.values():
        for name, shape in schema.get("$defs", {}).items():
            assert shapes.setdefault(name, shape) == shape, f"two shapes are called {name}"
    parts = [HEAD]
    parts += [_section(kind, schema, 2) for kind, schema in schemas.items()]
    parts += ["## Shapes\n"]
    parts += [_section(name, shapes[name], 3) for name in sorted(shapes)]
    return "\n".join(parts)


def _section(name: str, shape: dict[str, Any], level: int) -> str:
    about = textwrap.fill(" ".join(shape.get("description", "").split()), 120)
    lines = [f"{'#' * level} {name}", "", *([about, ""] if about else [])]
    if "properties" not in shape:
        return "\n".join([*lines, _type(shape), ""])
    lines += ["| field | is | left out | |", "|---|---|---|---|"]
    for field, value in shape["properties"].items():
        if field in {"apiVersion", "kind"}:
            continue
        text = " ".join(value.get("description", "").split()).replace("|", "\\|")
        lines.append(f"| `{field}` | {_type(value)} | {_default(field, shape)} | {text} |")
    return "\n".join([*lines, ""])


def _default(field: str, shape: dict[str, Any]) -> str:
    """What it means to leave the field out."""
    if field in shape.get("required", ()):
        return "required"
    default = shape["properties"][field].get("default")
    if isinstance(default, dict):
        texts = [f"{key}: {text}" for key, text in default.items() if isinstance(text, str)]
        return f"`{{{', '.join(texts)}}}`" if texts and len(texts) == len(default) else "—"
    if default in (None, []):
        return "—"
    return f"`{json.dumps(default) if not isinstance(default, str) else default}`"


def _type(value: dict[str, Any]) -> str:
    """A few words for a schema, with links to shapes."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("oneOf", "anyOf", "allOf"):
        if several in value:
            kinds = [_type(one) for one in value[several] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}))}"
    if isinstance(value.get("additionalProperties"), dict):
        return f"map to {_type(value['additionalProperties'])}"
    words = {"string": "text", "boolean": "`true`, `false`", "object": "map"}
    name = value.get("type", "anything")
    return words.get(name, name)
