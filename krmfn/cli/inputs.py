"""What commands read: streams, kustomizations, and configurations named on the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from krmfn.build.one import look_at
from krmfn.build.sandbox import find_kustomize
from krmfn.documents import strict
from krmfn.errors import SpecError
from krmfn.files.read import Place, find_root, read_file, read_standard_input
from krmfn.kustomize.kustomization import kustomization_in
from krmfn.objects import stream
from krmfn.spec.model import Model
from krmfn.spec.parse import parse
from krmfn.spec.validator import SealedSecretValidator

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from krmfn.audit.name_references import FieldSpec
    from krmfn.cli.frame import Run
    from krmfn.objects.stream import Item
    from krmfn.spec.validator import ValidatorSpec

M = TypeVar("M", bound=Model)
STREAMS = (".yaml", ".yml", ".json")


def read_input(file: str, what: str = "resources", *, key: str = "") -> bytes:
    """A file's content, or standard input for ``-``.

    Args:
        what: the expected input, for the person who types it.
        key: the option that names the file, for errors.

    Raises:
        SpecError: it cannot be read.
    """
    if file == "-":
        return read_standard_input(what)
    return read_file(Path(file), name=file, key=key)


def read_config(file: Path, kind: type[M], settle: Callable[[Any], Any] = lambda value: value) -> M:
    """Read the only configuration of a file.

    Args:
        settle: completes it by what the repository says.

    Raises:
        SpecError, ErrorList: not one, another kind, or mistakes; with their lines.
    """
    text = read_file(file, name=str(file), key="--config")
    found = list(strict.documents(text, str(file)))
    if len(found) != 1:
        raise SpecError("spec", f"one {kind.__name__} is expected", where=str(file))
    config = parse(settle(found[0].value()), where=str(file), position=found[0].position)
    if not isinstance(config, kind):
        raise SpecError(
            "spec",
            "another kind is needed here",
            where=str(file),
            expected=kind.__name__,
            found=type(config).__name__,
        )
    return config


@dataclass(frozen=True)
class StreamSource:
    """A stream to audit.

    Attributes:
        place: of the files that validators name.
        file: what to call it in SARIF.
        lines: whether positions in the stream are positions in that file.
        refers: fields that refer to Secrets according to the build's ``configurations:``.
    """

    items: Sequence[Item]
    specs: Sequence[ValidatorSpec]
    place: Place
    file: str
    lines: bool
    refers: tuple[FieldSpec, ...] = ()


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the input arguments, shared by commands that examine a finished stream."""
    parser.add_argument(
        "source",
        nargs="?",
        default="-",
        metavar="FILE|DIR|-",
        help="a stream of resources, a kustomization or a folder of streams; - is standard input",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a SealedSecretValidator, whose assume and catalogue are used",
    )


def read_source(options: argparse.Namespace, run: Run) -> StreamSource:
    """Return the stream that the arguments name, and its validators.

    Raises:
        Failure: it cannot be read or built.
    """
    specs = (
        [read_config(Path(options.config), SealedSecretValidator).spec] if options.config else []
    )
    path = Path(options.source)
    base = Path(options.config).resolve().parent if options.config else Path.cwd()
    if options.source == "-" or not path.is_dir():
        items = stream.stream(read_input(options.source), options.source)
        return _stream(items, specs, base, options.source)
    kustomization = kustomization_in(path)
    if kustomization is None:
        files = sorted(f for f in path.rglob("*") if f.suffix in STREAMS)
        items = tuple(
            item
            for file in files
            for item in stream.stream(read_file(file, name=str(file), key=""), str(file))
        )
        return _stream(items, specs, base, str(path))
    root = find_root(path, os.environ)
    program = find_kustomize(os.environ, root)
    with run.job(path, root) as job:
        seen = look_at(path, program, job)
    items = stream.stream(seen.output, str(kustomization))
    inside = path.resolve()
    file = (inside / kustomization.name).relative_to(root).as_posix()
    specs = [*(v.spec for v in seen.validators), *specs]
    place = Place(inside, root)
    return StreamSource(items, specs, place, file, lines=False, refers=seen.refers)


def _stream(
    items: tuple[Item, ...], specs: Sequence[ValidatorSpec], base: Path, name: str
) -> StreamSource:
    """Read a stream from files. Empty input is an error: a failed build before a pipe looks like this."""
    if not any(item.kind and item.api_version for item in items):
        raise SpecError(
            "input",
            "there is no resource",
            where=name,
            remedy="look why the build gave nothing",
        )
    place = Place(base, find_root(base, os.environ))
    return StreamSource(items, specs, place, name, lines=True)
