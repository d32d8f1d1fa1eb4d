"""The mistakes of a document, in krmfn's words.

pydantic's own text is never used: it can quote the input.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, Tag, ValidationError

from krmfn.errors import SpecError, raise_all
from krmfn.fieldpath import dotted
from krmfn.spec import published
from krmfn.spec.base import DATA_KEY
from krmfn.spec.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from krmfn.documents.strict import Position

M = TypeVar("M", bound=Model)
_QUOTE = "quote the value"
_TYPES = {
    "model_type": "an object",
    "dict_type": "an object",
    "tuple_type": "a list",
    "int_type": "an integer",
    "bool_type": "true or false",
}
# What a pattern of the models means, for its message.
PATTERNS = (
    (
        r"(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "lower-case letters, digits, '-' and '.' (a DNS name)",
    ),
    (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "lower-case letters, digits and '-' (a DNS label)"),
    (r"^[a-zA-Z0-9][-._a-zA-Z0-9]*$", "letters, digits, '-', '_' and '.', a letter or digit first"),
    (r"^[A-Za-z_][A-Za-z0-9_]*$", "letters, digits and '_' (a variable's name)"),
    (r"^[a-z0-9.-]{1,63}$", "1 to 63 lower-case letters, digits, '-' and '.'"),
    (DATA_KEY, "letters, digits, '-', '_' and '.', not '.' alone and not '..' first"),
    (r"^[0-9a-f]{64}$", "64 lower-case hex digits"),
    (r"^[0-9a-f]{16}$", "16 lower-case hex digits"),
    (r"^[0-9]+(\.[0-9]+){1,2}$", "a version such as 1.28 or 1.28.1"),
    (r"/([A-Za-z]+|\*)$|^\*$", "group/Kind, with core for the group without a name, or '*'"),
    (r"^[a-z0-9-]+(/", "the id of a warning, or id/secret"),
    (r"^[A-Za-z0-9._-]{1,64}$", "1 to 64 letters, digits, '.', '_' and '-'"),
)


def explained(
    model: type[M],
    value: Any,
    *,
    name: str,
    where: str,
    position: Callable[[Sequence[str | int]], Position] | None,
) -> M:
    """Return a document as its model, or raise its mistakes as `krmfn.spec.parse.parse` does."""
    try:
        return published.validate(model, value)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
    mistakes = []
    paths = [_path((*item["loc"], *item.get("ctx", {}).get("at", ()))) for item in found]
    for item, path in zip(found, paths, strict=True):
        # A list whose every item is wrong counts as empty too.
        if item["type"] == "too_short" and any(p[: len(path)] == path != p for p in paths):
            continue
        message, remedy = _explain(
            published.published(model), item["type"], item["msg"], item["loc"]
        )
        place = where
        if where and position:
            at = position(path)
            place = f"{where}:{at.line}:{at.column}"
        mistakes.append(
            SpecError(
                "spec",
                message,
                where=": ".join(p for p in (place, name) if p),
                key=dotted(path),
                remedy=remedy,
            )
        )
    raise_all(mistakes)
    raise AssertionError("a ValidationError without errors")


def _path(loc: Sequence[str | int]) -> list[str | int]:
    """pydantic's location without the tags of unions and the mark of a mapping's key."""
    return [s for s in loc if not (isinstance(s, str) and (s == "[key]" or s.startswith("<")))]


def _explain(
    model: type[BaseModel], kind: str, text: str, loc: Sequence[str | int]
) -> tuple[str, str]:
    """Return krmfn's message and remedy for a pydantic error type."""
    if kind in ("krmfn.one_of", "krmfn.rule"):
        return text, ""
    if kind == "missing":
        return "required", ""
    if kind == "extra_forbidden":
        near = near_word(str(loc[-1]), _fields(model, loc[:-1]))
        return "unknown field", f"did you mean {near[0]}?" if near else ""
    if kind == "string_type":
        return "must be a string", _QUOTE
    if kind in _TYPES:
        return f"must be {_TYPES[kind]}", ""
    if kind == "too_short":
        return "must not be empty", ""
    if kind == "string_pattern_mismatch":
        return "must be " + next(words for rule, words in PATTERNS if rule in text), ""
    if kind == "literal_error":
        return text.replace("Input should be", "must be"), ""
    # "Input should be greater than or equal to 1", "String should have at least 1 character":
    # pydantic's texts for limits name the rule, never the input.
    words = text.replace("Input should", "must").replace("String should", "must")
    return words[0].lower() + words[1:], ""


def near_word(word: str, known: Iterable[str]) -> list[str]:
    """Return the known word that was probably meant, or none."""
    return difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)


def _fields(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the wire names of the fields that the object at ``loc`` may have."""
    current: Any = model
    for step in loc:
        current = _step(current, step)
    return [
        field.alias or name
        for known in _models(current)
        for name, field in known.model_fields.items()
    ]


def _step(annotation: Any, step: str | int) -> Any:
    """Return the annotation one step further down."""
    if isinstance(step, str) and step.startswith("<"):
        return _tagged(annotation, step)
    for model in _models(annotation):
        for name, field in model.model_fields.items():
            if (field.alias or name) == step:
                return field.annotation
    # A list's item or a mapping's value: the last argument that is a type.
    arguments = [a for a in get_args(_plain(annotation)) if a is not Ellipsis]
    return arguments[-1] if arguments else annotation


def _plain(annotation: Any) -> Any:
    """Without Annotated, and without the None of an optional."""
    if hasattr(annotation, "__metadata__"):
        return _plain(get_args(annotation)[0])
    arguments = [a for a in get_args(annotation) if a is not type(None)]
    if len(arguments) == 1 and len(get_args(annotation)) > 1:
        return _plain(arguments[0])
    return annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation allows: itself, or those of its union."""
    plain = _plain(annotation)
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        return [plain]
    return [m for a in get_args(plain) for m in _models(a)] if not _is_container(plain) else []


def _is_container(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (tuple, dict, list)


def _tagged(annotation: Any, tag: str) -> Any:
    """Return the member of a union with ``tag``."""
    for member in get_args(_plain(annotation)):
        if any(isinstance(m, Tag) and m.tag == tag for m in getattr(member, "__metadata__", ())):
            return member
    return annotation
