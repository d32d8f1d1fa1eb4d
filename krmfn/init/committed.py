"""Find the Secrets in git that kustomizations list and generate, and the objects of a file."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import KrmfnError
from krmfn.files.read import read_file
from krmfn.objects import ciphertext
from krmfn.objects.kinds import each

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from krmfn.audit.productions import Production
    from krmfn.kustomize.checkout import KustomizationFile

# Kind to what `krmfn import` calls it.
SOURCES = {"SealedSecret": "sealedsecret", "Secret": "secret"}
GENERATOR, SOPS, ENCRYPTED = "kustomization", "sops", "encrypted"


@dataclass
class Committed:
    """Secrets in git that one kustomization lists or generates.

    Attributes:
        source: what `krmfn import` calls it; or sops, whose files are decrypted first, one by one;
            or encrypted, for a ``secretGenerator`` over files of which some are.
        directory: of that kustomization; None where it was not found.
        paths: the files, or the directory of a ``secretGenerator``.
        namespaced: all of them name a namespace themselves.
    """

    source: str
    directory: Path | None
    paths: list[Path] = field(default_factory=list)
    made: list[Production] = field(default_factory=list)
    namespaced: bool = True


class CommittedPlace(NamedTuple):
    """A Secret as a kustomization lists or generates it."""

    source: str
    directory: Path
    path: Path
    secret: tuple[str, Any]  # kind and name
    namespace: Any


def places(below: Iterable[KustomizationFile]) -> Iterator[CommittedPlace]:
    """Yield the Secrets that a build's kustomizations list and generate."""
    for one in below:
        here = one.directory
        for value in map(mapping, sequence(one.value.get("secretGenerator"))):
            namespace = value.get("namespace") or one.value.get("namespace")
            source = ENCRYPTED if _is_encrypted(value, here) else GENERATOR
            yield CommittedPlace(source, here, here, ("Secret", value.get("name")), namespace)
        for file in one.included():
            for value in _secrets(file):
                source = SOPS if SOPS in value else SOURCES[value["kind"]]
                metadata = mapping(value.get("metadata"))
                secret = value["kind"], metadata.get("name")
                yield CommittedPlace(source, here, file, secret, metadata.get("namespace"))


def _is_encrypted(generator: dict[str, Any], directory: Path) -> bool:
    """Whether any value of a ``secretGenerator`` is ciphertext or a placeholder."""
    files = [
        *sequence(generator.get("envs")),
        generator.get("env"),
        *sequence(generator.get("files")),
    ]
    values = [str(one).partition("=")[2].encode() for one in sequence(generator.get("literals"))]
    for name in files:
        if isinstance(name, str):
            file = directory / name.rpartition("=")[2]
            with contextlib.suppress(KrmfnError):
                values.append(read_file(file, name=name, key=""))
    return any(ciphertext.kind_of(value) for value in values)


def _secrets(file: Path) -> Iterator[dict[str, Any]]:
    """Yield each Secret and SealedSecret in a file; none if it cannot be read."""
    return (value for value in values_in(file) if value.get("kind") in SOURCES)


def values_in(file: Path) -> Iterator[dict[str, Any]]:
    """Yield each object in a file; none if it cannot be read."""
    if not file.is_file():
        return
    try:
        content = read_file(file, name=str(file), key="")
        for document in strict.documents(content, str(file)):
            for _, value in each(document.value()):
                yield value
    except KrmfnError:
        return
