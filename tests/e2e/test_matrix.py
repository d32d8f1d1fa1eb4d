"""Every way to call krmfn, under every kustomize, in every layout: sealed rightly, or refused and told.

What came out is the table of docs/matrix.md, which KRMFN_UPDATE=1 writes anew from runs of the newest
kustomize; every other one has to do the same.
"""

from __future__ import annotations

import base64
import concurrent.futures
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from krmfn.errors import CATALOGUE
from tests.e2e.layouts import LAYOUTS, MARKER, WITHOUT_ENTRY, Layout, write
from tests.e2e.test_container import runtime_environ
from tests.e2e.tools import KUBESEAL_VERSIONS, KUSTOMIZE_VERSIONS, tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.served import Served

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/matrix.md"
UPDATE = bool(os.environ.get("KRMFN_UPDATE"))
CERTIFICATE = ROOT / "tests/vectors/keys/current.crt"
KEY = CERTIFICATE.with_suffix(".key")
PRIVATE = ("--recovery-private-key", KEY)
VALUES = {"username": "app", "password": "9Gv+notarealsecret/\u00e9"}
NEWEST = KUSTOMIZE_VERSIONS[-1]
TOOLS = (*KUSTOMIZE_VERSIONS, "kubectl")

# How an entry is annotated, and with what flags kustomize is called.
MODES = {
    "exec": ("exec", ("--enable-alpha-plugins", "--enable-exec")),
    "exec, flag forgotten": ("exec", ("--enable-alpha-plugins",)),
    "legacy": ("legacy", ("--enable-alpha-plugins",)),
    "container": ("container", ("--enable-alpha-plugins",)),
}
# Each route's layouts, and the modes that mean something to it: `krmfn build` gives no flags and runs
# no container, whatever the entry says; `krmfn seal` comes after kustomize and has no entry.
ROUTES = {
    "generator": (tuple(LAYOUTS), tuple(MODES)),
    "transformer": (tuple(LAYOUTS), tuple(MODES)),
    "krmfn build": (tuple(LAYOUTS), ("exec", "legacy", "container")),
    "krmfn seal": (WITHOUT_ENTRY, ("exec",)),
}
SEALED, REFUSED = "sealed", "refused"
BEGIN, END = "<!-- matrix: begin -->\n", "<!-- matrix: end -->"


@dataclass(frozen=True)
class Case:
    """One build."""

    tool: str
    mode: str
    route: str
    layout: str

    @property
    def name(self) -> str:
        """For a test's id."""
        name = f"{self.tool} {self.mode} {self.route} {self.layout}"
        return name.replace(",", "").replace(" ", "-")


@dataclass(frozen=True)
class World:
    """What all builds share: the environment, and the files beside an entry."""

    environ: dict[str, str]
    files: dict[str, bytes]


@pytest.fixture(scope="session")
def world(server: Served, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A store in a file, and krmfn without its start: here are a thousand builds."""
    folder = tmp_path_factory.mktemp("store")
    krmfn = [server.directory / "krmfn", "age"]
    store, identity = folder / "secrets.age", folder / "identity"
    init = ["init", store, "--identity", identity, "--unbound"]
    subprocess.run([*krmfn, *init], cwd=ROOT, check=True, capture_output=True)
    put = ["set", store, "app/db", "--json", "--identity", identity]
    values = json.dumps(VALUES).encode()
    subprocess.run([*krmfn, *put], cwd=ROOT, check=True, capture_output=True, input=values)
    environ = server.environ | runtime_environ() | {"KRMFN_AGE_IDENTITY": identity.read_text()}
    files = {"cert.pem": CERTIFICATE.read_bytes(), "secrets.age": store.read_bytes()}
    return World(environ, files)


def build(case: Case, root: Path, world: World) -> subprocess.CompletedProcess[str]:
    """Write the repository and build `top`."""
    annotation, flags = MODES[case.mode]
    write(root, LAYOUTS[case.layout], case.route, annotation, world.files)
    if case.tool == "kubectl":
        kustomize = [Path(sys.executable).parent / "kubectl", "kustomize"]
    else:
        kustomize = [tool("kustomize", case.tool), "build"]
    if case.route == "krmfn build":
        environ = world.environ | {"KRMFN_KUSTOMIZE": str(kustomize[0])}
        return run(["krmfn", "build", root / "top"], environ)
    if case.route != "krmfn seal":
        return run([*kustomize, *flags, root / "top"], world.environ)
    plain = run([*kustomize, root / "top"], world.environ)
    assert plain.returncode == 0, plain.stderr
    return run(["krmfn", "seal", "--config", root / "entry.yaml"], world.environ, plain.stdout)


def run(
    command: Sequence[str | Path], environ: dict[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environ, input=stdin, text=True, capture_output=True, check=False
    )


def outcome(case: Case, done: subprocess.CompletedProcess[str]) -> str:
    """What the table says of a build; whatever is not in order begins with WRONG."""
    if done.returncode:
        return refusal(done)
    wrong = faults(list(yaml.safe_load_all(done.stdout)), LAYOUTS[case.layout])
    if not wrong:
        return SEALED
    said = "WRONG" if LAYOUTS[case.layout].protected else "not protected"
    return f"{said}: {', '.join(wrong)}"


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The error's id, where it is told with a remedy and nothing was printed."""
    if done.stdout:
        return "WRONG: refused, with output"
    if MARKER in done.stderr and "[error]" not in done.stderr:
        return f"{REFUSED}: `{MARKER}`"
    found = re.search(r"\[error\] .*; .*\[([a-z-]+)\]", done.stderr)
    if not found or found[1] not in CATALOGUE:
        return f"WRONG: refused without a remedy: {done.stderr.strip()[-200:]}"
    return f"{REFUSED}: `{found[1]}`"


def faults(objects: list[Any], layout: Layout) -> list[str]:
    """What is wrong with a build that has succeeded."""
    wrong = []
    sealed = [o for o in objects if o["kind"] == "SealedSecret"]
    found = {place(one) for one in sealed}
    places = (
        {(space, re.sub(r"-[^-]+$", "", name)) for space, name in found} if layout.hashed else found
    )
    if not places >= layout.final:
        wrong.append("a SealedSecret is missing")
    if places - layout.final or len(places) < len(sealed):
        wrong.append("a SealedSecret too many")
    if any(opened(one) != VALUES for one in sealed):
        wrong.append("a seal that does not open")
    used = [reference(o) for o in objects if o["kind"] == "Deployment"]
    if not found >= set(used) or len(used) < len(layout.final):
        wrong.append("a dangling reference")
    if any(o["kind"] in ("SecretClaim", "Secret", "ConfigMap") for o in objects):
        wrong.append("something left over")
    return wrong


def place(one: Any) -> tuple[str, str]:
    return one["metadata"].get("namespace", ""), one["metadata"]["name"]


def reference(deployment: Any) -> tuple[str, str]:
    """Namespace and name of the Secret that it uses."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return deployment["metadata"].get("namespace", ""), container["envFrom"][0]["secretRef"]["name"]


def opened(sealed: Any) -> dict[str, str] | None:
    """Its values by the real unsealing code; None when it does not open as what it is called."""
    done = subprocess.run(
        [tool("kubeseal", KUBESEAL_VERSIONS[-1]), "--recovery-unseal", *PRIVATE, "-o", "json"],
        input=json.dumps(sealed),
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        return None
    data = json.loads(done.stdout)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def cells() -> dict[tuple[str, str, str], str]:
    """The page's table: route, layout's text and mode to outcome."""
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ")
    ]
    head, *body = rows
    return {(row[0], row[1], mode): row[i] for row in body for i, mode in enumerate(head) if i > 1}


def cases(*tools: str, modes: tuple[str, ...]) -> Iterator[Case]:
    """All that there are of these modes."""
    for name in tools:
        for route, (layouts, known) in ROUTES.items():
            if name == "kubectl" and route.startswith("krmfn"):
                continue
            for mode in (m for m in modes if m in known):
                if not (name == "kubectl" and mode == "exec"):  # it has no such flag
                    yield from (Case(name, mode, route, layout) for layout in layouts)


def check(case: Case, done: subprocess.CompletedProcess[str]) -> None:
    """The outcome is no wrong one, and the one of the page."""
    found = outcome(case, done)
    assert not found.startswith("WRONG"), f"{found}\n{done.stderr}\n{done.stdout}"
    if not UPDATE:
        row = (case.route, LAYOUTS[case.layout].text, case.mode)
        assert found == cells()[row], done.stderr


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name)
        for case in cases(*TOOLS, modes=tuple(MODES))
        if case.mode != "container" or case.route == "krmfn build"
    ],
)
def test_a_build_is_right_or_refused(case: Case, tmp_path: Path, world: World) -> None:
    """It opens under its final name where the workload looks for it, or the build says what to do."""
    check(case, build(case, tmp_path, world))


@pytest.mark.container
@pytest.mark.xdist_group("container")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name)
        for case in cases(*TOOLS, modes=("container",))
        if case.route != "krmfn build"
    ],
)
def test_a_container_does_the_same(case: Case, tmp_path: Path, world: World, image: str) -> None:
    """The image, without a network, with the overlay mounted."""
    check(case, build(case, tmp_path, world))


def test_a_wrong_build_is_seen(tmp_path: Path, world: World) -> None:
    """The judge of this file sees each fault."""
    done = build(Case(NEWEST, "exec", "transformer", "prefix"), tmp_path, world)
    objects = list(yaml.safe_load_all(done.stdout))
    final = LAYOUTS["prefix"]
    assert faults(objects, final) == []
    (sealed,) = (o for o in objects if o["kind"] == "SealedSecret")
    others = [o for o in objects if o is not sealed]
    assert faults(others, final) == ["a SealedSecret is missing", "a dangling reference"]
    assert faults([*objects, sealed], final) == ["a SealedSecret too many"]
    assert faults([*objects, {"kind": "SecretClaim"}], final) == ["something left over"]
    moved = {**sealed, "metadata": {**sealed["metadata"], "namespace": "other"}}
    wrong = faults([*others, moved], final)
    assert "a seal that does not open" in wrong
    others[0]["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"] = "db"
    assert faults([*others, sealed], final) == ["a dangling reference"]


if UPDATE:

    @pytest.mark.container
    @pytest.mark.xdist_group("container")
    def test_write_the_page(tmp_path: Path, world: World, image: str) -> None:
        """docs/matrix.md, from runs of the newest kustomize."""
        every = list(cases(NEWEST, modes=tuple(MODES)))

        def told(case: Case) -> str:
            return outcome(case, build(case, tmp_path / case.name, world))

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            found = dict(zip(every, pool.map(told, every), strict=True))
        lines = [f"| {' | '.join(('route', 'layout', *MODES))} |", "|" + "---|" * (2 + len(MODES))]
        for route, (layouts, _) in ROUTES.items():
            for name in layouts:
                row = [found.get(Case(NEWEST, mode, route, name), "—") for mode in MODES]
                lines.append(f"| {' | '.join((route, LAYOUTS[name].text, *row))} |")
        before, _, rest = PAGE.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text("".join([before, BEGIN, "\n".join(lines), "\n", END, after]))


def test_the_page_has_every_row() -> None:
    """docs/matrix.md tells of every route and layout, and of no other."""
    rows = {(r, LAYOUTS[x].text, m) for r, (some, _) in ROUTES.items() for x in some for m in MODES}
    assert set(cells()) == rows
    for version in KUSTOMIZE_VERSIONS:
        assert version in PAGE.read_text().partition(BEGIN)[0]
