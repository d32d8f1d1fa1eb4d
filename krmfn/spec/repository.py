"""`RepositoryConfig`: `.krmfn.yaml` at a repository's root, settings that all overlays share."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from krmfn.spec.base import AS_LIST, Metadata, Namespace, repeated
from krmfn.spec.declare import AfterValidator, Field, model_validator, spec_error
from krmfn.spec.model import Model
from krmfn.spec.pattern import REST, problem
from krmfn.spec.sealing import (  # noqa: TC001  # a declaration names them
    Certificate,
    DerivationKey,
    Epoch,
    Mode,
    Scope,
)
from krmfn.spec.stores import Store, StoreName  # noqa: TC001  # a declaration names them


def _pattern(text: str) -> str:
    if (why := problem(text)) or REST in text:
        raise spec_error(f"the pattern {why or 'has **'}")
    return text


Pattern: TypeAlias = Annotated[str, AfterValidator(_pattern)]
Patterns: TypeAlias = Annotated[tuple[Pattern, ...], Field(strict=False, min_length=1)]


class Shared(Model):
    """Settings of all overlays: recipient, sealing and stores."""

    certificate: Certificate | None = None
    derivation_key: DerivationKey | None = None
    """Default: `{store: <the default store>, key: krmfn/derivation/{environment}, property: key}`."""
    scope: Scope | None = None
    mode: Mode | None = None
    epoch: Epoch | None = None
    stores: dict[StoreName, Store] = {}
    default_store: StoreName | None = None
    """The store of claims without `store`. Default: the only store."""


class Environment(Shared):
    """One environment: its overlays, and its settings, which override those of all environments."""

    name: Namespace
    """Replaces `{environment}` in paths."""
    paths: Patterns | None = None
    """Directories of overlays, relative to the repository's root, with everything below them. `*`
    matches any characters within one segment."""
    namespaces: Patterns | None = None
    """Namespaces of the claims. `*` matches any characters."""

    @model_validator(mode="after")
    def _found(self) -> Environment:
        if self.paths is None and self.namespaces is None:
            raise spec_error("one of paths, namespaces: required")
        return self


class RepositorySpec(Shared):
    """Settings for all environments, and the environments."""

    environments: Annotated[tuple[Environment, ...], AS_LIST] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if twice := repeated([one.name for one in self.environments]):
            raise spec_error(f"the environment {', '.join(twice)} is listed twice")
        return self


class RepositoryConfig(Model):
    """Settings of all overlays of a repository: `.krmfn.yaml` at its root."""

    api_version: Literal["krmfn.dev/v1alpha1"]
    kind: Literal["RepositoryConfig"]
    metadata: Metadata | None = None
    spec: RepositorySpec
