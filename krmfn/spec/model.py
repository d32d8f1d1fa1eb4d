"""Models of the configuration API: declared once, decoded here, explained and published by pydantic.

A declaration is written as pydantic has it: annotations, `Field`, `StringConstraints`, `Tag`, validators.
`Model.model_validate` decodes a correct document without importing pydantic, which takes longer than the
rest of a function's start. For anything else `krmfn.spec.mistakes` asks pydantic, by models that
`krmfn.spec.published` makes of the same declarations. Rules enforced here: nothing is accepted that
pydantic refuses, and values are equal (tests/property/test_models.py).
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Iterable, Mapping  # noqa: TC003  # `get_type_hints` needs them
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    NoReturn,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from krmfn.spec.declare import (
    REQUIRED,
    AfterValidator,
    Decode,
    Discriminator,
    FieldInfo,
    Mismatch,
    ModelField,
    StringConstraints,
    Tag,
)


class Model:
    """Base of every model: strict, frozen, camelCase on the wire, unknown fields refused.

    An instance holds the fields that were given; the others are the class's defaults.
    """

    _declared: ClassVar[dict[str, FieldInfo]] = {}
    _rules: ClassVar[tuple[Callable[[Any], Any], ...]] = ()
    _own_fields: ClassVar[dict[str, ModelField]]  # made when first asked for
    _own_plan: ClassVar[_Plan]

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        bases = [base for base in reversed(cls.__bases__) if issubclass(base, Model)]
        declared = {name: said for base in bases for name, said in base._declared.items()}  # noqa: SLF001
        for name, value in list(vars(cls).items()):
            if isinstance(value, FieldInfo):
                declared[name] = value
                if value.default is REQUIRED:
                    delattr(cls, name)
                else:
                    setattr(cls, name, value.default)
        cls._declared = declared
        own = (
            value for value in vars(cls).values() if "_krmfn_rule" in getattr(value, "__dict__", ())
        )
        inherited = dict.fromkeys(rule for base in bases for rule in base._rules)  # noqa: SLF001
        cls._rules = (*inherited, *own)

    def __init__(self, **values: Any) -> None:
        decoded = type(self).model_validate(values)
        object.__setattr__(self, "__dict__", vars(decoded))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in type(self).fields())

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in type(self).fields())))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(vars(self))})"

    @classmethod
    def fields(cls) -> dict[str, ModelField]:
        """Return the fields by attribute name, in the order of their declaration."""
        if "_own_fields" not in vars(cls):
            cls._own_fields = _fields(cls)
        return cls._own_fields

    @classmethod
    def _decoders(cls) -> _Plan:
        if "_own_plan" not in vars(cls):
            cls._own_plan = _plan(cls)
        return cls._own_plan

    @classmethod
    def model_validate(cls, value: Any) -> Self:
        """Decode a document.

        Raises:
            pydantic.ValidationError: each mistake, without its value.
        """
        try:
            return decode(cls, value)
        except Mismatch:
            from krmfn.spec import published

            return published.validate(cls, value)

    @classmethod
    def model_construct(cls, **values: Any) -> Self:
        """Make an instance of values that are known to be right."""
        made = object.__new__(cls)
        object.__setattr__(made, "__dict__", values)
        return made

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:
        """Return the same with other values of some fields, unchecked."""
        return type(self).model_construct(**{**vars(self), **update})

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that were given."""
        return set(vars(self))

    def model_dump(
        self,
        *,
        mode: Literal["python", "json"] = "python",
        by_alias: bool = False,
        exclude_none: bool = False,
        include: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        """Return plain values; with mode ``json`` tuples are lists.

        Args:
            include: the fields of this model to return, by attribute name.
        """

        def plain(value: Any) -> Any:
            if isinstance(value, Model):
                return value.model_dump(mode=mode, by_alias=by_alias, exclude_none=exclude_none)
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items() if not (exclude_none and v is None)}
            if isinstance(value, tuple | list):
                items = [plain(v) for v in value]
                return items if mode == "json" or isinstance(value, list) else tuple(items)
            return value

        kept = type(self).fields().items()
        found = {
            f.alias if by_alias else n: getattr(self, n)
            for n, f in kept
            if include is None or n in include
        }
        return {k: plain(v) for k, v in found.items() if not (exclude_none and v is None)}

    def model_dump_json(self) -> str:
        """Return the same as one line of JSON."""
        return json.dumps(self.model_dump(mode="json"))


M = TypeVar("M", bound=Model)


def to_camel(name: str) -> str:
    """Return ``secret_key`` as ``secretKey``."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _fields(model: type[Model]) -> dict[str, ModelField]:
    found = {}
    for name, annotation in get_type_hints(model, include_extras=True).items():
        if get_origin(annotation) is ClassVar:
            continue
        said = [model._declared[name]] if name in model._declared else []  # noqa: SLF001
        said += [m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, FieldInfo)]
        alias = next((one.alias for one in said if one.alias), to_camel(name))
        found[name] = ModelField(alias, annotation, getattr(model, name, REQUIRED))
    return found


class _Plan(NamedTuple):
    """How to decode a model.

    Attributes:
        known: for each name on the wire, the attribute and its decoder.
        required: the attributes without a default.
    """

    known: dict[str, tuple[str, Decode]]
    required: frozenset[str]


def _plan(model: type[Model]) -> _Plan:
    fields = model.fields()
    return _Plan(
        {f.alias: (name, decoder(f.annotation)) for name, f in fields.items()},
        frozenset(name for name, f in fields.items() if f.default is REQUIRED),
    )


def decode(model: type[M], value: Any) -> M:
    """Return a document as its model.

    Raises:
        Mismatch: it has a mistake, or something that only pydantic can tell.
    """
    if isinstance(value, model):
        return value
    if type(value) is not dict:
        raise Mismatch
    known, required = model._decoders()  # noqa: SLF001
    found = {}
    try:
        for alias, given in value.items():
            name, decode = known[alias]
            found[name] = decode(given)
    except (KeyError, TypeError):  # a field that is not known, or a key that is no text
        raise Mismatch from None
    if not found.keys() >= required:
        raise Mismatch
    made = model.model_construct(**found)
    for rule in model._rules:  # noqa: SLF001
        rule(made)
    return made


def decoder(annotation: Any, rules: tuple[Any, ...] = ()) -> Decode:
    """Return the function that decodes one value of a type, or raises `Mismatch`.

    Args:
        rules: metadata of `Annotated` around the type.
    """
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return decoder(inner, (*metadata, *rules))
    after = [rule.check for rule in rules if isinstance(rule, AfterValidator)]
    decode = _plain(annotation, rules)
    if not after:
        return decode

    def checked(value: Any) -> Any:
        found = decode(value)
        for check in after:
            found = check(found)
        return found

    return checked


def _plain(annotation: Any, rules: tuple[Any, ...]) -> Decode:
    """Return the decoder of a type without its validators."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return _union(get_args(annotation), rules)
    if origin is Literal:
        return _literal(get_args(annotation))
    if origin is tuple:
        return _list(decoder(get_args(annotation)[0]), rules)
    if origin is dict:
        key, item = map(decoder, get_args(annotation))
        return _dict(key, item, rules)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return lambda value: decode(annotation, value)
    if annotation is str:
        return _text(rules)
    if annotation is int:
        return _int(rules)
    if annotation is bool:
        return _bool
    if annotation in (Any, object):
        return lambda value: value
    raise TypeError(f"a declaration has the type {annotation}")


def _text(rules: tuple[Any, ...]) -> Decode:
    limits = [rule for rule in rules if isinstance(rule, StringConstraints)]
    least = max((one.min_length or 0 for one in limits), default=0)
    most = min((one.max_length for one in limits if one.max_length is not None), default=None)
    patterns = [_compiled(one.pattern) for one in limits if one.pattern is not None]

    def decode(value: Any) -> Any:
        if type(value) is not str or len(value) < least or (most is not None and len(value) > most):
            raise Mismatch
        if not value.isascii() and not value.isprintable():
            _encodable(value)
        for matches in patterns:
            if matches(value) is None:
                raise Mismatch
        return value

    return decode


@cache
def _compiled(pattern: str) -> Callable[[str], Any]:
    r"""Return the search of a pattern whose `$` means the end alone, as it does for pydantic."""
    return re.compile(pattern.replace("$", r"\Z")).search


def _encodable(value: str) -> None:
    """Refuse half of a surrogate pair, which is no text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Mismatch from None


def _int(rules: tuple[Any, ...]) -> Decode:
    least = [rule.ge for rule in rules if isinstance(rule, FieldInfo) and rule.ge is not None]

    def decode(value: Any) -> Any:
        if type(value) is not int or any(value < one for one in least):
            raise Mismatch
        return value

    return decode


def _bool(value: Any) -> Any:
    if type(value) is not bool:
        raise Mismatch
    return value


def _literal(allowed: tuple[Any, ...]) -> Decode:
    def decode(value: Any) -> Any:
        for one in allowed:
            if type(one) is type(value) and one == value:
                return value
        raise Mismatch

    return decode


def _least(rules: tuple[Any, ...]) -> int:
    """Return the number of items that a list or a mapping needs."""
    said = [rule.min_length for rule in rules if isinstance(rule, FieldInfo)]
    return max((least for least in said if least is not None), default=0)


def _list(decode: Decode, rules: tuple[Any, ...]) -> Decode:
    least = _least(rules)

    def decoded(value: Any) -> Any:
        if type(value) not in (list, tuple) or len(value) < least:
            raise Mismatch
        return tuple([decode(one) for one in value])

    return decoded


def _dict(key: Decode, item: Decode, rules: tuple[Any, ...]) -> Decode:
    least = _least(rules)

    def decoded(value: Any) -> Any:
        if type(value) is not dict or len(value) < least:
            raise Mismatch
        return {key(k): item(v) for k, v in value.items()}

    return decoded


def _union(members: tuple[Any, ...], rules: tuple[Any, ...]) -> Decode:
    """Return the decoder of an optional type, or of members that a discriminator tells apart."""
    if type(None) in members:
        rest = tuple(member for member in members if member is not type(None))
        decode = decoder(rest[0] if len(rest) == 1 else Union[rest], rules)  # noqa: UP007
        return lambda value: None if value is None else decode(value)
    tagged = {
        mark.tag: decoder(member)
        for member in members
        for mark in getattr(member, "__metadata__", ())
        if isinstance(mark, Tag)
    }
    (which,) = [rule.discriminate for rule in rules if isinstance(rule, Discriminator)]

    def decoded(value: Any) -> Any:
        if (tag := which(value)) is None:
            raise Mismatch
        return tagged[tag](value)

    return decoded
