"""`krmfn doctor`: every check says what is wrong, how that is known, and what mends it."""

from __future__ import annotations

import base64
import copy
import json
import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.cluster.questions import SecretFacts
from krmfn.doctor.cluster import judge_secret
from krmfn.doctor.diagnosis import CHECKS
from krmfn.doctor.tools import judge_version
from krmfn.doctor.vault import judge_state
from krmfn.stores.vault.health import State
from tests.support import apiserver
from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.openbao import free_port
from tests.support.platform import PIN, RULE, write_platform
from tests.support.trap import trap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
OTHER_PEM = (ROOT / "tests/vectors/keys/current.crt").read_text()
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
    _, found = checks(overlay, KRMFN_KUSTOMIZE=str(program))
    one = only("kustomize", found)
    assert (one["status"], one["cause"]) == ("error", "kustomize 4.5.7 is too old")


def test_no_kustomize(overlay: Path) -> None:
    """Then nothing else is looked at."""
    _, found = checks(overlay, KRMFN_KUSTOMIZE="/nonexistent")
    assert [one["id"] for one in found] == ["kustomize"]


def test_exec_under_kubectl(overlay: Path, tmp_path: Path) -> None:
    """kubectl would leave the function out: the command that does not is told."""
    _, found = checks(overlay, PATH=on_path(tmp_path))
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
    _, found = checks(overlay, PATH="/nonexistent")
    first = of("function", found)[0]
    assert first["status"] == "warning"
    assert "exec function krmfn is not on PATH" in first["cause"]


def test_legacy_plugin(tmp_path: Path, plugins: dict[str, str]) -> None:
    """Without an annotation it is the legacy plugin, and the flags follow from that."""
    overlay = repo.repository(tmp_path / "r", annotation="")
    _, found = checks(overlay, KUSTOMIZE_PLUGIN_HOME=str(tmp_path))
    first = of("function", found)[0]
    assert first["fix"].startswith("krmfn install legacy-plugin")
    home = plugins["KUSTOMIZE_PLUGIN_HOME"]
    found = checks(overlay, KUSTOMIZE_PLUGIN_HOME=home)[1]
    assert {one["status"] for one in of("function", found)} == {"ok"}
    assert (
        f"kubectl kustomize --enable-alpha-plugins {overlay}" in of("function", found)[0]["cause"]
    )


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
    _, found = checks(overlay)
    one = only("config-left", found)
    assert one["status"] == "error"
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
    repo.change(overlay, resources=["deployment.yaml"], transformers=None)
    repo.write(overlay / "deployment.yaml", repo.DEPLOYMENT)
    assert of("validator", checks(overlay)[1]) == []  # nothing to seal, nothing to validate


def test_it_does_not_build(overlay: Path) -> None:
    """krmfn's own error, as the cause."""
    repo.change(overlay, resources=["../../gone"])
    _, found = checks(overlay)
    one = only("build", found)
    assert one["status"] == "error"
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
    _, found = checks(overlay)
    one = only("sealed-for", found)
    assert one["cause"] == cause
    assert one["evidence"] == f"sealed for {sealed_for}, and it is production/db2"


def test_hand_made(overlay: Path) -> None:
    """Left over, with its file; and beside a claim for the same Secret an error."""
    more(overlay, sealed("old"))
    one = only("hand-made", checks(overlay)[1])
    assert one["status"] == "warning"
    assert one["fix"] == "krmfn import sealedsecret overlays/production/more.yaml"
    more(overlay, sealed("db", sealed_for="production/db"))
    one = only("ambiguous-producer", checks(overlay)[1])
    assert (one["status"], one["subject"]) == ("error", "SecretClaim/db")
    assert one["cause"].startswith("SealedSecret/db and this SecretClaim make one Secret")


def test_audit(overlay: Path) -> None:
    """The audit's errors, in short, and the command for all of them."""
    value = copy.deepcopy(repo.DEPLOYMENT)
    (container,) = value["spec"]["template"]["spec"]["containers"]  # type: ignore[index]
    container["envFrom"][0]["secretRef"]["name"] = "gone"
    repo.write(overlay.parents[1] / "base/deployment.yaml", value)
    _, found = checks(overlay)
    one = only("audit", found)
    assert one["status"] == "error"
    assert one["fix"].startswith(f"krmfn init {overlay} proposes what is missing; krmfn audit")
    assert "[unmet-reference]" in one["evidence"]


def certificate(overlay: Path, days_before: int, days_after: int) -> None:
    """One that is valid from and to so many days from now."""
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
    assert ("krmfn cert fetch" in one["fix"]) is (status != "ok")


# --- the vault


def of_vault(found: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    """Check, status and subject of the vault's area."""
    return [(f["id"], f["status"], f["subject"]) for f in found if f["area"] == "vault"]


def test_a_vault_that_is_well(overlay: Path, openbao: OpenBao) -> None:
    """Everything that a build asks is asked, and told without a value."""
    repo.seed(openbao)
    code, found = checks(overlay, **openbao.environ)
    assert code == 0
    assert of_vault(found) == [
        ("vault", "ok", "main"),
        ("vault-clock", "ok", "main"),
        ("vault-login", "ok", "main"),
        ("vault-token", "ok", "main"),
        ("vault-access", "ok", "main:secret/data/build/db"),
        ("vault-access", "ok", "main:secret/data/krmfn/derivation"),
        ("vault-value", "ok", "production/db"),
    ]


def test_missing_rights(overlay: Path, openbao: OpenBao) -> None:
    """Exactly the path that may not be read, once, with the policy's line; and a short life."""
    repo.seed(openbao)
    policy = """path "secret/data/build/*" { capabilities = ["read"] }
    path "secret/data/krmfn/derivation" { capabilities = ["list"] }"""
    token = openbao.token_for(policy, ttl="200s")
    code, found = checks(overlay, **openbao.environ | {"VAULT_TOKEN": token})
    (one,) = of("vault-access", found, "error")
    assert (code, one["subject"]) == (1, "main:secret/data/krmfn/derivation")
    assert one["evidence"] == "capabilities-self says list"
    assert one["fix"] == (
        'add to its policy: path "secret/data/krmfn/derivation" { capabilities = ["read"] }'
    )
    assert of("vault-value", found) == []
    assert only("vault-token", found)["status"] == "warning"


def test_a_token_that_may_not_ask(overlay: Path, openbao: OpenBao) -> None:
    """Without the default policy nobody can say what it may; what it may not is seen all the same."""
    repo.seed(openbao)
    policy = 'path "secret/data/build/*" { capabilities = ["read"] }'
    token = openbao.token_for(policy, no_default_policy=True)
    value = repo.transformer()
    value["spec"]["stores"] = {"main": {"vault": {**repo.STORES["main"]["vault"], "version": "v2"}}}
    repo.write(overlay / "krmfn.yaml", value)
    code, found = checks(overlay, **openbao.environ | {"VAULT_TOKEN": token})
    assert only("vault-token", found)["status"] == "skipped"
    assert only("vault-access", found)["status"] == "skipped"
    (one,) = of("vault-value", found)
    assert (code, one["status"]) == (1, "error")
    assert 'path "secret/data/krmfn/derivation"' in one["fix"]


@pytest.mark.parametrize("may", [True, False])
def test_a_login_that_cannot_be_given_back(overlay: Path, openbao: OpenBao, may: bool) -> None:
    """A login whose token may not revoke itself is found before a build leaves tokens behind."""
    repo.seed(openbao)
    name = f"userpass{secrets.token_hex(4)}"
    openbao.request("POST", f"sys/auth/{name}", {"type": "userpass"})
    policy = """path "secret/data/*" { capabilities = ["read"] }
    path "sys/capabilities-self" { capabilities = ["update"] }"""
    openbao.request("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    body = {"password": "pw", "token_policies": [name], "token_no_default_policy": not may}
    openbao.request("POST", f"auth/{name}/users/ann", body)
    auth = {"userPass": {"path": name, "username": "ann", "secretRef": {"env": "PW"}}}
    value = repo.transformer()
    value["spec"]["stores"]["main"]["vault"]["auth"] = auth
    repo.write(overlay / "krmfn.yaml", value)
    _, output, errors = doctor(overlay, "--json", VAULT_ADDR=openbao.address, PW="pw")
    one = only("vault-revoke", json.loads(output)["checks"])
    # And this run has left one behind.
    assert ("[token-not-revoked]" in errors) is not may
    assert one["status"] == ("ok" if may else "warning")
    assert may or 'path "auth/token/revoke-self"' in one["fix"]


def test_a_bad_token(overlay: Path, openbao: OpenBao) -> None:
    """Told once, and nothing more is asked with it."""
    code, found = checks(overlay, **openbao.environ | {"VAULT_TOKEN": "wrong"})
    assert code == 1
    assert of_vault(found)[2:] == [
        ("vault-login", "error", "main"),
        ("vault-value", "skipped", "values"),
    ]


def test_a_missing_value(overlay: Path, openbao: OpenBao) -> None:
    """What is missing, with its Secret and key."""
    repo.seed(openbao)
    openbao.request("DELETE", "secret/metadata/build/db")
    code, found = checks(overlay, **openbao.environ)
    (one,) = of("vault-value", found)
    assert (code, one["status"], one["cause"]) == (1, "error", "nothing is stored there")
    assert one["subject"] == "production/db: main:secret/build/db"


def test_no_vault(overlay: Path) -> None:
    """Neither an address nor a server."""
    one = only("vault", checks(overlay)[1])
    assert (one["status"], one["fix"]) == ("error", "export VAULT_ADDR")
    address = f"http://127.0.0.1:{free_port()}"
    code, found = checks(overlay, VAULT_ADDR=address, VAULT_TOKEN="t")
    one = only("vault", found)
    assert (code, one["cause"]) == (
        1,
        f"{address} cannot be reached: nothing listens there, the connection is refused",
    )


@pytest.mark.parametrize(
    ("initialized", "sealed_now", "seconds", "expected"),
    [
        (True, False, 0, [("vault", "ok"), ("vault-clock", "ok")]),
        (True, False, 90, [("vault", "ok"), ("vault-clock", "error")]),
        (True, False, -90, [("vault", "ok"), ("vault-clock", "error")]),
        (True, True, 0, [("vault", "error"), ("vault-clock", "ok")]),
        (False, True, 0, [("vault", "error"), ("vault-clock", "ok")]),
        (True, False, None, [("vault", "ok"), ("vault-clock", "skipped")]),
    ],
)
def test_state(
    initialized: bool, sealed_now: bool, seconds: int | None, expected: list[tuple[str, str]]
) -> None:
    """Sealed, not initialised, and a clock that is off by more than a minute."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    clock = None if seconds is None else now + timedelta(seconds=seconds)
    state = State(initialized, sealed_now, "2.4.1", clock)
    assert [(d.id, d.status) for d in judge_state("main", state, now)] == expected


def test_a_policy_that_denies(overlay: Path, tmp_path: Path) -> None:
    """Nothing is sent to a vault for what the platform does not allow."""
    with trap() as vault:
        environ = write_platform(tmp_path / "p.yaml", rule=RULE | {"projects": ["other"]})
        code, found = checks(overlay, **environ | {"VAULT_ADDR": vault.address})
        assert vault.came == []
    assert code == 1
    assert of("policy", found)[0]["status"] == "error"
    assert of_vault(found) == []


def test_limits_that_a_build_just_meets(overlay: Path, tmp_path: Path, openbao: OpenBao) -> None:
    """The doctor looks more than once, and counts what a build would read once."""
    repo.seed(openbao)
    limits = {"secrets": 1, "reads": 1, "keys": 1, "certificates": 1}
    environ = write_platform(tmp_path / "p.yaml", limits=limits) | openbao.environ
    code, found = checks(overlay, **environ)
    assert [one for one in found if one["status"] == "error"] == []
    assert code == 0
    assert ("vault-value", "ok", "production/db") in of_vault(found)


# --- the cluster

SERVICES = "/api/v1/namespaces/sealed-secrets/services"
PROXY = f"{SERVICES}/http:sealed-secrets:http/proxy"
SECRET = "/api/v1/namespaces/production/secrets/db"
SEALED = "/apis/bitnami.com/v1alpha1/namespaces/production/sealedsecrets/db"
EVENTS = "/api/v1/namespaces/production/events"
NO_KEY = "no key could decrypt secret (password)"
NOT_MANAGED = 'Resource "db" already exists and is not managed by SealedSecret'


@pytest.fixture
def api(tmp_path: Path) -> Iterator[apiserver.ApiServer]:
    """An API server with a controller, under the chart's name."""
    with apiserver.running(tmp_path) as server:
        server.objects = {
            f"{SERVICES}/sealed-secrets": {"spec": {"ports": [{"name": "http"}]}},
            f"{PROXY}/v1/cert.pem": repo.PEM,
        }
        yield server


def deployed(api: apiserver.ApiServer, synced: str, message: str = "", **metadata: Any) -> None:
    """A SealedSecret, and what the controller says of it."""
    condition = {"type": "Synced", "status": synced, "message": message}
    api.objects[SEALED] = {
        "metadata": {"name": "db", "namespace": "production", "generation": 1, **metadata},
        "status": {"observedGeneration": 1, "conditions": [condition]},
    }


def of_cluster(
    overlay: Path, api: apiserver.ApiServer, openbao: OpenBao
) -> tuple[int, list[dict[str, str]]]:
    repo.seed(openbao)
    code, found = checks(overlay, "--cluster", **openbao.environ, **api.environ)
    return code, [one for one in found if one["area"] == "cluster"]


def test_a_cluster_that_is_well(overlay: Path, api: apiserver.ApiServer, openbao: OpenBao) -> None:
    """Controller, certificate, verdict, condition and Secret; the rate limit is waited for."""
    deployed(api, "True")
    owner = {"kind": "SealedSecret", "name": "db"}
    api.objects[SECRET] = {"metadata": {"ownerReferences": [owner]}, "data": {"password": "eA=="}}
    api.verdicts = [429, 429]
    _, found = of_cluster(overlay, api, openbao)
    assert [(f["id"], f["status"], f["subject"]) for f in found] == [
        ("controller", "ok", "sealed-secrets/sealed-secrets"),
        ("cluster-certificate", "ok", PIN[:16]),
        ("verify", "ok", "SealedSecret/production/db"),
        ("synced", "ok", "SealedSecret/production/db"),
        ("in-the-way", "ok", "Secret/production/db"),
    ]
    assert [path for path, _ in api.posted] == [f"{PROXY}/v1/verify"] * 3
    assert api.posted[0][1]["kind"] == "SealedSecret"


def test_another_key(overlay: Path, api: apiserver.ApiServer, openbao: OpenBao) -> None:
    """The controller does not know the certificate: its own sentence does not say so."""
    api.objects[f"{PROXY}/v1/cert.pem"] = OTHER_PEM
    api.verdicts = [409]
    code, found = of_cluster(overlay, api, openbao)
    assert code == 1
    assert only("cluster-certificate", found)["status"] == "warning"
    one = only("verify", found)
    assert one["cause"] == "the controller does not have the key that it is sealed for"
    assert f"sealed for {PIN}" in one["evidence"]
    assert only("synced", found)["cause"] == "it is not deployed"


@pytest.mark.parametrize(
    ("sealed_for", "cause"),
    [
        ("dev/db", "namespace mismatch: no key will open it"),
        ("production/old", "name mismatch: no key will open it"),
        ("", "it was sealed for another namespace, name or key; it has no record of which"),
    ],
)
def test_not_opened(
    sealed_for: str, cause: str, overlay: Path, api: apiserver.ApiServer, openbao: OpenBao
) -> None:
    """What the controller calls one thing is told apart by what is deployed; with its events."""
    marks = {"krmfn.dev/sealed-for": sealed_for} if sealed_for else {}
    deployed(api, "False", NO_KEY, annotations=marks)
    event = {"reason": "ErrUnsealFailed", "message": f"Failed to unseal: {NO_KEY}"}
    api.objects[EVENTS] = {"items": [event, event]}
    code, found = of_cluster(overlay, api, openbao)
    one = only("synced", found)
    assert (code, one["status"], one["cause"]) == (1, "error", cause)
    assert one["evidence"].endswith("events: ErrUnsealFailed: no key could decrypt secret")


def test_a_message_with_a_value(overlay: Path, api: apiserver.ApiServer, openbao: OpenBao) -> None:
    """A controller's template that fails quotes what it was given: neither message nor event is shown."""
    message = f"template: a:1: error calling fail: {repo.VALUE}"
    deployed(api, "False", message)
    api.objects[EVENTS] = {"items": [{"reason": "ErrUnsealFailed", "message": message}]}
    _, found = of_cluster(overlay, api, openbao)  # which looks for the value
    one = only("synced", found)
    assert "is not shown; events: ErrUnsealFailed" in one["evidence"]
    assert one["fix"] == "kubectl describe sealedsecret -n production db"


def test_a_secret_in_the_way(overlay: Path, api: apiserver.ApiServer, openbao: OpenBao) -> None:
    """Made by hand: the commands that hand it over. Nothing of its data is told."""
    deployed(api, "False", NOT_MANAGED)
    data = {"password": base64.b64encode(repo.VALUE.encode()).decode()}
    api.objects[SECRET] = {"metadata": {"name": "db"}, "data": data}
    code, found = of_cluster(overlay, api, openbao)
    command = (
        "kubectl annotate secret -n production db sealedsecrets.bitnami.com/managed=true"
        " && kubectl rollout restart -n sealed-secrets deployment/sealed-secrets"
    )
    assert (code, only("in-the-way", found)["fix"]) == (1, command)
    assert NOT_MANAGED in only("synced", found)["evidence"]
    assert data["password"] not in json.dumps(found)
    api.objects[SECRET]["metadata"]["annotations"] = {"sealedsecrets.bitnami.com/managed": "true"}
    assert only("in-the-way", of_cluster(overlay, api, openbao)[1])["status"] == "ok"


def test_a_secret_of_an_operator_in_the_way() -> None:
    """It is not to be adopted: its owner would change it back."""
    facts = SecretFacts(frozenset({"uri"}), ("Cluster/db",), {})
    one = judge_secret("production", "db", facts, None)
    assert (one.status, "managed=true" in one.fix) == ("error", False)


def test_operators_secrets(overlay: Path, api: apiserver.ApiServer, openbao: OpenBao) -> None:
    """What the audit relied on has to be there, with the keys that are read."""
    cnpg = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "pg"}}
    env = {"name": "U", "valueFrom": {"secretKeyRef": {"name": "pg-app", "key": "uri"}}}
    value = copy.deepcopy(repo.DEPLOYMENT)
    value["spec"]["template"]["spec"]["containers"][0]["env"] = [env]  # type: ignore[index]
    value["metadata"] = {"name": "second"}
    more(overlay, cnpg | {"spec": {"instances": 1}}, value)
    one = only("operator-secret", of_cluster(overlay, api, openbao)[1])
    assert (one["subject"], one["cause"]) == (
        "Secret/production/pg-app",
        "Cluster/pg has not made it",
    )
    assert one["fix"] == "kubectl describe cluster -n production pg"
    path = "/api/v1/namespaces/production/secrets/pg-app"
    api.objects[path] = {"metadata": {}, "data": {"username": "eA=="}}
    one = only("operator-secret", of_cluster(overlay, api, openbao)[1])
    assert (one["cause"], one["evidence"]) == (
        "Cluster/pg made it without uri",
        "it has username",
    )
    api.objects[path]["data"] = {"uri": "eA=="}
    assert only("operator-secret", of_cluster(overlay, api, openbao)[1])["status"] == "ok"


@pytest.mark.parametrize(
    ("bootstrap", "owner"),
    [
        ({"initdb": {"database": "shop", "owner": "keeper"}}, "keeper"),
        ({"initdb": {"database": "shop"}}, "shop"),
        ({"initdb": {}}, "app"),
        (None, "app"),
        ({"recovery": {"source": "old"}}, None),  # the backup says who owns it
    ],
)
def test_the_username_of_an_operator(
    bootstrap: Any,
    owner: str | None,
    overlay: Path,
    api: apiserver.ApiServer,
    openbao: OpenBao,
) -> None:
    """CloudNativePG's `username` is the owner that stands in git; what else it is, is not shown."""
    cnpg = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "pg"}}
    spec = {"instances": 1} | ({"bootstrap": bootstrap} if bootstrap is not None else {})
    env = {"name": "U", "valueFrom": {"secretKeyRef": {"name": "pg-app", "key": "password"}}}
    value = copy.deepcopy(repo.DEPLOYMENT)
    value["spec"]["template"]["spec"]["containers"][0]["env"] = [env]  # type: ignore[index]
    value["metadata"] = {"name": "second"}
    more(overlay, cnpg | {"spec": spec}, value)

    def told(username: str) -> dict[str, str]:
        data = {"username": username, "password": "as the operator made it"}
        encoded = {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}
        api.objects["/api/v1/namespaces/production/secrets/pg-app"] = {"data": encoded}
        found = only("operator-secret", of_cluster(overlay, api, openbao)[1])
        assert "nobody" not in json.dumps(found)
        assert encoded["username"] not in json.dumps(found)
        return found

    assert told(owner or "whoever")["status"] == "ok"
    if owner:
        one = told("nobody")
        assert (one["status"], one["cause"]) == (
            "error",
            "its username is not what Cluster/pg says",
        )
        evidence = f"Cluster/pg says username {owner}; what the Secret has is not shown"
        assert one["evidence"] == evidence
        assert one["fix"] == "kubectl describe cluster -n production pg"


def test_no_controller(overlay: Path, api: apiserver.ApiServer) -> None:
    """Under neither name, in neither namespace; what was tried is told."""
    api.objects = {}
    code, found = checks(overlay, "--cluster", **api.environ)
    one = only("controller", found)
    assert (code, one["status"]) == (1, "error")
    assert one["evidence"] == (
        "tried Services sealed-secrets-controller and sealed-secrets"
        " in kube-system and sealed-secrets"
    )
    one = only("controller", checks(overlay, "--cluster", KUBECONFIG="/nonexistent")[1])
    assert one["cause"] == "no cluster is configured"


def test_rights_in_the_cluster(overlay: Path, api: apiserver.ApiServer, openbao: OpenBao) -> None:
    """What may not be looked at is skipped, with the right to ask for."""
    api.status = 403
    _, found = of_cluster(overlay, api, openbao)
    one = only("synced", found)
    assert (one["status"], one["fix"]) == ("skipped", "ask for get on sealedsecrets")


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
