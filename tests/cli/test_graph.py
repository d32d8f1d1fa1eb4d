"""`krmfn graph`: who makes and who uses each Secret."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support import estate
from tests.support.command import krmfn
from tests.support.estate import ESTATE, KUBECTL

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

VALUE = "s3cr3t-value-0123456789"
STREAM = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: db, namespace: app}}
stringData: {{password: {VALUE}}}
data: {{token: {base64.b64encode(VALUE.encode()).decode()}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: app}}
spec:
  imagePullSecrets: [{{name: pull}}]
  containers:
  - name: web
    env:
    - name: PASSWORD
      valueFrom: {{secretKeyRef: {{name: db, key: password}}}}
    envFrom:
    - secretRef: {{name: extra, optional: true}}
"""
TREE = """\
app
├── db  plain Secret/db
│   └── Pod/web
│       └── spec.containers[0].env[0].valueFrom.secretKeyRef (password)
├── extra  nothing (optional)
│   └── Pod/web
│       └── spec.containers[0].envFrom[0].secretRef
└── pull  nothing
    └── Pod/web
        └── spec.imagePullSecrets[0]
"""
MERMAID = """\
flowchart LR
  n0[("app/db")]
  n1["app: plain Secret/db"]
  n1 --> n0
  n2["app: Pod/web"]
  n0 --> n2
  n3[("app/extra")]
  n4{{"app: nothing (optional)"}}
  n4 --> n3
  n3 --> n2
  n5[("app/pull")]
  n6{{"app: nothing"}}
  n6 --> n5
  n5 --> n2
"""
NODE = re.compile(
    r'  (n\d+)(?:\[\("(?:[^"#]|#\d+;)+"\)\]|\["(?:[^"#]|#\d+;)+"\]|\{\{"(?:[^"#]|#\d+;)+"\}\})'
)
EDGE = re.compile(r"  (n\d+) --> (n\d+)")


def graph(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """One call, with the kubectl of the wheel."""
    return krmfn("graph", *arguments, stdin=stdin, KRMFN_KUSTOMIZE=str(KUBECTL))


def parsed(text: str) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Nodes with their texts, and edges between nodes that are there already."""
    head, *lines = text.splitlines()
    assert head == "flowchart LR"
    nodes: dict[str, str] = {}
    edges = set()
    for line in lines:
        if edge := EDGE.fullmatch(line):
            assert {edge[1], edge[2]} <= set(nodes)
            edges.add((nodes[edge[1]], nodes[edge[2]]))
        else:
            node = NODE.fullmatch(line)
            assert node, line
            assert node[1] not in nodes
            nodes[node[1]] = line.split('"')[1]
    return nodes, edges


def test_tree() -> None:
    """Namespace, Secret and maker, users, fields and keys; the same in every pipe."""
    done = graph(stdin=STREAM)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.rstrip() for line in done.stdout.splitlines()] == TREE.splitlines()


def test_mermaid() -> None:
    """A flowchart from makers by way of Secrets to users."""
    done = graph("-", "--mermaid", stdin=STREAM)
    assert (done.returncode, done.stdout, done.stderr) == (0, MERMAID, "")


def test_json_is_the_audits() -> None:
    """--json is what the audit says, without findings."""
    done = graph("-", "--json", stdin=STREAM)
    audited = json.loads(krmfn("audit", "-", "--json", stdin=STREAM).stdout)
    del audited["findings"]
    assert json.loads(done.stdout) == audited


def test_the_estate() -> None:
    """A directory is built; every documented reference is an edge, and the chart is well formed."""
    done = graph(ESTATE / "overlays/prod", "--mermaid")
    assert (done.returncode, done.stderr) == (0, "")
    nodes, edges = parsed(done.stdout)
    assert len(set(nodes.values())) == len(nodes)
    for one in estate.documented("prod")["refs"]:
        assert (f"production/{one['secret']}", f"production: {one['from']}") in edges
    app = "production/logto-postgres-app"
    assert ("production: operator Cluster/logto-postgres", app) in edges


def test_names_cannot_break_out() -> None:
    """Control characters, quotes and Mermaid's own characters are no more than text."""
    name = 'x"]\n  n0 --> n0 %% <b>\x1b[31m#`;'
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"imagePullSecrets": [{"name": "pull"}], "containers": []},
    }
    chart = graph("-", "--mermaid", stdin=json.dumps(pod)).stdout
    nodes, _ = parsed(chart)
    assert len(nodes) == 3
    tree = graph("-", stdin=json.dumps(pod)).stdout
    assert "\x1b" not in chart + tree
    assert len(tree.splitlines()) == 4


@pytest.mark.parametrize("form", [[], ["--mermaid"], ["--json"]])
def test_no_value_is_printed(form: list[str]) -> None:
    """Values stay out of every form."""
    done = graph("-", *form, stdin=STREAM)
    assert "db" in done.stdout
    for text in (VALUE, base64.b64encode(VALUE.encode()).decode()):
        assert text not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("stdin", "says"),
    [("", "there is no resource"), ("a: [", "[yaml]")],
)
def test_failures(stdin: str, says: str) -> None:
    """One line, exit code 2, and no graph."""
    done = graph("-", stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
