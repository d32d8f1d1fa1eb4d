"""The function under real kustomize of several versions, and its seals under real kubeseal."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.tools import KUBESEAL_VERSIONS, KUSTOMIZE_VERSIONS, tool

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
LOGTO = ROOT / "examples/logto"
NAME = "logto-backup-storage-credentials"
KEY = LOGTO / "demo-controller.key"
EXEC = ("--enable-alpha-plugins", "--enable-exec")
DERIVATION_KEY = "6b1f0a7c94d2e8350f1b6d2c7a8e9f40316275a4b3c2d1e0f9e8d7c6b5a49382"
VALUES = {
    "access_key_id": "AKIAEXAMPLE00000001",
    "secret_access_key": "9Gv+notarealsecret/0123456789abcdefghijkl",
}
MARKER = """
patches:
- patch: |-
    {apiVersion: v1, kind: ConfigMap, metadata: {name: krmfn-was-skipped-add---enable-exec}, $patch: delete}
"""


@pytest.fixture(params=KUSTOMIZE_VERSIONS)
def kustomize(request: pytest.FixtureRequest) -> Path:
    """A kustomize of each version."""
    return tool("kustomize", request.param)


@pytest.fixture(params=KUBESEAL_VERSIONS)
def kubeseal(request: pytest.FixtureRequest) -> Path:
    """A kubeseal of each version."""
    return tool("kubeseal", request.param)


@pytest.fixture
def environ(plugins: dict[str, str], openbao: OpenBao) -> dict[str, str]:
    """What a user has: krmfn on PATH and installed as a plugin, and a vault with the values."""
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "logto/production/backup", VALUES)
    return plugins | openbao.environ


def build(
    kustomize: Path, directory: Path, environ: dict[str, str], *flags: str
) -> subprocess.CompletedProcess[str]:
    """`kustomize build`."""
    return subprocess.run(
        [kustomize, "build", *flags, directory],
        env=environ,
        text=True,
        capture_output=True,
        check=False,
    )


def documents(output: str) -> list[Any]:
    """The resources of a build."""
    return list(yaml.safe_load_all(output))


def opened(kubeseal: Path, sealed: Any) -> dict[str, str]:
    """What `kubeseal --recovery-unseal` makes of a SealedSecret."""
    done = subprocess.run(
        [kubeseal, "--recovery-unseal", "--recovery-private-key", KEY, "-o", "json"],
        input=json.dumps(sealed),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_prod_is_the_golden_file(kustomize: Path, environ: dict[str, str]) -> None:
    """The exec variant gives the same bytes under every kustomize, as the legacy variant does."""
    golden = (LOGTO / "expected/prod.yaml").read_text()
    done = build(kustomize, LOGTO / "overlays/prod", environ, *EXEC)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == golden
    legacy = build(kustomize, LOGTO / "overlays/prod-legacy", environ, "--enable-alpha-plugins")
    assert (legacy.returncode, legacy.stdout) == (0, golden)


def test_dev_needs_nothing(kustomize: Path) -> None:
    """Development builds without a vault, without krmfn, and without flags."""
    done = build(
        kustomize, LOGTO / "overlays/dev", {"PATH": "/nonexistent", "HOME": "/nonexistent"}
    )
    assert (done.returncode, done.stdout) == (0, (LOGTO / "expected/dev.yaml").read_text())


def test_leaving_the_flag_out_names_it(kustomize: Path, environ: dict[str, str]) -> None:
    """Without --enable-exec the build fails, and the message names the flag."""
    done = build(kustomize, LOGTO / "overlays/prod", environ, "--enable-alpha-plugins")
    assert (done.returncode, done.stdout) == (1, "")
    assert "krmfn-was-skipped-add---enable-exec" in done.stderr


def test_kubeseal_opens_it(kubeseal: Path, environ: dict[str, str]) -> None:
    """The real unsealing code opens production's SealedSecret to exactly the vault's values."""
    done = build(tool("kustomize", KUSTOMIZE_VERSIONS[-1]), LOGTO / "overlays/prod", environ, *EXEC)
    (sealed,) = (d for d in documents(done.stdout) if d["kind"] == "SealedSecret")
    assert sealed["metadata"]["namespace"] == "production"
    assert opened(kubeseal, sealed) == {
        "ACCESS_KEY_ID": VALUES["access_key_id"],
        "ACCESS_SECRET_KEY": VALUES["secret_access_key"],
    }
    sealed["metadata"]["namespace"] = "dev"
    with pytest.raises(AssertionError, match="no key could decrypt secret"):
        opened(kubeseal, sealed)


def test_two_clones_give_the_same_bytes(tmp_path: Path, environ: dict[str, str]) -> None:
    """The place of the checkout does not matter."""
    outputs = []
    for name in ("one", "another/place"):
        shutil.copytree(LOGTO, tmp_path / name, symlinks=True)
        done = build(
            tool("kustomize", KUSTOMIZE_VERSIONS[-1]),
            tmp_path / name / "overlays/prod",
            environ,
            *EXEC,
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1] == (LOGTO / "expected/prod.yaml").read_text()


def overlay(directory: Path, *, config: str = "", kustomization: str = "") -> Path:
    """A small kustomization with a generator for secret `db`, beside a Deployment that uses it."""
    directory.mkdir(parents=True)
    certificate = (LOGTO / "overlays/prod/certs/production.pem").read_text()
    (directory / "cert.pem").write_text(certificate)
    (directory / "secrets.yaml").write_text(
        "apiVersion: krmfn.dev/v1alpha1\n"
        "kind: SealedSecretGenerator\n"
        "metadata:\n"
        "  name: app\n"
        "  annotations: {config.kubernetes.io/function: 'exec: {path: krmfn}'}\n"
        "spec:\n"
        "  sealing:\n"
        "    certificate: {file: cert.pem}\n"
        "    derivationKey: {store: main, key: krmfn/derivation, property: key}\n"
        f"    {config}\n"
        "  stores: {main: {vault: {path: secret, id: platform}}}\n"
        "  secrets:\n"
        "  - name: db\n"
        "    store: main\n"
        "    dataFrom: [{extract: {key: logto/production/backup}}]\n"
    )
    (directory / "validator.yaml").write_text(
        "apiVersion: krmfn.dev/v1alpha1\n"
        "kind: SealedSecretValidator\n"
        "metadata:\n"
        "  name: app\n"
        "  annotations: {config.kubernetes.io/function: 'exec: {path: krmfn}'}\n"
    )
    (directory / "deployment.yaml").write_text(
        json.dumps(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "app"},
                "spec": {
                    "template": {
                        "spec": {
                            "containers": [
                                {"name": "app", "envFrom": [{"secretRef": {"name": "db"}}]}
                            ]
                        }
                    }
                },
            }
        )
    )
    (directory / "kustomization.yaml").write_text(
        "resources: [deployment.yaml]\ngenerators: [secrets.yaml]\nvalidators: [validator.yaml]\n"
        f"{kustomization}\n{MARKER}"
    )
    return directory


def reference(output: str) -> str:
    """The name of the Secret that the Deployment uses."""
    (deployment,) = (d for d in documents(output) if d["kind"] == "Deployment")
    name: str = deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["secretRef"][
        "name"
    ]
    return name


def test_a_prefix_reaches_the_workload(
    kustomize: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """Under namespace-wide scope, namePrefix and nameSuffix rename SealedSecret and reference alike."""
    directory = overlay(
        tmp_path / "app",
        config="scope: namespace-wide",
        kustomization="namespace: production\nnamePrefix: p-\nnameSuffix: -x",
    )
    done = build(kustomize, directory, environ, *EXEC)
    assert done.returncode == 0, done.stderr
    kinds = sorted(d["kind"] for d in documents(done.stdout))
    assert kinds == ["Deployment", "SealedSecret"]
    (sealed,) = (d for d in documents(done.stdout) if d["kind"] == "SealedSecret")
    assert sealed["metadata"]["name"] == reference(done.stdout) == "p-db-x"
    assert opened(tool("kubeseal", KUBESEAL_VERSIONS[-1]), sealed) == VALUES


def test_a_prefix_under_strict_scope_is_refused(
    kustomize: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """A name that will change is not sealed for."""
    directory = overlay(tmp_path / "app", kustomization="namespace: production\nnamePrefix: p-")
    done = build(kustomize, directory, environ, *EXEC)
    assert (done.returncode, done.stdout) == (1, "")
    assert "kustomization.yaml sets namePrefix, which renames db" in done.stderr
    assert "[name-changes]" in done.stderr


@pytest.mark.parametrize("line", ["namespace: elsewhere", "namePrefix: p-"])
def test_an_overlay_above_is_caught_by_its_validator(
    kustomize: Path, line: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    """A later change of namespace or name fails in the validator of the outermost kustomization."""
    base = overlay(tmp_path / "base", kustomization="namespace: production")
    above = tmp_path / "above"
    above.mkdir()
    shutil.copy(base / "validator.yaml", above)
    (above / "kustomization.yaml").write_text(
        f"resources: [../base]\nvalidators: [validator.yaml]\n{line}\n"
    )
    done = build(kustomize, above, environ, *EXEC)
    assert (done.returncode, done.stdout) == (1, "")
    assert "expected sealed for" in done.stderr
    assert "found production/db" in done.stderr
    assert "[sealed-for]" in done.stderr


def test_a_validator_says_nothing_on_success(
    kustomize: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """A good build prints nothing on standard error."""
    directory = overlay(tmp_path / "app", kustomization="namespace: production")
    done = build(kustomize, directory, environ, *EXEC)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_left_claim_fails(kustomize: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    """A claim that nobody replaced does not leave the build."""
    directory = overlay(tmp_path / "app", kustomization="namespace: production")
    claim = "apiVersion: krmfn.dev/v1alpha1\nkind: SecretClaim\nmetadata: {name: left}\n"
    (directory / "deployment.yaml").write_text(claim)
    done = build(kustomize, directory, environ, *EXEC)
    assert (done.returncode, done.stdout) == (1, "")
    assert "[claim-left]" in done.stderr


def test_a_forgotten_marker_patch_is_told(
    kustomize: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """The validator warns when nothing deletes the skip marker; the marker never reaches the output."""
    directory = overlay(tmp_path / "app", kustomization="namespace: production")
    file = directory / "kustomization.yaml"
    file.write_text(file.read_text().replace(MARKER, ""))
    done = build(kustomize, directory, environ, *EXEC)
    assert done.returncode == 0
    assert "does not delete the skip marker" in done.stderr
    assert "krmfn-was-skipped" not in done.stdout


@pytest.mark.parametrize("scope", ["strict", "namespace-wide", "cluster-wide"])
@pytest.mark.parametrize("mode", ["deterministic", "random"])
def test_every_scope_opens(
    kubeseal: Path, scope: str, mode: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    """kubeseal opens every scope and mode; namespace-wide under another name, cluster-wide anywhere."""
    directory = overlay(
        tmp_path / "app",
        config=f"scope: {scope}\n    mode: {mode}",
        kustomization="namespace: production",
    )
    newest = tool("kustomize", KUSTOMIZE_VERSIONS[-1])
    done = build(newest, directory, environ, *EXEC)
    assert done.returncode == 0, done.stderr
    (sealed,) = (d for d in documents(done.stdout) if d["kind"] == "SealedSecret")
    if scope != "strict":
        sealed["metadata"]["name"] = "renamed"
    if scope == "cluster-wide":
        sealed["metadata"]["namespace"] = "moved"
    assert opened(kubeseal, sealed) == VALUES
    again = build(newest, directory, environ, *EXEC)
    assert (again.stdout == done.stdout) is (mode == "deterministic")


def test_kubeseal_seals_and_krmfn_opens(kubeseal: Path, tmp_path: Path) -> None:
    """What the real kubeseal seals, krmfn unseals."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": "production"},
        "data": {"a": base64.b64encode(b"\x00\xff").decode(), "b": ""},
    }
    certificate = LOGTO / "overlays/prod/certs/production.pem"
    sealed = subprocess.run(
        [kubeseal, "--cert", certificate],
        input=json.dumps(secret),
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    done = subprocess.run(
        [sys.executable, "-m", "krmfn", "unseal", "--key", KEY],
        input=sealed,
        text=True,
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert json.loads(done.stdout.removeprefix("---"))["data"] == secret["data"]


def test_no_network_and_no_sealing_without_need(
    kustomize: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """A mistake in the spec is told before the vault is asked."""
    directory = overlay(tmp_path / "app", config="scop: x", kustomization="namespace: production")
    offline = environ | {"VAULT_ADDR": "http://127.0.0.1:1"}
    done = build(kustomize, directory, offline, *EXEC)
    assert "spec.sealing.scop: unknown field; did you mean scope? [spec]" in done.stderr
    assert "secrets.yaml: SealedSecretGenerator/app" in done.stderr
