"""A Secret that an operator makes is not sealed over, by no route, whatever the validator says.

Nothing is printed, and where krmfn sees the claim before it seals, no vault is even asked.
"""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support import estate
from tests.support.command import krmfn
from tests.support.estate import ESTATE, KUBECTL
from tests.support.platform import write_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.openbao import OpenBao

    Done = subprocess.CompletedProcess[str]

CLAIM = """
apiVersion: krmfn.dev/v1alpha1
kind: SecretClaim
metadata: {name: logto-postgres-app}
spec:
  store: main
  data:
  - secretKey: username
    value: logto
  - secretKey: password
    remoteRef: {key: estate/ENVIRONMENT/logto/database, property: password}
"""
GENERATOR = """
apiVersion: krmfn.dev/v1alpha1
kind: SealedSecretGenerator
metadata: {name: database, namespace: production}
spec:
  sealing:
    certificate: {file: ../../certs/controller.pem}
    derivationKey: {store: main, key: krmfn/derivation, property: key}
  stores:
    main: {vault: {path: secret, id: platform}}
  secrets:
  - name: logto-postgres-app
    store: main
    data:
    - secretKey: password
      remoteRef: {key: estate/production/logto/backup, property: access_key_id}
"""


class Vault(http.server.BaseHTTPRequestHandler):
    """Answers nothing, and remembers what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        """Refuse."""
        self.asked.append(self.path)
        self.send_response(403)
        self.end_headers()
        self.wfile.write(b'{"errors":["permission denied"]}')

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def vault() -> Iterator[tuple[dict[str, str], list[str]]]:
    """The environment of a vault that gives nothing, and the paths that it was asked for."""
    asked: list[str] = []
    handler = type("Counting", (Vault,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield {"VAULT_ADDR": address, "VAULT_TOKEN": "t"}, asked
        server.shutdown()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The estate, to be changed."""
    (tmp_path / ".git").mkdir()
    return shutil.copytree(ESTATE, tmp_path / "estate")


def claim(copy: Path) -> None:
    """Claim the operator's Secret in production."""
    file = copy / "environments/prod/claims.yaml"
    file.write_text(f"{file.read_text()}---{CLAIM}")


def level(copy: Path, audit: str) -> None:
    """Set the validator's level."""
    file = copy / "sealing/validators/validator.yaml"
    text = file.read_text()
    assert "audit: error" in text
    file.write_text(text.replace("audit: error", f"audit: {audit}"))


def by_kustomize(copy: Path, plugins: dict[str, str], environ: dict[str, str]) -> Done:
    """`kubectl kustomize`, with krmfn as a plugin."""
    overlay = copy / "overlays/prod-legacy"
    command = [KUBECTL, "kustomize", "--enable-alpha-plugins", overlay]
    return subprocess.run(
        command, env=plugins | environ, text=True, capture_output=True, check=False
    )


def by_build(copy: Path, plugins: dict[str, str], environ: dict[str, str]) -> Done:
    """`krmfn build`."""
    environ = {"KRMFN_KUSTOMIZE": str(KUBECTL), **environ}
    return krmfn("build", copy / "overlays/prod", cwd=copy, **environ)


def by_seal(copy: Path, plugins: dict[str, str], environ: dict[str, str]) -> Done:
    """`krmfn seal` behind plain kustomize."""
    command = [KUBECTL, "kustomize", copy / "environments/prod"]
    stream = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    config = copy / "sealing/transformers/transformer.yaml"
    return krmfn("seal", "--config", config, stdin=stream, cwd=copy, **environ)


ROUTES = pytest.mark.parametrize("route", [by_kustomize, by_build, by_seal])


@ROUTES
@pytest.mark.parametrize("audit", ["error", "warn", "off"])
def test_it_is_refused_before_any_request(
    route: object,
    audit: str,
    copy: Path,
    plugins: dict[str, str],
    vault: tuple[dict[str, str], list[str]],
) -> None:
    """Exit code 1, nothing printed, and not one request, at every level."""
    environ, asked = vault
    assert callable(route)
    claim(copy)
    level(copy, audit)
    done = route(copy, plugins, environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "SecretClaim/logto-postgres-app: logto-postgres-app: the operator of "
        "Cluster/logto-postgres creates this Secret"
    ) in done.stderr
    assert "[operator-owned]" in done.stderr
    assert asked == []


@ROUTES
def test_another_claim_is_asked_for(
    route: object,
    copy: Path,
    plugins: dict[str, str],
    vault: tuple[dict[str, str], list[str]],
) -> None:
    """Without that claim the same call does ask the vault, so that the silence above means something."""
    environ, asked = vault
    assert callable(route)
    done = route(copy, plugins, environ)
    assert done.returncode != 0
    assert done.stdout == ""
    assert asked != []


def generate(copy: Path, overlay: str, validators: str) -> None:
    """An overlay that generates the operator's Secret beside its Cluster, and claims nothing."""
    marker = "{apiVersion: v1, kind: ConfigMap, $patch: delete, metadata: {name: %s}}"
    (copy / f"overlays/{overlay}/generator.yaml").write_text(GENERATOR)
    (copy / f"overlays/{overlay}/kustomization.yaml").write_text(
        "namespace: production\n"
        "resources: [../../base/logto-postgres-cluster]\n"
        "generators: [generator.yaml]\n"
        f"validators: [{validators}]\n"
        f"patches: [{{patch: '{marker % 'krmfn-was-skipped-add---enable-exec'}'}}]\n"
    )


@pytest.mark.parametrize("audit", ["error", "off"])
def test_a_generator_is_stopped_by_the_validator(
    audit: str, copy: Path, plugins: dict[str, str], openbao: OpenBao
) -> None:
    """A generator sees no Cluster; the validator does, and fails the build at every level."""
    estate.seed(openbao)
    level(copy, audit)
    generate(copy, "prod-legacy", "../../sealing/legacy/validators")
    done = by_kustomize(copy, plugins, openbao.environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert "SealedSecret/logto-postgres-app" in done.stderr
    assert "[operator-owned]" in done.stderr


@pytest.mark.parametrize("validators", ["../../sealing/validators", ""])
def test_a_generator_is_refused_by_build(
    validators: str, copy: Path, plugins: dict[str, str], openbao: OpenBao
) -> None:
    """kustomize gives a generator no Cluster; `krmfn build` sees it in the finished stream."""
    estate.seed(openbao)
    generate(copy, "prod", validators)
    done = by_build(copy, plugins, openbao.environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert "SealedSecret/logto-postgres-app" in done.stderr
    assert "[operator-owned]" in done.stderr


@pytest.mark.parametrize("validators", ["../../sealing/validators", ""])
def test_a_generator_is_refused_before_any_request_under_a_policy(
    validators: str,
    tmp_path: Path,
    copy: Path,
    plugins: dict[str, str],
    vault: tuple[dict[str, str], list[str]],
) -> None:
    """The rehearsal shows the Secret beside its Cluster, and nothing is sent."""
    environ, asked = vault
    rule = {"reads": [{"store": "main", "paths": ["estate/**"]}]}
    environ = environ | write_platform(tmp_path / "policy.yaml", rule=rule)
    generate(copy, "prod", validators)
    done = by_build(copy, plugins, environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert "[operator-owned]" in done.stderr
    assert asked == []
