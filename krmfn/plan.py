"""From a configuration to what will be read and sealed. Pure: nothing is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from krmfn.errors import KrmfnError, SpecError, raise_all
from krmfn.lint import check_annotations
from krmfn.sealedsecret import label_for
from krmfn.template import Template

if TYPE_CHECKING:
    from krmfn.overlay import Overlay
    from krmfn.spec.generator import DataEntry, DataFrom, SealedSecretGenerator, Sealing, SecretSpec
    from krmfn.spec.stores import Store


@dataclass(frozen=True, order=True)
class Read:
    """One secret to read from a store, once however many values come from it."""

    store: str
    key: str
    version: int | None = None


@dataclass(frozen=True)
class SealTarget:
    """One SealedSecret to be: what it will be called and where.

    Attributes:
        namespace: the final namespace; may be empty for cluster-wide.
        path: the field of the configuration that asks for it, for errors.
        templates: data key to parsed template.
    """

    name: str
    namespace: str
    scope: str
    mode: str
    secret: SecretSpec
    templates: dict[str, Template]
    path: str

    @property
    def bound_namespace(self) -> str:
        """The namespace of the derivation: none for cluster-wide."""
        return "" if self.scope == "cluster-wide" else self.namespace

    @property
    def label(self) -> str:
        """The OAEP label."""
        return label_for(self.scope, self.namespace, self.name)

    def reads(self) -> dict[Read, str]:
        """What its values are read from, each with the first key that comes from it."""
        extracts = {
            read_of(self.secret, entry): f"dataFrom[{number}]"
            for number, entry in enumerate(self.secret.data_from)
        }
        keys: dict[Read, str] = {}
        for entry in self.secret.data:
            if entry.remote_ref is not None:
                keys.setdefault(read_of(self.secret, entry), entry.secret_key)
        return {**extracts, **keys}


@dataclass(frozen=True)
class Plan:
    """Everything that a build will do."""

    sealing: Sealing
    stores: dict[str, Store]
    targets: tuple[SealTarget, ...]

    @property
    def deterministic(self) -> bool:
        """Whether any target needs the derivation key."""
        return any(target.mode == "deterministic" for target in self.targets)


def read_of(secret: SecretSpec, entry: DataEntry | DataFrom) -> Read:
    """The read behind one reference."""
    ref = getattr(entry, "remote_ref", None) or getattr(entry, "extract")  # noqa: B009  # either one
    return Read(entry.store or secret.store or "", ref.key, ref.version)


def make_plan(config: SealedSecretGenerator, *, namespace: str, overlay: Overlay) -> Plan:
    """What the generator will do.

    Args:
        namespace: the namespace to seal for; empty when nobody names one.

    Raises:
        SpecError, ErrorList: what can be known to fail before anything is read.
    """
    sealing = config.spec.sealing
    targets: list[SealTarget] = []
    errors: list[KrmfnError] = []
    for number, secret in enumerate(config.spec.secrets):
        path = f"spec.secrets[{number}]"
        scope = secret.scope or sealing.scope
        mode = secret.mode or sealing.mode
        try:
            check_annotations(secret)
            _check_place(secret.name, scope, namespace, overlay)
            if mode == "deterministic" and sealing.derivation_key is None:
                raise SpecError(
                    "derivation-key-missing",
                    "deterministic sealing needs spec.sealing.derivationKey",
                    remedy="name one, or choose mode: random",
                )
            templates = _templates(secret)
        except KrmfnError as error:
            errors.append(error.at(secret=secret.name, key=path))
            continue
        targets.append(SealTarget(secret.name, namespace, scope, mode, secret, templates, path))
    raise_all(errors)
    return Plan(sealing, dict(config.spec.stores), tuple(targets))


def _check_place(name: str, scope: str, namespace: str, overlay: Overlay) -> None:
    if not namespace and scope != "cluster-wide":
        raise SpecError(
            "namespace-missing",
            f"no namespace is known for scope {scope}",
            remedy="set metadata.namespace, or list the generator in the kustomization that "
            "sets namespace:",
        )
    renames = [k for k in ("name_prefix", "name_suffix") if getattr(overlay, k)]
    if renames and scope == "strict":
        field = {"name_prefix": "namePrefix", "name_suffix": "nameSuffix"}[renames[0]]
        raise SpecError(
            "name-changes",
            f"{overlay.file} sets {field}, which renames {name} after it was sealed",
            remedy="choose scope: namespace-wide, or drop the field",
        )


def _templates(secret: SecretSpec) -> dict[str, Template]:
    """The secret's templates, parsed, their variables known to exist where that can be known."""
    templates: dict[str, Template] = {}
    known = {entry.secret_key for entry in secret.data}
    for key, text in (secret.template.data if secret.template else {}).items():
        try:
            template = Template(text)
        except SpecError as error:
            error.message = f"{key}: {error.message}"
            raise
        missing = sorted(template.variables() - known)
        if missing and not secret.data_from:
            raise SpecError(
                "template",
                f"{key}: the template needs {', '.join(missing)}",
                remedy=f"add {missing[0]} to data",
            )
        templates[key] = template
    return templates
