"""The house: each class has its own name, modules and functions stay small, stores open in one place.

`make lint` checks the layers; these rules have no linter of their own.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).resolve().parents[1] / "krmfn"
MOST_LINES, MOST_IN_FUNCTION, MOST_FLAT = 400, 50, 10


@cache
def modules() -> dict[str, ast.Module]:
    """Each module of the package, by its path in it."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text())
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def nodes(kind: type | tuple[type, ...]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of these kinds, with its module."""
    for name, tree in modules().items():
        yield from ((name, node) for node in ast.walk(tree) if isinstance(node, kind))


def calls(name: str) -> set[str]:
    """The modules that call something by this name, bare or as an attribute."""
    found = set()
    for module, node in nodes(ast.Call):
        called = getattr(node, "func", None)
        if name in (getattr(called, "id", ""), getattr(called, "attr", "")):
            found.add(module)
    return found


def test_a_class_name_means_one_class() -> None:
    """A search for it and a traceback lead to one place."""
    found = defaultdict(list)
    for module, node in nodes(ast.ClassDef):
        found[getattr(node, "name", "")].append(module)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_modules_and_functions_are_small() -> None:
    """A module fits a morning, a function a screen."""
    long = [
        f"{name}: {lines} lines"
        for name in modules()
        if (lines := len((PACKAGE / name).read_text().splitlines())) > MOST_LINES
    ]
    for name, node in nodes((ast.FunctionDef, ast.AsyncFunctionDef)):
        lines = (getattr(node, "end_lineno", 0) or 0) - getattr(node, "lineno", 0) + 1
        if lines > MOST_IN_FUNCTION:
            long.append(f"{name}: {getattr(node, 'name', '')}: {lines} lines")
    assert long == []


def test_few_modules_lie_flat() -> None:
    """What is new gets a folder."""
    flat = [name for name in modules() if "/" not in name and name != "__init__.py"]
    assert len(flat) <= MOST_FLAT, flat


def test_one_way_to_a_store() -> None:
    """`Job.open` and `Job.stores` open stores, by the pool; nothing else does."""
    assert calls("OpenedStores") == {"sealing/job.py"}
    assert calls("open_store") == {"stores/pool.py"}
    assert calls("StorePool") == {"build/many.py", "cli/frame.py", "function.py", "init/survey.py"}


def test_warnings_are_printed_in_two_places() -> None:
    """By the frame of all commands and by the function; the audit's report has lines of findings."""
    found = {
        module
        for module, node in nodes(ast.ImportFrom)
        if isinstance(node, ast.ImportFrom)
        and node.module == "krmfn.warned"
        and "lines" in {one.name for one in node.names}
    }
    assert found - {"cli/audit.py"} == {"cli/frame.py", "function.py"}
