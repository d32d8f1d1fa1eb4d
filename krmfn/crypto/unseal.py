"""Turn SealedSecrets back into Secrets, like the controller (``SealedSecret.Unseal``)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from krmfn.crypto.certificate import fingerprint, pem_blocks
from krmfn.crypto.seal import hybrid_decrypt
from krmfn.documents import go_base64, strict, strict_json
from krmfn.documents.strict import mapping
from krmfn.errors import SealingError
from krmfn.objects.kinds import annotations_of, each, place_of
from krmfn.objects.sealed_secret import CERTIFICATE, SEALED_FOR, label_for, scope_of, sealed_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krmfn.objects.sealed_secret import Object


def load_private_keys(content: bytes, name: str) -> list[RSAPrivateKey]:
    """The RSA keys of a PEM file, or of a Secret or list of Secrets with ``tls.key``.

    Args:
        name: the file's name, for errors.

    Raises:
        SealingError: there is none.
    """
    blocks = _blocks(content) or [
        block for pem in _secret_keys(content, name) for block in _blocks(pem)
    ]
    keys = []
    for block in blocks:
        try:
            key = load_pem_private_key(block, None)
        except (ValueError, TypeError):
            continue
        if isinstance(key, RSAPrivateKey):
            keys.append(key)
    if not keys:
        raise SealingError("private-key", "there is no RSA private key in it", source=name)
    return keys


def unseal(sealed: Object, keys: Sequence[RSAPrivateKey]) -> Object:
    """Return the Secret that the controller would create: plaintext, base64 in ``data``.

    Name, namespace and scope are the SealedSecret's own; those of its template do not count.

    Raises:
        SealingError: an item is not base64, or no key opens it.
    """
    namespace, name = place_of(sealed)
    spec = mapping(sealed.get("spec"))
    items = mapping(spec.get("encryptedData"))
    if items and spec.get("data"):
        raise SealingError("unseal", "it has both data and encryptedData", secret=name)
    data = {
        key: base64.b64encode(_opened(sealed, key, item, keys)).decode()
        for key, item in sorted(items.items())
    }
    if spec.get("data"):
        data = _whole(_opened(sealed, "data", spec["data"], keys), name)
    template = mapping(spec.get("template"))
    own = {k: v for k, v in mapping(template.get("metadata")).items() if k in _KEPT}
    place = {"name": name} | ({"namespace": namespace} if namespace else {})
    secret: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {**own, **place}}
    secret |= {k: template[k] for k in ("immutable", "type") if k in template}
    return secret | {"data": data}


def _opened(sealed: Object, key: str, item: Any, keys: Sequence[RSAPrivateKey]) -> bytes:
    """Return the plaintext of one item."""
    namespace, name = place_of(sealed)
    said = annotations_of(sealed)
    scope = scope_of(said)
    label = label_for(scope, namespace, name)
    try:
        sealed_bytes = go_base64.decode(item)
    except (ValueError, AttributeError, TypeError):
        raise SealingError("unseal", "the item is not base64", secret=name, key=key) from None
    plaintext = hybrid_decrypt(keys, sealed_bytes, label.encode())
    if plaintext is None:
        raise SealingError(
            "unseal",
            f"no key opens it as {label or 'cluster-wide'}",
            secret=name,
            key=key,
            **_evidence(said, sealed_for(scope, namespace, name), keys),
        )
    return plaintext


def _whole(plaintext: bytes, name: str) -> dict[str, str]:
    """Return the data of a Secret that was sealed as a whole, like early versions of kubeseal."""
    try:
        found = mapping(mapping(strict_json.loads(plaintext)).get("data"))
        return {
            key: base64.b64encode(go_base64.decode(found[key])).decode() for key in sorted(found)
        }
    except (ValueError, AttributeError, TypeError):
        raise SealingError("unseal", "the sealed object is not a Secret", secret=name) from None


def _evidence(said: Object, tried: str, keys: Sequence[RSAPrivateKey]) -> dict[str, str]:
    """Return the error's ``found`` and ``remedy``, from the annotations if they explain it."""
    if SEALED_FOR in said and said[SEALED_FOR] != tried:
        return {
            "found": f"sealed for {said[SEALED_FOR]}",
            "remedy": "restore the scope, namespace and name that it was sealed for",
        }
    certificate = said.get(CERTIFICATE)
    given = [fingerprint(key.public_key()) for key in keys]
    if isinstance(certificate, str) and certificate not in given:
        shown = ", ".join(one[:16] for one in given)
        return {
            "found": f"sealed for certificate {certificate[:16]}; the given key belongs to {shown}",
            "remedy": "use the private key of the controller that it was sealed for",
        }
    return {"remedy": "use the controller's key, and the name and namespace it was sealed for"}


_KEPT = ("annotations", "labels", "finalizers")


def _blocks(content: bytes) -> list[bytes]:
    """The private keys of a PEM text."""
    kinds = (b"PRIVATE KEY", b"RSA PRIVATE KEY")
    return [block for kind in kinds for block in pem_blocks(content, kind)]


def _secret_keys(content: bytes, name: str) -> list[bytes]:
    """``tls.key`` of every Secret in a stream or list."""
    found: list[bytes] = []
    for document in strict.documents(content, name):
        for _, one in each(document.value()):
            pem = mapping(one.get("data")).get("tls.key")
            if isinstance(pem, str):
                try:
                    found.append(go_base64.decode(pem))
                except ValueError:
                    continue
    return found
