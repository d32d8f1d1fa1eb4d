"""`SecretCatalogue`: which fields refer to Secrets, and which objects make them.

The packaged files in ``krmfn/catalogue/`` and the files of users have this one form. Paths are those
of `krmfn.fieldpath`; a path that begins with ``here.`` starts at what ``at`` or ``each`` has found,
and so do the names of a ``custom`` form.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from krmfn.fieldpath import compiled
from krmfn.spec.base import AS_LIST, Metadata, Text
from krmfn.spec.declare import AfterValidator, Field, StringConstraints, model_validator, spec_error
from krmfn.spec.model import Model


def _path(path: str) -> str:
    try:
        compiled(path)
    except ValueError:
        raise spec_error("must be a path such as spec.users[].name") from None
    return path


Path: TypeAlias = Annotated[str, AfterValidator(_path)]
Texts: TypeAlias = Annotated[tuple[Text, ...], AS_LIST]
Paths: TypeAlias = Annotated[tuple[Path, ...], AS_LIST]
Kind: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^(core|\*|[a-z0-9.-]+)/([A-Za-z]+|\*)$|^\*$")
]
"""`group/Kind`; the core group is written `core`, and `*` stands for any."""
Version: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+){1,2}$")]
Versions: TypeAlias = Annotated[tuple[Version, ...], AS_LIST]
Level: TypeAlias = Literal["error", "warning", "info"]
Form: TypeAlias = Literal[
    "name",
    "nsname",
    "ref",
    "key",
    "file",
    "proj",
    "custom",
    "shape",
    "helm",
    "argocd-dollar",
    "clickhouse",
]


class Condition(Model):
    """A conjunction: every field that is set must hold."""

    is_: Annotated[dict[Path, object], Field(alias="is")] = {}
    """Path to the value, or the list of values, one of which must be found there."""
    has: Paths = ()
    """Each of these paths has a value that is not empty."""
    lacks: Paths = ()
    """None of these paths has a value that is not empty."""
    same: Paths = ()
    """All of these paths have the same text."""
    since: Versions = ()
    """The operator's version is one of these or newer, each counting for its own minor release and
    the newest for all that follow."""
    before: Versions = ()
    """The operator's version is older."""
    any: Annotated[tuple[Condition, ...], AS_LIST] = ()
    """At least one of these conditions holds."""
    none: Annotated[tuple[Condition, ...], AS_LIST] = ()
    """None of these conditions holds."""


class Consumer(Model):
    """Fields that refer to Secrets."""

    kinds: Annotated[tuple[Kind, ...], Field(strict=False)] = ()
    """In an annotation on a CRD: left out, for the CRD's own kind."""
    under: Paths = ()
    """Prefixes for each path of `at`."""
    at: Annotated[tuple[Path, ...], Field(strict=False, min_length=1)]
    form: Form
    """How to read the value (docs/catalogue.md)."""
    name: Path | None = None
    key_at: Paths = ()
    key_default: Text | None = None
    optional: Path | None = None
    namespace: Text | None = None
    """A path; or `external`: not the object's own namespace, so it is not judged."""
    keys: Texts = ()
    """Keys that the consumer reads, all of them."""
    any_of: Annotated[tuple[Texts, ...], AS_LIST] = ()
    """Alternatively the keys of one of these lists."""
    types: Texts = ()
    """The types that the Secret may have."""
    types_level: Level = "error"
    when: Condition | None = None
    level: Level = "error"
    """Severity of a finding; the shape rule warns."""
    reload: Text | None = None
    """A label on the Secret with which the consumer follows changes."""
    labels: dict[str, str] = {}
    """Labels without which the consumer does not accept the Secret."""
    owns_input: bool = False
    """The consumer claims the Secret's controller reference."""
    grant: bool = False
    """Another namespace needs a ReferenceGrant there."""
    missing: Text | None = None
    """What is seen at run time when it is not there."""
    note: Text | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.form == "custom") != (self.name is not None):
            raise spec_error("name: required for form custom, and for no other")
        return self


class Keys(Model):
    """Keys that a produced Secret has, some of the time."""

    when: Condition | None = None
    keys: Texts = ()
    """Each a key, or a template such as `{spec.key}`."""
    values_at: Paths = ()
    """Paths whose values are keys."""
    fields_of: Paths = ()
    """Paths of mappings whose field names are keys."""
    holds: dict[Text, Text] = {}
    """Content of a key that the object itself defines and that is not confidential, such as a template."""
    open: bool = False
    """It may have any key besides."""


class Producer(Model):
    """Objects whose operator creates Secrets."""

    from_: Annotated[tuple[Kind, ...], Field(strict=False, alias="from")] = ()
    each: Path | None = None
    """One Secret for each value at this path."""
    names: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    """Templates, one Secret each: `{metadata.name}-app`; `{key}` is the field's name that `each` found."""
    name: Texts = ()
    """Templates of one name: the first whose fields are all there."""
    namespace: Text | None = None
    """A template; `external`: unknown; `*`: any."""
    type: Texts = ()
    """Like `name`; a plain word is a type."""
    keys: Texts = ()
    more: Annotated[tuple[Keys, ...], AS_LIST] = ()
    open: bool = False
    """It may have any key."""
    when: Condition | None = None
    unless: Paths = ()
    """The entry does not apply if one of these paths has a value."""
    certain: bool = True
    """False: whether it is made depends on the operator's own settings."""
    guess: bool = False
    """The object may create a Secret of this name. It counts only if nothing else creates it."""
    existing: Literal["ignore", "adopt", "conflict", "overwrite", "input", "merge"] | None = None
    """The operator's behaviour with an existing Secret of that name from elsewhere."""
    policy: Literal["refuse", "input", "merge"] = "refuse"
    """Whether another object may create the Secret."""
    shared: bool = False
    """Several objects of the kind may name one Secret."""
    waived: Condition | None = None
    """Sealing over it is allowed then: the object says so itself."""
    why: Text | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if bool(self.name) == bool(self.names):
            raise spec_error("exactly one of name, names: required")
        return self


class Finder(Model):
    """A label or annotation by which something finds Secrets without naming them."""

    label: Text | None = None
    annotation: Text | None = None
    values: Texts = ()
    """Left out: any."""
    consumer: Text


class Reserved(Model):
    """Names that are reserved in every namespace; `*` and `?` as in a shell."""

    pattern: Text
    by: Text


class Renamed(Model):
    """Fields in which kustomize renames a reference together with the Secret."""

    kinds: Annotated[tuple[Kind, ...], Field(strict=False)]
    at: Paths


class CatalogueSpec(Model):
    """Entries."""

    operator: Text | None = None
    """Whose version `since` and `before` speak of, and who the producers belong to."""
    groups: Texts = ()
    """API groups that are known to the last kind: the shape rule is not tried on them."""
    cluster_scoped: Annotated[tuple[Kind, ...], Field(strict=False)] = ()
    """Kinds without a namespace: kustomize may write one on their objects, which means nothing."""
    inert: Annotated[tuple[Kind, ...], Field(strict=False)] = ()
    """Kinds whose objects make no Secret but those of `producers`, whatever they are called."""
    pod_specs: dict[Kind, Paths] = {}
    """Where a PodSpec sits in an object of a kind."""
    pod_spec_refs: Annotated[tuple[Consumer, ...], AS_LIST] = ()
    """Fields of a PodSpec that refer to Secrets; without kinds."""
    consumers: Annotated[tuple[Consumer, ...], AS_LIST] = ()
    producers: Annotated[tuple[Producer, ...], AS_LIST] = ()
    finders: Annotated[tuple[Finder, ...], AS_LIST] = ()
    reserved: Annotated[tuple[Reserved, ...], AS_LIST] = ()
    renamed: Annotated[tuple[Renamed, ...], AS_LIST] = ()


class SecretCatalogue(Model):
    """Which fields refer to Secrets, and which objects create Secrets."""

    api_version: Literal["krmfn.dev/v1alpha1"]
    kind: Literal["SecretCatalogue"]
    metadata: Metadata
    spec: CatalogueSpec
