"""The KRM function: what kustomize calls. Standard input to standard output, one process per config.

Rules enforced here: standard output is written once, at the end, and only on success; every result
goes to standard error as one line; nothing of argparse, rich or a Kubernetes client is imported.
kustomize reads standard output before it looks at the exit code and drops a function's results.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn import resourcelist, strictyaml
from krmfn.errors import Failure, OutputError, SpecError, raise_all
from krmfn.overlay import Overlay, choose_namespace, read_overlay
from krmfn.paths import find_root, read_file
from krmfn.pipeline import generate
from krmfn.plan import make_plan
from krmfn.providers.base import Surroundings
from krmfn.sealedsecret import name_companion, skip_marker
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.parse import name_of, parse
from krmfn.spec.validator import SealedSecretValidator
from krmfn.validate import validate

if TYPE_CHECKING:
    from krmfn.deadline import Deadline
    from krmfn.resourcelist import Item

VALIDATOR = "SealedSecretValidator"
MAX_INPUT = 256 * 1024 * 1024


@dataclass(frozen=True)
class Call:
    """One call by kustomize, however it was made."""

    config: object
    items: tuple[Item, ...]


def main(arguments: list[str], deadline: Deadline) -> int:
    """Serve one call and return the exit code; raises only for a bug."""
    where = "krmfn"
    warnings: list[str] = []
    watch = deadline.watch(where)
    try:
        call = _receive(arguments)
        if isinstance(call.config, dict) and call.config.get("kind"):
            where = name_of(call.config)
        base = Path.cwd()
        around = Surroundings(os.environ, deadline, base, find_root(base, os.environ), warnings)
        overlay = read_overlay(base, around.root)
        where = _place(where, overlay)
        output = _serve(call, overlay, around)
    except Failure as failure:
        return _fail(failure, where, warnings)
    finally:
        watch.cancel()
    for warning in warnings:
        sys.stderr.write(f"[warning] {where}: {warning}\n")
    try:
        sys.stdout.buffer.write(output.encode())
        sys.stdout.buffer.flush()
    except OSError:
        return _fail(OutputError("output", "standard output was closed"), where, [])
    return 0


def _receive(arguments: list[str]) -> Call:
    """The call, from a ResourceList, or from a legacy plugin's config file and stream."""
    if not arguments:
        found = resourcelist.read(_stdin())
        return Call(found.config, found.items)
    config = strictyaml.load(read_file(Path(arguments[0]), name="the config", key=""), "config")
    kind = config.get("kind") if isinstance(config, dict) else None
    # A legacy generator is given nothing; its standard input may be anybody's.
    return Call(config, resourcelist.stream(_stdin()) if kind == VALIDATOR else ())


def _serve(call: Call, overlay: Overlay, around: Surroundings) -> str:
    """What to print."""
    config = parse(call.config)
    if isinstance(config, SealedSecretGenerator):
        return _generate(config, call.items, overlay, around)
    if isinstance(config, SealedSecretValidator):
        overlay.check_list(VALIDATOR, config.metadata.name, "validators")
        findings, warnings = validate(item.header() for item in call.items)
        raise_all(findings)
        around.warnings.extend(warnings)
    # A validator prints nothing: kustomize takes an echo for a change.
    return ""


def _generate(
    config: SealedSecretGenerator, items: tuple[Item, ...], overlay: Overlay, around: Surroundings
) -> str:
    """SealedSecrets, each with its name companion, and the skip marker."""
    overlay.check_list(config.kind, config.metadata.name, "generators")
    if any(item.header().get("kind") != config.kind for item in items):
        raise SpecError(
            "wrong-list",
            "a generator was given resources to transform",
            expected="generators:",
            remedy="move the entry to generators:",
        )
    namespace, note = choose_namespace(
        explicit=config.metadata.namespace, overlay=overlay, environ=around.environ
    )
    if note:
        around.warn(note)
    plan = make_plan(config, namespace=namespace, overlay=overlay)
    sealed = generate(plan, around, now=datetime.now(UTC), entropy=os.urandom)
    beside = [name_companion(one) for one in sealed]
    return resourcelist.write([*sealed, *beside, skip_marker()])


def _place(name: str, overlay: Overlay) -> str:
    """``file: Kind/name`` when the kustomization tells the file, else ``Kind/name``."""
    file = overlay.file_of(*name.partition("/")[::2])
    return f"{file}: {name}" if file else name


def _fail(failure: Failure, where: str, warnings: list[str]) -> int:
    """One line for each warning and error; the exit code of the first error."""
    lines = [f"[warning] {where}: {warning}" for warning in warnings]
    for error in failure.errors:
        if not error.where or where.endswith(error.where):
            error.where = where
        lines.append(f"[error] {error.line()}")
    sys.stderr.write("\n".join(lines) + "\n")
    return failure.errors[0].exit_code


def _stdin() -> bytes:
    """All of standard input, up to a size that no build has.

    Raises:
        SpecError: more than that.
    """
    content = sys.stdin.buffer.read(MAX_INPUT + 1)
    if len(content) > MAX_INPUT:
        raise SpecError("input", "standard input is over 256 MiB")
    return content
