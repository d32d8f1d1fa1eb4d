"""The command line: a table of commands, each in a module that is imported when it is called.

Rules enforced here: results go to standard output, everything else to standard error; a failure is
one line for each error and the exit code of the first; no option takes a secret value.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from krmfn import __version__
from krmfn.cli.console import say
from krmfn.errors import SITE, Failure
from krmfn.names import ENVIRONMENT
from krmfn.process import streams
from krmfn.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

INTRODUCTION = """\
krmfn reads values from a vault during `kustomize build`, and prints Bitnami SealedSecrets for the
overlay's namespace.

Without a command krmfn is a KRM function, which kustomize starts. In kustomization.yaml

  generators: [secrets.yaml]        # kind: SealedSecretGenerator, what to seal
  validators: [validator.yaml]      # kind: SealedSecretValidator, fails on a wrong seal

and then

  kustomize build --enable-alpha-plugins --enable-exec overlays/prod
"""

EPILOGUE = """\
environment:
  VAULT_ADDR, VAULT_TOKEN   the vault, and a token for it; BAO_ADDR and BAO_TOKEN mean the same
  KRMFN_AGE_IDENTITY        the identity that opens an age store
  KRMFN_CONFIG              the platform's policy, a PlatformConfig
  KRMFN_DEADLINE            seconds that a build may take; default: 45
  KRMFN_ROOT                the repository's root; default: the nearest directory with .git
  KRMFN_DOCS_URL            address of a site with these pages; errors end with the page of their id
  KRMFN_ENVIRONMENT         the environment of .krmfn.yaml; default: the one that matches

`krmfn help COMMAND` shows each command's options and examples.
"""


@dataclass(frozen=True)
class Command:
    """One command: its module, and a short summary.

    Attributes:
        data: standard output is for a program, and a part of it is a failure.
        builds: it builds, seals or edits overlays, for an environment of `.krmfn.yaml`.
    """

    module: str
    summary: str
    data: bool = False
    builds: bool = False


COMMANDS = {
    "init": Command(
        "krmfn.cli.init", "propose krmfn's files for a repository, as a diff", builds=True
    ),
    "build": Command(
        "krmfn.cli.build",
        "build overlays without running their code, and seal the claims",
        data=True,
        builds=True,
    ),
    "seal": Command(
        "krmfn.cli.seal", "seal the claims of a finished stream", data=True, builds=True
    ),
    "diff": Command(
        "krmfn.cli.diff", "show which SealedSecrets differ between two places", builds=True
    ),
    "drift": Command(
        "krmfn.cli.drift", "report deployed values that differ from the vault", builds=True
    ),
    "rotate": Command(
        "krmfn.cli.rotate",
        "change the certificate, the epoch or pinned versions, as a diff",
        builds=True,
    ),
    "plan": Command(
        "krmfn.cli.plan",
        "show what a build would read and seal, and whether the policy allows it",
        builds=True,
    ),
    "unseal": Command(
        "krmfn.cli.unseal", "open SealedSecrets with the controller's private key", data=True
    ),
    "audit": Command(
        "krmfn.cli.audit", "prove that every Secret a build refers to will exist", builds=True
    ),
    "graph": Command(
        "krmfn.cli.graph", "show the producer and the users of each Secret of a build", builds=True
    ),
    "matrix": Command("krmfn.cli.matrix", "compare Secrets across environments", builds=True),
    "doctor": Command("krmfn.cli.doctor", "diagnose a failing build", builds=True),
    "explain": Command("krmfn.cli.explain", "explain an error, a finding or a warning by its id"),
    "cert": Command(
        "krmfn.cli.cert", "fetch the controller's certificate, or check one", data=True
    ),
    "schema": Command("krmfn.cli.schema", "print the JSON Schema of a kind, or check files"),
    "age": Command(
        "krmfn.cli.age", "keep values in an age-encrypted file in the repository", data=True
    ),
    "import": Command("krmfn.cli.import_", "convert existing Secrets to krmfn", data=True),
    "completion": Command("krmfn.cli.completion", "print a shell completion script"),
    "install": Command(
        "krmfn.cli.install", "install as kustomize's legacy plugin, or for Argo CD", data=True
    ),
    "argocd": Command("krmfn.cli.argocd", "answer Argo CD as its config management plugin"),
}


class Parser(argparse.ArgumentParser):
    """Reports an error in one line with an id, and takes options between positional arguments."""

    _mixed = False

    def parse_known_args(  # type: ignore[override]  # of its overloads this is the widest
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse; where arguments are left that are no options, parse again in any order."""
        given = None if namespace is None else argparse.Namespace(**vars(namespace))
        found, left = super().parse_known_args(args, namespace)
        if self._mixed or ("--" not in left and all(one.startswith("-") for one in left)):
            return found, left
        self._mixed = True
        try:
            return self.parse_known_intermixed_args(args, given)
        except TypeError:  # it has actions, whose own parsers do this
            return found, left
        finally:
            self._mixed = False

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or version; the reader may stop early."""
        if file is sys.stdout:
            streams.report()
            file = sys.stdout
        super()._print_message(message, file)

    def error(self, message: str) -> NoReturn:
        """Print one line with the id, and exit with code 2.

        An excess argument may be a secret value, so it is not repeated.
        """
        told, excess, words = message.partition("unrecognized arguments: ")
        if excess:
            known = (w.partition("=")[0] if w.startswith("-") else "…" for w in words.split())
            message = f"{told}{excess}{' '.join(dict.fromkeys(known))}"
        line = printable(f"[error] {self.prog}: {message}; see {self.prog} --help [usage]")
        self.exit(2, f"{line}\n")


def main(arguments: list[str], start: float) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: without the program's name.
        start: when the process started, on the monotonic clock.
    """
    SITE.address = os.environ.get("KRMFN_DOCS_URL", "")
    parser = _parser()
    if not arguments:
        parser.print_help()
        return 0
    options = parser.parse_args(arguments)
    if options.directory:
        try:
            os.chdir(options.directory)
        except OSError as error:
            parser.error(f"-C {options.directory}: {(error.strerror or '').lower()}")
    if options.command == "help":
        return main([*options.arguments, "--help"], start)
    if options.command not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(options.command, COMMANDS, n=1)
        parser.error(
            f"no command {options.command}" + (f"; did you mean {near[0]}?" if near else "")
        )
    module = importlib.import_module(COMMANDS[options.command].module)
    return _run(options.command, module, options.arguments, start)


def add_arguments(parser: argparse.ArgumentParser, module: ModuleType) -> None:
    """Add the arguments of a command, after those of every command; its actions have them, too."""
    builds = any(one.builds for one in COMMANDS.values() if one.module == module.__name__)
    _add_shared(parser, builds=builds)
    module.register(parser)
    for action in parser._actions:  # noqa: SLF001  # argparse shows them in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for inner in action.choices.values():
                # An action that does not name the option must keep what the command said.
                _add_shared(inner, builds=builds, flag=argparse.SUPPRESS, name=argparse.SUPPRESS)


def _add_shared(
    parser: argparse.ArgumentParser, *, builds: bool, flag: Any = False, name: Any = None
) -> None:
    """Add the options of every command; ``flag`` and ``name`` are their defaults."""
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=flag,
        help="print each warning on its own line, and notes",
    )
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        default=flag,
        help="print results and errors, without warnings and notes",
    )
    if builds:
        parser.add_argument(
            "--environment",
            metavar="NAME",
            default=name,
            help="environment of .krmfn.yaml; default: KRMFN_ENVIRONMENT, or the one that matches",
        )


def _run(name: str, module: ModuleType, arguments: list[str], start: float) -> int:
    parser = Parser(
        prog=f"krmfn {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(parser, module)
    options = parser.parse_args(arguments)
    options.start = start
    if getattr(options, "environment", None):
        os.environ[ENVIRONMENT] = options.environment
    if not COMMANDS[name].data:
        streams.report()
    try:
        code: int = module.run(options)
    except Failure as failure:
        for error in failure.errors:
            say(f"[error] krmfn {name}: {error.line()}", stderr=True)
        return failure.errors[0].exit_code
    return code


def _parser() -> Parser:
    commands = "\n".join(f"  {name:<10} {c.summary}" for name, c in COMMANDS.items())
    parser = Parser(
        prog="krmfn",
        usage="krmfn [-C DIR] COMMAND …   |   krmfn < ResourceList",
        description=f"{INTRODUCTION}\ncommands:\n{commands}\n",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"krmfn {__version__}")
    parser.add_argument("-C", dest="directory", metavar="DIR", help="work in this directory")
    parser.add_argument("command", metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser
