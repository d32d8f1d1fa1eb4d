"""The file of an age store: an encrypted YAML document in the repository.

    storeId: 3f9c…                        # random: names the store in the derivation, never shown
    boundTo: {namespaces: […], recipients: […]}         # what it may be used for; absent: anything
    encryptedTo: [age1…]                  # whom to encrypt to when it is written again
    secrets:
      krmfn/derivation: {key: …}
      logto/production/backup: {access_key_id: …}

Rules enforced here: the file is ASCII armour around that document and nothing else; numbers stay
text; an error may name a line and column of the decrypted document and quotes nothing of it; no
plugin and no program is run for an identity; one writer at a time, who reads back what was written.

What this cannot do: age has no sender. Whoever knows a recipient, which is no secret, can write
another file that the identity opens, with values, a derivation key, a `storeId` and an
`encryptedTo` of his own. `boundTo` keeps an honest file from being used elsewhere, by copy or by
mistake; it does not prove who wrote it. That remains the business of who may change the repository;
the pin ``derivationKey.id`` notices a foreign derivation key as long as the pin itself is guarded.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyrage

from krmfn.documents import strict
from krmfn.documents.dump import always_quoted, dump
from krmfn.errors import Failure, OutputError, ProviderError, SpecError
from krmfn.files.write import replace_file
from krmfn.spec.parse import check
from krmfn.spec.store_path import canonical_path
from krmfn.spec.stores import AgeDocument
from krmfn.stores.content import Number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from krmfn.plaintext import Plaintext
    from krmfn.stores.content import Json

# pyrage's identities and recipients, which are published without types.
Identity: TypeAlias = Any
Recipient: TypeAlias = Any

_BEGIN, _END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
_VERSION = b"age-encryption.org/v1\n"
_PASSPHRASE = _VERSION + b"-> scrypt "


@dataclass(frozen=True, repr=False)
class AgeFile:
    """A decrypted store: its frame, and its secrets by canonical path."""

    frame: AgeDocument
    secrets: Mapping[str, dict[str, Json]]


def open_file(content: bytes, identities: Sequence[Identity], *, name: str) -> AgeFile:
    """Decrypt a file and return its store.

    Args:
        name: what to call the file in errors.

    Raises:
        ProviderError: ``age-document``, it is no store in ASCII armour; ``age-identity``, it is
            encrypted to others, to a passphrase, or damaged.
    """
    text = _decrypt(content, identities, name)
    try:
        found = list(strict.documents(text, ""))
        value = found[0].value(Number) if len(found) == 1 else None
    except SpecError as error:
        raise _no_store(name, "is not YAML as krmfn reads it", error.where) from None
    if not isinstance(value, dict):
        raise _no_store(name, "is not one YAML mapping")
    secrets = value.pop("secrets", None)
    if not isinstance(secrets, dict):
        raise _no_store(name, "has no mapping secrets")
    for path, fields in secrets.items():
        problem = "" if isinstance(fields, dict) else "has a secret that is not a mapping"
        try:
            canonical_path(path, key="")
        except SpecError:
            problem = "has a path that is not canonical"
        if problem:
            mark = found[0].position(["secrets", path])
            raise _no_store(name, problem, f":{mark.line}:{mark.column}")
    return AgeFile(_frame(value, name), secrets)


def render_file(file: AgeFile) -> bytes:
    """The file's document in armour, encrypted to its `encryptedTo`.

    Raises:
        ProviderError: ``age-identity``, a recipient is malformed; ``age-document``, text that
            cannot be written, such as a lone surrogate.
    """
    frame = file.frame.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = dump({**frame, "secrets": dict(file.secrets)}, always_quoted)
    recipients = [parse_recipient(text) for text in file.frame.encrypted_to]
    try:
        return bytes(pyrage.encrypt(text.encode(), recipients, armored=True))
    except UnicodeEncodeError:
        raise ProviderError("age-document", "a value holds a lone surrogate") from None
    except pyrage.EncryptError:
        raise ProviderError("age-identity", "encrypting to these recipients failed") from None


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Hold the file's lock: one writer at a time, so no update is lost.

    Raises:
        SpecError: its directory cannot be opened.
    """
    try:
        directory = os.open(file.parent, os.O_RDONLY)
    except OSError:
        raise SpecError("file", f"{file.parent} cannot be opened") from None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def rewrite(
    path: Path, identities: Sequence[Identity], file: AgeFile, new: Mapping[str, dict[str, Json]]
) -> str:
    """Put secrets, by path, into the encrypted file; the caller holds `alone`.

    Returns:
        what was done, as a line for people.

    Raises:
        OutputError: it would not read back as written; nothing is written then.
    """
    changed = AgeFile(file.frame, {**file.secrets, **new})
    content = render_file(changed)
    # Whoever writes must be able to read it again, and read what was meant.
    if open_file(content, identities, name=str(path)) != changed:
        raise OutputError("output", f"{path} would not read back as written")
    replace_file(path, content)
    return f"{path}: encrypted to {', '.join(file.frame.encrypted_to)}"


def read_identities(text: Plaintext) -> list[Identity]:
    """Parse identities: ``AGE-SECRET-KEY-1…`` lines, or one OpenSSH private key.

    Raises:
        ProviderError: ``age-identity``, it is neither, or the key has a passphrase.
    """
    content = text.reveal()
    try:
        if content.startswith(b"-----BEGIN "):
            return [pyrage.ssh.Identity.from_buffer(content + b"\n")]
        lines = [line.strip() for line in content.decode().splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        identities = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except (pyrage.IdentityError, UnicodeDecodeError):
        identities = []
    if not identities:
        raise ProviderError(
            "age-identity",
            "the identity cannot be read",
            expected="an AGE-SECRET-KEY-1 line or an OpenSSH private key without a passphrase",
        )
    return identities


def parse_recipient(text: str) -> Recipient:
    """``age1…`` or a line of an OpenSSH public key.

    Raises:
        ProviderError: ``age-identity``, it is neither.
    """
    kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return kind.from_str(text)
    except pyrage.RecipientError:
        raise ProviderError(
            "age-identity",
            "a recipient cannot be read",
            expected="age1… or an ssh-ed25519 or ssh-rsa public key",
            remedy="take the recipient, not the identity: it is public",
        ) from None


def _decrypt(content: bytes, identities: Sequence[Identity], name: str) -> bytes:
    """Check and decrypt armoured text."""
    lines = content.strip().splitlines()
    header = b""
    if len(lines) > 1 and (lines[0], lines[-1]) == (_BEGIN, _END):
        try:
            header = base64.b64decode(b"".join(lines[1:-1]))
        except binascii.Error:
            header = b""
    if not header.startswith(_VERSION):
        raise ProviderError(
            "age-document",
            f"{name} is not an age file in ASCII armour",
            remedy="make it with krmfn age init, or encrypt with age --armor",
        )
    if header.startswith(_PASSPHRASE):
        raise ProviderError(
            "age-identity",
            f"{name} is encrypted with a passphrase",
            remedy="encrypt it to a recipient: krmfn age init",
        )
    try:
        return bytes(pyrage.decrypt(content, identities))
    except pyrage.DecryptError:
        raise ProviderError(
            "age-identity",
            f"no identity at hand opens {name}, or it is damaged",
            remedy="ask one of its recipients to encrypt it to you too",
        ) from None


def _frame(value: dict[str, Any], name: str) -> AgeDocument:
    """Parse all but the secrets. Errors never name an unknown field: it may be a misplaced value."""
    try:
        return check(AgeDocument, value, name="")
    except Failure as error:
        known = {field.alias for field in AgeDocument.fields().values()}
        field = error.errors[0].key.partition(".")[0].partition("[")[0]
        problem = f"has a wrong or no {field}" if field in known else "has an unknown field"
        raise _no_store(name, problem) from None


def _no_store(name: str, problem: str, place: str = "") -> ProviderError:
    """``place``: line and column in the decrypted document, ``:3:7``."""
    message = f"the document inside {name} {problem}"
    if place:
        line, _, column = place.strip(":").partition(":")
        message += f" (its line {line}, column {column})" if column else ""
    return ProviderError("age-document", message)
