"""The models as pydantic has them: for what is wrong with a document, and for JSON Schema.

Made of the declarations of `krmfn.spec.model`, so that there is one of each. Not imported by a function
whose configuration is correct.
"""

from __future__ import annotations

from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ForwardRef,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import pydantic
from pydantic_core import PydanticCustomError

from krmfn.spec.declare import (
    REQUIRED,
    AfterValidator,
    Discriminator,
    FieldInfo,
    ModelField,
    RuleError,
    StringConstraints,
    Tag,
)
from krmfn.spec.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable

M = TypeVar("M", bound=Model)
CONFIG = pydantic.ConfigDict(
    strict=True,
    frozen=True,
    extra="forbid",
    validate_by_name=False,
    validate_by_alias=True,
    hide_input_in_errors=True,
    defer_build=True,
)
_PUBLISHED: dict[type[Model], type[pydantic.BaseModel]] = {}
_DECLARED: dict[type[pydantic.BaseModel], type[Model]] = {}
_unfinished: dict[type[Model], bool] = {}  # and whether one refers to itself


def validate(model: type[M], value: Any) -> M:
    """Return a document as its model.

    Raises:
        pydantic.ValidationError: each mistake, without its value.
    """
    made: M = _declared(published(model).model_validate(_wire(value)))
    return made


def published(model: type[Model]) -> type[pydantic.BaseModel]:
    """Return pydantic's model of a declaration."""
    if model not in _PUBLISHED:
        _PUBLISHED[model] = made = _published(model)
        _DECLARED[made] = model
    return _PUBLISHED[model]


def _published(model: type[Model]) -> type[pydantic.BaseModel]:
    _unfinished[model] = False
    rules: dict[str, Any] = {
        f"rule_{number}": pydantic.model_validator(mode="after")(_on_declared(rule))
        for number, rule in enumerate(model._rules)  # noqa: SLF001
    }
    fields: dict[str, Any] = {
        name: (annotation(field.annotation), _default(field))
        for name, field in model.fields().items()
    }
    made: type[pydantic.BaseModel] = pydantic.create_model(
        model.__name__,
        __config__=CONFIG,
        __doc__=model.__doc__,
        __module__=model.__module__,
        __validators__=rules,
        **fields,
    )
    if _unfinished.pop(model):
        made.model_rebuild(_types_namespace={model.__name__: made})
    return made


def annotation(said: Any) -> Any:
    """Return a type of a declaration as pydantic has it."""
    origin, arguments = get_origin(said), get_args(said)
    if origin is Annotated:
        return Annotated[(annotation(arguments[0]), *map(_metadata, arguments[1:]))]
    if origin in (Union, UnionType):
        return Union[tuple(map(annotation, arguments))]  # noqa: UP007
    if origin in (tuple, dict):
        return origin[tuple(one if one is ... else annotation(one) for one in arguments)]
    if origin is Literal or not (isinstance(said, type) and issubclass(said, Model)):
        return said
    if said in _unfinished:
        _unfinished[said] = True
        return ForwardRef(said.__name__)
    return published(said)


def _metadata(said: Any) -> Any:
    """Return one word of metadata as pydantic has it."""
    if isinstance(said, StringConstraints):
        return pydantic.StringConstraints(**vars(said))
    if isinstance(said, Tag):
        return pydantic.Tag(said.tag)
    if isinstance(said, Discriminator):
        return pydantic.Discriminator(
            said.discriminate,
            custom_error_type="krmfn.one_of",
            custom_error_message=said.message,
        )
    if isinstance(said, AfterValidator):
        return pydantic.AfterValidator(_translated(said.check))
    if isinstance(said, FieldInfo):
        rules: dict[str, Any] = {
            "ge": said.ge,
            "min_length": said.min_length,
            "strict": said.strict,
        }
        return pydantic.Field(**{k: v for k, v in rules.items() if v is not None})
    return said


def _default(field: ModelField) -> Any:
    """Return the name on the wire and the default of a field."""
    default = ... if field.default is REQUIRED else _constructed(field.default)
    return pydantic.Field(default=default, alias=field.alias)


def _constructed(value: Any) -> Any:
    """Return an instance of a declaration as pydantic's."""
    if not isinstance(value, Model):
        return value
    fields = {name: _constructed(getattr(value, name)) for name in type(value).fields()}
    return published(type(value)).model_construct(**fields)


def _declared(value: Any) -> Any:
    """Return an instance of pydantic's as one of the declaration."""
    if isinstance(value, pydantic.BaseModel):
        given = {name: _declared(getattr(value, name)) for name in value.model_fields_set}
        return _DECLARED[type(value)].model_construct(**given)
    if isinstance(value, tuple):
        return tuple(map(_declared, value))
    if isinstance(value, dict):
        return {key: _declared(one) for key, one in value.items()}
    return value


def _wire(value: Any) -> Any:
    """Return a document without instances of declarations."""
    if isinstance(value, Model):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, dict):
        return {key: _wire(one) for key, one in value.items()}
    return [_wire(one) for one in value] if isinstance(value, list) else value


def _on_declared(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a rule of a declaration as pydantic calls it."""

    def check(self: Any) -> Any:
        _translated(rule)(_declared(self))
        return self

    return check


def _translated(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a check that raises pydantic's error in place of `RuleError`."""

    def translated(value: Any) -> Any:
        try:
            return check(value)
        except RuleError as error:
            raise PydanticCustomError(
                "krmfn.rule", "{message}", {"message": error.message, "at": error.at}
            ) from None

    return translated
