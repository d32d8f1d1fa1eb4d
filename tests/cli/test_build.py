"""`krmfn build`: what kustomize and the functions make together, with nothing run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support import repository as repo
from tests.support.attacks import ATTACKS, WITHOUT_CHECKS, attack
from tests.support.command import krmfn
from tests.support.spy import spy

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"


def build(
    *arguments: str | Path, cwd: Path = ROOT, **environ: str
) -> subprocess.CompletedProcess[str]:
    """One call, with the kubectl of the wheel."""
    environ = {"KRMFN_KUSTOMIZE": str(KUBECTL), **environ}
    return krmfn("build", *arguments, cwd=cwd, **environ)


@pytest.fixture
def vault(openbao: OpenBao) -> dict[str, str]:
    """A vault with the values, as the environment says it."""
    repo.seed(openbao)
    return openbao.environ


def plain(directory: Path, environ: dict[str, str]) -> str:
    """What kubectl makes with krmfn as a legacy plugin."""
    return subprocess.run(
        [KUBECTL, "kustomize", "--enable-alpha-plugins", directory],
        env=environ,
        text=True,
        capture_output=True,
        check=True,
    ).stdout


def sealed(output: str) -> str:
    """The one SealedSecret of a stream, as canonical JSON."""
    (found,) = (d for d in yaml.load_all(output, yaml.BaseLoader) if d["kind"] == "SealedSecret")
    return json.dumps(found, sort_keys=True)


@pytest.mark.parametrize("route", ["generator", "transformer"])
@pytest.mark.parametrize("order", ["legacy", "fifo"])
def test_the_stream_is_that_of_the_functions(
    route: str, order: str, tmp_path: Path, plugins: dict[str, str], vault: dict[str, str]
) -> None:
    """Byte for byte what kustomize makes with krmfn as a function, whatever the annotation says."""
    options = {"sortOptions": {"order": order}}
    legacy = repo.repository(tmp_path / "legacy", route, "")
    repo.change(legacy, **options)
    expected = plain(legacy, plugins | vault)
    assert "kind: SealedSecret\n" in expected
    for annotation in (repo.EXEC, "", "container: {image: krmfn, network: true}"):
        overlay = repo.repository(tmp_path / annotation[:4] / "x", route, annotation)
        repo.change(overlay, **options)
        done = build(overlay, **vault)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == expected


def test_every_route_gives_the_same_object(
    tmp_path: Path, plugins: dict[str, str], vault: dict[str, str]
) -> None:
    """Generator and transformer in a build, `seal`, and the function: one SealedSecret."""
    overlays = {r: repo.repository(tmp_path / r, r, "") for r in ("generator", "transformer")}
    found = {r: sealed(build(overlay, **vault).stdout) for r, overlay in overlays.items()}
    found |= {f"function {r}": sealed(plain(o, plugins | vault)) for r, o in overlays.items()}
    claims = repo.repository(tmp_path / "claims", "claims")
    done = subprocess.run(
        [sys.executable, "-m", "krmfn", "seal", "--config", overlays["transformer"] / "krmfn.yaml"],
        input=plain(claims, plugins),
        env=plugins | vault,
        text=True,
        capture_output=True,
        check=True,
    )
    found["seal"] = sealed(done.stdout)
    assert len(set(found.values())) == 1, found


def test_references_follow_prefix_and_suffix(tmp_path: Path, vault: dict[str, str]) -> None:
    """A transformer seals for the final name, and workloads name it."""
    overlay = repo.repository(tmp_path)
    repo.change(overlay, namePrefix="eu-", nameSuffix="-1")
    done = build(overlay, **vault)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(sealed(done.stdout))
    assert found["metadata"]["annotations"]["krmfn.dev/sealed-for"] == "production/eu-db-1"
    (workload,) = (d for d in yaml.safe_load_all(done.stdout) if d["kind"] == "Deployment")
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "eu-db-1"}}]


def test_a_generator_under_a_prefix_is_refused(tmp_path: Path, vault: dict[str, str]) -> None:
    """As the function refuses it: names change after a generator has sealed for them."""
    overlay = repo.repository(tmp_path, "generator")
    repo.change(overlay, namePrefix="eu-")
    done = build(overlay, **vault)
    assert (done.returncode, done.stdout) == (2, "")
    assert "sets namePrefix, which renames db after it was sealed" in done.stderr
    assert done.stderr.endswith("[name-changes]\n")


@pytest.mark.parametrize("route", ["generator", "transformer"])
@pytest.mark.parametrize("outer", [{"namePrefix": "o-"}, {"namespace": "outer"}])
def test_what_is_sealed_too_far_inside_is_refused_with_the_line_to_move(
    route: str, outer: dict[str, str], tmp_path: Path, vault: dict[str, str]
) -> None:
    """An overlay on the sealing overlay renames or moves what no key would open then."""
    repo.repository(tmp_path, route)
    repo.change(tmp_path / "overlays/production", validators=None)
    outermost = tmp_path / "outer"
    repo.write(outermost / "kustomization.yaml", {"resources": ["../overlays/production"], **outer})
    done = build(outermost, **vault)
    assert (done.returncode, done.stdout) == (1, "")
    expected = f"{outer.get('namespace', 'production')}/{outer.get('namePrefix', '')}db"
    assert f"expected sealed for {expected}, found production/db; " in done.stderr
    assert "overlays/production/kustomization.yaml:" in done.stderr
    word = "declare claims in place of" if route == "generator" else "move "
    assert word in done.stderr
    assert done.stderr.endswith("transformers: of the outermost kustomization [sealed-for]\n")


def test_a_transformer_in_a_component_is_refused_with_the_line_to_move(
    tmp_path: Path, vault: dict[str, str]
) -> None:
    """It runs before the overlay has set a namespace."""
    overlay = repo.repository(tmp_path)
    part = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
    (tmp_path / "part").mkdir()
    (overlay / "krmfn.yaml").rename(tmp_path / "part/krmfn.yaml")
    repo.write(tmp_path / "part/kustomization.yaml", {**part, "transformers": ["krmfn.yaml"]})
    repo.change(overlay, components=["../../part"], transformers=["marker.yaml"], validators=None)
    done = build(overlay, **vault)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no namespace is known for scope strict; move " in done.stderr
    assert "part/kustomization.yaml:" in done.stderr
    assert done.stderr.endswith(
        "to transformers: of the outermost kustomization [namespace-missing]\n"
    )


def test_claims_only_needs_no_credential(tmp_path: Path) -> None:
    """The claims stay as the overlay has them, without a trace of the build; no server is asked."""
    done = build("--claims-only", repo.repository(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "kind: SecretClaim\n" in done.stdout
    assert "namespace: production\n" in done.stdout


def test_a_claim_that_no_transformer_saw_is_an_error(tmp_path: Path) -> None:
    """Nothing says how to seal it, so nothing is printed."""
    done = build(repo.repository(tmp_path, "claims"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "SecretClaim/db: no SealedSecretTransformer has seen the claim" in done.stderr


def test_several_directories_go_to_files(tmp_path: Path, vault: dict[str, str]) -> None:
    """One file for each, whole; what is stale is told, and removed when asked; others' files stay."""
    overlay = repo.repository(tmp_path / "r")
    output = tmp_path / "out"
    done = build(overlay, tmp_path / "r/base", **vault)
    assert (done.returncode, done.stdout) == (2, "")
    assert "several directories are not one stream" in done.stderr
    repo.change(tmp_path / "r/base", resources=["deployment.yaml"])
    repo.write(tmp_path / "r/other/kustomization.yaml", {"resources": ["../base"]})
    done = build(overlay.parent.parent / "other", tmp_path / "r/base", "--output", output, **vault)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {p.name for p in output.iterdir()} == {"other.yaml", "base.yaml"}
    (output / "mine.yaml").write_text("a: 1\n")
    done = build(tmp_path / "r/other", "--output", output, **vault)
    assert (
        done.stderr
        == f"[warning] krmfn build: {output}/base.yaml: it is stale; --prune removes it [stale-file]\n"
    )
    done = build(tmp_path / "r/other", "--output", output, "--prune", **vault)
    assert (done.returncode, done.stdout) == (0, "")
    assert {p.name for p in output.iterdir()} == {"other.yaml", "mine.yaml"}


def test_directories_share_reads_and_login(tmp_path: Path, vault: dict[str, str]) -> None:
    """Each file is what a build of its own prints; nothing is written when one of them fails."""
    overlay = repo.repository(tmp_path / "r")
    second = tmp_path / "r/overlays/second"
    second.mkdir()
    for file in overlay.rglob("*"):
        target = second / file.relative_to(overlay)
        target.mkdir() if file.is_dir() else target.write_bytes(file.read_bytes())
    repo.change(second, namespace="second")
    done = build(overlay, second, "--output", tmp_path / "out", **vault)
    assert (done.returncode, done.stderr) == (0, "")
    for one in (overlay, second):
        written = (tmp_path / "out/overlays" / f"{one.name}.yaml").read_text()
        assert written.partition("\n")[2] == build(one, **vault).stdout
    (second / "certs/c.pem").unlink()
    done = build(overlay, second, "--output", tmp_path / "none", **vault)
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "flag",
    [
        "--enable-exec",
        "--enable-exec=true",
        "--enable-ex",
        "--enable-helm",
        "--network",
        "--mount=type=bind,source=/,target=/x",
        "--env=VAULT_TOKEN",
        "-eVAULT_TOKEN",
        "--load-restrictor=LoadRestrictionsNone",
        "--load-restrictor",
        "-o/tmp/x",
        "--helm-command=/bin/sh",
        "--as-current-user",
        "--",
        "--enable-alpha-plugins=false",
    ],
)
def test_dangerous_flags_are_refused(flag: str, tmp_path: Path) -> None:
    """What is not known to be harmless is no flag to hand through."""
    done = build(repo.repository(tmp_path), "--", flag)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not handed to kustomize" in done.stderr


def test_no_kustomize_names_all_three(tmp_path: Path) -> None:
    """Nothing is installed; the message says what would have been taken."""
    done = build(repo.repository(tmp_path), KRMFN_KUSTOMIZE="", PATH="/nonexistent")
    assert (done.returncode, done.stdout) == (2, "")
    assert "KRMFN_KUSTOMIZE, kustomize on PATH, or kubectl on PATH" in done.stderr


def test_kustomizes_failure_is_told(tmp_path: Path) -> None:
    """Its first line, with the repository's own path and not the copy's."""
    overlay = repo.repository(tmp_path, "claims")
    repo.change(overlay, patches=[{"patch": '{"kind": "X", "metadata": {"name": "y"}}'}])
    done = build(overlay)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("[kustomize]\n")
    assert done.stderr.count("\n") == 1
    assert "krmfn-" not in done.stderr


def test_a_functions_own_error_is_the_builds(tmp_path: Path) -> None:
    """What a function of krmfn's says inside of kustomize has its own id and exit code."""
    overlay = repo.repository(tmp_path)
    value = repo.transformer()
    value["spec"]["sealing"] = {**value["spec"]["sealing"], "epok": "1"}
    repo.write(overlay / "krmfn.yaml", value)
    done = build(overlay)
    assert (done.returncode, done.stdout) == (2, "")
    assert "spec.sealing.epok: unknown field; did you mean epoch? [spec]" in done.stderr


@pytest.fixture
def canary(tmp_path: Path) -> tuple[Path, Path]:
    """A program that says that it ran, and the file by which it says so."""
    script, seen = tmp_path / "canary.sh", tmp_path / "seen"
    script.write_text(f"#!/bin/sh\ncat /proc/$PPID/environ > {seen}\n")
    script.chmod(0o755)
    return script, seen


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_of_the_repository_runs(
    name: str, tmp_path: Path, canary: tuple[Path, Path], vault: dict[str, str]
) -> None:
    """However a function is brought in, it is refused by name before kustomize starts on it."""
    script, seen = canary
    overlay = repo.repository(tmp_path / "r")
    environ = attack(name, overlay, script)
    done = build(overlay, **vault, **environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no function but krmfn's own is run" in done.stderr
    assert not seen.exists()


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_runs_even_were_it_not_refused(
    name: str, tmp_path: Path, canary: tuple[Path, Path], vault: dict[str, str]
) -> None:
    """The refusal is for the message: with it taken out kustomize still executes nothing."""
    script, seen = canary
    overlay = repo.repository(tmp_path / "r")
    environ = attack(name, overlay, script)
    subprocess.run(
        [sys.executable, "-c", WITHOUT_CHECKS, "build", overlay],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "KRMFN_KUSTOMIZE": str(KUBECTL),
            **vault,
            **environ,
        },
        check=False,
        capture_output=True,
    )
    assert not seen.exists()


@pytest.mark.parametrize("name", [n for n in ATTACKS if n.startswith("plugin")])
def test_the_attacks_are_real(
    name: str, tmp_path: Path, canary: tuple[Path, Path], vault: dict[str, str]
) -> None:
    """Plain kustomize does run the planted plugins: so the canary can sing."""
    script, seen = canary
    overlay = repo.repository(tmp_path / "r")
    environ = {"HOME": "/nonexistent"} | attack(name, overlay, script)
    subprocess.run(
        [KUBECTL, "kustomize", "--enable-alpha-plugins", overlay],
        env=vault | {"PATH": os.environ["PATH"]} | environ,
        check=False,
        capture_output=True,
    )
    assert vault["VAULT_TOKEN"] in seen.read_text()


def test_our_own_entry_runs_our_own_program(
    tmp_path: Path, canary: tuple[Path, Path], vault: dict[str, str]
) -> None:
    """An entry of krmfn's that names another program is krmfn's all the same."""
    script, seen = canary
    done = build(repo.repository(tmp_path / "r", annotation=f"exec: {{path: {script}}}"), **vault)
    assert (done.returncode, done.stderr) == (0, "")
    assert not seen.exists()


@pytest.mark.parametrize(
    "entry",
    [
        "https://example.invalid/base",
        "github.com/example/base",
        "git@example.invalid:base",
        "example.invalid:base.git",
        "file:///tmp",
        "git::https://example.invalid/base",
        "base?ref=main",
    ],
)
@pytest.mark.parametrize("field", ["resources", "components", "generators", "transformers"])
def test_remote_bases_are_refused(entry: str, field: str, tmp_path: Path) -> None:
    """Nothing is fetched, wherever it is listed."""
    overlay = repo.repository(tmp_path)
    repo.change(overlay, **{field: [entry]})
    done = build(overlay)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("[foreign]\n")


def test_charts_are_refused(tmp_path: Path) -> None:
    """As a field and as a builtin generator."""
    overlay = repo.repository(tmp_path)
    chart = {"name": "x", "repo": "https://example.invalid", "version": "1"}
    repo.change(overlay, helmCharts=[chart])
    assert "no chart is inflated" in build(overlay).stderr
    builtin = {
        "apiVersion": "builtin",
        "kind": "HelmChartInflationGenerator",
        "metadata": {"name": "x"},
    }
    repo.write(overlay / "chart.yaml", builtin | chart)
    repo.change(overlay, helmCharts=None, generators=["chart.yaml"])
    assert build(overlay).stderr.endswith("[foreign]\n")


def test_links_out_of_the_repository_are_refused(tmp_path: Path) -> None:
    """A file, a directory and a config by link, and a path that climbs out."""
    outside = tmp_path / "outside"
    repo.write(outside / "kustomization.yaml", {"resources": []})
    (outside / "secret.txt").write_text("x")
    overlay = repo.repository(tmp_path / "r")
    (overlay / "link").symlink_to(outside)
    for fields in (
        {"resources": ["link"]},
        {"resources": ["../../../outside"]},
        {"configMapGenerator": [{"name": "x", "files": ["link/secret.txt"]}]},
        {"transformers": ["link"]},
    ):
        other = repo.repository(tmp_path / f"r{len(list(tmp_path.iterdir()))}")
        (other / "link").symlink_to(outside)
        repo.change(other, **fields)
        done = build(other)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith("[path]\n")


@pytest.mark.parametrize("annotation", ["krmfn.dev/sealed-for", "krmfn.dev/certificate"])
@pytest.mark.parametrize("on", ["SecretClaim", "Deployment"])
def test_marks_of_another_run_are_refused(
    on: str, annotation: str, tmp_path: Path, vault: dict[str, str]
) -> None:
    """Nobody but this run says what it sealed and how, of a claim or of anything else."""
    overlay = repo.repository(tmp_path)
    mark_ = {"op": "add", "path": "/metadata/annotations", "value": {annotation: "0" * 64 + " {}"}}
    patch = {"target": {"kind": on}, "patch": json.dumps([mark_])}
    repo.change(tmp_path / "base", patches=[patch])
    done = build(overlay, **vault)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("[annotation]\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("GENERATORS: [evil.yaml]\n", "no field GENERATORS; did you mean generators?"),
        (
            "Resources: ['https://example.invalid/base']\n",
            "no field Resources; did you mean resources?",
        ),
        ("x-common: &x {generators: [evil.yaml]}\n<<: *x\n", "merge keys are not read"),
        ("generators: [{a: b}]\n", "generators is not what it must be"),
        ("components: &x [validator.yaml]\nvalidators: *x\n", "validator.yaml is not a directory"),
    ],
)
def test_what_kustomize_would_see_and_we_would_not(text: str, message: str, tmp_path: Path) -> None:
    """Fields in another case, merge keys and aliases hide nothing: they are refused."""
    overlay = repo.repository(tmp_path)
    (overlay / "kustomization.yaml").write_text(text)
    done = build(overlay)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_merge_keys_hide_no_annotation(tmp_path: Path, canary: tuple[Path, Path]) -> None:
    """A builtin whose annotation comes out of a merge key is refused."""
    overlay = repo.repository(tmp_path / "r")
    (overlay / "evil.yaml").write_text(
        "apiVersion: builtin\nkind: PatchTransformer\nmetadata:\n  name: x\n  annotations:\n"
        "    <<: {config.kubernetes.io/function: 'exec: {path: /bin/sh}'}\n"
    )
    repo.change(overlay, transformers=["evil.yaml"])
    assert "merge keys are not read" in build(overlay).stderr


def test_configs_in_directories_keep_their_order(tmp_path: Path, vault: dict[str, str]) -> None:
    """krmfn before the marker's patch, as listed, and lists in YAML of any style; not only ASCII."""
    overlay = repo.repository(tmp_path)
    (overlay / "functions").mkdir()
    for name in ("krmfn.yaml", "marker.yaml"):
        (overlay / name).rename(overlay / "functions" / name)
    for name in ("last", "first"):
        label = {"kind": "PatchTransformer", "apiVersion": "builtin", "metadata": {"name": name}}
        patch = {k: repo.DEPLOYMENT[k] for k in ("apiVersion", "kind")}
        patch |= {"metadata": {"name": "shop", "labels": {"order": name}}}
        repo.write(
            overlay / f"functions/{name}.yaml",
            label | {"patch": json.dumps(patch), "target": {"kind": "Deployment"}},
        )
    resources = {"resources": ["krmfn.yaml", "marker.yaml", "last.yaml", "first.yaml"]}
    repo.write(overlay / "functions/kustomization.yaml", resources)
    (overlay / "kustomization.yaml").write_text(
        "# \u00e4\u00f6\u00fc \U0001f600\nnamespace: production\n"
        "transformers:\n# why\n- functions\n# more\n"
        "validators:\n  - validator.yaml\n\nresources:\n- ../../base\n"
        "commonAnnotations: {a: '\u00e4\U0001f600'}\n"
    )
    done = build(overlay, **vault)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"krmfn.dev/sealed-for": "production/db"' in sealed(done.stdout)
    (workload,) = (d for d in yaml.safe_load_all(done.stdout) if d["kind"] == "Deployment")
    assert workload["metadata"]["labels"] == {"order": "first"}
    assert workload["metadata"]["annotations"] == {"a": "\u00e4\U0001f600"}


def test_every_validator_of_the_overlay_is_asked(tmp_path: Path, vault: dict[str, str]) -> None:
    """The final stream is held against the certificate of each, not of the last alone."""
    overlay = repo.repository(tmp_path)
    other = ROOT / "tests/vectors/keys/current.crt"
    (overlay / "certs/other.pem").write_bytes(other.read_bytes())
    wrong = repo.config("SealedSecretValidator", {"certificate": {"file": "certs/other.pem"}})
    wrong["metadata"]["name"] = "wrong"
    repo.write(overlay / "wrong.yaml", wrong)
    repo.change(overlay, validators=["wrong.yaml", "validator.yaml"])
    done = build(overlay, **vault)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("[certificate-differs]\n")


def test_terminated_it_leaves_nothing(tmp_path: Path) -> None:
    """A SIGTERM ends kustomize too, and takes the private folders away; exit code 143."""
    started = tmp_path / "started"
    spying = spy(
        tmp_path, f"echo $$ > {started}.new\n/bin/mv {started}.new {started}\n/bin/sleep 600"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    running = subprocess.Popen(
        [sys.executable, "-m", "krmfn", "build", repo.repository(tmp_path / "r")],
        env={"TMPDIR": str(scratch), **spying},
        stdout=subprocess.PIPE,
    )
    while not started.exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.terminate()
    output, _ = running.communicate(timeout=30)
    assert (running.returncode, output) == (143, b"")
    assert list(scratch.iterdir()) == []
    assert not Path(f"/proc/{started.read_text().strip()}/cmdline").exists()


def test_children_see_no_credential(
    tmp_path: Path, openbao: OpenBao, vault: dict[str, str]
) -> None:
    """kustomize and the functions below it are given neither variables nor a way to programs."""
    seen = tmp_path / "environ"
    spying = spy(tmp_path, f'/usr/bin/env >> {seen}\nexec {KUBECTL} "$@"')
    more = {"AWS_SECRET_ACCESS_KEY": "x", "KRMFN_AGE_IDENTITY": "y", "BAO_TOKEN": openbao.token}
    done = build(repo.repository(tmp_path / "r"), **spying, **vault, **more)
    assert (done.returncode, done.stderr) == (0, "")
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert names <= {
        "PATH",
        "HOME",
        "XDG_CONFIG_HOME",
        "KUSTOMIZE_PLUGIN_HOME",
        "TMPDIR",
        "LC_ALL",
        "KRMFN_CHANNEL",
        "GOMAXPROCS",
        "GOMEMLIMIT",
        "GOTRACEBACK",
        "TZ",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    }
    assert openbao.token not in seen.read_text()


def test_no_plaintext_reaches_a_file(tmp_path: Path, vault: dict[str, str]) -> None:
    """Private folders are gone afterwards; while they were there they held no value."""
    seen = tmp_path / "files"
    script = f'/bin/cp -rL "$(/usr/bin/dirname "$HOME")" {seen}.$$\nexec {KUBECTL} "$@"'
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = build(
        repo.repository(tmp_path / "r"),
        **spy(tmp_path, script),
        TMPDIR=str(scratch),
        **vault,
    )
    assert (done.returncode, done.stderr) == (0, "")
    copies = list(tmp_path.glob("files.*"))
    assert len(copies) == 1
    for file in (f for copy in copies for f in copy.rglob("*") if f.is_file()):
        assert repo.VALUE.encode() not in file.read_bytes()
        assert vault["VAULT_TOKEN"].encode() not in file.read_bytes()
    assert list(scratch.iterdir()) == []
