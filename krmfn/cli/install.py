"""Install krmfn as kustomize's legacy exec plugin, or beside Argo CD's repo-server.

  krmfn install legacy-plugin
  kubectl kustomize --enable-alpha-plugins overlays/prod
  krmfn install argocd --output argocd/krmfn      # without --output: print it

`kubectl kustomize` runs krmfn without a container only as a legacy plugin, which needs just
--enable-alpha-plugins. kustomize finds the plugin of a config without a function annotation by its
apiVersion and kind. For Argo CD krmfn writes a kustomize component: list it under components: of the
kustomization that installs Argo CD. krmfn does not overwrite a file that you changed.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import krmfn
from krmfn.cli.console import give, say
from krmfn.errors import OutputError
from krmfn.files.write import File, write_files
from krmfn.names import API_VERSION
from krmfn.spec.parse import KINDS

if TYPE_CHECKING:
    import argparse


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("what", choices=["legacy-plugin", "argocd"], help="what to install")
    parser.add_argument(
        "--home",
        metavar="DIR",
        help="plugin home; default: KUSTOMIZE_PLUGIN_HOME, else "
        "XDG_CONFIG_HOME/kustomize/plugin, else ~/.config/kustomize/plugin",
    )
    parser.add_argument("--output", metavar="DIR", help="directory for the files for Argo CD")


def run(options: argparse.Namespace) -> int:
    """Link every kind's plugin to this krmfn, or write Argo CD's manifests."""
    if options.what == "argocd":
        return _argocd(Path(options.output) if options.output else None)
    home = Path(options.home) if options.home else plugin_home()
    program = _program()
    for kind in KINDS:
        link = home / API_VERSION / kind.lower() / kind
        _link(link, program)
        say(str(link))
    return 0


def _argocd(output: Path | None) -> int:
    """Print the component's files, or write them; its configuration for Argo CD is in the image."""
    files = sorted((Path(krmfn.__file__).parent / "argocd/install").glob("*.yaml"))
    if output is None:
        for file in files:
            give(f"--- # {file.name}\n{file.read_text()}")
        return 0
    try:
        for file in files:
            target = output / file.name
            if target.exists() and target.read_bytes() != file.read_bytes():
                raise OutputError("output", f"{target} is there and differs", remedy="compare them")
    except OSError as error:
        raise OutputError("output", f"{output}: {(error.strerror or 'failed').lower()}") from None
    write_files([File(output / file.name, file.read_bytes(), parents=0o777) for file in files])
    for file in files:
        say(str(output / file.name))
    return 0


def plugin_home() -> Path:
    """Where kustomize looks first."""
    if home := os.environ.get("KUSTOMIZE_PLUGIN_HOME"):
        return Path(home)
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "kustomize" / "plugin"


def _program() -> Path:
    """Return the running `krmfn`, else the one on PATH or beside this Python."""
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
    """Create or replace a symbolic link atomically; never touch a file that is not a link."""
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.exists() and not link.is_symlink():
            raise OutputError("output", f"{link} exists and is not a link", remedy="remove it")
        new = link.with_name(f".{link.name}.{os.getpid()}")
        new.symlink_to(program)
        new.replace(link)
    except OSError as error:
        raise OutputError("output", f"{link}: {(error.strerror or 'failed').lower()}") from None
