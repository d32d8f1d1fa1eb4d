"""What a run imports: one process per build is the unit of cost, so nothing comes along unused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[1]
PEM = (ROOT / "examples/logto/overlays/prod/certs/production.pem").read_text()

# Imported by nobody who only builds.
NEVER = {"argparse", "asyncio", "click", "jinja2", "kubernetes", "logging", "requests"}
NEVER |= {"rich", "subprocess", "krmfn.cli", "krmfn.cluster.api", "krmfn.crypto.unseal"}
# Imported by those whose configuration has a mistake.
NEVER |= (EXPLAINED := {"pydantic", "pydantic_core", "krmfn.spec.mistakes"})
# Imported by those whom a policy governs.
NEVER |= {"krmfn.policy.judge", "krmfn.policy.rules", "krmfn.spec.platform"}
# Imported by those who ask a server (`socket` comes with every X.509 certificate).
NETWORK = {"http.client", "hvac", "ssl", "urllib.request", "urllib3"}
# Imported by those who judge a stream, and by those who seal.
AUDIT = {"krmfn.audit.judge", "krmfn.build.hold", "krmfn.build.validate", "krmfn.catalogue"}
SEALING = {"cryptography", "krmfn.crypto.seal", "krmfn.sealing.pipeline"}
STORES = {"krmfn.stores.age.store", "krmfn.stores.vault.store", "pyrage"}

# Runs main as the command does, and tells on standard error what was imported when it leaves.
PROBE = """
import json, os, sys
from krmfn import __main__
leave = os._exit
def tell(code):
    sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
    sys.stderr.flush()
    leave(code)
os._exit = tell
sys.argv[1:] = json.loads(os.environ["ARGUMENTS"])
__main__.main()
"""


def run(
    stdin: str, *arguments: str, cwd: Path = ROOT, environ: dict[str, str] | None = None
) -> tuple[int, str, set[str]]:
    """Exit code, standard output and the modules of a run."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        input=stdin,
        text=True,
        capture_output=True,
        check=False,
        cwd=cwd,
        env={"ARGUMENTS": json.dumps(arguments), "PYTHONPATH": str(ROOT), **(environ or {})},
    )
    _, _, modules = done.stderr.rpartition("\n")
    return done.returncode, done.stdout, set(json.loads(modules))


def generator(**data: object) -> str:
    """A ResourceList for a generator whose secret needs no store."""
    return json.dumps(
        {
            "apiVersion": "config.kubernetes.io/v1",
            "kind": "ResourceList",
            "items": [],
            "functionConfig": {
                "apiVersion": "krmfn.dev/v1alpha1",
                "kind": "SealedSecretGenerator",
                "metadata": {"name": "app", "namespace": "production"},
                "spec": {
                    "sealing": {"certificate": {"pem": PEM}, "mode": "random"},
                    "secrets": [{"name": "db", "data": [{"secretKey": "user", **data}]}],
                },
            },
        }
    )


def test_a_build_without_a_store(tmp_path: Path) -> None:
    """Sealing a literal imports no store, no network, no command and no logging."""
    code, output, modules = run(generator(value="app"), cwd=tmp_path)
    assert (code, "SealedSecret" in output) == (0, True)
    assert modules >= SEALING
    assert modules & (NEVER | NETWORK | STORES | AUDIT | {"krmfn.build.transform"}) == set()


def test_a_validator_seals_nothing(tmp_path: Path) -> None:
    """Without a certificate to compare with, a validator imports no cryptography."""
    call = json.loads(generator(value="app"))
    config = call["functionConfig"]
    config["kind"], config["spec"] = "SealedSecretValidator", {}
    code, output, modules = run(json.dumps(call), cwd=tmp_path)
    assert (code, output) == (0, "")
    assert modules >= AUDIT
    assert modules & (NEVER | NETWORK | STORES | SEALING | {"krmfn.build.transform"}) == set()


def test_a_transformer_without_claims_seals_nothing(tmp_path: Path) -> None:
    """A stream without claims imports no cryptography and no audit."""
    call = json.loads(generator(value="app"))
    config = call["functionConfig"]
    config["kind"] = "SealedSecretTransformer"
    del config["spec"]["secrets"]
    code, output, modules = run(json.dumps(call), cwd=tmp_path)
    assert (code, "skip-marker" in output or "ConfigMap" in output) == (0, True)
    assert modules & (NEVER | NETWORK | STORES | SEALING) == set()


def test_a_vault_without_login(openbao: OpenBao, tmp_path: Path) -> None:
    """A vault is read with a token through the standard library alone: no hvac, no urllib3."""
    openbao.write("secret", "startup", {"user": "app"})
    call = json.loads(generator(remoteRef={"key": "startup", "property": "user"}))
    spec = call["functionConfig"]["spec"]
    spec["stores"] = {"main": {"vault": {"path": "secret"}}}
    spec["secrets"][0]["store"] = "main"
    code, output, modules = run(json.dumps(call), cwd=tmp_path, environ=openbao.environ)
    assert (code, "SealedSecret" in output) == (0, True)
    assert {"krmfn.stores.vault.store", "http.client"} <= modules
    unwanted = NEVER | {"hvac", "krmfn.stores.age.store", "pyrage", "urllib3"}
    assert modules & unwanted == set()


def test_a_mistake_needs_no_store(tmp_path: Path) -> None:
    """A refused spec is told before anything of a store is imported."""
    code, output, modules = run(generator(valu="app"), cwd=tmp_path)
    assert (code, output) == (2, "")
    assert modules & (NEVER | NETWORK | STORES) == EXPLAINED


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_a_command_imports_only_itself(argument: str) -> None:
    """Neither the function nor a library is imported to tell version and help."""
    code, output, modules = run("", argument)
    assert (code, output.strip() != "") == (0, True)
    assert "argparse" in modules
    foreign = {"cryptography", "kubernetes", "pydantic", "yaml"} | NETWORK | STORES
    assert modules & (foreign | {"krmfn.function", "krmfn.sealing.pipeline"}) == set()


@pytest.mark.parametrize("question", ["discover", "parameters"])
def test_argo_cd_is_answered_quickly(question: str) -> None:
    """It asks for every application, also those without krmfn: neither models nor cryptography."""
    code, output, modules = run("", "argocd", question, cwd=ROOT / "examples/logto/base")
    assert (code, output.strip() in ("", "[]")) == (0, question == "discover")
    assert "yaml" in modules
    foreign = {"cryptography", "kubernetes", "pydantic"} | NETWORK | STORES
    assert modules & (foreign | {"krmfn.function", "krmfn.sealing.pipeline"}) == set()


def test_importing_the_package_imports_nothing() -> None:
    """`import krmfn` costs nothing: whoever wants the version pays for no library."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; a = set(sys.modules); import krmfn; print(*set(sys.modules) - a)",
        ],
        text=True,
        capture_output=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert set(done.stdout.split()) <= {"krmfn", "__future__"}
