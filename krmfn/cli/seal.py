"""Seal the claims of a finished stream of resources.

  kustomize build overlays/prod | krmfn seal --config sealing.yaml
  krmfn seal rendered.yaml --config sealing.yaml > sealed.yaml

The config is a SealedSecretTransformer; paths in it are relative to its file. The overlay lists
claims under resources: and no entry of krmfn's. What is no claim is printed to the byte; the
result is checked as a SealedSecretValidator checks it. Use `set -o pipefail`: of a build that
failed half-way nothing but an empty stream can be told apart.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn import resourcelist, strictyaml
from krmfn.deadline import Deadline
from krmfn.errors import SpecError, raise_all
from krmfn.overlay import Overlay
from krmfn.paths import find_root, read_file
from krmfn.providers.base import Surroundings
from krmfn.sealedsecret import IDENTITY
from krmfn.spec.parse import parse
from krmfn.spec.transformer import SealedSecretTransformer
from krmfn.transform import transform
from krmfn.validate import validate

if TYPE_CHECKING:
    import argparse


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("file", nargs="?", default="-", help="resources; - is standard input")
    parser.add_argument(
        "--config", required=True, metavar="FILE", help="a SealedSecretTransformer: how to seal"
    )
    parser.add_argument(
        "--plain-secrets",
        choices=["error", "warn", "allow"],
        default="error",
        help="what to do about Secrets that stand in clear; default error",
    )


def run(options: argparse.Namespace) -> int:
    """Seal and check everything, then print; nothing is printed when anything fails."""
    config_file = Path(options.config)
    config = _config(config_file)
    base = config_file.resolve().parent
    around = Surroundings(
        os.environ, Deadline.from_environment(options.start), base, find_root(base, os.environ)
    )
    items = resourcelist.stream(_read(options.file), options.file)
    if not items:
        raise SpecError(
            "input", "there is no resource in the input", remedy="look why the build gave nothing"
        )
    done = transform(items, config, Overlay(), around)
    for one in done.sealed:
        for name in IDENTITY:  # kustomize's bookkeeping, which nobody will read any more
            one["metadata"]["annotations"].pop(name, None)
    output = resourcelist.rewrite_stream(done.kept, done.sealed)
    verdict = validate(resourcelist.stream(output), plain_secrets=options.plain_secrets)
    raise_all(verdict.findings)
    for warning in [*around.warnings, *verdict.warnings]:
        print(f"[warning] krmfn seal: {warning}", file=sys.stderr)
    sys.stdout.buffer.write(output.encode())
    return 0


def _config(file: Path) -> SealedSecretTransformer:
    text = read_file(file, name=str(file), key="--config")
    found = list(strictyaml.documents(text, str(file)))
    if len(found) != 1:
        raise SpecError("spec", "one SealedSecretTransformer is expected", where=str(file))
    config = parse(found[0].value(), where=str(file), position=found[0].position)
    if not isinstance(config, SealedSecretTransformer):
        raise SpecError(
            "spec",
            "this kind cannot seal a stream",
            where=str(file),
            expected="SealedSecretTransformer",
            found=type(config).__name__,
        )
    return config


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    return read_file(Path(file), name=file, key="")
