"""A large ResourceList through krmfn as a transformer, against a bare pass over its YAML events.

    python -m tests.bench.resourcelist [--rounds N]

Rules: 5 000 resources, 20 MB, nothing to seal; both read the same bytes in processes of their own and
take turns; krmfn has to give every item back to the byte before its time counts. To be reached: at
most 5 times the seconds of the bare pass, in the median of the rounds, and a peak of at most 20 times
the list's bytes. The exit code is 1 when either is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESOURCES, BYTES = 5_000, 20_000_000
MOST_TIME, MOST_MEMORY = 5.0, 20.0
ROOT = Path(__file__).resolve().parents[2]
BARE = (
    "import gc, sys, yaml\n"
    "gc.disable()\n"
    "for event in yaml.parse(sys.stdin.buffer.read(), Loader=yaml.CBaseLoader): pass\n"
)
HEAD = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n"
CONFIG = """\
functionConfig:
  apiVersion: krmfn.dev/v1alpha1
  kind: SealedSecretTransformer
  metadata: {name: app}
"""


def resource(number: int) -> str:
    """About 4 kB, as kustomize writes them: in turn a workload of many small nodes, and text."""
    head = (
        f"  metadata:\n    annotations:\n      internal.config.kubernetes.io/previousNames: r{number}\n"
        f"    name: p-r{number}\n    namespace: production\n"
    )
    if number % 2:
        line = "      - alert: {expr: 'rate(x[5m]) > 1e3'}  # é, in a literal block\n"
        return f"- apiVersion: v1\n  kind: ConfigMap\n{head}  data:\n    rules.yaml: |\n{line * 59}"
    variables = "".join(
        f"          - name: VARIABLE_{i}\n            value: 'value of {i}'\n" for i in range(65)
    )
    return (
        f"- apiVersion: apps/v1\n  kind: Deployment\n{head}  spec:\n    template:\n      spec:\n"
        f"        containers:\n        - name: app\n          env:\n{variables}"
    )


def measure(command: list[str], stdin: Path, stdout: Path) -> tuple[float, int]:
    """Seconds, and bytes of memory at the peak."""
    with stdin.open("rb") as given, stdout.open("wb") as taken:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=given, stdout=taken, cwd=stdout.parent)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[1:]} failed")
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(arguments: list[str]) -> int:
    """Print a table; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(arguments).rounds
    os.environ["PYTHONPATH"] = str(ROOT)
    body = "".join(map(resource, range(RESOURCES)))
    text = f"{HEAD}{body}{CONFIG}".encode()
    if len(text) < BYTES:
        raise SystemExit(f"the list has {len(text)} bytes only")
    bare, ours = [], []
    with tempfile.TemporaryDirectory() as scratch:
        file, output = Path(scratch) / "list.yaml", Path(scratch) / "output"
        file.write_bytes(text)
        for _ in range(rounds):
            bare.append(measure([sys.executable, "-c", BARE], file, output))
            ours.append(measure([sys.executable, "-P", "-m", "krmfn"], file, output))
            if not output.read_text().startswith(HEAD + body):
                raise SystemExit("an item has changed")
    slower = statistics.median(o[0] / b[0] for o, b in zip(ours, bare, strict=True))
    larger = max(memory for _, memory in ours) / len(text)
    print(f"{RESOURCES} resources, {len(text) / 1e6:.1f} MB, {rounds} rounds")
    print("| | seconds, median | peak MB | ratio | at most |\n|---|---|---|---|---|")
    for name, runs in (("bare event pass", bare), ("krmfn, transformer", ours)):
        seconds = statistics.median(run[0] for run in runs)
        peak = max(run[1] for run in runs) / 1e6
        ratio = f"{slower:.2f}x the time" if runs is ours else ""
        print(f"| {name} | {seconds:.2f} | {peak:.0f} | {ratio} | {MOST_TIME if ratio else ''} |")
    print(f"| its memory to the list's bytes | | | {larger:.1f}x | {MOST_MEMORY} |")
    return int(slower > MOST_TIME or larger > MOST_MEMORY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
