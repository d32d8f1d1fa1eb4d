"""Show the producer and the users of each Secret of a build.

  krmfn graph overlays/prod
  kustomize build overlays/prod | krmfn graph - --mermaid
  krmfn graph overlays/prod --json

It builds without a credential, as `krmfn audit` does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from krmfn.audit.enforce import audit_stream
from krmfn.audit.inventory import inventory
from krmfn.cli.console import console, say_json, say_lines
from krmfn.cli.frame import command
from krmfn.cli.inputs import add_source, read_source
from krmfn.text import printable

if TYPE_CHECKING:
    import argparse

_CLUSTER = "(no namespace)"
_UNSAFE = re.compile(r"[^-\w ./:,()*]")  # Mermaid reads more than names in a text
_SECRET, _BOX, _NOBODY = '[("{}")]', '["{}"]', '{{{{"{}"}}}}'  # Mermaid's shapes


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_source(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--mermaid", action="store_true", help="print a Mermaid flowchart")
    form.add_argument("--json", action="store_true", help="print the JSON of `krmfn audit --json`")


def run(options: argparse.Namespace) -> int:
    """Print the graph."""
    with command(options, "graph") as run:
        source = read_source(options, run)
    found = audit_stream(source.items, source.specs, place=source.place, refers=source.refers)
    value = inventory(found, [])
    if options.json:
        say_json({k: value[k] for k in value if k != "findings"})
    elif options.mermaid:
        say_lines(f"{mermaid(value)}\n")
    else:
        _tree(value)
    return 0


def edges(value: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Namespace to Secret to its makers and users, all in order.

    Returns:
        For each Secret ``makers``: words for each, and ``users``: ``Kind/name`` to fields and keys.
    """
    graph: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)

    def secret(namespace: str | None, name: str) -> dict[str, Any]:
        return graph[namespace or _CLUSTER].setdefault(
            name, {"makers": [], "users": defaultdict(list)}
        )

    used = {(one["namespace"], one["secret"]) for one in value["references"]}
    for how in ("sealed", "operator", "plain", "assumed"):
        for one in value[how]:
            if how == "operator" and (one["namespace"], one["name"]) not in used:
                continue  # operators make many that nobody names
            words = how if how == "assumed" else f"{how} {one['by']}"
            secret(one["namespace"], one["name"])["makers"].append(words)
    for one in value["references"]:
        field = one["at"] + (f" ({', '.join(one['keys'])})" if one.get("keys") else "")
        secret(one["namespace"], one["secret"])["users"][one["from"]].append(field)
        if one["by"] in ("unmet", "absent", "external"):
            makers = graph[one["namespace"] or _CLUSTER][one["secret"]]["makers"]
            word = {"unmet": "nothing", "absent": "nothing (optional)", "external": "elsewhere"}
            if word[one["by"]] not in makers:
                makers.append(word[one["by"]])
    return {ns: dict(sorted(graph[ns].items())) for ns in sorted(graph)}


def mermaid(value: dict[str, Any]) -> str:
    """A flowchart from makers by way of Secrets to users."""
    lines = ["flowchart LR"]
    ids: dict[tuple[str, str], str] = {}

    def node(kind: str, text: str, shape: str) -> str:
        if (kind, text) not in ids:
            ids[kind, text] = f"n{len(ids)}"
            safe = _UNSAFE.sub(lambda match: f"#{ord(match[0])};", printable(text))
            lines.append(f"  {ids[kind, text]}{shape.format(safe)}")
        return ids[kind, text]

    for namespace, secrets in edges(value).items():
        for name, one in secrets.items():
            target = node("secret", f"{namespace}/{name}", _SECRET)
            for maker in one["makers"]:
                shape = _NOBODY if maker.startswith("nothing") else _BOX
                lines.append(f"  {node('maker', f'{namespace}: {maker}', shape)} --> {target}")
            users = [node("user", f"{namespace}: {user}", _BOX) for user in one["users"]]
            lines.extend(f"  {target} --> {user}" for user in users)
    return "\n".join(lines)


def _tree(value: dict[str, Any]) -> None:
    from rich.text import Text
    from rich.tree import Tree

    screen = console()
    for namespace, secrets in edges(value).items():
        root = Tree(Text(printable(namespace), style="bold"))
        for name, one in secrets.items():
            makers = ", ".join(one["makers"]) or "nothing"
            style = "red" if "nothing" in one["makers"] else "green"
            branch = root.add(Text.assemble(printable(name), "  ", (printable(makers), style)))
            for user, fields in one["users"].items():
                leaf = branch.add(Text(printable(user)))
                for field in fields:
                    leaf.add(Text(printable(field), style="dim"))
        screen.print(root)
