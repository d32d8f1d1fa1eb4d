"""Put krmfn where kustomize looks for legacy exec plugins.

They are the only way without a container under `kubectl kustomize`, and need --enable-alpha-plugins
alone. A config without a function annotation is run by the plugin of its apiVersion and kind.

  krmfn install legacy-plugin
  kubectl kustomize --enable-alpha-plugins overlays/prod
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.errors import OutputError
from krmfn.spec.base import API_VERSION
from krmfn.spec.parse import KINDS

if TYPE_CHECKING:
    import argparse


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("what", choices=["legacy-plugin"])
    parser.add_argument(
        "--home",
        metavar="DIR",
        help="plugin home; default KUSTOMIZE_PLUGIN_HOME, else "
        "XDG_CONFIG_HOME/kustomize/plugin, else ~/.config/kustomize/plugin",
    )


def run(options: argparse.Namespace) -> int:
    """Link every kind's plugin to this krmfn."""
    home = Path(options.home) if options.home else plugin_home()
    program = _program()
    for kind in KINDS:
        link = home / API_VERSION / kind.lower() / kind
        _link(link, program)
        print(link)
    return 0


def plugin_home() -> Path:
    """Where kustomize looks first."""
    if home := os.environ.get("KUSTOMIZE_PLUGIN_HOME"):
        return Path(home)
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "kustomize" / "plugin"


def _program() -> Path:
    """The installed `krmfn` that is running, else the one on PATH or beside this Python."""
    started = Path(sys.argv[0])
    if started.name == "krmfn" and started.is_file():
        return started.resolve()
    beside = Path(sys.executable).parent / "krmfn"
    if found := shutil.which("krmfn") or (str(beside) if beside.is_file() else None):
        return Path(found).resolve()
    raise OutputError(
        "output", "there is no installed krmfn to link to", remedy="pip install krmfn"
    )


def _link(link: Path, program: Path) -> None:
    """Make or replace a symbolic link atomically; a file that is no link is not touched."""
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.exists() and not link.is_symlink():
            raise OutputError("output", f"{link} is there and is no link", remedy="remove it")
        new = link.with_name(f".{link.name}.{os.getpid()}")
        new.symlink_to(program)
        new.replace(link)
    except OSError as error:
        raise OutputError("output", f"{link}: {(error.strerror or 'failed').lower()}") from None
