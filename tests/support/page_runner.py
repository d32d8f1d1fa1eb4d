"""Running the command blocks of a page: in one bash, in an empty directory or an estate.

Rules enforced here: a page has a vault of its own, since it may write a derivation key of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.cluster import examples
from tests.support.estate import ESTATE, seed
from tests.support.openbao import development
from tests.support.pages import ROOT, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.pages import Block

DEPLOY = """\
krmfn build overlays/prod | kubectl apply -f -
kubectl wait --for=condition=Synced sealedsecrets --all -n production --timeout=60s
"""


def run(blocks: Sequence[Block], scratch: Path, krmfn: Path | None = None, **environ: str) -> None:
    """Every block succeeds, and prints what the page says.

    Args:
        scratch: an empty directory.
        krmfn: the directory with the program; by default, the real one.
        environ: more variables; ``PATH`` is looked at first.
    """
    logs, work = scratch / "logs", scratch / "work"
    logs.mkdir()
    path = (
        krmfn or programs(scratch),
        environ.pop("PATH", ""),
        Path(sys.executable).parent,
        os.environ["PATH"],
    )
    with development(scratch) as bao:
        needs = {word for block in blocks for word in block.words}
        if "estate" in needs:
            shutil.copytree(ESTATE, work)
            seed(bao)
        elif "examples" in needs:
            shutil.copytree(ROOT / "examples", work / "examples")
            examples.seed(bao)
        work.mkdir(exist_ok=True)
        if "files" in needs:
            write_files(blocks[0].page, work)
        if needs & {"estate", "examples", "files"}:
            (work / ".git").mkdir()
        done = subprocess.run(
            ["bash", "-euo", "pipefail"],
            input="".join(f"exec >{logs}/{b.line} 2>&1\n{_text(b)}\n" for b in blocks),
            text=True,
            check=False,
            cwd=work,
            env={
                "PATH": os.pathsep.join(str(each) for each in path if each),
                "HOME": str(scratch),
                "PYTHONPATH": str(ROOT),
                **bao.environ,
                **environ,
            },
        )
    printed = {b.line: logs / str(b.line) for b in blocks}
    last = [line for line, log in printed.items() if log.exists()][-1]
    assert done.returncode == 0, f"{blocks[0].page}:{last}: {printed[last].read_text()}"
    for block in blocks:
        output = printed[block.line].read_text()
        for piece in (piece for line in block.prints for piece in line.split("…")):
            assert piece.strip() in output, f"{block.page}:{block.line} printed {output}"


def write_files(page: str, directory: Path) -> None:
    """Write the files that a page shows."""
    for name, text in read(ROOT / page).files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def _text(block: Block) -> str:
    """Its commands; what has to be deployed before is deployed, and waited for."""
    first = DEPLOY if "deployed" in block.words else ""
    return first + block.text


def programs(scratch: Path) -> Path:
    """A directory with this checkout's krmfn."""
    directory = scratch / "bin"
    directory.mkdir()
    program = directory / "krmfn"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m krmfn "$@"\n')
    program.chmod(0o755)
    return directory
