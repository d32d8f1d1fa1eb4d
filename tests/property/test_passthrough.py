"""What krmfn did not make comes out as it went in: to the byte in krmfn, and through real kustomize."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from krmfn.objects import stream
from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = (Path(sys.executable).parent / "kubectl", "kustomize", "--enable-alpha-plugins")
# Each stands where a value stands; lines after the first are indented with it.
SCALARS = [
    *("on", "Off", "yes", "n", "~", "null", "Null", "true", "1e3", "1E-4", "0o17", "017", "0x1F"),
    *("=", "'<<'", "12:30:45", "2001-12-14", "1_000", ".inf", ".NaN", "-0", "+1", "1.", ".5"),
    *(
        "",
        "''",
        '""',
        "'it''s'",
        "a#b",
        "a b  c",
        "'a: b'",
        "'# none'",
        "é",
        "日本語",
        "😀",
        "a\u00a0b",
    ),
    *(
        '"\\u2028\\x85\\U0001F600"',
        '"x\u2028y"',
        '"x\u2029y"',
        '"x\u0085y"',
        "'- no item'",
        "'---'",
    ),
    *(
        "!!str 12",
        "!!binary aGk=",
        "12 # a comment",
        "'x' # - y",
        "{}",
        "[]",
        "[a, {b: 'c'}, \"#\"]",
    ),
    *("{a: , b: [1e3, on]}", "x " * 5000 + "x", "'" + "long " * 3000 + "'", '"a\\\n  b"'),
    *(
        "|\n  text",
        "|-\n  a\n  b",
        "|+\n  a\n\n\n",
        "|2\n    kept",
        "|\n  - no item\n  # none\n  ---",
    ),
    *(">\n  folded\n  text\n\n    more", ">-\n  é 😀\n", ">+\n  a\n\n", "|\n  tab\there\n\n  end"),
    *("'two\n\n  lines'", '"two\n  lines"', "plain\n  over lines", "\n# a comment\n  value"),
    *("\n  a: b\n  c:\n  - d\n  -   e", "\n- a\n-\n  - b\n- - c\n  - d", "&x {a: b}", "&y\n  c: d"),
]
# What parsers of YAML 1.1 take for line ends or refuse, and json.dumps does not escape.
TEXT = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"
    )
)
COMMENTS = st.sampled_from(["", "", "# a comment\n", "#- no item\n", "\n", "# é 😀\n\n"])
MARGINS = st.sampled_from([0, 2, 4])
CRLF = st.booleans()


@st.composite
def resources(draw: st.DrawFn) -> str:
    """A resource in block style, its lines ended by newlines."""
    lines = [draw(COMMENTS), "apiVersion: example.com/v1\n", "kind: Thing\n"]
    lines += ["metadata:\n", f"  name: {draw(st.sampled_from('abcdef'))}\n", "spec:\n"]
    values = st.sampled_from(SCALARS) | TEXT.map(quoted)
    for number, value in enumerate(draw(st.lists(values, max_size=8))):
        anchored = value.startswith("&")
        text = (f"&n{number}{value[1:]}" if anchored else value).replace("\n", "\n  ")
        lines.append(f"  {draw(COMMENTS).strip()}\n  key-{number}: {text}\n")
        if anchored:
            lines.append(f"  alias-{number}: *n{number}{value[1]}\n")
    return "".join(lines)


def quoted(text: str) -> str:
    """As a scalar on one line."""
    return json.dumps(text, ensure_ascii=False)


def as_entry(resource: str, margin: int) -> str:
    """The resource as an entry of a list whose dashes stand at a margin."""
    lines = resource.split("\n")[:-1]
    body = "\n".join(f"{' ' * (margin + 2)}{line}" if line.strip() else line for line in lines)
    return f"{' ' * margin}- # the next\n{body}\n"


def whole(entries: Sequence[str], *, behind: bool) -> str:
    """A ResourceList, its functionConfig before or behind the items."""
    head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"
    config = "functionConfig:\n  kind: SealedSecretTransformer\n"
    items = "items:\n" + "".join(entries)
    return head + (items + config if behind else config + items)


def meaning(text: str) -> list[tuple[Any, ...]]:
    """The events of a text: all that it says to a reader of YAML, and in which style."""
    events = yaml.parse(text, Loader=yaml.CBaseLoader)
    wanted = ("value", "style", "tag", "anchor", "implicit", "flow_style")
    return [(type(e), *(getattr(e, name, None) for name in wanted)) for e in events]


@given(st.lists(resources(), min_size=1, max_size=4), MARGINS, CRLF, st.booleans())
def test_items_of_a_list_keep_their_bytes(
    texts: list[str], margin: int, crlf: bool, behind: bool
) -> None:
    """Every item comes out of a ResourceList as it stood there."""
    entries = [as_entry(text, margin) for text in texts]
    if crlf:
        entries = [e.replace("\n", "\r\n") for e in entries]
    found = stream.read(whole(entries, behind=behind).encode())
    assert [item.raw for item in found.items] == entries
    assert {(item.api_version, item.kind) for item in found.items} == {("example.com/v1", "Thing")}
    written = stream.rewrite(found.items[1:], [{"kind": "Own"}], found.indent)
    own = " " * margin + '- {"kind":"Own"}\n'
    assert written.partition("items:\n")[2] == "".join([*entries[1:], own])
    again = stream.read(f"{written}functionConfig: {{}}\n")
    assert [item.raw for item in again.items] == [*entries[1:], own]


@given(
    st.lists(resources(), min_size=1, max_size=4), CRLF, st.sampled_from(["", "---\n", "--- # x\n"])
)
def test_documents_of_a_stream_keep_their_bytes(texts: list[str], crlf: bool, first: str) -> None:
    """Every document of a stream comes out as it stood there; empty documents are left out."""
    newline = "\r\n" if crlf else "\n"
    ended = [text.replace("\n", newline) for text in texts]
    separated = f"---{newline}---{newline}".join(ended)
    found = stream.stream((first.replace("\n", newline) + separated).encode())
    kept = [item.raw.removeprefix(f" # x{newline}").lstrip("\r\n") for item in found]
    assert kept == [text.lstrip("\r\n") for text in ended]
    written = stream.rewrite_stream(found, [{"kind": "Own"}])
    assert len([e for e in meaning(written) if e[0] is yaml.DocumentStartEvent]) == len(texts) + 1


@given(resources(), MARGINS)
def test_nothing_else_is_said(text: str, margin: int) -> None:
    """An item alone, and between others, says the same to a reader of YAML, alias and comment included."""
    entries = [as_entry(text, margin)] * 2
    found = stream.read(whole(entries, behind=True))
    assert meaning(found.items[0].raw) == meaning(entries[0])


@given(
    st.recursive(st.none() | st.booleans() | TEXT, lambda i: st.lists(i) | st.dictionaries(TEXT, i))
)
def test_json_items_keep_their_values(value: Any) -> None:
    """Items of a list in flow style, such as JSON, become entries of a block list unchanged."""
    items = [{"kind": "A", "x": value}, {"kind": "B", "y": value}]
    body = {"kind": "ResourceList", "items": items, "functionConfig": {}}
    found = stream.read(json.dumps(body, indent=1, ensure_ascii=False))
    assert [item.kind for item in found.items] == ["A", "B"]
    assert [item.document.value() for item in found.items] == items
    assert [yaml.safe_load(item.raw) for item in found.items] == [[item] for item in items]


# --- through kustomize


def tree(directory: Path, streams: Sequence[str], annotation: str) -> tuple[Path, Path]:
    """An overlay without krmfn, and one with a transformer that finds no claim."""
    bare, ours = directory / "bare", directory / "ours"
    for folder in (bare, ours):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        names = [f"r{number}.yaml" for number in range(len(streams))]
        for name, text in zip(names, streams, strict=True):
            (folder / name).write_bytes(text.encode())
        (folder / "kustomization.yaml").write_text(f"resources: {json.dumps(names)}\n")
    with (ours / "kustomization.yaml").open("a") as kustomization:
        kustomization.write("transformers: [transformer.yaml]\n")
    (ours / "transformer.yaml").write_text(
        "apiVersion: krmfn.dev/v1alpha1\nkind: SealedSecretTransformer\n"
        f"metadata: {{name: app{annotation}}}\n"
    )
    return bare, ours


def built(
    command: Sequence[str | Path], folder: Path, environ: dict[str, str]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*command, folder], env=environ, capture_output=True, check=False)


def same(
    command: Sequence[str | Path],
    directory: Path,
    streams: Sequence[str],
    environ: dict[str, str],
    annotation: str = "",
) -> bool:
    """Whether kustomize takes the resources at all; what it then makes of both has to be equal."""
    bare, ours = tree(directory, streams, annotation)
    without = built(command, bare, environ)
    if without.returncode:
        return False
    done = built(command, ours, environ)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == without.stdout
    return True


def manifests() -> list[str]:
    """Every manifest of the examples, and one resource for each awkward value that kustomize takes."""
    real = [
        *(path.read_text() for path in sorted(ROOT.glob("examples/*/expected/*.yaml"))),
        (Path(__file__).parent / "manifests.yaml").read_text(),
    ]
    documents = [d for text in real for d in text.split("\n---\n") if d.strip()]
    numbered = []
    for number, text in enumerate(documents):
        # The same object stands in several overlays; a namespace apart, they can be built together.
        value = yaml.safe_load(text)
        place = "name" if value["kind"] == "Namespace" else "namespace"
        value["metadata"] |= {place: f"n{number}"}
        numbered.append(yaml.safe_dump(value, allow_unicode=True))
    return numbered


def awkward() -> list[str]:
    """One resource for each awkward value that kustomize takes."""
    head = "apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: t{}\nspec:\n  value: {}\n"
    taken = [value.replace("\n", "\n  ") for value in SCALARS if value not in (".inf", ".NaN")]
    return [head.format(number, value) for number, value in enumerate(taken)]


def test_kubectl_makes_no_difference(plugins: dict[str, str], tmp_path: Path) -> None:
    """A legacy transformer without claims changes no byte of what kubectl builds."""
    stream = "---\n".join(["", *awkward(), ""])
    assert same(KUBECTL, tmp_path, [*awkward(), *manifests()], plugins)
    assert same(KUBECTL, tmp_path, [stream, *manifests()], plugins)


@pytest.mark.e2e
@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
def test_kustomize_makes_no_difference(
    version: str, plugins: dict[str, str], tmp_path: Path
) -> None:
    """An exec transformer without claims changes no byte, whatever the version."""
    command = (tool("kustomize", version), "build", "--enable-alpha-plugins", "--enable-exec")
    annotation = ", annotations: {config.kubernetes.io/function: 'exec: {path: krmfn}'}"
    assert same(command, tmp_path, [*awkward(), *manifests()], plugins, annotation)


@pytest.mark.e2e
@given(texts=st.lists(resources(), min_size=1, max_size=3))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@example(texts=["apiVersion: v1\nkind: List\nitems: []\n"])
def test_kustomize_makes_no_difference_to_anything(
    texts: list[str], plugins: dict[str, str], tmp_path: Path
) -> None:
    """Whatever kustomize takes it builds the same with krmfn in between."""
    command = (tool("kustomize", KUSTOMIZE_VERSIONS[-1]), "build")
    command += ("--enable-alpha-plugins", "--enable-exec")
    annotation = ", annotations: {config.kubernetes.io/function: 'exec: {path: krmfn}'}"
    named = [text.replace("  name: ", f"  name: n{i}") for i, text in enumerate(texts)]
    assume(same(command, tmp_path, named, plugins, annotation))
