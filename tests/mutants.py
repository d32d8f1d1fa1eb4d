"""Break the code on purpose, and see whether `make test` notices.

    python -m tests.mutants                    the named mutants
    python -m tests.mutants --random 40        and as many at random, each with its number
    python -m tests.mutants --random 40 --only 7 --show
    python -m tests.mutants --random 40 --thorough   the whole of `make test` for those that survive

A mutant is one change of behaviour in one place of the packages below. It is made in a copy of this
checkout, and dies when a test fails there. Of random ones, tests that import the module are run first,
then those of its package. The same seed gives the same mutants for the same code. Exit code 1: one
survived. Mutants that change nothing are in `EQUIVALENT`, with the reason.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sealing", "policy", "build", "crypto", "plan")
QUICK = "not (e2e or container or slow or process)"
SECONDS = 1800  # a mutant that does not end is dead
# Tests of a package which need not import its modules.
BESIDE = {
    "sealing": ("cli/test_build.py", "cli/test_plan.py", "cli/test_drift.py", "cli/test_matrix.py"),
    "policy": ("attacks/test_policy.py", "cli/test_plan.py"),
    "build": (
        "cli/test_build.py",
        "cli/test_configurations.py",
        "build",
        "estates",
        "cli/test_seal.py",
        "attacks/test_rehearsal.py",
        "differential",
    ),
    "crypto": ("cli/test_age.py", "cli/test_commands.py", "cli/test_build.py"),
    "plan": ("cli/test_plan.py", "cli/test_build.py", "cli/test_import.py"),
}
# name -> module, its text, the mutant's text, and the tests that are about it.
NAMED = {
    "a derivation key of any length above 32 bytes": (
        "krmfn/crypto/derive.py",
        "len(key) not in (32, 64)",
        "len(key) < 32",
    ),
    "a derivation key's server with a slash is another one": (
        "krmfn/policy/places.py",
        "split = urlsplit(address.strip().lower())",
        "return address.strip().lower()\n        split = urlsplit(address.strip().lower())",
    ),
    "two versions of a secret are one read": (
        "krmfn/policy/usage.py",
        "(read.store, read.key, read.version)",
        "(read.store, read.key, None)",
    ),
    "a build's calls do not know its deadline": (
        "krmfn/build/one.py",
        "Server(answer, sandbox.deadline)",
        "Server(answer, type(sandbox.deadline)(600))",
    ),
}
# The change, as `--show` prints it, and why no test can tell.
EQUIVALENT: dict[str, str] = {}


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        module: relative to the checkout.
        line: of the change, from 1.
        before: the text that is replaced.
        after: the text in its place.
        start: of the text, in bytes of the module.
    """

    module: str
    line: int
    before: str
    after: str
    start: int

    def __str__(self) -> str:
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        return f"{self.module}:{self.line}: {before}  ->  {after}"

    def applied(self, text: bytes) -> bytes:
        """The module with the change."""
        end = self.start + len(self.before.encode())
        assert text[self.start : end] == self.before.encode()
        return text[: self.start] + self.after.encode() + text[end:]


_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_EMPTY = {"str": '""', "bytes": 'b""', "list": "[]", "dict": "{}", "tuple": "()", "int": "0"}


def changes(node: ast.AST, returns: str) -> Iterator[str]:
    """The texts that may stand in a node's place.

    Args:
        returns: the name of the type that its function returns.
    """
    if isinstance(node, ast.expr):
        yield from _of_expression(node)
    elif isinstance(node, ast.Return) and node.value is not None:
        value = ast.unparse(node.value)
        other = f"not ({value})" if returns == "bool" else _EMPTY.get(returns, value)
        if other != value:
            yield f"return {other}"
    elif isinstance(node, ast.Raise | ast.Continue | ast.Break | ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield "pass"


def _of_expression(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Compare(left, [op], comparators):
            yield ast.unparse(ast.Compare(left, [_COMPARE[type(op)]()], comparators))
        case ast.BoolOp(op, values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"({ast.unparse(ast.BoolOp(other, values))})"
        case ast.UnaryOp(ast.Not(), operand):
            yield f"bool({ast.unparse(operand)})"
        case ast.IfExp(test, body, orelse):
            yield f"({ast.unparse(ast.IfExp(test, orelse, body))})"
        case ast.BinOp(left, ast.Sub(), right):
            yield f"({ast.unparse(ast.BinOp(left, ast.Add(), right))})"
        case ast.BinOp(left, ast.Add(), ast.Constant(int()) as right):
            yield f"({ast.unparse(ast.BinOp(left, ast.Sub(), right))})"
        case ast.Constant(int(value)):
            yield str(not value if isinstance(value, bool) else value + 1)
        case ast.Call(func, [first, second, *rest], keywords) if _may_swap(func, first, second):
            yield ast.unparse(ast.Call(func, [second, first, *rest], keywords))


def _may_swap(func: ast.expr, *arguments: ast.expr) -> bool:
    """Whether another order of arguments is no mere TypeError or message."""
    name = ast.unparse(func)
    starred = any(isinstance(one, ast.Starred) for one in arguments)
    same = name in ("isinstance", "max", "min") or name.endswith(("Error", "Failure"))
    return not starred and not same


def mutants(module: Path) -> Iterator[Mutant]:
    """Every mutant of one module."""
    content = module.read_bytes()
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, returns in _code(ast.parse(content), ""):
        if not isinstance(node, ast.expr | ast.stmt):
            continue
        start = starts[node.lineno - 1] + node.col_offset
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        end = starts[node.end_lineno - 1] + node.end_col_offset
        before = content[start:end].decode()
        name = str(module.relative_to(ROOT))
        for after in changes(node, returns):
            yield Mutant(name, node.lineno, before, after, start)


def _code(node: ast.AST, returns: str) -> Iterator[tuple[ast.AST, str]]:
    """What is run, with the type that its function returns: no annotation, f-string or type import."""
    if isinstance(node, ast.FunctionDef):
        kind = node.returns.value if isinstance(node.returns, ast.Subscript) else node.returns
        returns = kind.id if isinstance(kind, ast.Name) else ""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield child, returns
                yield from _code(child, returns)


def at_random(number: int, seed: int) -> list[Mutant]:
    """As many mutants, the same for the same seed; packages have as many as they have places."""
    found = [
        one
        for package in PACKAGES
        for module in sorted((ROOT / "krmfn" / package).rglob("*.py"))
        if module.name not in ("client.py", "launch.py")  # programs of their own
        for one in mutants(module)
        if str(one) not in EQUIVALENT
    ]
    return random.Random(seed).sample(found, number)


def named() -> dict[str, Mutant]:
    """The named ones."""
    found = {}
    for name, (module, before, after) in NAMED.items():
        text = (ROOT / module).read_text()
        assert text.count(before) == 1, f"{name}: {module} does not have this text once: {before}"
        start = text.index(before)
        line = text.count("\n", 0, start) + 1
        found[name] = Mutant(module, line, before, after, len(text[:start].encode()))
    return found


def files_for(module: str, root: Path) -> list[list[str]]:
    """The module's own tests, other files that import it, small ones first, and others of its package."""
    name = module.removesuffix(".py").replace("/", ".")
    package, _, last = name.rpartition(".")
    imports = re.compile(rf"\b{re.escape(name)}\b|from {re.escape(package)} import .*\b{last}\b")
    first, near = [], []
    for file in sorted((root / "tests").rglob("test_*.py"), key=lambda f: f.stat().st_size):
        text, where = file.read_text(), str(file.relative_to(root))
        if where.startswith(("tests/e2e", "tests/browser")):
            continue
        if imports.search(text):
            first.append(where)
        elif package in text:
            near.append(where)
    beside = [f"tests/{place}" for place in BESIDE[package.split(".")[1]]]
    second = [place for place in dict.fromkeys([*beside, *near]) if place not in first]
    own = f"tests/{package.split('.')[1]}/test_{last}.py"
    parts = [[own], [one for one in first if one != own], [one for one in second if one != own]]
    return [part for part in parts if part and (part != [own] or (root / own).exists())]


def survives(mutant: Mutant, copy: Path, *, thorough: bool) -> str:
    """The word on a mutant: what killed it, or nothing."""
    file = copy / mutant.module
    text = file.read_bytes()
    file.write_bytes(mutant.applied(text))
    try:
        compile(file.read_bytes(), str(file), "exec")
        for files in files_for(mutant.module, copy):
            if killer := _killer(copy, ["-n0", *files]):
                return killer
        return _killer(copy, ["-n", "auto"]) if thorough else ""
    finally:
        file.write_bytes(text)


def _killer(copy: Path, arguments: list[str]) -> str:
    """The first test that fails, or nothing."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", QUICK]
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=copy,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            text=True,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return "it does not end"
    if done.returncode in (0, 5):
        return ""
    assert done.returncode in (1, 2, 3), done.stdout + done.stderr  # else these are no tests
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return found.group(1) if found else f"pytest ends with {done.returncode}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="so many at random, too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of random ones")
    parser.add_argument("--show", action="store_true", help="print them, and run nothing")
    parser.add_argument("--thorough", action="store_true", help="all of `make test` for survivors")
    options = parser.parse_args()
    chosen = {} if options.only is not None else named()
    for number, mutant in enumerate(at_random(options.random, options.seed)):
        if options.only is None or number in options.only:
            chosen[str(number)] = mutant
    if options.show:
        for name, mutant in chosen.items():
            print(f"{name}: {mutant}")
        return 0
    survived = 0
    with tempfile.TemporaryDirectory(prefix="krmfn-mutants-") as scratch:
        copy = Path(scratch, "krmfn")
        ignored = shutil.ignore_patterns(
            ".venv", "__pycache__", ".git", ".*_cache", "tmp", ".hypothesis"
        )
        shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)
        for name, mutant in chosen.items():
            killer = survives(mutant, copy, thorough=options.thorough)
            survived += not killer
            print(f"{'killed' if killer else 'SURVIVED'}  {name}: {mutant}", flush=True)
            if killer:
                print(f"    by {killer}", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} killed")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
