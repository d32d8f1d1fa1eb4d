"""A changed value, and every other byte as it was: whatever stands around it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from krmfn.documents import strict
from krmfn.documents.edit import Edit, edit

KEYS = st.text("abkx-", min_size=1, max_size=4).filter(lambda t: t[0] != "-")
LEAVES = st.text("ab 1:#\"'\\é✓-", max_size=6)
TREES = st.recursive(
    LEAVES, lambda i: st.lists(i, min_size=1) | st.dictionaries(KEYS, i, min_size=1), max_leaves=12
)
EPOCHS = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True)
STYLES = st.sampled_from([None, '"', "'"])
NOTES = st.sampled_from(["", "# a note\n", "\n\n", "# é ✓ {}[]: 'x'\n\n"])


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all leaves."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in paths(v, (*path, k))]
    if isinstance(value, list):
        return [p for n, v in enumerate(value) for p in paths(v, (*path, n))]
    return [path]


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def split(text: str, path: tuple[str | int, ...]) -> tuple[str, str]:
    """What stands before and behind a value, found by PyYAML's own marks."""
    node = yaml.compose(text)
    for step in path:
        if isinstance(node, yaml.MappingNode):
            node = next(v for k, v in node.value if k.value == step)
        else:
            node = node.value[step]
    return text[: node.start_mark.index], text[node.end_mark.index :]


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str, Any]:
    """A byte order mark or none, the text behind it, and its value."""
    tree = draw(TREES.filter(lambda t: not isinstance(t, str)))
    written = yaml.safe_dump(
        tree,
        default_style=draw(STYLES),
        default_flow_style=draw(st.booleans()),
        allow_unicode=True,
        sort_keys=False,
    )
    text = (draw(NOTES) + written + draw(NOTES)).replace(
        "\n", draw(st.sampled_from(["\n", "\r\n"]))
    )
    return draw(st.sampled_from(["", "\ufeff"])), text, tree


@settings(deadline=None)
@given(files(), EPOCHS, st.data())
def test_everything_but_the_value_is_the_same_bytes(
    file: tuple[str, str, Any], new: str, data: st.DataObject
) -> None:
    """In block and flow style, under comments, with any line end, with a byte order mark."""
    mark, text, tree = file
    path = data.draw(st.sampled_from(paths(tree)))
    before, after = split(text, path)
    result = edit(mark + text, "f", [Edit(0, path, new)])
    assert result.startswith(mark + before)
    assert result.endswith(after)
    assert at(strict.load(result, "f"), path) == new
    between = result[len(mark + before) : len(result) - len(after)]
    was = text[len(before) : len(text) - len(after)]
    if was[:1] in ("'", '"'):
        assert (between[0], between[-1]) == (was[0], was[0])


@settings(deadline=None)
@given(TREES.filter(lambda t: isinstance(t, dict)), EPOCHS, STYLES, st.booleans(), NOTES)
def test_an_added_entry_changes_nothing_else(
    tree: dict[str, Any], new: str, style: str | None, flow: bool, note: str
) -> None:
    """Taken out again, the text is what it was."""
    outer = {"spec": {"sealing": {k: v for k, v in tree.items() if k != "epoch"} or {"a": "b"}}}
    text = note + yaml.safe_dump(
        outer, default_style=style, default_flow_style=flow, allow_unicode=True, sort_keys=False
    )
    result = edit(text, "f", [Edit(0, ("spec", "sealing", "epoch"), new)])
    outer["spec"]["sealing"]["epoch"] = new
    assert strict.load(result, "f") == outer
    added = len(result) - len(text)
    start = next(n for n in range(len(text) + 1) if result[n + added :] == text[n:])
    assert result[:start] + result[start + added :] == text
    assert "epoch" in result[start : start + added + 8]


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_several_changes_at_once(kind: str) -> None:
    """Each where it stands, in whatever order they come."""
    text = "a: 1 # one\n---\n---\nb: {c: 2, d: 'x', e: \"y\"}\nv: [1, 2]\n"
    changes = [
        Edit(1, ("v", 1), 77),
        Edit(0, ("a",), 10),
        Edit(1, ("b", "e"), "2"),
        Edit(1, ("b", "d"), "3"),
    ]
    if kind == "dict":
        changes.reverse()
    assert edit(text, "f", changes) == (
        "a: 10 # one\n---\n---\nb: {c: 2, d: '3', e: \"2\"}\nv: [1, 77]\n"
    )
