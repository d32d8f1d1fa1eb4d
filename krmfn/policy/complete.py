"""Complete a plan with the platform's definitions. Pure.

Rules enforced here: stores and derivation keys are the platform's, and a repository may name them or
say what the platform says; a certificate is one that needs no server.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from krmfn.errors import PolicyError
from krmfn.spec.platform import PlatformAgeStore
from krmfn.spec.sealing import (
    FileCertificate,
    PemCertificate,
    PlatformCertificate,
    PlatformKey,
    TransitKey,
)
from krmfn.spec.stores import Age, AgeStore, PlatformStore, VaultStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from krmfn.plan.make import Plan
    from krmfn.spec.platform import AnyPlatformStore, PlatformSpec
    from krmfn.spec.sealing import DefinedKey, DerivationKey
    from krmfn.spec.stores import Store, Vault

# What a repository's own definition of a store may say, if it says what the platform says.
_CONFIRMED = frozenset({"server", "path", "version", "namespace", "id"})


def governed(plan: Plan, spec: PlatformSpec) -> Plan:
    """Return the plan with the platform's stores, key and certificate, and the key's name there.

    Raises:
        PolicyError: ``policy-override``, the configuration defines what is the platform's;
            ``policy-denied``, it names what the platform does not have.
    """
    stores = governed_stores(plan.stores, spec)
    key, name = _key(plan.sealing.derivation_key, spec)
    if key is not None:
        store = key.transit.store if isinstance(key, TransitKey) else key.store
        stores[store] = spec.stores[store]
    sealing = plan.sealing.model_copy(
        update={"derivation_key": key, "certificate": _certificate(plan, spec)}
    )
    return replace(plan, sealing=sealing, stores=stores, key_name=name)


def governed_stores(
    stores: Mapping[str, Store | AnyPlatformStore], spec: PlatformSpec
) -> dict[str, Store | AnyPlatformStore]:
    """Return the platform's stores for those that a configuration names.

    Raises:
        PolicyError: as `governed`.
    """
    return {name: _store(name, own, spec) for name, own in stores.items()}


def _store(
    name: str, own: Store | AnyPlatformStore, spec: PlatformSpec
) -> Store | AnyPlatformStore:
    """Return the platform's store of that name, unless the repository's entry contradicts it."""
    platforms = spec.stores.get(name)
    if platforms is None:
        raise PolicyError(
            "policy-denied", f"the platform has no store {name}", remedy="name one of its stores"
        )
    if isinstance(platforms, PlatformAgeStore):
        if not isinstance(own, AgeStore) or own.age.model_fields_set != {"file"}:
            raise _override(f"stores.{name}", "age: {file: …} alone")
        identity = platforms.age.identity_ref
        return AgeStore(age=Age(file=own.age.file, identityRef=identity))
    if isinstance(own, PlatformStore):
        return platforms
    if not isinstance(own, VaultStore):
        raise _override(f"stores.{name}", "platform: true")
    for wire_name in _contradictions(own.vault, platforms.vault):
        raise _override(f"stores.{name}.vault.{wire_name}", "it to be left out: platform: true")
    return platforms


def _contradictions(own: Vault, platforms: Vault) -> Iterator[str]:
    """Yield the fields that a repository may not set, or sets differently from the platform."""
    for name, info in type(own).fields().items():
        said, meant = getattr(own, name), getattr(platforms, name)
        if name not in own.model_fields_set or said is None:
            continue
        if isinstance(said, str) and isinstance(meant, str):
            said, meant = said.strip("/"), meant.strip("/")
        if name not in _CONFIRMED or said != meant:
            yield info.alias


def _key(own: DerivationKey | None, spec: PlatformSpec) -> tuple[DefinedKey | None, str]:
    """Return the platform's key that a configuration names or defines, and its name."""
    if own is None:
        return None, ""
    if isinstance(own, PlatformKey):
        name = own.platform
        if name not in spec.derivation_keys:
            raise PolicyError(
                "policy-denied",
                f"the platform has no derivation key {name}",
                remedy="name one of its derivation keys",
            )
    else:
        pinless = own.model_copy(update={"id": None})
        same = (
            n
            for n, key in spec.derivation_keys.items()
            if key.model_copy(update={"id": None}) == pinless
        )
        name = next(same, "")
        if not name:
            raise _override("spec.sealing.derivationKey", "platform: NAME")
    found = spec.derivation_keys[name]
    if own.id is not None and found.id not in (None, own.id):
        raise _override("spec.sealing.derivationKey.id", "it to be left out")
    return found.model_copy(update={"id": found.id or own.id}), name


def _certificate(plan: Plan, spec: PlatformSpec) -> object:
    """Return the certificate to seal for; refuse one that only a server knows."""
    own = plan.sealing.certificate
    if isinstance(own, PlatformCertificate):
        if own.platform not in spec.recipients:
            raise PolicyError(
                "policy-denied",
                f"the platform has no recipient {own.platform}",
                remedy="name one of its recipients",
            )
        return spec.recipients[own.platform]
    if not isinstance(own, FileCertificate | PemCertificate):
        raise _override("spec.sealing.certificate", "platform: NAME, file: or pem:")
    return own


def _override(place: str, expected: str) -> PolicyError:
    return PolicyError(
        "policy-override",
        "it is the platform's to define",
        key=place,
        expected=expected,
    )
