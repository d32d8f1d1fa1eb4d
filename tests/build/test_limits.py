"""What is too much of anything ends in one line, and never takes the machine's memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = str(Path(sys.executable).parent / "kubectl")
MOST = 512 << 10  # KiB
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc"),
]


def write(place: Path, value: object, name: str = "kustomization.yaml") -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(value if isinstance(value, str) else json.dumps(value))


def bomb() -> str:
    """A ConfigMap of 500 bytes with a billion values."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    data = "\n  ".join(lines)
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  {data}\n"


def long_name(root: Path) -> None:
    patch = {**CONFIG_MAP, "metadata": {"name": "[error] a" * 36_000}}
    write(root, CONFIG_MAP, "a.yaml")
    write(root, {"resources": ["a.yaml"], "patches": [{"patch": json.dumps(patch)}]})


def aliases(root: Path) -> None:
    write(root, bomb(), "a.yaml")
    write(root, {"resources": ["a.yaml"]})


def aliases_in_a_patch(root: Path) -> None:
    write(root, CONFIG_MAP, "a.yaml")
    write(root, {"resources": ["a.yaml"], "patches": [{"patch": bomb()}]})


def one_file_often(root: Path) -> None:
    write(root, "a: b\n" * ((14 << 20) // 5), "big")
    maps = [{"name": f"m{n}", "files": ["big"]} for n in range(100)]
    write(root, {"configMapGenerator": maps})


def tiny_scalars(root: Path) -> None:
    write(root, CONFIG_MAP, "a.yaml")
    write(root, "resources: [a.yaml]\ncommonLabels: [" + "a," * (2 << 20) + "]\n")


def nested(root: Path) -> None:
    place = root
    for _ in range(1500):
        write(place, {"resources": ["b"]})
        place /= "b"
    write(place, CONFIG_MAP, "a.yaml")
    write(place, {"resources": ["a.yaml"]})


def beside(root: Path) -> None:
    """1500 bases, of which each names the next."""
    for number in range(1500):
        write(root / f"b{number}", {"resources": [f"../b{number + 1}"]})
    write(root / "b1500", CONFIG_MAP, "a.yaml")
    write(root / "b1500", {"resources": ["a.yaml"]})
    write(root, {"resources": ["b0"]})


def large(root: Path) -> None:
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"
    write(root, head + "  k: |\n" + "    aaaaaaaaaaaaaaa\n" * (100 << 20 >> 4), "a.yaml")
    write(root, {"resources": ["a.yaml"]})


def scalars(root: Path) -> None:
    """Just as many as may be, so that kustomize itself runs out of memory."""
    head = "apiVersion: v1\nkind: X\nmetadata: {name: a}\n"
    write(root, f"{head}l: [{'a,' * 990_000}a]\n", "a.yaml")
    write(root, {"resources": ["a.yaml"]})


TOO_MUCH = [
    long_name, aliases, aliases_in_a_patch, one_file_often, tiny_scalars, nested, beside, large,
    scalars,
]  # fmt: skip


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            found += [int(n) for t in tasks for n in (t / "children").read_text().split()]
        except OSError:
            continue
    return found


def highest(pid: int) -> int:
    """The most memory that a process has held, in KiB; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A repository's folder. It goes at once: pytest cannot remove one that is 1500 levels deep."""
    folder = tmp_path / "r"
    yield folder
    subprocess.run(("rm", "-rf", str(folder)), check=True)


@pytest.mark.parametrize("make", TOO_MUCH, ids=lambda make: make.__name__)
def test_too_much(make, root: Path, tmp_path: Path) -> None:
    """An exit code, one line, and less than 512 MiB by krmfn and all that it starts."""
    make(root)
    (tmp_path / "tmp").mkdir()
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "KRMFN_KUSTOMIZE": KUBECTL}
    environ |= {"TMPDIR": str(tmp_path / "tmp"), "KRMFN_ROOT": str(root), "KRMFN_DEADLINE": "60"}
    used: dict[int, int] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "krmfn", "build", root],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while process.poll() is None:
            for pid in family(process.pid):
                used[pid] = max(used.get(pid, 0), highest(pid))
            time.sleep(0.02)
        output, errors = process.communicate()
    assert process.returncode in (2, 5, 6), errors[:500]
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("[error] ")
    assert len(errors) < 3000
    assert sum(used.values()) < MOST
    assert list((tmp_path / "tmp").iterdir()) == []
