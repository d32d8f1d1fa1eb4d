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
from typing import TYPE_CHECKING, Any

from krmfn import shape
from krmfn.audit.enforce import enforce
from krmfn.build.namespace import choose_namespace
from krmfn.build.transform import transform
from krmfn.build.validate import validate
from krmfn.documents import strict
from krmfn.errors import Failure, OutputError, SpecError, raise_all
from krmfn.files.read import find_root, read_file
from krmfn.kustomize.kustomization import Overlay, read_overlay
from krmfn.names import GENERATOR, VALIDATOR
from krmfn.objects import stream
from krmfn.objects.sealed_secret import claim_companion, name_companion, skip_marker
from krmfn.plan.make import make_plan
from krmfn.policy.file import platform_of
from krmfn.sealing.pipeline import generate
from krmfn.sealing.read import Stores
from krmfn.sealing.recipient import load_certificate
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.parse import name_of, parse
from krmfn.spec.transformer import SealedSecretTransformer, SecretClaim
from krmfn.spec.validator import SealedSecretValidator
from krmfn.stores.store import Surroundings

if TYPE_CHECKING:
    from krmfn.deadline import Deadline
    from krmfn.objects.stream import Item
    from krmfn.policy.file import Platform

MAX_INPUT = 256 * 1024 * 1024


@dataclass(frozen=True)
class Call:
    """One call by kustomize, however it was made.

    Attributes:
        indent: of the items in the ResourceList; None for a legacy plugin, whose items are a stream.
    """

    config: Any
    items: tuple[Item, ...]
    indent: int | None = None


def main(arguments: list[str], deadline: Deadline) -> int:
    """Serve one call and return the exit code; raises only for a bug."""
    where = "krmfn"
    warnings: list[str] = []
    watch = deadline.watch(where)
    try:
        base = Path.cwd()
        around = Surroundings(os.environ, deadline, base, find_root(base, os.environ), warnings)
        platform = platform_of(around)
        call = _receive(arguments, platform)
        if isinstance(call.config, dict) and call.config.get("kind"):
            where = name_of(call.config)
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


def _receive(arguments: list[str], platform: Platform | None) -> Call:
    """The call, from a ResourceList, or from a legacy plugin's config file and stream."""
    if not arguments:
        found = stream.read(_stdin(platform))
        return Call(found.config, found.items, found.indent)
    config = strict.load(read_file(Path(arguments[0]), name="the config", key=""), "config")
    kind = config.get("kind") if isinstance(config, dict) else None
    # A legacy generator is given nothing; its standard input may be anybody's.
    return Call(config, () if kind == GENERATOR else stream.stream(_stdin(platform)))


def _serve(call: Call, overlay: Overlay, around: Surroundings) -> str:
    """What to print."""
    config = parse(call.config)
    if isinstance(config, SealedSecretGenerator):
        return _generate(config, call, overlay, around)
    if isinstance(config, SealedSecretTransformer):
        return _transform(config, call, overlay, around)
    if isinstance(config, SecretClaim):
        raise SpecError(
            "wrong-list",
            "a claim is no function",
            expected="resources:",
            remedy="list it under resources:, and a SealedSecretTransformer under transformers:",
        )
    if isinstance(config, SealedSecretValidator):
        overlay.check_list(VALIDATOR, config.metadata.name, "validators")
        certificate, spec = None, config.spec
        shaping = shape.run_key(around.environ) is not None
        if spec.certificate is not None and not shaping:
            stores = Stores({}, around)
            certificate = load_certificate(spec.certificate, stores, around, datetime.now(UTC))
        verdict = validate(
            call.items,
            fingerprint=certificate.fingerprint if certificate else None,
            plain_secrets=spec.plain_secrets,
        )
        # Inside `krmfn build` claims are sealed later, and the whole is checked again.
        raise_all([f for f in verdict.findings if not (shaping and f.id == "claim-left")])
        around.warnings.extend(verdict.warnings)
        if not shaping:
            enforce(
                call.items, spec, around.warn, base=around.base, root=around.root, in_build=True
            )
    # A validator prints nothing: kustomize takes an echo for a change.
    return ""


def _generate(
    config: SealedSecretGenerator, call: Call, overlay: Overlay, around: Surroundings
) -> str:
    """SealedSecrets, each with its name companion, and the skip marker."""
    overlay.check_list(config.kind, config.metadata.name, "generators")
    if any(item.header().get("kind") != config.kind for item in call.items):
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
    if key := shape.run_key(around.environ):
        claims = shape.generated_claims(
            config, call.config, namespace=namespace, directory=_directory(around), key=key
        )
        return stream.write([*claims, skip_marker()])
    plan = make_plan(config, namespace=namespace, overlay=overlay)
    sealed = generate(plan, around, now=datetime.now(UTC), entropy=os.urandom)
    objects = [one.object for one in sealed]
    beside = [
        name_companion(one.object)
        if one.base_name == one.object["metadata"]["name"]
        else claim_companion(one.object, {}, one.base_name)
        for one in sealed
    ]
    return stream.write([*objects, *beside, skip_marker()])


def _transform(
    config: SealedSecretTransformer, call: Call, overlay: Overlay, around: Surroundings
) -> str:
    """Every item as it came, to the byte, with each claim replaced by its SealedSecret."""
    overlay.check_list(config.kind, config.metadata.name, "transformers")
    if key := shape.run_key(around.environ):
        kept, marked = shape.marked_claims(
            call.items, config, call.config, directory=_directory(around), key=key
        )
        return stream.rewrite_stream(kept, [*marked, skip_marker()])
    done = transform(call.items, config, overlay, around)
    made = [*done.sealed, *done.companions, skip_marker()]
    if call.indent is None:
        return stream.rewrite_stream(done.kept, made)
    return stream.rewrite(done.kept, made, call.indent)


def _directory(around: Surroundings) -> str:
    """The working directory, relative to the repository's root."""
    return around.base.relative_to(around.root).as_posix()


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


def _stdin(platform: Platform | None) -> bytes:
    """All of standard input, up to a size that no build has, or that the platform allows.

    Raises:
        SpecError, PolicyError: more than that.
    """
    limit = platform.spec.limits.input_bytes if platform else MAX_INPUT
    content = sys.stdin.buffer.read(min(limit, MAX_INPUT) + 1)
    if len(content) > MAX_INPUT:
        raise SpecError("input", "standard input is over 256 MiB")
    if platform is not None:
        platform.usage.add_input(len(content))
    return content
