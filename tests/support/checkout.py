"""Installing from this checkout, as a page says it, into a virtual environment of its own.

No registry is asked: what krmfn needs is there already, and so is what builds its wheel.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

from tests.support.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "krmfn")


def run(text: str, scratch: Path) -> subprocess.CompletedProcess[str]:
    """The commands, in a copy of what the wheel is made of; then what was installed, elsewhere.

    Args:
        scratch: an empty directory; ``elsewhere`` in it has what `krmfn install argocd` writes.
    """
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (scratch / "sources").mkdir(exist_ok=True)
        copy(ROOT / name, scratch / "sources" / name)
    subprocess.run([sys.executable, "-m", "venv", scratch / "venv"], check=True)
    (there,) = (scratch / "venv/lib").glob("python3*/site-packages")
    (there / "installed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (scratch / "elsewhere").mkdir()
    more = "krmfn install argocd --output argocd\npython -c 'import krmfn; print(krmfn.__file__)'"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{text}\ncd ../elsewhere\n{more}"],
        text=True,
        capture_output=True,
        check=False,
        cwd=scratch / "sources",
        env={
            "PATH": f"{scratch / 'venv/bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(scratch),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say yes
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
    )
