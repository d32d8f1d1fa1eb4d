"""Seal without reading: the same objects, with placeholders for values known only after a read.

Rules enforced here: no store is opened; what stands for a ciphertext, a hash suffix or a checksum is
random, of the real one's alphabet and, where that can be known, its length, so that nothing in a
repository can tell the two apart beforehand. Whether the plan is allowed is judged elsewhere.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from krmfn.errors import Failure
from krmfn.objects.sealed_secret import CERTIFICATE, OPEN_KEYS
from krmfn.sealing import digest
from krmfn.sealing.pipeline import Sealed, object_of
from krmfn.sealing.recipient import load_certificate
from krmfn.spec.sealing import PlatformCertificate, UrlCertificate
from krmfn.spec.stores import StoreProperty

if TYPE_CHECKING:
    from krmfn.plan.make import Plan, SealTarget
    from krmfn.sealing.job import Job

_TAG = 16  # bytes of AES-GCM
_LENGTH = 32  # of a value that only a read tells
_MODULUS = 512  # bytes of a key that is not known


def rehearse(plan: Plan, job: Job, *, strict: bool) -> list[Sealed]:
    """The SealedSecrets of a plan, in its order, with placeholders.

    Args:
        strict: the policy's limits count, and a certificate that cannot be had is an error.

    Raises:
        Failure: as sealing would, before it reads anything.
    """
    fingerprint, size = _recipient(plan, job, strict=strict)
    return [_sealed(target, fingerprint, size) for target in plan.targets]


def _recipient(plan: Plan, job: Job, *, strict: bool) -> tuple[str, int]:
    """Return the fingerprint (empty if only a server knows it) and the modulus size in bytes."""
    if strict:
        plan = job.complete(plan)
    spec = plan.sealing.certificate
    if isinstance(spec, UrlCertificate):
        return spec.sha256 or "", _MODULUS
    if isinstance(spec, StoreProperty | PlatformCertificate):
        return "", _MODULUS
    try:
        with job.stores({}) as stores:
            found = load_certificate(spec, stores, datetime.now(UTC))
    except Failure:
        if strict:
            raise
        return "", _MODULUS
    if strict:
        job.count_plan(plan, found.fingerprint)
    return found.fingerprint, (found.modulus.bit_length() + 7) // 8


def _sealed(target: SealTarget, fingerprint: str, size: int) -> Sealed:
    lengths = {e.secret_key: len((e.value or "").encode()) for e in target.secret.data if e.value}
    keys = [*target.keys, *([OPEN_KEYS + secrets.token_hex(8)] if target.open else [])]
    items = {key: _ciphertext(size, lengths.get(key, _LENGTH)) for key in keys}
    secret = target.secret
    name = target.name
    if secret.name_suffix_hash:
        name = f"{name}-{digest.suffix(secrets.token_bytes(64))}"
    checksum = digest.checksum(secrets.token_bytes(64)) if secret.checksum_annotation else ""
    made = object_of(target, name, items, fingerprint)
    if not fingerprint:
        del made["metadata"]["annotations"][CERTIFICATE]
    return Sealed(made, target.base_name, checksum)


def _ciphertext(size: int, length: int) -> bytes:
    return size.to_bytes(2) + secrets.token_bytes(size + length + _TAG)


def suffix_of(sealed: Sealed) -> str:
    """Return the hash suffix of a SealedSecret's name; empty if it has none."""
    name: str = sealed.object["metadata"]["name"]
    return name.removeprefix(sealed.base_name).removeprefix("-")
