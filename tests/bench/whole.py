"""The whole way from a vault to a finished stream, by each route, for 1, 100 and 1000 secrets.

    make bench ARGS=whole                             # everything, on a quiet machine
    make bench ARGS='whole --rounds 3 1 100'
    make bench ARGS='whole --against ../older 1'      # `krmfn build` of another checkout beside it

Rules: as of `tests.bench.run`; all contestants of a number of secrets take turns within a round, so that
each ratio is of two runs of one round; every one builds the same Deployment and the same secrets, from
one vault; a stream is opened with the controller's key and compared with the vault before its time
counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.bench.run import (
    CERTIFICATE,
    KRMFN,
    NAMESPACE,
    ROOT,
    Contestant,
    check,
    generator,
    seed,
    templates,
)
from tests.e2e.tools import tool
from tests.support.openbao import development
from tests.support.platform import APPLICATION, RULE
from tests.support.platform import platform as policy
from tests.support.repository import MARKER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.openbao import OpenBao

VALS, KUBESEAL, KUSTOMIZE = "0.46.1", "0.40.0", "5.8.2"
PEER = "vals, kubeseal, kustomize"
FUNCTIONS = "--enable-alpha-plugins --enable-exec"
PIN = "2f974d31ced57d8af9f89f93e59e76b13a1bdd6424641840ebfd4508e642a55a"  # of CERTIFICATE
# Number of secrets -> rounds, and what `krmfn build` may take of the other checkout's time: with name
# companions, and without where that is measured.
CASES: dict[int, tuple[int, float, float | None]] = {
    1: (20, 0.65, None),
    100: (10, 0.6, None),
    1000: (5, 0.5, 0.35),
}


@dataclass(frozen=True)
class Kind:
    """One way of writing a tree.

    Attributes:
        claims: claims and a transformer; else a generator.
        governed: for a platform's policy.
        companions: name companions; else ``nameReferences: false``.
    """

    claims: bool
    governed: bool = False
    companions: bool = True

    @property
    def name(self) -> str:
        """For the table."""
        words = "claims, transformer" if self.claims else "generator"
        return words + ("" if self.companions else ", nameReferences: false")

    @property
    def folder(self) -> str:
        """The tree's directory."""
        shape = "claims" if self.claims else "generator"
        return f"{shape}{'-policy' * self.governed}{'' if self.companions else '-alone'}"


def write(work: Path, count: int, kind: Kind) -> Path:
    """A tree of one overlay; returns its directory."""
    overlay = work / kind.folder
    (overlay / ".git").mkdir(parents=True)
    (overlay / "controller.pem").write_bytes(CERTIFICATE.read_bytes())
    config = generator(count)
    metadata: Any = config["metadata"]
    del metadata["namespace"]
    spec: Any = config["spec"]
    if kind.governed:
        spec["sealing"]["derivationKey"] = {"platform": "shop"}
        spec["stores"] = {"main": {"platform": True}}
    secrets = spec["secrets"]
    kustomization: dict[str, Any] = {
        "namespace": NAMESPACE,
        "resources": ["deployment.yaml"],
        "validators": ["validator.yaml"],
    }
    if not kind.companions:
        spec["nameReferences"] = False
    if kind.claims:
        del spec["secrets"]
        config["kind"] = "SealedSecretTransformer"
        dump(overlay / "claims.yaml", *map(claim, secrets))
        marker = {"apiVersion": "builtin", "kind": "PatchTransformer", "metadata": {"name": "m"}}
        dump(overlay / "marker.yaml", marker | {"patch": MARKER})
        kustomization["resources"].append("claims.yaml")
        kustomization["transformers"] = ["krmfn.yaml", "marker.yaml"]
    else:
        kustomization |= {"generators": ["krmfn.yaml"], "patches": [{"patch": MARKER}]}
    dump(overlay / "krmfn.yaml", config)
    validator = {**config, "kind": "SealedSecretValidator"}
    validator.pop("spec")
    dump(overlay / "validator.yaml", validator)
    dump(overlay / "deployment.yaml", deployment())
    dump(overlay / "kustomization.yaml", kustomization)
    return overlay


def claim(secret: dict[str, Any]) -> dict[str, Any]:
    """A claim of what a generator's secret is."""
    spec = {name: value for name, value in secret.items() if name != "name"}
    metadata = {"name": secret["name"]}
    head = {"apiVersion": "krmfn.dev/v1alpha1", "kind": "SecretClaim", "metadata": metadata}
    return head | {"spec": spec}


def deployment() -> dict[str, Any]:
    """A workload that uses the first Secret."""
    container = {"name": "a", "image": "a", "envFrom": [{"secretRef": {"name": "bench-0"}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def dump(file: Path, *documents: Any) -> None:
    """Write documents as YAML."""
    file.write_text(yaml.dump_all(documents, Dumper=yaml.CSafeDumper))


def peer(work: Path, count: int) -> Contestant:
    """The tools that one would use else: values, seals, and kustomize over the file."""
    overlay = work / "peer"
    overlay.mkdir()
    dump(overlay / "deployment.yaml", deployment())
    resources = {"namespace": NAMESPACE, "resources": ["deployment.yaml", "sealed.yaml"]}
    dump(overlay / "kustomization.yaml", resources)
    (work / "templates.yaml").write_text(templates(count))
    vals, kubeseal = tool("vals", VALS), tool("kubeseal", KUBESEAL)
    seal = f"{kubeseal} --cert {CERTIFICATE} -o yaml > peer/sealed.yaml"
    build = f"{tool('kustomize', KUSTOMIZE)} build peer"
    command = f"{vals} eval -s -f templates.yaml | {seal} && exec {build}"
    return Contestant(PEER, f"cd {work} && {command}")


def krmfn_build(checkout: Path, overlay: Path, environ: dict[str, str]) -> str:
    """The command line of `krmfn build` of a checkout, in this environment's Python."""
    given = {"PYTHONPATH": str(checkout), **environ}
    words = " ".join(f"{name}={value}" for name, value in given.items())
    return f"cd {checkout} && {words} exec {sys.executable} -P -m krmfn build {overlay}"


def contestants(work: Path, count: int, against: Path | None) -> list[Contestant]:
    """Everything that is measured for a number of secrets; the peer comes first."""
    file = work / "platform.yaml"
    governing = {**APPLICATION, "KRMFN_CONFIG": str(file)}
    dump(file, platform_of(count))
    ways = [Kind(claims) for claims in (False, True)]
    if CASES[count][2] is not None:
        ways += [Kind(claims, companions=False) for claims in (False, True)]
    kustomize = f"{tool('kustomize', KUSTOMIZE)} build {FUNCTIONS}"
    found = [peer(work, count)]
    for kind in ways:
        overlay = write(work, count, kind)
        found.append(Contestant(f"kustomize build: {kind.name}", f"exec {kustomize} {overlay}"))
        found.append(Contestant(f"krmfn build: {kind.name}", krmfn_build(ROOT, overlay, {})))
        if against and kind.companions:
            command = krmfn_build(against, overlay, {})
            found.append(Contestant(f"{against.name}: {kind.name}", command))
        governed = write(work, count, Kind(kind.claims, True, kind.companions))
        command = krmfn_build(ROOT, governed, governing)
        found.append(Contestant(f"krmfn build, policy: {kind.name}", command))
    return found


def platform_of(count: int) -> dict[str, Any]:
    """A policy that allows all of it."""
    reads = [{"store": "main", "paths": ["bench/**"]}]
    recipients = {"production": {"pem": CERTIFICATE.read_text(), "sha256": [PIN]}}
    limits = {"secrets": count + 1, "reads": 4 * count + 10, "seconds": 120}
    assert RULE["recipients"] == ["production"]
    return policy(rule={"reads": reads}, recipients=recipients, limits=limits)


def measure(count: int, bao: OpenBao, rounds: int, against: Path | None) -> list[Contestant]:
    """All rounds, after one that is checked and does not count."""
    with tempfile.TemporaryDirectory(prefix="krmfn-bench-") as name:
        work = Path(name)
        environ = {
            "PATH": f"{KRMFN.parent}{os.pathsep}/usr/bin:/bin",
            "HOME": name,
            "VAULT_ADDR": bao.address,
            "VAULT_TOKEN": bao.token,
            "KRMFN_DEADLINE": "120",
            "KRMFN_KUSTOMIZE": str(tool("kustomize", KUSTOMIZE)),
        }
        runners = contestants(work, count, against)
        for runner in runners:
            runner.run(environ, work / "output")
            check(work / "output", count)
            runner.seconds.clear()
            runner.cpu.clear()
        for turn in range(rounds):
            for place in range(len(runners)):
                runners[(place + turn) % len(runners)].run(environ, work / "output")
        return runners


def rows(count: int, runners: Sequence[Contestant], against: Path | None) -> list[str]:
    """The lines of the table for a number of secrets."""
    by_name = {runner.name: runner for runner in runners}
    found = []
    for runner in runners:
        low, quarter, middle, most = quartiles(runner.seconds)
        cells = [
            str(count),
            runner.name,
            f"{low:.2f}",
            f"{middle:.2f}",
            f"{quarter:.2f}-{most:.2f}",
        ]
        cells += [f"{statistics.median(runner.cpu):.2f}", ratio(runner, by_name[PEER])]
        if against:
            cells += compared(count, runner, by_name, against)
        found.append("| " + " | ".join(cells) + " |")
    return found


def compared(
    count: int, runner: Contestant, by_name: dict[str, Contestant], against: Path
) -> list[str]:
    """The ratio to the other checkout, and what it may be."""
    prefix, _, kind = runner.name.partition(": ")
    plain = kind.removesuffix(", nameReferences: false")
    other = by_name.get(f"{against.name}: {plain}")
    if prefix != "krmfn build" or other is None:
        return ["", ""]
    _, usual, alone = CASES[count]
    target = usual if plain == kind else alone
    return [ratio(runner, other), f"≤ {target}"]


def ratio(runner: Contestant, other: Contestant) -> str:
    """Median and quartiles of the ratios of the rounds."""
    pairs = [mine / its for mine, its in zip(runner.seconds, other.seconds, strict=True)]
    _, low, middle, high = quartiles(pairs)
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def quartiles(values: Sequence[float]) -> tuple[float, float, float, float]:
    """Minimum, first quartile, median and third quartile."""
    found = sorted(values)
    quarter = len(found) // 4
    return found[0], found[quarter], statistics.median(found), found[-1 - quarter]


def commit(checkout: Path) -> str:
    """What is measured, and whether it is changed."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(checkout), *words]
        return subprocess.run(command, text=True, capture_output=True, check=False).stdout.strip()

    changed = ", changed" if git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}"


def machine() -> str:
    """Processor, its number, system and load."""
    info = Path("/proc/cpuinfo")
    models = info.read_text().splitlines() if info.exists() else []
    model = next((line.partition(": ")[2] for line in models if line.startswith("model name")), "")
    load = ", ".join(f"{one:.2f}" for one in os.getloadavg())
    system = f"{platform.system()} {platform.release()}"
    return f"{os.cpu_count()} x {model or platform.machine()}, {system}, load before: {load}"


def main(arguments: list[str]) -> int:
    """Measure the numbers of secrets that were asked for and print one table."""
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=whole", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("cases", nargs="*", type=int, choices=[[], *CASES], metavar="SECRETS")
    parser.add_argument("--rounds", type=int, help="in place of each number's own")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout of krmfn")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every time")
    options = parser.parse_args(arguments)
    against = options.against.resolve() if options.against else None
    print(f"    make bench ARGS='{' '.join(['whole', *arguments])}'\n")
    print(f"krmfn {commit(ROOT)}" + (f", against {commit(against)}" if against else ""), end="; ")
    print(f"kustomize {KUSTOMIZE}, vals {VALS}, kubeseal {KUBESEAL}", end="; ")
    print(f"Python {platform.python_version()}; {machine()}.\n")
    other = ["to the other", "target"] if against else []
    head = ["secrets", "", "min s", "median s", "quartiles", "CPU s", f"to {PEER}", *other]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    kept = {}
    with tempfile.TemporaryDirectory(prefix="krmfn-bench-") as home, development(Path(home)) as bao:
        chosen = options.cases or list(CASES)
        seed(bao, max(chosen))
        for count in chosen:
            runners = measure(count, bao, options.rounds or CASES[count][0], against)
            print("\n".join(rows(count, runners, against)), flush=True)
            kept[count] = {runner.name: runner.seconds for runner in runners}
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
