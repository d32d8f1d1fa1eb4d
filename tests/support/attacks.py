"""What an author could bring into a repository who wants a program of his to run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support import repository as repo

if TYPE_CHECKING:
    from pathlib import Path


def _foreign(path: str) -> dict[str, Any]:
    return {
        "apiVersion": "evil.example/v1",
        "kind": "Evil",
        "metadata": {
            "name": "evil",
            "annotations": {"config.kubernetes.io/function": f"exec: {{path: {path}}}"},
        },
    }


def _hidden(directory: Path, script: Path, **kustomization: Any) -> None:
    """A directory of configs whose annotation only a build shows."""
    value = _foreign(str(script))
    del value["metadata"]["annotations"]
    repo.write(directory / "evil.yaml", value)
    repo.write(directory / "kustomization.yaml", {"resources": ["evil.yaml"], **kustomization})


def attack(name: str, overlay: Path, script: Path) -> dict[str, str]:
    """Put one attack into the repository; returns what the environment says beside."""
    annotations = {"config.kubernetes.io/function": f"exec: {{path: {script}}}"}
    hidden = overlay / "hidden"
    environ: dict[str, str] = {}
    entries: list[str] = ["hidden"]
    if name == "plain sight":
        repo.write(overlay / "evil.yaml", _foreign(str(script)))
        entries = ["evil.yaml"]
    elif name == "inline":
        entries = [json.dumps(_foreign(str(script))) + "\n"]
    elif name == "patch":
        patch = {"apiVersion": "evil.example/v1", "kind": "Evil", "metadata": {"name": "evil"}}
        patch["metadata"] |= {"annotations": annotations}  # type: ignore[operator]
        _hidden(hidden, script, patches=[{"patch": json.dumps(patch)}])
    elif name == "commonAnnotations":
        _hidden(hidden, script, commonAnnotations=annotations)
    elif name == "replacement":
        target = {
            "select": {"kind": "Evil"},
            "fieldPaths": ["metadata.annotations.[config.kubernetes.io/function]"],
            "options": {"create": True},
        }
        source = {"kind": "Evil", "fieldPath": "spec.run"}
        _hidden(hidden, script, replacements=[{"source": source, "targets": [target]}])
        value = _foreign("") | {"spec": {"run": f"exec: {{path: {script}}}"}}
        value["metadata"]["annotations"] = {"a": "b"}
        repo.write(hidden / "evil.yaml", value)
    elif name == "escaped":
        repo.write(overlay / "evil.yaml", _foreign(str(script)))
        text = (overlay / "evil.yaml").read_text().replace("io/function", "io/\\u0066unction")
        (overlay / "evil.yaml").write_text(text)
        entries = ["evil.yaml"]
    elif name.startswith("plugin"):
        value = _foreign(str(script))
        del value["metadata"]["annotations"]
        repo.write(overlay / "evil.yaml", value)
        entries = ["evil.yaml"]
        homes = {
            "plugin home": ("KUSTOMIZE_PLUGIN_HOME", "plugins", ""),
            "plugin in HOME": ("HOME", "home", ".config/kustomize/plugin"),
            "plugin in HOME/kustomize": ("HOME", "home", "kustomize/plugin"),
            "plugin in XDG": ("XDG_CONFIG_HOME", "xdg", "kustomize/plugin"),
        }
        variable, folder, inside = homes[name]
        environ = {variable: str(overlay / folder)}
        plugin = overlay / folder / inside / "evil.example/v1/evil/Evil"
        plugin.parent.mkdir(parents=True)
        plugin.write_text(script.read_text())
        plugin.chmod(0o755)
    repo.change(overlay, generators=entries)
    return environ


ATTACKS = [
    "plain sight",
    "inline",
    "patch",
    "commonAnnotations",
    "replacement",
    "escaped",
    "plugin home",
    "plugin in HOME",
    "plugin in HOME/kustomize",
    "plugin in XDG",
]

# The command with its refusals of foreign functions taken out.
WITHOUT_CHECKS = """
from krmfn import __main__
from krmfn.kustomize import functions
judged = functions._function
def unjudged(document, fields, name):
    if fields.get("apiVersion") == "krmfn.dev/v1alpha1":
        return judged(document, fields, name)
    return functions.Function(document.value(), (), "")
functions._function = unjudged
__main__.main()
"""
