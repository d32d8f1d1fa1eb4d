"""Turn a configuration into a plan of reads and targets. Pure: nothing is opened."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from krmfn.errors import KrmfnError, SpecError, raise_all
from krmfn.objects import ciphertext
from krmfn.objects.kinds import NamespacedName
from krmfn.objects.sealed_secret import label_for
from krmfn.plan.annotations import check_annotations
from krmfn.plan.estate import FILE
from krmfn.plan.short import advice, long_form, written
from krmfn.plan.template import ValueTemplate
from krmfn.spec.generator import ItemMetadata, stores_of_secret
from krmfn.spec.sealing import PlatformCertificate, PlatformKey
from krmfn.spec.stores import PlatformStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from krmfn.kustomize.overlay import Kustomization
    from krmfn.spec.generator import DataEntry, DataFrom, SealedSecretGenerator, SecretShape
    from krmfn.spec.platform import AnyPlatformStore
    from krmfn.spec.sealing import DefinedKey, Sealing
    from krmfn.spec.stores import Store
    from krmfn.spec.transformer import SealedSecretTransformer, SecretClaim

SCOPES = ("strict", "namespace-wide", "cluster-wide")  # each wider than the one before
# Annotations on an item that are kustomize's bookkeeping and no part of the object.
KUSTOMIZE_OWN = (
    "config.kubernetes.io/",
    "internal.config.kubernetes.io/",
    "config.k8s.io/",
    "kustomize.config.k8s.io/",
)


@dataclass(frozen=True, order=True)
class Read:
    """One secret to read from a store, once however many values come from it."""

    store: str
    key: str
    version: int | None = None


@dataclass(frozen=True)
class SealTarget:
    """One planned SealedSecret, with its name and namespace.

    Attributes:
        namespace: the final namespace; may be empty for cluster-wide.
        path: the field of the configuration that asks for it, for errors.
        templates: data key to parsed template.
        unhashed: the name before a hash of the content was added, when one was.
        referenced: whether it gets a name companion.
        written: the field of a key in the short form, for errors.
    """

    name: str
    namespace: str
    scope: str
    mode: str
    secret: SecretShape
    templates: dict[str, ValueTemplate]
    path: str
    unhashed: str = ""
    referenced: bool = True
    written: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def base_name(self) -> str:
        """The name without a hash of the content."""
        return self.unhashed or self.name

    @property
    def place(self) -> NamespacedName:
        """Namespace and name: no two targets of a plan share them."""
        return NamespacedName(self.namespace, self.name)

    @property
    def bound_namespace(self) -> str:
        """The namespace of the derivation: none for cluster-wide."""
        return "" if self.scope == "cluster-wide" else self.namespace

    @property
    def label(self) -> str:
        """The OAEP label."""
        return label_for(self.scope, self.namespace, self.name)

    @property
    def keys(self) -> tuple[str, ...]:
        """The data keys that are known before a read, in order."""
        keys = {*self.templates}
        if not self._replaced:
            keys |= {entry.secret_key for entry in self.secret.data}
        return tuple(sorted(keys))

    @property
    def named(self) -> int:
        """How many keys the configuration names."""
        return len(self.secret.data) + len(self.templates)

    @property
    def open(self) -> bool:
        """Whether there are other keys, known only after a read."""
        return bool(self.secret.data_from) and not self._replaced

    @property
    def _replaced(self) -> bool:
        """Whether templates replace the values that are read."""
        template = self.secret.template
        return bool(template and template.data and template.merge_policy != "Merge")

    def field_of(self, key: str) -> str:
        """Return the field of a data key for errors: the key, or its field in the short form."""
        return self.written.get(key, key)

    def at(self, error: KrmfnError, key: str, source: str = "") -> KrmfnError:
        """Return the error of one data key, with its position, in the words of its form."""
        if key in self.written:
            error.remedy = advice(error.remedy)
        return error.at(secret=self.name, key=self.field_of(key), source=source)

    def reads(self) -> dict[Read, str]:
        """The reads of the target, each with its first key, for errors."""
        extracts = {
            read_of(self.secret, entry): f"dataFrom[{number}]"
            for number, entry in enumerate(self.secret.data_from)
        }
        keys: dict[Read, str] = {}
        for entry in self.secret.data:
            if entry.remote_ref is not None:
                keys.setdefault(read_of(self.secret, entry), self.field_of(entry.secret_key))
        return {**extracts, **keys}


@dataclass(frozen=True)
class Plan:
    """All reads and targets of a build.

    Attributes:
        key_name: the platform's name for the derivation key; empty without one.
    """

    sealing: Sealing
    stores: Mapping[str, Store | AnyPlatformStore]
    targets: tuple[SealTarget, ...]
    silence: tuple[str, ...] = ()
    key_name: str = ""

    @property
    def derivation_key(self) -> DefinedKey | None:
        """The key, defined in full by now."""
        key = self.sealing.derivation_key
        if isinstance(key, PlatformKey):
            raise AssertionError("no key of the platform's without the platform")  # noqa: TRY004
        return key

    @property
    def deterministic(self) -> bool:
        """Whether any target needs the derivation key."""
        return any(target.mode == "deterministic" for target in self.targets)


def read_of(secret: SecretShape, entry: DataEntry | DataFrom) -> Read:
    """Return the read for one reference."""
    ref = getattr(entry, "remote_ref", None) or getattr(entry, "extract")  # noqa: B009  # either one
    return Read(entry.store or secret.store or "", ref.key, ref.version)


def standalone(plan: Plan) -> Plan:
    """Return the plan itself, where there is no policy.

    Raises:
        SpecError: it names what only a platform defines.
    """
    named = {
        "spec.sealing.certificate": isinstance(plan.sealing.certificate, PlatformCertificate),
        "spec.sealing.derivationKey": isinstance(plan.sealing.derivation_key, PlatformKey),
    }
    for place, is_platforms in named.items():
        if is_platforms:
            raise _platforms(place)
    refuse_platforms(plan.stores)
    return plan


def refuse_platforms(stores: Mapping[str, object]) -> None:
    """Without a policy, refuse stores that only a platform defines.

    Raises:
        SpecError: there is one.
    """
    for name, store in stores.items():
        if isinstance(store, PlatformStore):
            raise _platforms(f"stores.{name}")


def _platforms(place: str) -> SpecError:
    return SpecError(
        "spec",
        "it is the platform's to define, and there is no policy",
        key=place,
        remedy="name a PlatformConfig in KRMFN_CONFIG",
    )


def make_plan(config: SealedSecretGenerator, *, namespace: str, overlay: Kustomization) -> Plan:
    """Return the plan of a generator.

    Args:
        namespace: the namespace to seal for; empty if unknown.

    Raises:
        SpecError, ErrorList: what can be known to fail before anything is read.
    """
    sealing = config.spec.sealing
    targets: list[SealTarget] = []
    errors: list[KrmfnError] = []
    for number, secret in enumerate(config.spec.secrets):
        path = f"spec.secrets[{number}]"
        try:
            if secret.checksum_annotation:
                raise SpecError(
                    "spec",
                    "a generator sees no pod templates",
                    key=f"{path}.checksumAnnotation",
                    remedy="use claims and a SealedSecretTransformer, or nameSuffixHash",
                )
            long = long_form(secret, config.spec)
            target = _target(secret.name, namespace, long, sealing, path)
            _check_renames(target, overlay)
            target = replace(
                target, referenced=_referenced(secret, config), written=written(secret, path)
            )
            targets.append(target)
        except KrmfnError as error:
            errors.append(error.at(secret=secret.name, key=path))
    raise_all(errors)
    return Plan(sealing, dict(config.spec.stores), tuple(targets), config.spec.silence)


def plan_claims(config: SealedSecretTransformer, claims: Iterable[tuple[SecretClaim, str]]) -> Plan:
    """Return the plan of a transformer.

    Args:
        claims: each claim, and its final namespace.

    Raises:
        SpecError, ErrorList: as `make_plan`; or a claim that asks for more than the config allows.
    """
    sealing = config.spec.sealing
    targets: list[SealTarget] = []
    errors: list[KrmfnError] = []
    for claim, namespace in claims:
        name = claim.metadata.name
        try:
            if sealing is None:
                raise SpecError(
                    "spec",
                    "required: there is a claim to seal",
                    key="spec.sealing",
                    remedy=f"set it here or in {FILE}, which a container cannot read: set its fields "
                    "in spec there",
                )
            shape = long_form(claim.spec, config.spec)
            _check_claim(shape, sealing, config)
            own = _own_metadata(claim, shape)
            target = _target(name, namespace, own, sealing, "spec")
            referenced, places = _referenced(shape, config), written(claim.spec, "spec")
            targets.append(replace(target, referenced=referenced, written=places))
        except KrmfnError as error:
            errors.append(error.at(where=f"{claim.kind}/{name}"))
    raise_all(errors)
    if sealing is None:
        raise AssertionError("a plan without claims is not made")
    return Plan(sealing, dict(config.spec.stores), tuple(targets), config.spec.silence)


def _target(
    name: str, namespace: str, secret: SecretShape, sealing: Sealing, path: str
) -> SealTarget:
    scope = secret.scope or sealing.scope
    mode = secret.mode or sealing.mode
    check_annotations(secret)
    _check_plaintext(secret)
    if not namespace and scope != "cluster-wide":
        raise SpecError(
            "namespace-missing",
            f"no namespace is known for scope {scope}",
            remedy="set metadata.namespace, or seal in the kustomization that sets namespace:",
        )
    if mode == "deterministic" and sealing.derivation_key is None:
        raise SpecError(
            "derivation-key-missing",
            "deterministic sealing needs spec.sealing.derivationKey",
            remedy="name one, or choose mode: random",
        )
    if mode == "random" and (secret.name_suffix_hash or secret.checksum_annotation):
        raise SpecError(
            "spec",
            "nameSuffixHash and checksumAnnotation need mode: deterministic",
            remedy="a keyed digest would say of a random item what its bytes do not",
        )
    return SealTarget(name, namespace, scope, mode, secret, _templates(secret), path)


def _referenced(
    secret: SecretShape, config: SealedSecretGenerator | SealedSecretTransformer
) -> bool:
    """Whether kustomize is to follow references to the name."""
    own = secret.name_references
    return config.spec.name_references if own is None else own


def _check_plaintext(secret: SecretShape) -> None:
    """Refuse ciphertext among the configuration's own values."""
    texts = {entry.secret_key: entry.value for entry in secret.data if entry.value is not None}
    for key, text in {**(secret.template.data if secret.template else {}), **texts}.items():
        ciphertext.refuse(text.encode("utf-8", "surrogatepass"), key=key)


def _check_renames(target: SealTarget, overlay: Kustomization) -> None:
    """Refuse a generator whose names kustomize changes after it has run."""
    renames = {"namePrefix": overlay.name_prefix, "nameSuffix": overlay.name_suffix}
    field = next((name for name, value in renames.items() if value), None)
    if field is not None and target.scope == "strict":
        raise SpecError(
            "name-changes",
            f"{overlay.file} sets {field}, which renames {target.name} after it was sealed",
            remedy="use claims and a SealedSecretTransformer, or scope: namespace-wide",
        )


def _check_claim(shape: SecretShape, sealing: Sealing, config: SealedSecretTransformer) -> None:
    """Refuse a claim with a wider scope than the configuration's, or with an undefined store."""
    if shape.scope is not None and SCOPES.index(shape.scope) > SCOPES.index(sealing.scope):
        raise SpecError(
            "scope",
            f"the claim asks for scope {shape.scope}",
            expected=f"at most {sealing.scope}, as {config.kind}/{config.metadata.name} says",
            remedy="narrow the claim, or widen spec.sealing.scope",
        )
    for store in sorted(stores_of_secret(shape)):
        if store not in config.spec.stores:
            raise SpecError(
                "spec",
                f"the store {store} is not defined in {config.kind}/{config.metadata.name}",
                remedy="define it under spec.stores",
            )


def _own_metadata(claim: SecretClaim, shape: SecretShape) -> SecretShape:
    """Return a claim's shape, with kustomize's changes to the claim's metadata."""
    own = claim.metadata
    labels = {**own.labels, **shape.metadata.labels}
    kept = {k: v for k, v in own.annotations.items() if not k.startswith(KUSTOMIZE_OWN)}
    metadata = {"labels": labels, "annotations": {**kept, **shape.metadata.annotations}}
    return shape.model_copy(update={"metadata": ItemMetadata.model_validate(metadata)})


def _templates(secret: SecretShape) -> dict[str, ValueTemplate]:
    """Parse the secret's templates, and check their variables as far as the keys are known."""
    templates: dict[str, ValueTemplate] = {}
    known = {entry.secret_key for entry in secret.data}
    for key, text in (secret.template.data if secret.template else {}).items():
        try:
            template = ValueTemplate(text)
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
