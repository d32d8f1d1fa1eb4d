"""Open SealedSecrets with the controller's private key, offline.

It prints Secrets in PLAINTEXT. With --check it only prints whether each one opens under its own
name, namespace and scope, and exits with 1 if one does not.

  krmfn unseal --key controller.key < sealed.yaml
  krmfn build overlays/prod | krmfn unseal --check --key controller.key
  kubectl -n kube-system get secret -l sealedsecrets.bitnami.com/sealed-secrets-key -o yaml > keys.yaml
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from krmfn.cli.console import say, say_json
from krmfn.cli.inputs import read_input
from krmfn.crypto.unseal import load_private_keys, unseal
from krmfn.errors import SpecError
from krmfn.objects import stream
from krmfn.objects.kinds import each, place_of
from krmfn.objects.sealed_secret import API_VERSION, KIND
from krmfn.text import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("file", nargs="?", default="-", help="SealedSecrets; - is standard input")
    parser.add_argument(
        "--key",
        action="append",
        required=True,
        metavar="FILE",
        help="a private key as PEM, or a backup of the controller's key Secrets; may be repeated",
    )
    parser.add_argument("--check", action="store_true", help="only print whether each one opens")


def run(options: argparse.Namespace) -> int:
    """Open everything, then print; nothing is printed when something does not open."""
    keys = [k for file in options.key for k in load_private_keys(read_input(file), file)]
    sealed = list(_sealed_secrets(options.file))
    if not sealed:
        raise SpecError("input", "there is no SealedSecret in the input")
    if options.check:
        return _check(sealed, keys)
    secrets = [unseal(one, keys) for one in sealed]
    for secret in secrets:
        say("---")
        say_json(secret)
    return 0


def _check(sealed: list[dict[str, Any]], keys: list[Any]) -> int:
    from krmfn.errors import SealingError

    code = 0
    for one in sealed:
        place = "/".join(part for part in place_of(one) if part)
        try:
            found = unseal(one, keys)
        except SealingError as error:
            say(f"no   {place}: {error.line()}")
            code = 1
        else:
            if not found["data"]:
                say(f"no   {place}: there is nothing in it")
                code = 1
                continue
            say(f"yes  {place}: {counted(len(found['data']), 'key')}")
    return code


def _sealed_secrets(file: str) -> Iterator[dict[str, Any]]:
    for item in stream.stream(read_input(file), file):
        for _, one in each(item.document.value()):
            if (one.get("apiVersion"), one.get("kind")) == (API_VERSION, KIND):
                yield one
