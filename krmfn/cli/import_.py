"""Convert existing Secrets to krmfn: claims, a generator or an overlay's transformer.

  krmfn import sealedsecret overlays/prod/sealed-*.yaml > base/claims.yaml
  krmfn import secret secrets.yaml --write-values --as generator --output overlays/prod/secrets.yaml
  krmfn import kustomization overlays/prod --namespace production --write-values > claims.yaml
  krmfn import externalsecret stores.yaml externalsecrets.yaml > base/claims.yaml
  krmfn import externalsecret stores.yaml externalsecrets.yaml --as transformer > krmfn.yaml
  kustomize build overlays/prod | krmfn import avp -

If a feature has no equivalent, krmfn names its position and prints nothing else. It never prints
values: --write-values writes them to empty paths of the store; otherwise they stay where they are.
docs/import.md describes each source.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn.cli.console import give, progress, say
from krmfn.cli.frame import command
from krmfn.cli.inputs import read_input
from krmfn.documents import strict
from krmfn.errors import SpecError, raise_all
from krmfn.files.read import Place, find_root
from krmfn.files.write import File, write_files
from krmfn.importer import document
from krmfn.importer.entry import PLACEHOLDERS, Imported, Options
from krmfn.importer.source import Source, sources
from krmfn.kustomize.kustomization import kustomization_in
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.parse import KINDS, check, parse
from krmfn.spec.repository import RepositoryConfig
from krmfn.spec.transformer import SealedSecretTransformer, TransformerSpec

if TYPE_CHECKING:
    import argparse

    from krmfn.errors import KrmfnError
    from krmfn.importer.entry import Wire

# What each source is called, and takes.
SOURCES = {
    "sealedsecret": "what kubeseal wrote: entries with the places where the values are to be",
    "secret": "plain Secrets",
    "kustomization": "the secretGenerator of a kustomization",
    "externalsecret": "ExternalSecrets, and the SecretStores that they name",
    "avp": "Secrets with placeholders of argocd-vault-plugin",
}
WITH_VALUES = ("secret", "kustomization")
NEW_STORE: dict[str, Any] = {"vault": {"path": "secret"}}  # at VAULT_ADDR


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="source", required=True, metavar="FROM")
    for name, text in SOURCES.items():
        action = actions.add_parser(name, help=text, description=f"From {text}.")
        if name == "kustomization":
            action.add_argument(
                "files",
                nargs="?",
                default=".",
                metavar="DIR",
                help="the kustomization's directory; default: the working directory",
            )
        else:
            action.add_argument("files", nargs="+", metavar="FILE", help="- is standard input")
        _add_options(action, name)


def _add_options(action: argparse.ArgumentParser, name: str) -> None:
    action.add_argument(
        "--as",
        dest="form",
        choices=document.FORMS,
        default="claims",
        help="what to write; default: claims",
    )
    action.add_argument("--output", metavar="FILE", help="write to a new file")
    action.add_argument(
        "--config",
        metavar="FILE",
        help="a SealedSecretGenerator or -Transformer whose stores and sealing are used",
    )
    action.add_argument(
        "--namespace", metavar="NS", default="", help="namespace of objects that name none"
    )
    if name in ("sealedsecret", *WITH_VALUES, "avp"):
        action.add_argument(
            "--store", metavar="NAME", default="", help="the store's name; default: main"
        )
    if name in ("sealedsecret", *WITH_VALUES):
        action.add_argument(
            "--path-template",
            metavar="PATH",
            default="/".join(PLACEHOLDERS),
            help="store path of a Secret's values; default: {namespace}/{name}",
        )
    if name in WITH_VALUES:
        action.add_argument(
            "--write-values",
            action="store_true",
            help="write the values to empty paths of the store, with the store's login",
        )
    if name == "externalsecret":
        action.add_argument(
            "--dots",
            choices=["literal", "nested"],
            default="",
            help="what a dot in a property means",
        )
    if name == "avp":
        action.add_argument(
            "--keep-literals", action="store_true", help="keep unencrypted values as value:"
        )


def run(options: argparse.Namespace) -> int:
    """Read everything, write values if asked to, then print or write the files."""
    config_file = Path(options.config) if options.config else None
    config = _config(config_file) if config_file else {}
    stores: dict[str, Wire] = dict(config.get("stores") or {})
    name = getattr(options, "store", "") or (next(iter(stores)) if len(stores) == 1 else "main")
    if not stores and options.source in ("sealedsecret", *WITH_VALUES):
        stores = {name: NEW_STORE}
    imported = _imported(options, _options(options, name, stores))
    text = document.render(
        imported,
        options.form,
        stores={**imported.stores, **stores},
        sealing=config.get("sealing"),
    )
    output = [File(Path(options.output), text.encode(), new=True)] if options.output else []
    if output and output[0].path.exists():
        raise SpecError("usage", f"{options.output} exists", remedy="name a new file")
    if getattr(options, "write_values", False):
        base = config_file.resolve().parent if config_file else Path.cwd()
        _write_values(options, imported, name, stores, base=base, output=output)
    else:
        if imported.values:
            imported.note(f"the values are in no store yet: --write-values writes them to {name}")
        write_files(output)
    for note in imported.notes:
        say(f"note: {note}", stderr=True)
    if not output:
        give(text)
    return 0


def _options(options: argparse.Namespace, store: str, stores: dict[str, Wire]) -> Options:
    return Options(
        store=store,
        path_template=getattr(options, "path_template", ""),
        namespace=options.namespace,
        stores=stores,
        dots=getattr(options, "dots", ""),
        literals=getattr(options, "keep_literals", False),
    )


def _imported(options: argparse.Namespace, how: Options) -> Imported:
    """Read the source.

    Raises:
        KrmfnError, ErrorList: everything that was refused, in the order of the files.
    """
    if options.source == "kustomization":
        found, imported = _kustomization(Path(options.files), how)
    else:
        found = [one for file in options.files for one in sources(read_input(file), _called(file))]
        imported = _read_with(options.source, found, how)
    errors: list[KrmfnError] = [error for source in found for error in source.errors]
    raise_all(errors)
    if not imported.entries:
        raise SpecError("input", f"nothing to import from: no {options.source} is there")
    return imported


def _read_with(kind: str, found: list[Source], how: Options) -> Imported:
    import importlib

    module = importlib.import_module(f"krmfn.importer.{kind}")
    imported: Imported = module.read(found, how)
    return imported


def _kustomization(directory: Path, how: Options) -> tuple[list[Source], Imported]:
    from krmfn.importer import kustomization

    file = kustomization_in(directory)
    if file is None:
        raise SpecError("file", f"{directory} holds no kustomization", key="DIR")
    found = list(sources(read_input(str(file)), str(file)))
    if len(found) != 1:
        raise SpecError("yaml", "one document is expected", where=str(file))
    root = find_root(directory, os.environ)

    place = Place(directory, root)

    def read(name: str) -> bytes:
        return place.read(name, key="")

    return found, kustomization.read(found[0], how, read)


def _config(file: Path) -> Wire:
    """The spec of a configuration, in wire form, known to be right."""
    found = list(strict.documents(read_input(str(file)), str(file)))
    if len(found) != 1:
        raise SpecError("spec", "one configuration is expected", where=str(file))
    value = found[0].value()
    kinds = {**KINDS, "RepositoryConfig": RepositoryConfig}
    config = parse(value, where=str(file), position=found[0].position, kinds=kinds)
    if not isinstance(config, SealedSecretGenerator | SealedSecretTransformer | RepositoryConfig):
        raise SpecError("spec", "this kind has no stores", where=str(file))
    spec: Wire = value.get("spec") or {}
    return spec


def _write_values(
    options: argparse.Namespace,
    imported: Imported,
    name: str,
    stores: dict[str, Wire],
    *,
    base: Path,
    output: list[File],
) -> None:
    """Write the values, then the file; no signal interrupts this."""
    from krmfn.importer.write import by_path, write_values

    if name not in stores:
        raise SpecError("usage", f"{options.config} defines no store {name}", key="--store")
    said = check(TransformerSpec, {"stores": {name: stores[name]}}, name="--store").stores
    secrets = by_path(imported.values)
    with (
        command(options, "import") as run,
        run.job(base, find_root(base, os.environ)) as job,
        job.stores(said) as opened,
        progress(f"writing to {name}", 2 * len(secrets)) as step,
    ):
        written = write_values(
            name,
            opened,
            secrets,
            commit=lambda write: write_files(output, first=write),
            step=step,
            note=partial(say, stderr=True),
        )
    for path in secrets:
        state = "written" if path in written else "there already, with the same values"
        say(f"{name}:{path}: {state}", stderr=True)


def _called(file: str) -> str:
    return "<stdin>" if file == "-" else file
