"""`krmfn build`: what kustomize and the functions make together, with nothing run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support import repository as repo

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"


def build(
    *arguments: str | Path, cwd: Path = ROOT, **environ: str
) -> subprocess.CompletedProcess[str]:
    """One call, with the kubectl of the wheel."""
    return subprocess.run(
        [sys.executable, "-m", "krmfn", "build", *arguments],
        cwd=cwd,
        text=True,
        capture_output=True,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "KRMFN_KUSTOMIZE": str(KUBECTL),
            **environ,
        },
    )


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


@pytest.mark.parametrize("route", ["generator", "transformer"])
def test_references_follow_prefix_and_suffix(
    route: str, tmp_path: Path, vault: dict[str, str]
) -> None:
    """A build seals for the final name, a generator's claims too, and workloads name it."""
    overlay = repo.repository(tmp_path, route)
    repo.change(overlay, namePrefix="eu-", nameSuffix="-1")
    done = build(overlay, **vault)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(sealed(done.stdout))
    assert found["metadata"]["annotations"]["krmfn.dev/sealed-for"] == "production/eu-db-1"
    (workload,) = (d for d in yaml.safe_load_all(done.stdout) if d["kind"] == "Deployment")
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "eu-db-1"}}]


def test_an_overlay_on_the_sealing_overlay_is_sealed_for_what_it_becomes(
    tmp_path: Path, vault: dict[str, str]
) -> None:
    """Another namespace and prefix further out are the ones that count."""
    repo.repository(tmp_path)
    outer = tmp_path / "outer"
    repo.write(
        outer / "kustomization.yaml",
        {"resources": ["../overlays/production"], "namespace": "outer", "namePrefix": "o-"},
    )
    done = build(outer, **vault)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"krmfn.dev/sealed-for": "outer/o-db"' in sealed(done.stdout)


def test_claims_only_needs_no_credential(tmp_path: Path) -> None:
    """The claims stay as the overlay has them, without a trace of the build; no server is asked."""
    done = build("--claims-only", repo.repository(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "kind: SecretClaim\n" in done.stdout
    assert "namespace: production\n" in done.stdout
    assert "krmfn.dev/plan" not in done.stdout


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
    assert done.stderr == f"[warning] krmfn build: {output}/base.yaml: stale: --prune removes it\n"
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


# What an author could bring who wants a program of his to run.


def _foreign(path: str) -> dict[str, Any]:
    return {
        "apiVersion": "evil.example/v1",
        "kind": "Evil",
        "metadata": {
            "name": "evil",
            "annotations": {"config.kubernetes.io/function": f"exec: {{path: {path}}}"},
        },
    }


def _hidden(directory: Path, script: Path, **kustomization: Any) -> None:
    """A directory of configs whose annotation only a build shows."""
    value = _foreign(str(script))
    del value["metadata"]["annotations"]
    repo.write(directory / "evil.yaml", value)
    repo.write(directory / "kustomization.yaml", {"resources": ["evil.yaml"], **kustomization})


def attack(name: str, overlay: Path, script: Path) -> dict[str, str]:
    """Put one attack into the repository; returns what the environment says beside."""
    annotations = {"config.kubernetes.io/function": f"exec: {{path: {script}}}"}
    hidden = overlay / "hidden"
    environ: dict[str, str] = {}
    entries: list[str] = ["hidden"]
    if name == "plain sight":
        repo.write(overlay / "evil.yaml", _foreign(str(script)))
        entries = ["evil.yaml"]
    elif name == "inline":
        entries = [json.dumps(_foreign(str(script))) + "\n"]
    elif name == "patch":
        patch = {"apiVersion": "evil.example/v1", "kind": "Evil", "metadata": {"name": "evil"}}
        patch["metadata"] |= {"annotations": annotations}  # type: ignore[operator]
        _hidden(hidden, script, patches=[{"patch": json.dumps(patch)}])
    elif name == "commonAnnotations":
        _hidden(hidden, script, commonAnnotations=annotations)
    elif name == "replacement":
        source = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "source"}}
        repo.write(hidden / "source.yaml", source | {"data": {"a": f"exec: {{path: {script}}}"}})
        target = {
            "select": {"kind": "Evil"},
            "fieldPaths": ["metadata.annotations.[config.kubernetes.io/function]"],
            "options": {"create": True},
        }
        of = {"kind": "ConfigMap", "fieldPath": "data.a"}
        _hidden(hidden, script, replacements=[{"source": of, "targets": [target]}])
        # The source would be a function too, were it not ours to refuse first.
        repo.change(hidden, resources=["evil.yaml", "source.yaml"])
    elif name == "escaped":
        repo.write(overlay / "evil.yaml", _foreign(str(script)))
        text = (overlay / "evil.yaml").read_text().replace("io/function", "io/\\u0066unction")
        (overlay / "evil.yaml").write_text(text)
        entries = ["evil.yaml"]
    elif name.startswith("plugin"):
        value = _foreign(str(script))
        del value["metadata"]["annotations"]
        repo.write(overlay / "evil.yaml", value)
        entries = ["evil.yaml"]
        homes = {
            "plugin home": ("KUSTOMIZE_PLUGIN_HOME", "plugins", ""),
            "plugin in HOME": ("HOME", "home", ".config/kustomize/plugin"),
            "plugin in HOME/kustomize": ("HOME", "home", "kustomize/plugin"),
            "plugin in XDG": ("XDG_CONFIG_HOME", "xdg", "kustomize/plugin"),
        }
        variable, folder, inside = homes[name]
        environ = {variable: str(overlay / folder)}
        plugin = overlay / folder / inside / "evil.example/v1/evil/Evil"
        plugin.parent.mkdir(parents=True)
        plugin.write_text(script.read_text())
        plugin.chmod(0o755)
    repo.change(overlay, generators=entries)
    return environ


ATTACKS = [
    "plain sight",
    "inline",
    "patch",
    "commonAnnotations",
    "replacement",
    "escaped",
    "plugin home",
    "plugin in HOME",
    "plugin in HOME/kustomize",
    "plugin in XDG",
]


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


WITHOUT_CHECKS = """
import sys
from krmfn import tree, __main__
tree._check_function = lambda value, where: None
__main__.main()
"""


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


@pytest.mark.parametrize(
    "annotation", ["krmfn.dev/plan", "krmfn.dev/sealed-for", "krmfn.dev/certificate"]
)
def test_marks_of_another_run_are_refused(annotation: str, tmp_path: Path) -> None:
    """Nobody but this run says what it sealed and how."""
    overlay = repo.repository(tmp_path)
    repo.change(tmp_path / "base", commonAnnotations={annotation: "0" * 64 + " {}"})
    done = build(overlay)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("[annotation]\n")


def test_children_see_no_credential(
    tmp_path: Path, openbao: OpenBao, vault: dict[str, str]
) -> None:
    """kustomize and the functions below it are given neither variables nor a way to programs."""
    seen = tmp_path / "environ"
    spy = tmp_path / "kubectl-spy"
    spy.write_text(f'#!/bin/sh\n/usr/bin/env >> {seen}\nexec {KUBECTL} "$@"\n')
    spy.chmod(0o755)
    more = {"AWS_SECRET_ACCESS_KEY": "x", "KRMFN_AGE_IDENTITY": "y", "BAO_TOKEN": openbao.token}
    done = build(repo.repository(tmp_path / "r"), KRMFN_KUSTOMIZE=str(spy), **vault, **more)
    assert (done.returncode, done.stderr) == (0, "")
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert names <= {
        "PATH",
        "HOME",
        "XDG_CONFIG_HOME",
        "KUSTOMIZE_PLUGIN_HOME",
        "TMPDIR",
        "LC_ALL",
        "KRMFN_ROOT",
        "KRMFN_DEADLINE",
        "KRMFN_SHAPE_ONLY",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    }
    assert openbao.token not in seen.read_text()


def test_no_plaintext_reaches_a_file(tmp_path: Path, vault: dict[str, str]) -> None:
    """Private folders are gone afterwards; while they were there they held no value."""
    seen = tmp_path / "files"
    spy = tmp_path / "kubectl-spy"
    spy.write_text(
        f'#!/bin/sh\n/bin/cp -rL "$(/usr/bin/dirname "$HOME")" {seen}.$$\nexec {KUBECTL} "$@"\n'
    )
    spy.chmod(0o755)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = build(
        repo.repository(tmp_path / "r"),
        KRMFN_KUSTOMIZE=str(spy),
        TMPDIR=str(scratch),
        **vault,
    )
    assert (done.returncode, done.stderr) == (0, "")
    copies = list(tmp_path.glob("files.*"))
    assert len(copies) == 2
    for file in (f for copy in copies for f in copy.rglob("*") if f.is_file()):
        assert repo.VALUE.encode() not in file.read_bytes()
        assert vault["VAULT_TOKEN"].encode() not in file.read_bytes()
    assert list(scratch.iterdir()) == []
