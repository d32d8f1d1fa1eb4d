"""What declares a model: fields with limits, members of unions, and rules, as pydantic spells them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

Decode = Callable[[Any], Any]
REQUIRED: Any = object()


class Mismatch(ValueError):
    """The document is not what the declaration says; pydantic knows the mistakes."""


class RuleError(Mismatch):
    """A rule across fields is broken.

    Attributes:
        at: path below the model to the mistake; empty for the model itself.
    """

    def __init__(self, message: str, at: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


def spec_error(message: str, *at: str | int) -> RuleError:
    """An error of a rule across fields, for use inside a validator.

    Args:
        at: the path below the model to what is wrong; left out, the model itself.
    """
    return RuleError(message, at)


@dataclass(frozen=True)
class FieldInfo:
    """What a declaration says of a field or of a type, beside the type itself."""

    default: Any = REQUIRED
    alias: str | None = None
    strict: bool | None = None
    ge: int | None = None
    min_length: int | None = None


def Field(default: Any = REQUIRED, **rules: Any) -> Any:  # noqa: N802  # as pydantic spells it
    """Declare a field's default, its name on the wire, or its limits."""
    return FieldInfo(default, **rules)


@dataclass(frozen=True)
class StringConstraints:
    """Limits of a text; lengths in characters."""

    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None


@dataclass(frozen=True)
class Tag:
    """Names a member of a union."""

    tag: str


@dataclass(frozen=True)
class Discriminator:
    """Tells which member of a union a value is.

    Attributes:
        discriminate: returns the member's tag, or None.
        message: for a value that is none of them.
    """

    discriminate: Callable[[Any], str | None]
    message: str


@dataclass(frozen=True)
class AfterValidator:
    """A rule for a decoded value; raises `RuleError`, else returns the value."""

    check: Decode


F = TypeVar("F", bound=Callable[..., Any])


def model_validator(*, mode: Literal["after"]) -> Callable[[F], F]:  # noqa: ARG001  # pydantic's name
    """Mark a method that checks a decoded model and returns it."""

    def mark(method: F) -> F:
        method.__dict__["_krmfn_rule"] = True
        return method

    return mark


class ModelField(NamedTuple):
    """A field of a model: its name on the wire, its type with metadata, its default."""

    alias: str
    annotation: Any
    default: Any
