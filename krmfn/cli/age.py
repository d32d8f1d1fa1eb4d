"""Keep values in an age-encrypted file in the repository.

  krmfn age init secrets.age --identity ~/.config/krmfn/identity --namespace production
  export KRMFN_AGE_IDENTITY="$(cat ~/.config/krmfn/identity)"
  pass show logto | krmfn age set secrets.age logto/backup secret_access_key --trim
  krmfn age set secrets.age logto/backup --json < backup.json
  krmfn age get secrets.age
  krmfn age get secrets.age logto/backup secret_access_key     # prints plaintext

krmfn reads a value from standard input or a prompt, never from an argument, and keeps every byte;
--trim drops one newline at the end. `set` rewrites the whole file and drops its comments. age does
not authenticate the writer of a file: `set` encrypts to the recipients that the file names, and
prints them, so check them.
"""

from __future__ import annotations

import getpass
import importlib
import json
import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.cli.console import give, say, say_lines
from krmfn.crypto import derive
from krmfn.crypto.certificate import choose
from krmfn.deadline import Deadline
from krmfn.documents import strict, strict_json
from krmfn.errors import OutputError, ProviderError, SpecError
from krmfn.files.read import read_file, read_standard_input
from krmfn.files.write import File, write_files
from krmfn.sealing.values import canonical_json
from krmfn.spec.parse import check
from krmfn.spec.store_path import canonical_path
from krmfn.spec.stores import AgeDocument, EnvCredential, FileCredential
from krmfn.stores.access import Access
from krmfn.stores.content import Number
from krmfn.stores.credential import read_credential

if TYPE_CHECKING:
    import argparse

    from krmfn.stores.age.file import AgeFile, Identity
    from krmfn.stores.content import Json

VARIABLE = "KRMFN_AGE_IDENTITY"
DERIVATION = "krmfn/derivation"
SNIPPET = """\
# under spec of the SealedSecretGenerator:
stores:
  main:
    age: {{file: {file}}}
sealing:
  derivationKey: {{store: main, key: krmfn/derivation, property: key, id: {id}}}
"""


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="init|set|get")
    init = actions.add_parser("init", help="create the file, and an identity if there is none")
    put = actions.add_parser("set", help="store a value from standard input in the file")
    get = actions.add_parser(
        "get",
        help="list names, or print one value in plaintext",
        description="Without PROPERTY \
        it lists names only; with PROPERTY it prints the value in PLAINTEXT on standard output.",
    )
    for action in (init, put, get):
        action.add_argument("file", metavar="FILE", help="the encrypted file")
        action.add_argument(
            "--identity", metavar="IDENTITY_FILE", help=f"default: the identity in {VARIABLE}"
        )
    init.add_argument(
        "--to",
        nargs="+",
        action="extend",
        default=[],
        metavar="age1…",
        help="recipients; default: the identity's public key",
    )
    init.add_argument(
        "--namespace", nargs="+", action="extend", metavar="NS", help="allow only these namespaces"
    )
    init.add_argument(
        "--certificate",
        nargs="+",
        action="extend",
        metavar="PEM_FILE",
        help="allow only these certificates",
    )
    init.add_argument(
        "--unbound", action="store_true", help="allow every namespace and certificate"
    )
    put.add_argument("path", metavar="PATH", help="the secret's path in the file")
    put.add_argument(
        "property", metavar="PROPERTY", nargs="?", help="the field's name; a dot is part of it"
    )
    put.add_argument("--json", action="store_true", help="read the whole secret as a JSON object")
    put.add_argument("--trim", action="store_true", help="drop one newline at the value's end")
    get.add_argument("path", metavar="PATH", nargs="?", help="list one secret's fields")
    get.add_argument("property", metavar="PROPERTY", nargs="?", help="print it in plaintext")


def run(arguments: argparse.Namespace) -> int:
    """Init, set or get."""
    try:
        importlib.import_module("krmfn.stores.age.file")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("krmfn"):
            raise
        raise ProviderError(
            "extra-missing", f"age needs {error.name}", remedy="pip install 'krmfn[age]'"
        ) from None
    return {"init": _init, "set": _set, "get": _get}[arguments.action](arguments)


def _init(arguments: argparse.Namespace) -> int:
    from krmfn.stores.age.file import AgeFile, open_file, render_file

    path = Path(arguments.file)
    bound = _bound_to(arguments)
    if path.exists() or path.is_symlink():
        raise OutputError(
            "output", f"{path} exists and is never overwritten", remedy="choose another name"
        )
    identities, made = _identities_for_init(arguments)
    recipients = list(arguments.to)
    recipients += [
        str(i.to_public()) for i in identities if hasattr(i, "to_public") and not recipients
    ]
    if not recipients:
        raise SpecError(
            "usage", "no recipient is known", remedy="name one with --to, or make an --identity"
        )
    frame = check(
        AgeDocument,
        {"storeId": secrets.token_hex(16), "boundTo": bound, "encryptedTo": recipients},
        name="age init",
    )
    key = secrets.token_bytes(32)
    content = render_file(AgeFile(frame, {DERIVATION: {"key": key.hex()}}))
    if identities:
        open_file(content, identities, name=arguments.file)
    files = [File(path, content, new=True)]
    if made is not None:
        files.insert(0, _identity_file(Path(arguments.identity), made))
    write_files(files)
    if made is not None:
        _warn_of_identity(Path(arguments.identity))
    pin = derive.key_id(derive.first_step(key, derive.key_id_digest()))
    say_lines(SNIPPET.format(file=json.dumps(arguments.file), id=pin))
    return 0


def _bound_to(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """The document's `boundTo`."""
    bound: dict[str, list[str]] = {}
    if arguments.namespace:
        bound["namespaces"] = arguments.namespace
    if arguments.certificate:
        bound["recipients"] = [
            choose(read_file(Path(name), name=name, key=""), datetime.now(UTC)).fingerprint
            for name in arguments.certificate
        ]
    if bool(bound) == arguments.unbound:
        raise SpecError(
            "usage",
            "what the store may be used for is not clear",
            expected="--namespace and --certificate, one of them, or --unbound alone",
        )
    return bound


def _identities_for_init(arguments: argparse.Namespace) -> tuple[list[Identity], Identity | None]:
    """Return the available identities, and the one that must still be written."""
    if arguments.identity and not Path(arguments.identity).exists():
        import pyrage

        made = pyrage.x25519.Identity.generate()
        return [made], made
    if arguments.identity or VARIABLE in os.environ:
        return _identities(arguments), None
    return [], None


def _identity_file(path: Path, identity: Identity) -> File:
    content = f"# public key: {identity.to_public()}\n{identity}\n".encode()
    return File(path, content, new=True, mode=0o600, parents=0o700, secret=True)


def _warn_of_identity(path: Path) -> None:
    say(f"{path}: a new identity; it opens the store", stderr=True)
    if any((parent / ".git").exists() for parent in path.resolve().parents):
        say(f"warning: {path} is inside a git repository: never commit it", stderr=True)


def _set(arguments: argparse.Namespace) -> int:
    if arguments.json == (arguments.property is not None):
        raise SpecError("usage", "exactly one of PROPERTY, --json: required")
    path = canonical_path(arguments.path, key="PATH")
    new: dict[str, Json] = {}
    if arguments.json:
        new = _parse_object(_standard_input("a JSON object"))
    else:
        new[arguments.property] = _value(arguments)
    from krmfn.stores.age.file import alone

    with alone(Path(arguments.file)):
        return _put(arguments, path, new)


def _put(arguments: argparse.Namespace, path: str, new: dict[str, Json]) -> int:
    """Write the file anew with these fields at the path."""
    from krmfn.stores.age.file import rewrite

    identities, file = _opened(arguments)
    fields = new if arguments.json else {**file.secrets.get(path, {}), **new}
    say(rewrite(Path(arguments.file), identities, file, {path: fields}), stderr=True)
    return 0


def _value(arguments: argparse.Namespace) -> str:
    """Read one value: from standard input as it is, or from two prompts."""
    if sys.stdin.isatty():
        try:
            value, again = getpass.getpass("value: "), getpass.getpass("again: ")
        except EOFError:
            raise SpecError("usage", "no value was given") from None
        if value != again:
            raise SpecError("usage", "the two values differ")
    else:
        value = _standard_input("a value")
        if arguments.trim:
            value = value[:-1].removesuffix("\r") if value.endswith("\n") else value
        elif value.endswith("\n"):
            say("note: the value ends with a newline, which is kept; see --trim", stderr=True)
    if not value:
        raise SpecError("usage", "the value is empty", remedy="an empty string: use --json")
    return value


def _standard_input(what: str) -> str:
    try:
        return read_standard_input(what).decode()
    except UnicodeDecodeError:
        raise SpecError(
            "usage", "standard input is not UTF-8", remedy="encode it: base64"
        ) from None


def _parse_object(text: str) -> dict[str, Json]:
    """Parse ``text`` as a JSON object, with numbers as text."""

    def number(found: str) -> Number:
        if not isinstance(strict.plain(found, Number), Number):
            raise SpecError("usage", "a number has an exponent or is none", remedy="quote it")
        return Number(found)

    try:
        value = strict_json.loads(text, number)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise SpecError("usage", "standard input is not one JSON object")
    return value


def _get(arguments: argparse.Namespace) -> int:
    _, file = _opened(arguments)
    if arguments.path is None:
        for path, names in file.secrets.items():
            say(f"{path}: {', '.join(names)}")
    else:
        fields = file.secrets.get(canonical_path(arguments.path, key="PATH"))
        if fields is None:
            raise ProviderError(
                "not-found", "nothing is stored there", source=f"{arguments.file}:{arguments.path}"
            )
        if arguments.property is None:
            for name in fields:
                say(name)
        else:
            give(_text(fields, arguments))
    return 0


def _text(fields: dict[str, Json], arguments: argparse.Namespace) -> str:
    """Return a value as it would be sealed; an object or list as JSON."""
    if arguments.property not in fields:
        raise ProviderError(
            "property-missing",
            f"there is no property {arguments.property}",
            source=f"{arguments.file}:{arguments.path}",
        )
    value = fields[arguments.property]
    text = value if isinstance(value, str) else canonical_json(value)
    return text + "\n" if sys.stdout.isatty() else text


def _opened(arguments: argparse.Namespace) -> tuple[list[Identity], AgeFile]:
    from krmfn.stores.age.file import open_file

    identities = _identities(arguments)
    content = read_file(Path(arguments.file), name=arguments.file, key="")
    return identities, open_file(content, identities, name=arguments.file)


def _identities(arguments: argparse.Namespace) -> list[Identity]:
    from krmfn.stores.age.file import read_identities

    ref = (
        FileCredential(file=arguments.identity)
        if arguments.identity
        else EnvCredential(env=VARIABLE)
    )
    access = Access(os.environ, Deadline.from_environment())
    return read_identities(read_credential(ref, access, what="the age identity"))
