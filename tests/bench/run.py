"""krmfn against `vals eval | kubeseal`: whole processes, one vault, one machine, interleaved.

    make bench                         # everything, some minutes
    make bench ARGS='--rounds 3 1'     # the case of one secret, three rounds
    make bench ARGS=whole              # the whole way alone (tests.bench.whole)

Rules: the contestants take turns within a round, and a ratio compares runs of one round, so that
a machine that slows down slows all of them; outputs are opened with the controller's key and must
hold the vault's values before a time counts; a table says minimum and median, and how far the ratios
of the rounds spread.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.bench.delay import delayed
from tests.e2e.tools import tool
from tests.support.openbao import development

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATE = ROOT / "examples/logto/overlays/prod/certs/production.pem"  # RSA-4096
PRIVATE_KEY = ROOT / "examples/logto/demo-controller.key"
KRMFN = Path(sys.executable).parent / "krmfn"
NAMESPACE = "production"
OPENED = 100  # of the secrets of a run at most; opening is slower than sealing
PEER = "vals, kubeseal"


@dataclass(frozen=True)
class Case:
    """How many secrets, how far away, and what is to be reached.

    Attributes:
        delay: added round trip in seconds.
        target: of krmfn's time to the peer's.
    """

    name: str
    secrets: int
    delay: float
    target: float
    rounds: int


CASES = (
    Case("1", 1, 0.0, 3.0, 40),
    Case("100", 100, 0.0, 0.8, 20),
    Case("1000", 1000, 0.0, 0.5, 7),
    Case("100@20ms", 100, 0.020, 0.1, 5),
)


@dataclass
class Contestant:
    """A command line, and the seconds of its runs."""

    name: str
    command: str
    stdin: Path | None = None
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self, environ: dict[str, str], output: Path) -> None:
        """Run once; keep what was printed."""
        with ExitStack() as files:
            out = files.enter_context(output.open("wb"))
            given = files.enter_context(self.stdin.open("rb")) if self.stdin else None
            before = os.times()
            start = time.perf_counter()
            done = subprocess.run(
                ["/bin/sh", "-c", self.command],
                stdin=given or subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                env=environ,
                check=False,
            )
            self.seconds.append(time.perf_counter() - start)
            after = os.times()
        self.cpu.append(
            after.children_user + after.children_system
            - before.children_user - before.children_system
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{self.name}: {done.stderr.decode()[-2000:]}")


def values(number: int) -> dict[str, str]:
    """What the vault holds for a secret."""
    return {"a": f"user-{number}", "b": f"{number:04d}-".encode().hex() * 4}


def seed(bao: OpenBao, count: int) -> None:
    """Write the derivation key and the secrets, each under its own path."""
    bao.write("secret", "krmfn/derivation", {"key": "6b1f0a7c94d2e8350f1b6d2c7a8e9f40" * 2})
    for number in range(count):
        bao.write("secret", f"bench/{number}", values(number))


def generator(count: int) -> dict[str, object]:
    """krmfn's config."""
    return {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SealedSecretGenerator",
        "metadata": {
            "name": "bench",
            "namespace": NAMESPACE,
            "annotations": {"config.kubernetes.io/function": "exec: {path: krmfn}"},
        },
        "spec": {
            "sealing": {
                "certificate": {"file": "controller.pem"},
                "derivationKey": {"store": "main", "key": "krmfn/derivation", "property": "key"},
            },
            "stores": {"main": {"vault": {"path": "secret", "id": "bench"}}},
            "secrets": [
                {
                    "name": f"bench-{number}",
                    "store": "main",
                    "data": [
                        {"secretKey": key, "remoteRef": {"key": f"bench/{number}", "property": key}}
                        for key in ("a", "b")
                    ],
                }
                for number in range(count)
            ],
        },
    }


def templates(count: int) -> str:
    """The peer's input: Secrets with references in place of values."""
    return yaml.safe_dump_all(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"bench-{number}", "namespace": NAMESPACE},
            "stringData": {k: f"ref+vault://secret/bench/{number}#/{k}" for k in ("a", "b")},
        }
        for number in range(count)
    )


def contestants(work: Path, count: int) -> list[Contestant]:
    """The input files of a case, and who reads them; the peer comes first."""
    (work / "controller.pem").write_bytes(CERTIFICATE.read_bytes())
    config = generator(count)
    (work / "secrets.yaml").write_text(yaml.safe_dump(config))
    (work / "kustomization.yaml").write_text("generators: [secrets.yaml]\n")
    call = {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": []}
    (work / "call.yaml").write_text(yaml.safe_dump({**call, "functionConfig": config}))
    (work / "templates.yaml").write_text(templates(count))
    vals, kubeseal = tool("vals", "0.46.1"), tool("kubeseal", "0.40.0")
    kustomize = tool("kustomize", "5.8.2")
    peer = f"{vals} eval -s -f templates.yaml | {kubeseal} --cert controller.pem -o yaml"
    build = f"exec {kustomize} build --enable-alpha-plugins --enable-exec ."
    return [
        Contestant(PEER, f"cd {work} && {peer}"),
        Contestant("krmfn", f"cd {work} && exec {KRMFN}", work / "call.yaml"),
        Contestant("kustomize build", f"cd {work} && {build}"),
    ]


def check(output: Path, count: int) -> None:
    """The output holds every secret, and the first of them open to the vault's values."""
    documents = list(yaml.load_all(output.read_bytes(), Loader=yaml.CSafeLoader))
    if documents[0]["kind"] == "ResourceList":
        documents = documents[0]["items"]
    sealed = [d for d in documents if d["kind"] == "SealedSecret"]
    sealed.sort(key=lambda d: int(d["metadata"]["name"].removeprefix("bench-")))
    if len(sealed) != count or any(len(d["spec"]["encryptedData"]) != 2 for d in sealed):
        raise SystemExit(
            f"{output.name}: {len(sealed)} SealedSecrets of {count}, or not two keys each"
        )
    opened = subprocess.run(
        [KRMFN, "unseal", "--key", PRIVATE_KEY],
        input=yaml.safe_dump_all(sealed[:OPENED]),
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    for number, secret in enumerate(yaml.safe_load_all(opened)):
        data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        if data != values(number):
            raise SystemExit(f"{output.name}: bench-{number} holds something else")


def measure(case: Case, bao: OpenBao, rounds: int) -> list[Contestant]:
    """All rounds of a case, after one that is checked and does not count."""
    with tempfile.TemporaryDirectory(prefix="krmfn-bench-") as name, ExitStack() as stack:
        work = Path(name)
        port = int(bao.address.rpartition(":")[2])
        if case.delay:
            port = stack.enter_context(delayed(port, case.delay))
        environ = {
            "PATH": f"{KRMFN.parent}{os.pathsep}/usr/bin:/bin",
            "HOME": name,
            "VAULT_ADDR": f"http://127.0.0.1:{port}",
            "VAULT_TOKEN": bao.token,
            "KRMFN_DEADLINE": "120",
        }
        runners = contestants(work, case.secrets)
        for runner in runners:
            runner.run(environ, work / "output")
            check(work / "output", case.secrets)
            runner.seconds.clear()
            runner.cpu.clear()
        for turn in range(rounds):
            for place in range(len(runners)):  # whoever was first is last in the next round
                runners[(place + turn) % len(runners)].run(environ, work / "output")
        return runners


def rows(case: Case, runners: Sequence[Contestant]) -> list[str]:
    """The lines of the table for a case."""
    peer, *ours = runners
    lines = []
    for runner in runners:
        low, middle = min(runner.seconds), statistics.median(runner.seconds)
        cells = [case.name, runner.name, f"{low:.3f}", f"{middle:.3f}"]
        cells.append(f"{statistics.median(runner.cpu):.2f}")
        if runner in ours:
            pairs = sorted(
                mine / its for mine, its in zip(runner.seconds, peer.seconds, strict=True)
            )
            ratio, target = statistics.median(pairs), f"≤ {case.target}"
            quarter = len(pairs) // 4
            cells += [f"{ratio:.2f}", f"{pairs[quarter]:.2f}-{pairs[-1 - quarter]:.2f}", target]
        else:
            cells += ["1", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main(arguments: list[str]) -> int:
    """Measure the cases that were asked for and print one table; without arguments the whole way, too."""
    if arguments[:1] == ["whole"]:
        from tests.bench import whole

        return whole.main(arguments[1:])
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=…", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(names))
    parser.add_argument("--rounds", type=int, help="in place of each case's own number")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every time")
    options = parser.parse_args(arguments)
    chosen = [case for case in CASES if not options.cases or case.name in options.cases]
    load = ", ".join(f"{one:.2f}" for one in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load before: {load}\n")
    print("| secrets | | min s | median s | CPU s | ratio | quartiles | target |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    kept = {}
    with tempfile.TemporaryDirectory(prefix="krmfn-bench-") as home, development(Path(home)) as bao:
        seed(bao, max(case.secrets for case in chosen))
        for case in chosen:
            runners = measure(case, bao, options.rounds or case.rounds)
            print("\n".join(rows(case, runners)), flush=True)
            kept[case.name] = {runner.name: runner.seconds for runner in runners}
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1) + "\n")
    if arguments:
        return 0
    print()
    return main(["whole"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
