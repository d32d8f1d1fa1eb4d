"""Give a copied overlay the transformer that `.krmfn.yaml` implies.

Rules enforced here: only a tree with claims, and without a generator or transformer of krmfn's, gets
one; it is empty, runs last, and leaves no skip marker, which no kustomization would delete.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from krmfn.build.copy import CopiedConfig
from krmfn.documents import strict
from krmfn.kustomize.judge import dump
from krmfn.names import API_VERSION, CLAIM, GENERATOR, TRANSFORMER
from krmfn.objects.kinds import each

if TYPE_CHECKING:
    from krmfn.build.copy import Copy
    from krmfn.kustomize.reach import Tree


def add_transformer(copied: Copy) -> None:
    """Add an empty transformer to the outermost kustomization of a copy, if its tree needs one."""
    kinds = {one.value["kind"] for one in copied.configs}
    if kinds & {GENERATOR, TRANSFORMER} or not _has_claims(copied.tree):
        return
    directory = copied.directories[copied.place]
    reached, number = copied.tree.kustomizations[directory], len(copied.configs) + 1
    value = {"apiVersion": API_VERSION, "kind": TRANSFORMER, "metadata": {"name": "krmfn"}}
    where = copied.tree.short(reached.file)
    copied.configs.append(
        CopiedConfig(value, directory, "transformers", where, number, implied=True)
    )
    name = f"krmfn-{secrets.token_hex(8)}.yaml"  # a file: kustomize runs inline entries first
    (copied.place / name).write_text(dump({**value, "spec": {"call": number}}))
    file = copied.root / reached.file.relative_to(copied.tree.root)
    own = json.loads(file.read_text())
    listed = [*(own.get("transformers") or []), name]
    file.write_text(dump({**own, "transformers": listed}) + "\n")


def _has_claims(tree: Tree) -> bool:
    """Whether a file under ``resources:`` has a claim, also inside a list."""
    for reached in tree.kustomizations.values():
        for name in reached.value.get("resources") or []:
            content = tree.content(reached.directory, name) or b""
            if CLAIM.encode() in content:
                found = strict.documents(content, tree.short(reached.file))
                values = (one for document in found for _, one in each(document.value()))
                if any(
                    (v.get("apiVersion"), v.get("kind")) == (API_VERSION, CLAIM) for v in values
                ):
                    return True
    return False
