"""The audit of a large stream, against a bare pass over its YAML events.

    python -m tests.bench.audit [--rounds N]

Rules: 10 000 resources as a build prints them, a third of which can refer to a Secret or make one; both
read the same bytes in processes of their own and take turns; the audit has to find exactly the
references that are there before its time counts. To be reached: at most 10 times the seconds of the
bare pass, in the median of the rounds. The exit code is 1 when it is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench.resourcelist import BARE, ROOT, measure

RESOURCES = 10_000
MOST_TIME = 10.0


def secret(name: str) -> str:
    """Of a name that ends with which copy it is, the part that copies share."""
    return name.partition("-")[0]


def deployment(name: str) -> str:
    variables = "".join(
        f"        - name: SETTING_{i}\n          value: value of setting {i}\n" for i in range(12)
    )
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    app.kubernetes.io/name: app-{name}
  name: app-{name}
  namespace: production
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: app-{name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-{name}
    spec:
      containers:
      - env:
        - name: PASSWORD
          valueFrom:
            secretKeyRef:
              key: password
              name: app-{secret(name)}
{variables}        envFrom:
        - secretRef:
            name: app-{secret(name)}
        image: registry.example.org/app:1.{name}
        name: app
        ports:
        - containerPort: 8080
        resources:
          limits:
            memory: 256Mi
          requests:
            cpu: 100m
"""


def service(name: str) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata:
  labels:
    app.kubernetes.io/name: app-{name}
  name: app-{name}
  namespace: production
spec:
  ports:
  - name: http
    port: 80
    targetPort: 8080
  selector:
    app.kubernetes.io/name: app-{name}
"""


def config_map(name: str) -> str:
    lines = "".join(f"    setting.{i} = value {i} of {name}\n" for i in range(30))
    values = "".join(f"  SETTING_{i}: value {i}\n" for i in range(10))
    return f"""\
apiVersion: v1
data:
  app.conf: |
{lines}{values}kind: ConfigMap
metadata:
  name: app-{name}
  namespace: production
"""


def ingress(name: str) -> str:
    return f"""\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  annotations:
    cert-manager.io/cluster-issuer: public
  name: app-{name}
  namespace: production
spec:
  rules:
  - host: app-{name}.example.org
    http:
      paths:
      - backend:
          service:
            name: app-{name}
            port:
              name: http
        path: /
        pathType: Prefix
  tls:
  - hosts:
    - app-{name}.example.org
    secretName: app-{name}-tls
"""


def cluster(name: str) -> str:
    return f"""\
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata:
  name: db-{name}
  namespace: production
spec:
  backup:
    barmanObjectStore:
      destinationPath: s3://backup/db-{name}
      s3Credentials:
        accessKeyId:
          key: password
          name: app-{secret(name)}
        secretAccessKey:
          key: password
          name: app-{secret(name)}
  bootstrap:
    initdb:
      database: app
      owner: app
  instances: 3
  storage:
    size: 10Gi
"""


def sealed_secret(name: str) -> str:
    return f"""\
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  name: app-{name}
  namespace: production
spec:
  encryptedData:
    password: {"AgB" + "x" * 900}
  template:
    metadata:
      name: app-{name}
    type: Opaque
"""


def unknown(name: str) -> str:
    rules = "".join(
        f"  - match: path == '/{i}'\n    weight: {i}\n    target: {{name: app, port: 80}}\n"
        for i in range(10)
    )
    return f"""\
apiVersion: example.org/v1
kind: Route
metadata:
  name: app-{name}
  namespace: production
spec:
  login:
    key: password
    name: app-{secret(name)}
  rules:
{rules}"""


# How many of ten, and how many references each has.
MIX = ((deployment, 2, 2), (service, 2, 0), (config_map, 2, 0), (ingress, 1, 1), (cluster, 1, 2))
MIX += ((sealed_secret, 1, 0), (unknown, 1, 1))


def stream() -> tuple[str, int]:
    """The documents, and how many references they hold."""
    made = [
        (form(f"{group}-{copy}" if copy else f"{group}"), references)
        for group in range(RESOURCES // 10)
        for form, times, references in MIX
        for copy in range(times)
    ]
    return "---\n".join(text for text, _ in made), sum(references for _, references in made)


def main(arguments: list[str]) -> int:
    """Print a table; 1 when the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(arguments).rounds
    os.environ["PYTHONPATH"] = str(ROOT)
    text, references = stream()
    bare, ours = [], []
    with tempfile.TemporaryDirectory() as scratch:
        file, output = Path(scratch) / "stream.yaml", Path(scratch) / "output"
        file.write_text(text)
        audit = [sys.executable, "-P", "-m", "krmfn", "audit", "--json", "-"]
        for _ in range(rounds):
            bare.append(measure([sys.executable, "-c", BARE], file, output))
            ours.append(measure(audit, file, output))
            counts = json.loads(output.read_text())["counts"]
            if counts["refs"] != references or "unmet" in counts:
                raise SystemExit(f"of {references} references it found {counts}")
    slower = statistics.median(o[0] / b[0] for o, b in zip(ours, bare, strict=True))
    print(
        f"{RESOURCES} resources, {references} references, {len(text) / 1e6:.1f} MB, {rounds} rounds"
    )
    print("| | seconds, median | peak MB | ratio | at most |\n|---|---|---|---|---|")
    for name, runs in (("bare event pass", bare), ("krmfn audit --json", ours)):
        seconds = statistics.median(run[0] for run in runs)
        peak = max(run[1] for run in runs) / 1e6
        ratio = f"{slower:.2f}x the time" if runs is ours else ""
        print(f"| {name} | {seconds:.2f} | {peak:.0f} | {ratio} | {MOST_TIME if ratio else ''} |")
    return int(slower > MOST_TIME)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
