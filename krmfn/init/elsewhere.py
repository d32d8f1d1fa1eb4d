"""Find what else creates a Secret: files of a repository that no build of `krmfn init` covers.

Rules enforced here: a file counts wherever nothing built it, such as a plain directory, the files of
another project's generator, or an encrypted Secret; a file that cannot be read as YAML, such as a
chart's template, counts by its text; a Secret of another namespace never counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from krmfn.audit.enforce import audit_stream
from krmfn.audit.productions import guesses
from krmfn.documents import strict
from krmfn.documents.strict import mapping, sequence
from krmfn.errors import Failure, KrmfnError
from krmfn.files.read import Place, read_file
from krmfn.kustomize.checkout import files_below
from krmfn.objects import stream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

SUFFIXES = (".yaml", ".yml", ".json", ".tpl", ".enc", ".sops")
_KIND = re.compile(rb"(?m)^\s*[\"']?kind[\"']?:\s*[\"']?(\w*Secret)\b(?!Claim|Store)")
_CHART = re.compile(rb"helmCharts|HelmRelease|HelmChart|helmChartInflationGenerator|chart:")
_WORD = rb"(?<![\w.-])%s(?![\w.-])"


class FileMaker(NamedTuple):
    """A file that may create a Secret.

    Attributes:
        namespace: of the Secret; empty if it is unknown.
        by: for people, as ``SealedSecret/db in sealed/db.yaml``.
    """

    secret: str
    namespace: str
    by: str


def makers(
    root: Path, names: Collection[str], covered: Collection[Path]
) -> Iterator[tuple[Path, FileMaker]]:
    """Yield the files that may create Secrets of these names.

    Args:
        covered: files that need no look, because builds have shown what they create.
    """
    if not names:
        return
    mentions = re.compile(_WORD % b"(?:%s)" % b"|".join(re.escape(n.encode()) for n in names))
    for file in files_below(root, SUFFIXES):
        if file in covered:
            continue
        short = file.relative_to(root).as_posix()
        try:
            content = read_file(file, name=short, key="")
        except KrmfnError:
            continue
        if mentions.search(content):
            found = list(_parsed(content, file, root, short))
            yield from (
                (file, m) for m in found or _text(content, names, short) if m.secret in names
            )
        if _CHART.search(content):
            yield from ((file, one) for one in _charts(content, names, short))


def _parsed(content: bytes, file: Path, root: Path, short: str) -> Iterator[FileMaker]:
    """Yield what the objects of a file create; nothing if it is not YAML."""
    try:
        items = stream.stream(content, short)
        audited = audit_stream(items, place=Place(file.parent, root))
        for one in audited.productions:
            if one.resource:
                yield FileMaker(one.secret, one.namespace or "", f"{one.by} in {short}")
        for resource in audited.resources:
            for one in guesses(resource, audited.entries):
                yield FileMaker(one.secret, one.namespace or "", f"{one.by} in {short}")
        for value in map(mapping, _documents(content, short)):
            for generator in map(mapping, sequence(value.get("secretGenerator"))):
                space = generator.get("namespace") or value.get("namespace") or ""
                by = f"the secretGenerator in {short}"
                yield FileMaker(str(generator.get("name")), str(space), by)
    except Failure:
        return


def _text(content: bytes, names: Collection[str], short: str) -> Iterator[FileMaker]:
    """Yield what a text names as a Secret of its own, such as a chart's template."""
    kind = _KIND.search(content)
    for name in names:
        pattern = rb"(?m)^\s*[\"']?name[\"']?:\s*[\"']?%s[\"']?\s*(?:#.*)?$" % re.escape(
            name.encode()
        )
        if kind and re.search(pattern, content):
            yield FileMaker(name, "", f"{kind[1].decode()}/{name} in {short}")


def _charts(content: bytes, names: Collection[str], short: str) -> Iterator[FileMaker]:
    """Yield the Secrets whose names begin with a chart's release."""
    for value in map(mapping, _documents(content, short)):
        for release, space in _releases(value):
            for name in names:
                if release and (name == release or name.startswith(f"{release}-")):
                    yield FileMaker(name, space, f"the chart of {release} in {short}")


def _releases(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and namespace of each release of a chart."""
    spec, metadata = mapping(value.get("spec")), mapping(value.get("metadata"))
    for chart in map(mapping, sequence(value.get("helmCharts"))):
        space = chart.get("namespace") or value.get("namespace") or ""
        yield str(chart.get("releaseName") or chart.get("name") or ""), str(space)
    name, kind = str(metadata.get("name") or ""), value.get("kind")
    if kind in ("HelmRelease", "HelmChart"):
        space = spec.get("targetNamespace") or metadata.get("namespace") or ""
        yield str(spec.get("releaseName") or name), str(space)
    elif kind == "Application":
        space = str(mapping(spec.get("destination")).get("namespace") or "")
        for source in map(mapping, (spec.get("source"), *sequence(spec.get("sources")))):
            if "chart" in source:
                yield str(mapping(source.get("helm")).get("releaseName") or name), space


def _documents(content: bytes, short: str) -> Iterator[Any]:
    try:
        yield from (one.value() for one in strict.documents(content, short))
    except Failure:
        return
