"""Import ``secretGenerator`` of a kustomization. Pure: the caller reads the files.

Rules enforced here: values are what kustomize makes of literals, files and env files (env files
first, then literals, then files), quotes and byte order marks included; what merges with, or
replaces, a Secret from elsewhere is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from krmfn.errors import KrmfnError
from krmfn.importer.entry import Entry, Imported, shape, template
from krmfn.importer.secret import check_plaintext, checked_type, stored
from krmfn.plaintext import Plaintext

if TYPE_CHECKING:
    from collections.abc import Callable

    from krmfn.importer.entry import Options
    from krmfn.importer.source import Path, Source

    Found = dict[str, tuple[Path, Plaintext]]
    # The content of a file, by its name in the kustomization; raises `KrmfnError`.
    Read = Callable[[str], bytes]

_FIELDS = frozenset(
    {"name", "namespace", "behavior", "literals", "files", "envs", "env", "type", "options"}
)
_OPTIONS = frozenset({"labels", "annotations", "disableNameSuffixHash", "immutable"})
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")  # Kubernetes' own rule
# What Go calls white space, of which Python's idea differs by four separators.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def read(source: Source, options: Options, file: Read) -> Imported:
    """Return an entry for each generated Secret, and its values."""
    imported = Imported()
    general: Path = ("generatorOptions",)
    source.only(general, _OPTIONS)
    for number in source.items(("secretGenerator",)):
        _generated(source, ("secretGenerator", number), options, file, imported)
    return imported


def _generated(source: Source, at: Path, options: Options, file: Read, imported: Imported) -> None:
    source.only(at, _FIELDS)
    source.only((*at, "options"), _OPTIONS)
    if source.text((*at, "behavior"), "create") not in ("create", "unspecified", ""):
        source.refuse(
            (*at, "behavior"),
            "the Secret is made from another one, which is not known here",
            "write one entry with all keys where the Secret is first made",
        )
    name = source.text((*at, "name"))
    namespace = source.text((*at, "namespace")) or source.text(("namespace",)) or options.namespace
    places = [("generatorOptions",), (*at, "options")]  # the second one wins
    merged = [
        {**source.texts((*places[0], f)), **source.texts((*places[1], f))}
        for f in ("labels", "annotations")
    ]
    flags = {
        field: [source.flag((*place, field)) for place in places]
        for field in ("disableNameSuffixHash", "immutable")
    }
    imported.entries.append(
        Entry(
            name,
            namespace,
            shape(
                store=options.store,
                data=stored(
                    source, _values(source, at, file), (name, namespace), options, imported
                ),
                template=template(
                    type=checked_type(source, (*at, "type")),
                    immutable=True if True in flags["immutable"] else None,
                    metadata=(merged[0], merged[1]),
                ),
                name_suffix_hash=True not in flags["disableNameSuffixHash"],
            ),
            source.where(at),
        )
    )


def _values(source: Source, at: Path, file: Read) -> Found:
    found: Found = {}

    def add(path: Path, key: str, value: bytes) -> None:
        if key in found:
            source.wrong(path, f"the key {key} comes from two sources")
        check_plaintext(source, path, value)
        found[key] = (path, Plaintext(value))

    for path in _env_files(source, at):
        for key, value in _env_file(source, path, _content(source, path, source.text(path), file)):
            add(path, key, value)
    for number in source.items((*at, "literals")):
        path = (*at, "literals", number)
        key, equals, text = source.text(path).partition("=")
        if not key or not equals:
            source.wrong(path, "must be key=value")
            continue
        add(path, key, _unquoted(text).encode("utf-8", "surrogatepass"))
    for number in source.items((*at, "files")):
        path = (*at, "files", number)
        text = source.text(path)
        key, equals, name = text.partition("=")
        if not equals:
            key, name = text.rpartition("/")[2], text
        if not key or not name or "=" in name:
            source.wrong(path, "must be a file or key=file")
            continue
        add(path, key, _content(source, path, name, file))
    return found


def _env_files(source: Source, at: Path) -> list[Path]:
    """Where the env files are named: ``env`` first, then ``envs``."""
    single: list[Path] = [(*at, "env")] if source.text((*at, "env")) else []
    return [*single, *((*at, "envs", number) for number in source.items((*at, "envs")))]


def _content(source: Source, path: Path, name: str, file: Read) -> bytes:
    if "://" in name:
        source.refuse(path, "a file that is fetched", "put it into the vault by hand")
        return b""
    try:
        return file(name)
    except KrmfnError as error:
        source.add(path, error)
        return b""


def _env_file(source: Source, path: Path, content: bytes) -> list[tuple[str, bytes]]:
    """The keys and values of an env file."""
    found: list[tuple[str, bytes]] = []
    if not check_plaintext(source, path, content):
        return found
    for number, raw in enumerate(content.split(b"\n"), 1):
        try:
            line = raw.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            source.wrong(path, f"line {number} of the file is not UTF-8")
            continue
        line = (line.removeprefix("\ufeff") if number == 1 else line).lstrip(_SPACE)
        if not line or line.startswith("#"):
            continue
        key, _, value = line.partition("=")
        if not _ENV_NAME.fullmatch(key):
            # Not quoted: half of a value that spans lines looks like this.
            source.wrong(path, f"line {number} of the file does not begin with a variable's name")
            continue
        found.append((key, value.encode()))
    return found


def _unquoted(text: str) -> str:
    """Remove quotes on both sides, like kustomize."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text
