"""Recognise ciphertext, and placeholders of other tools. Pure.

Rules enforced here: every reader of a plaintext value asks here first, since ciphertext that is
taken for a value would be written to a store and sealed. Nothing of the value gets into a message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krmfn.documents import go_base64
from krmfn.documents.strict import mapping
from krmfn.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A line of YAML may be folded at a comma.
_SOPS_VALUE = rb"ENC\[[A-Z0-9_]+,\s*data:[^,\]]*,\s*iv:[^,\]]+,\s*tag:[^,\]]+,\s*type:[a-z]+\]"
_ENCRYPTED = re.compile(_SOPS_VALUE)
_SEALED = re.compile(
    rb"""(?m)^[\s{,]*["']?kind["']?\s*:\s*["']?SealedSecret\b|"kind":\s*"SealedSecret\""""
)
_ITEMS = re.compile(rb"""\bencryptedData["']?\s*:""")
_ITEM_LENGTHS = (256, 384, 512, 1024)  # of RSA's part, in bytes, in front of each sealed item
_TAG = 16


@dataclass(frozen=True)
class Kind:
    """A kind of ciphertext or placeholder.

    Attributes:
        what: it is, as the predicate of a sentence.
        remedy: what to do first.
    """

    what: str
    remedy: str


SOPS = Kind("it is encrypted by sops", "decrypt it first: sops --decrypt FILE")
SEALED = Kind("it is sealed by kubeseal", "unseal it first, or krmfn import sealedsecret")
AGE = Kind("it is encrypted by age", "decrypt it first: age --decrypt FILE")
AVP = Kind(
    "it is a placeholder of argocd-vault-plugin", "krmfn import avp, or name the value itself"
)
VALS = Kind("it is a reference of vals", "write remoteRef: in its place, or vals eval first")
GIT_CRYPT = Kind("it is encrypted by git-crypt", "unlock it first: git-crypt unlock")
ANSIBLE = Kind("it is encrypted by ansible-vault", "decrypt it first: ansible-vault decrypt FILE")
PGP = Kind("it is encrypted by OpenPGP", "decrypt it first: gpg --decrypt FILE")
EYAML = Kind("it is encrypted by hiera-eyaml", "decrypt it first: eyaml decrypt -f FILE")
STRONGBOX = Kind("it is encrypted by strongbox", "decrypt it first: strongbox -decrypt")
LFS = Kind("it is a pointer of Git LFS", "fetch the file first: git lfs pull")
WEBHOOK = Kind(
    "it is a reference of Bank-Vaults", "write remoteRef: in its place, or name the value itself"
)
ONEPASSWORD = Kind("it is a reference of 1Password", "resolve it first: op inject or op read")

_SIGNS: tuple[tuple[re.Pattern[bytes], Kind], ...] = (
    (_ENCRYPTED, SOPS),
    (re.compile(rb"-----BEGIN AGE ENCRYPTED FILE-----"), AGE),
    (re.compile(rb"\Aage-encryption\.org/v1\n"), AGE),
    (re.compile(rb"\A\x00GITCRYPT\x00"), GIT_CRYPT),
    (re.compile(rb"(?m)^\s*\$ANSIBLE_VAULT;\d"), ANSIBLE),
    (re.compile(rb"\A\s*-----BEGIN PGP MESSAGE-----"), PGP),
    (re.compile(rb"ENC\[(?:PKCS7|GPG|KMS),[A-Za-z0-9+/=\s]+\]"), EYAML),
    (re.compile(rb"\A# STRONGBOX ENCRYPTED RESOURCE"), STRONGBOX),
    (re.compile(rb"\Aversion https://git-lfs\.github\.com/spec/v1\n"), LFS),
    (re.compile(rb"\A(?:>>)?vault:[-\w./]+#[^\s]+\s*\Z|\$\{(?:>>)?vault:[^}#]+#[^}]+\}"), WEBHOOK),
    (re.compile(rb"\Aop://[^/\n]+/[^/\n]+/[^\n]+\n?\Z|\{\{\s*op://[^}]+\}\}"), ONEPASSWORD),
    (re.compile(rb"<path:[^#<>]+#[^<>]+>"), AVP),
    (re.compile(rb"(?<![A-Za-z0-9])(?:secret)?ref\+[A-Za-z0-9]+://[^\s]"), VALS),
)


def kind_of(content: bytes) -> Kind | None:
    """Return the kind of ciphertext or placeholder of a value or file; None for plaintext."""
    for sign, kind in _SIGNS:
        if sign.search(content):
            return kind
    if _ITEMS.search(content) and _SEALED.search(content):
        return SEALED
    return SEALED if _is_item(content) else None


def refuse(content: bytes, where: str = "", key: str = "") -> None:
    """Refuse a value that is not plaintext.

    Raises:
        SpecError: ``ciphertext``.
    """
    if kind := kind_of(content):
        raise error(kind, where, key)


def error(kind: Kind, where: str = "", key: str = "") -> SpecError:
    """The error for a value of this kind."""
    return SpecError("ciphertext", kind.what, where=where, key=key, remedy=kind.remedy)


def is_sops_secret(value: dict[str, Any]) -> bool:
    """Return whether sops has encrypted all values of a Secret: Flux decrypts it when it applies it."""
    texts = list(_values(value))
    return "mac" in mapping(value.get("sops")) and bool(texts) and all(map(_is_encrypted, texts))


def _is_encrypted(text: Any) -> bool:
    # sops leaves an empty value as it is.
    return text in ("", None) or (isinstance(text, str) and _whole(text.encode(errors="replace")))


def _whole(text: bytes) -> bool:
    return _ENCRYPTED.fullmatch(text.strip()) is not None


def _values(value: dict[str, Any]) -> Iterator[Any]:
    for field in ("data", "stringData"):
        yield from mapping(value.get(field)).values()


def _is_item(content: bytes) -> bool:
    """Whether the text is one sealed item in base64, as ``kubeseal --raw`` prints it."""
    shortest = _ITEM_LENGTHS[0] + _TAG + 2
    if len(content) < shortest or content[:1] not in b"AB":
        return False
    try:
        item = go_base64.decode(content.strip())
    except ValueError:
        return False
    size = int.from_bytes(item[:2])
    return size in _ITEM_LENGTHS and len(item) >= 2 + size + _TAG
