"""krmfn as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What counts the branches of processes of their own.
MEASURED = {k: v for k, v in os.environ.items() if k.startswith("COVERAGE_")}


def krmfn(
    *arguments: str | Path, stdin: str | None = None, cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """One call of the command line, without this machine's settings."""
    return subprocess.run(
        [sys.executable, "-m", "krmfn", *arguments],
        input=stdin,
        cwd=cwd,
        text=True,
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **MEASURED, **environ},
    )
