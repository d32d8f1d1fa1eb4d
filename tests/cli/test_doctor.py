"""`krmfn doctor`: every check says what is wrong, how that is known, and what mends it."""

from __future__ import annotations

import copy
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from krmfn.doctor.diagnosis import CHECKS
from krmfn.doctor.tools import judge_version
from tests.support import repository as repo
from tests.support.command import krmfn

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
RESOURCES = ["../../base", "more.yaml"]


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    return repo.repository(tmp_path / "r")


def doctor(*arguments: str | Path, **environ: str) -> tuple[int, str, str]:
    environ = {"KRMFN_KUSTOMIZE": str(KUBECTL), **environ}
    done = krmfn("doctor", *arguments, **environ)
    for text in (done.stdout, done.stderr):
        assert repo.VALUE not in text
        assert repo.DERIVATION_KEY not in text
    return done.returncode, done.stdout, done.stderr


def checks(*arguments: str | Path, **environ: str) -> tuple[int, list[dict[str, str]]]:
    """Exit code and checks."""
    code, output, errors = doctor(*arguments, "--json", **environ)
    assert errors == ""
    found: list[dict[str, str]] = json.loads(output)["checks"]
    return code, found


def of(check: str, found: list[dict[str, str]], status: str = "") -> list[dict[str, str]]:
    """What one check says."""
    return [f for f in found if f["id"] == check and status in ("", f["status"])]


def only(check: str, found: list[dict[str, str]]) -> dict[str, str]:
    (one,) = of(check, found)
    return one


def sealed(name: str, namespace: str = "production", sealed_for: str = "") -> dict[str, Any]:
    """A SealedSecret, by hand or as if by krmfn."""
    marks = {"krmfn.dev/sealed-for": sealed_for} if sealed_for else {}
    metadata = {"name": name, "namespace": namespace, "annotations": marks}
    template = {"metadata": {"name": name, "namespace": namespace}}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": metadata,
        "spec": {"encryptedData": {"a": "AgA="}, "template": template},
    }


def more(overlay: Path, *objects: Any) -> None:
    """Resources beside the base."""
    repo.write(overlay / "more.yaml", *objects)
    repo.change(overlay, resources=RESOURCES)


# --- tools


@pytest.mark.parametrize(
    ("output", "status"),
    [
        ("v5.8.2\n", "ok"),
        ("v5.0.3", "ok"),
        ("v5.0.2", "error"),
        ("{Version:kustomize/v4.5.7 GitCommit:5 BuildDate:2022-08-02T16:35:54Z}", "error"),
        ("(devel)", "warning"),
    ],
)
def test_versions(output: str, status: str) -> None:
    """Older than 5.0.3 is too old."""
    found = judge_version("kustomize", output, kubectl=False)
    assert (found.status, bool(found.fix)) == (status, status != "ok")


def test_kubectl_says_its_kustomize() -> None:
    """Its own version is another one."""
    text = json.dumps({"clientVersion": {"gitVersion": "v1.35.0"}, "kustomizeVersion": "v4.9.9"})
    assert judge_version("kubectl", text, kubectl=True).status == "error"
    assert judge_version("kubectl", "not JSON", kubectl=True).status == "warning"


def test_an_old_kustomize(overlay: Path, tmp_path: Path) -> None:
    """The program itself is asked."""
    program = tmp_path / "kustomize"
    program.write_text("#!/bin/sh\necho v4.5.7\n")
    program.chmod(0o755)
    code, found = checks(overlay, KRMFN_KUSTOMIZE=str(program))
    one = only("kustomize", found)
    assert (code, one["status"], one["cause"]) == (1, "error", "kustomize 4.5.7 is too old")


def test_no_kustomize(overlay: Path) -> None:
    """Then nothing else is looked at."""
    code, found = checks(overlay, KRMFN_KUSTOMIZE="/nonexistent")
    assert (code, [one["id"] for one in found]) == (1, ["kustomize"])


def test_exec_under_kubectl(overlay: Path, tmp_path: Path) -> None:
    """kubectl would leave the function out: the command that does not is told."""
    code, found = checks(overlay, PATH=on_path(tmp_path))
    assert code == 0
    assert {one["status"] for one in of("function", found)} == {"warning"}
    assert "--enable-alpha-plugins --enable-exec" in of("function", found)[0]["fix"]


def on_path(tmp_path: Path, name: str = "krmfn") -> str:
    """A PATH with such a program, which nobody starts."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    (tmp_path / "bin" / name).write_text("#!/bin/false\n")
    (tmp_path / "bin" / name).chmod(0o755)
    return f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"


def test_exec_not_on_path(overlay: Path) -> None:
    """What the annotation starts is not there."""
    code, found = checks(overlay, PATH="/nonexistent")
    first = of("function", found)[0]
    assert (code, first["status"]) == (1, "error")
    assert "exec function krmfn is not on PATH" in first["cause"]


def test_legacy_plugin(tmp_path: Path, plugins: dict[str, str]) -> None:
    """Without an annotation it is the legacy plugin, and the flags follow from that."""
    overlay = repo.repository(tmp_path / "r", annotation="")
    code, found = checks(overlay, KUSTOMIZE_PLUGIN_HOME=str(tmp_path))
    first = of("function", found)[0]
    assert (code, first["fix"]) == (1, "krmfn install legacy-plugin")
    home = plugins["KUSTOMIZE_PLUGIN_HOME"]
    found = checks(overlay, KUSTOMIZE_PLUGIN_HOME=home)[1]
    assert {one["status"] for one in of("function", found)} == {"ok"}
    assert f"kubectl kustomize --enable-alpha-plugins {overlay}" in found[1]["cause"]


def test_container(tmp_path: Path) -> None:
    """A container needs docker, and the network's flag if it says so."""
    annotation = "container: {image: localhost/krmfn, network: true}"
    overlay = repo.repository(tmp_path / "r", annotation=annotation)
    found = checks(overlay, PATH="/nonexistent")[1]
    assert of("function", found)[0]["cause"] == "it is run in a container, and there is no docker"
    found = checks(overlay, PATH=on_path(tmp_path, "docker"))[1]
    assert "--enable-alpha-plugins --network" in of("function", found)[0]["cause"]


# --- the overlay


def test_nothing_wrong(overlay: Path) -> None:
    """The overlay's own checks of a repository as it should be."""
    found = checks(overlay)[1]
    own = [one for one in found if one["area"] == "overlay" and one["id"] != "certificate"]
    assert [(one["id"], one["status"]) for one in own] == [
        ("build", "ok"),
        ("validator", "ok"),
        ("audit", "ok"),
    ]


def test_no_kustomization(tmp_path: Path) -> None:
    """One line, and exit code 2."""
    code, output, errors = doctor(tmp_path)
    assert (code, output) == (2, "")
    assert errors.endswith("holds no kustomization [file]\n")


def test_working_directory(overlay: Path) -> None:
    """It is the default."""
    done = krmfn("doctor", cwd=overlay, KRMFN_KUSTOMIZE=str(KUBECTL))
    assert "  ✓ ok      build: .: it builds, with 2 resources\n" in done.stdout


def test_function_under_resources(tmp_path: Path) -> None:
    """It is a resource of the build, and was not run."""
    overlay = repo.repository(tmp_path / "r", "generator")
    repo.change(overlay, generators=None, patches=None, resources=["../../base", "krmfn.yaml"])
    code, found = checks(overlay)
    one = only("config-left", found)
    assert (code, one["status"]) == (1, "error")
    assert one["fix"].startswith("move the entry to generators:")
    repo.change(overlay, validators=None)
    assert only("config-left", checks(overlay)[1])["status"] == "error"


def test_no_marker(tmp_path: Path) -> None:
    """A build that would not notice that krmfn was skipped."""
    overlay = repo.repository(tmp_path / "r", "generator")
    repo.change(overlay, patches=None)
    assert only("marker", checks(overlay)[1])["fix"] == "add the patch of docs/skip-marker.md"


def test_no_validator(overlay: Path) -> None:
    """Final names are seen by nobody."""
    repo.change(overlay, validators=None)
    assert only("validator", checks(overlay)[1])["status"] == "warning"


def test_it_does_not_build(overlay: Path) -> None:
    """krmfn's own error, as the cause."""
    repo.change(overlay, resources=["../../gone"])
    code, found = checks(overlay)
    one = only("build", found)
    assert (code, one["status"]) == (1, "error")
    assert one["evidence"].endswith("[kustomize]") or one["evidence"].endswith("[file]")


@pytest.mark.parametrize(
    ("sealed_for", "cause"),
    [
        ("dev/db2", "namespace mismatch: no key will open it"),
        ("production/other", "name mismatch: no key will open it"),
        ("dev/other", "namespace and name mismatch: no key will open it"),
        ("production/*", "scope mismatch: no key will open it"),
    ],
)
@pytest.mark.parametrize("validators", [["validator.yaml"], None])
def test_sealed_for(
    validators: list[str] | None, sealed_for: str, cause: str, overlay: Path
) -> None:
    """The controller says one sentence for all of these; here they are told apart."""
    repo.change(overlay, validators=validators)
    more(overlay, sealed("db2", sealed_for=sealed_for))
    code, found = checks(overlay)
    one = only("sealed-for", found)
    assert (code, one["cause"]) == (1, cause)
    assert one["evidence"] == f"sealed for {sealed_for}, and it is production/db2"


def test_hand_made(overlay: Path) -> None:
    """Left over, with its file; and beside a claim for the same Secret an error."""
    more(overlay, sealed("old"))
    code, found = checks(overlay)
    one = only("hand-made", found)
    assert (code, one["status"]) != (0, "ok")
    assert one["status"] == "warning"
    assert one["fix"] == "krmfn import sealedsecret overlays/production/more.yaml"
    more(overlay, sealed("db", sealed_for="production/db"))
    one = only("hand-made", checks(overlay)[1])
    assert (one["status"], one["subject"]) == ("error", "SealedSecret/production/db")
    assert one["fix"].startswith("git rm overlays/production/more.yaml")


def test_audit(overlay: Path) -> None:
    """The audit's errors, in short, and the command for all of them."""
    value = copy.deepcopy(repo.DEPLOYMENT)
    (container,) = value["spec"]["template"]["spec"]["containers"]  # type: ignore[index]
    container["envFrom"][0]["secretRef"]["name"] = "gone"
    repo.write(overlay.parents[1] / "base/deployment.yaml", value)
    code, found = checks(overlay)
    one = only("audit", found)
    assert (code, one["status"], one["fix"]) == (1, "error", f"krmfn audit {overlay}")
    assert "[unmet-reference]" in one["evidence"]


def certificate(overlay: Path, days_before: int, days_after: int) -> None:
    """One that is valid from and to so many days from now."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = datetime.now(UTC)
    name = x509.Name([])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=days_before))
        .not_valid_after(now + timedelta(days=days_after))
        .sign(key, SHA256())
    )
    (overlay / "certs/c.pem").write_bytes(made.public_bytes(Encoding.PEM))


@pytest.mark.parametrize(
    ("before", "after", "status", "cause"),
    [
        (1, 365, "ok", "valid from"),
        (1, 29, "warning", "expires on"),
        (31, 365, "warning", "older than 30 days"),
        (31, -1, "error", "the certificate expired on"),
    ],
)
def test_certificate(before: int, after: int, status: str, cause: str, overlay: Path) -> None:
    """Expired, soon so, and older than a controller's own."""
    certificate(overlay, before, after)
    one = only("certificate", checks(overlay)[1])
    assert (one["status"], cause in one["cause"]) == (status, True)
    assert ("krmfn cert fetch" in one["fix"]) == (status != "ok")


# --- the output


def test_json(overlay: Path) -> None:
    """The documented shape."""
    code, output, _ = doctor(overlay, "--json", PATH="/nonexistent")
    value = json.loads(output)
    assert (code, set(value)) == (1, {"directory", "checks", "counts"})
    assert {frozenset(one) for one in value["checks"]} == {
        frozenset({"area", "id", "status", "subject", "cause", "evidence", "fix"})
    }
    assert sum(value["counts"].values()) == len(value["checks"])


def test_text(overlay: Path) -> None:
    """A line for each check, then cause, evidence and fix of what is wrong; stable when piped."""
    more(overlay, sealed("db2", sealed_for="dev/db2"))
    code, output, errors = doctor(overlay)
    assert (code, errors) == (1, "")
    assert (
        "  ✗ error   sealed-for: SealedSecret/db2: "
        "namespace mismatch: no key will open it\n" in output
    )
    assert (
        "\n✗ error sealed-for: SealedSecret/db2\n"
        "  cause:    namespace mismatch: no key will open it\n"
        "  evidence: sealed for dev/db2, and it is production/db2\n"
        "  fix:      seal in the outermost kustomization" in output
    )
    assert "\x1b" not in output
    assert doctor(overlay, COLUMNS="20", TERM="xterm-256color")[1] == output


def test_the_page_has_every_check() -> None:
    """docs/doctor.md is made from the table; KRMFN_UPDATE=1 writes it anew."""
    page = ROOT / "docs/doctor.md"
    begin, end = "<!-- checks: begin -->\n", "<!-- checks: end -->"
    rows = [f"| `{i}` | {area} | {text} |" for i, (area, text) in CHECKS.items()]
    table = "\n".join(["| check | area | it is well when |", "|---|---|---|", *rows, ""])
    head, _, rest = page.read_text().partition(begin)
    expected = f"{head}{begin}{table}{end}{rest.partition(end)[2]}"
    if os.environ.get("KRMFN_UPDATE"):
        page.write_text(expected)
    assert page.read_text() == expected
