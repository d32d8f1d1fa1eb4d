"""Seal the claims of a finished stream of resources.

  kustomize build overlays/prod | krmfn seal --config sealing.yaml
  krmfn seal rendered.yaml --config sealing.yaml > sealed.yaml

The config is a SealedSecretTransformer; its paths are relative to its file. The overlay lists its
claims under resources: and no krmfn function. Every other object is printed unchanged, and the
result is checked as a SealedSecretValidator checks it. Use `set -o pipefail`: krmfn cannot see that
the build before it failed halfway, unless the stream is empty.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn.audit.enforce import enforce
from krmfn.build.answer import seal
from krmfn.build.estate import settle
from krmfn.build.restart import may_refer, pod_specs_of, references
from krmfn.build.transform import transform
from krmfn.build.validate import validate
from krmfn.cli.console import give
from krmfn.cli.frame import command
from krmfn.cli.inputs import read_config, read_input
from krmfn.errors import SpecError, raise_all
from krmfn.files.read import find_root
from krmfn.kustomize.overlay import Kustomization
from krmfn.names import API_VERSION, TRANSFORMER
from krmfn.objects import stream
from krmfn.objects.kinds import NamespacedName, each, place_of
from krmfn.objects.makers import standing
from krmfn.objects.sealed_secret import IDENTITY
from krmfn.plan.estate import FILE
from krmfn.spec.parse import parse
from krmfn.spec.transformer import SealedSecretTransformer
from krmfn.spec.validator import ValidatorSpec
from krmfn.warned import is_silenced

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from krmfn.objects.sealed_secret import Object
    from krmfn.objects.stream import Item
    from krmfn.sealing.job import Job


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "file", nargs="?", default="-", help="a stream of resources; - is standard input"
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a SealedSecretTransformer; default: .krmfn.yaml at the repository's root",
    )
    parser.add_argument(
        "--plain-secrets",
        choices=["error", "warn", "allow"],
        default="error",
        help="how to report unencrypted Secrets; default: error",
    )
    parser.add_argument(
        "--audit",
        choices=["error", "warn", "off"],
        default="warn",
        help="how to report wrong references to Secrets; default: warn",
    )


def run(options: argparse.Namespace) -> int:
    """Seal and check everything, then print; nothing is printed when anything fails."""
    config_file = Path(options.config) if options.config else None
    base = config_file.resolve().parent if config_file else Path.cwd()
    with command(options, "seal") as run, run.job(base, find_root(base, os.environ)) as job:
        give(_sealed(config_file, options, job))
    return 0


def _config(file: Path | None, items: Sequence[Item], job: Job) -> SealedSecretTransformer:
    """The configuration that is named, or an empty one, with what the repository says."""

    def complete(value: Any) -> Any:
        return settle(value, items, Kustomization(), job, in_overlay=False)

    if file is not None:
        return read_config(file, SealedSecretTransformer, complete)
    empty = {"apiVersion": API_VERSION, "kind": TRANSFORMER, "metadata": {"name": "seal"}}
    config = parse(complete(empty))
    if not isinstance(config, SealedSecretTransformer) or config.spec.sealing is None:
        raise SpecError(
            "usage",
            "nothing says how to seal",
            expected=f"--config FILE, or {FILE} at the repository's root",
        )
    return config


def _check_objects(items: Sequence[Item]) -> None:
    """Refuse a document that is no object: nothing can tell what is in it.

    Raises:
        SpecError: there is one.
    """
    for item in items:
        if not item.kind and not isinstance(item.document.value(), dict):
            raise SpecError(
                "input",
                "a document of the stream is not an object",
                where=f"{item.name}:{item.line + 1}",
                remedy="pass resources only, each as a document or an entry of a List",
            )


def _sealed(config_file: Path | None, options: argparse.Namespace, job: Job) -> str:
    items = stream.stream(read_input(options.file), options.file)
    _check_objects(items)
    config = _config(config_file, items, job)
    if not items:
        raise SpecError(
            "input", "there is no resource in the input", remedy="look why the build gave nothing"
        )
    done = transform(items, config, Kustomization(), job, seal)
    raise_all(_left_behind(done.kept, done.sealed))
    for one in done.sealed:
        for name in IDENTITY:  # kustomize's bookkeeping, which nobody will read any more
            one["metadata"]["annotations"].pop(name, None)
    output = stream.rewrite_stream(done.kept, done.sealed)
    made = stream.stream(output)
    verdict = validate(made, plain_secrets=options.plain_secrets)
    for finding in verdict.findings:
        if finding.id == "plain-secret":
            finding.remedy = (
                "claim it, or say --plain-secrets warn or allow if it is not confidential"
            )
    raise_all(verdict.findings)
    # Claims alone are a part of a build: what uses them is not here to be seen.
    part = () if any(map(may_refer, made)) else ("unused-secret",)
    spec = ValidatorSpec(audit=options.audit, silence=(*config.spec.silence, *part))
    warn = job.access.warnings.add
    enforce(made, spec, warn, place=job.access.place)
    for warning in verdict.warnings:
        if not is_silenced(warning, spec.silence):
            warn(warning)
    return output


def _left_behind(kept: Sequence[Item], sealed: Sequence[Object]) -> list[SpecError]:
    """Return unused claims whose name contains the name to which a workload refers.

    kustomize does not know that references to claims are to be renamed with them: under namePrefix,
    nameSuffix or a content hash they keep the former name, and nothing here could tell it for sure.
    """
    wanted = {place_of(one) for one in sealed}
    made = wanted | {maker.place for maker in standing(kept)}
    used: set[NamespacedName] = set()
    for item in kept:
        for _, value in each(item.document.value() if may_refer(item) else {}):
            for path in pod_specs_of(value):
                namespace = place_of(value).namespace
                used |= {NamespacedName(namespace, name) for name in references(value, path)}
    return [
        SpecError(
            "name-changes",
            f"a workload refers to {former}, which nothing creates, and nothing refers to {name}",
            where=f"SecretClaim/{name}",
            remedy="build with krmfn build, which lets kustomize rename references",
        )
        for space, name in sorted(wanted - used)
        for former in sorted(n for s, n in used - made if s == space and n in name)[:1]
    ]
