"""The vault store on a real OpenBao: mounts, versions, refusals, logins, TLS."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import secrets as random
import ssl
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from krmfn.deadline import Deadline
from krmfn.errors import KrmfnError
from krmfn.files.read import Place
from krmfn.spec.stores import Vault
from krmfn.stores.access import Access
from krmfn.stores.vault.store import VaultBackend
from tests.support import openbao as server
from tests.support.wire import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao

CANARY = "c4n4ry-5e1f"


def store(
    bao: OpenBao, base: Path | None = None, *, environ: dict[str, str] | None = None, **spec: Any
) -> VaultBackend:
    """A store of this server; ``spec`` as in a configuration."""
    base = base or Path.cwd()
    access = Access((environ or {}) | bao.environ, Deadline(30), Place(base, base))
    return VaultBackend("main", Vault.model_validate({"path": "secret", "id": "t", **spec}), access)


def read(of: VaultBackend, key: str, version: int | None = None) -> dict[str, Any]:
    """Locate and read."""
    return of.read(of.locate(key), version)


def refusal(of: VaultBackend, key: str = "x", version: int | None = None) -> KrmfnError:
    """The one error that reading gives, which holds no value."""
    with pytest.raises(KrmfnError) as caught:
        read(of, key, version)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return caught.value


@pytest.fixture
def mount(openbao: OpenBao) -> str:
    """A fresh KV 2 mount."""
    name = f"m{random.token_hex(6)}"
    openbao.mount(name, "kv", version="2")
    return name


# --- mounts and sources


def test_both_versions_have_one_source(openbao: OpenBao) -> None:
    """KV 1 and KV 2 are found by asking, and leave no trace in the source."""
    one, two = (f"m{random.token_hex(6)}" for _ in range(2))
    openbao.mount(one, "kv", version="1")
    openbao.mount(two, "kv", version="2")
    for name, version in ((one, 1), (two, 2)):
        location = store(openbao, path=name).locate("a/b")
        assert location.source == ("vault", "t", "", name, "a/b")
        assert location.kv_version == version


def test_the_id_defaults_to_the_origin(openbao: OpenBao) -> None:
    """Without an id the canonical address names the vault."""
    upper = openbao.environ | {"VAULT_ADDR": openbao.address.replace("127.0.0.1", "LOCALHOST")}
    access = Access(upper, Deadline(30))
    found = VaultBackend("main", Vault.model_validate({"path": "secret"}), access).locate("a")
    assert found.source[1] == f"url:http://localhost:{openbao.address.rpartition(':')[2]}"


def test_data_in_the_path_is_forgiven(openbao: OpenBao, mount: str) -> None:
    """`path: MOUNT/data` gives the same source, with a hint."""
    openbao.write(mount, "a", {"x": "1"})
    forgiven = store(openbao, path=f"{mount}/data")
    assert forgiven.locate("a").source == store(openbao, path=mount).locate("a").source
    assert read(forgiven, "a") == {"x": "1"}
    (warning,) = forgiven._access.warnings.found
    assert f"write path: {mount}" in str(warning)


def test_data_in_the_key_is_hinted_at(openbao: OpenBao, mount: str) -> None:
    """A key that starts with data/ is read as it is, and the hint comes when nothing is there."""
    openbao.write(mount, "data/real", {"x": "1"})
    assert read(store(openbao, path=mount), "data/real") == {"x": "1"}
    assert "leave data/ out" in refusal(store(openbao, path=mount), "data/other").remedy


def test_a_path_beyond_the_mount(openbao: OpenBao, mount: str) -> None:
    """A path may go below the mount; the source is that of the whole path."""
    openbao.write(mount, "team/a", {"x": "1"})
    below = store(openbao, path=f"{mount}/team")
    assert read(below, "a") == {"x": "1"}
    assert below.locate("a").source == store(openbao, path=mount).locate("team/a").source


def test_a_namespace_however_it_is_written(openbao: OpenBao) -> None:
    """In the field, in the environment or in the path: one source."""
    name = f"n{random.token_hex(4)}"
    openbao.request("POST", f"sys/namespaces/{name}", {})
    openbao.request("POST", f"{name}/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    openbao.request("POST", f"{name}/kv/data/a", {"data": {"x": "1"}})
    ways = [
        store(openbao, path="kv", namespace=name),
        store(openbao, path="kv", environ={"VAULT_NAMESPACE": name}),
        store(openbao, path=f"{name}/kv"),
    ]
    for way in ways:
        assert way.locate("a").source == ("vault", "t", name, "kv", "a")
        assert read(way, "a") == {"x": "1"}


def test_a_mount_with_slashes_is_no_namespace(openbao: OpenBao) -> None:
    """A mount may have slashes in its own name."""
    name = f"deep/{random.token_hex(4)}/kv"
    openbao.mount(name, "kv", version="2")
    assert store(openbao, path=name).locate("a").source == ("vault", "t", "", name, "a")


def test_the_version_may_be_told(openbao: OpenBao, mount: str) -> None:
    """With `version` the mount is not asked: a token that may only read is enough."""
    openbao.write(mount, "a", {"x": "1"})
    policy = f'path "{mount}/data/a" {{ capabilities = ["read"] }}'
    only = {"VAULT_TOKEN": openbao.token_for(policy, no_default_policy=True)}
    bao = server.OpenBao(openbao.address, only["VAULT_TOKEN"])
    assert read(store(bao, path=mount, version="v2"), "a") == {"x": "1"}
    assert store(bao, path=mount, version="v2").locate("a").source[-2:] == (mount, "a")


def test_data_in_the_path_is_forgiven_when_the_version_is_told(
    openbao: OpenBao, mount: str
) -> None:
    """`version: v2` with `path: MOUNT/data` is the mount too."""
    openbao.write(mount, "a", {"x": "1"})
    told = store(openbao, path=f"{mount}/data", version="v2")
    assert told.locate("a").source == store(openbao, path=mount).locate("a").source
    assert read(told, "a") == {"x": "1"}
    assert f"write path: {mount}" in str(told._access.warnings.found[0])


@pytest.mark.parametrize("root", ["root", "/", "root/"])
def test_the_root_namespace(openbao: OpenBao, root: str) -> None:
    """The root namespace is no namespace, however it is written."""
    assert store(openbao, namespace=root).locate("a").source[2] == ""


@pytest.mark.parametrize("field", ["namespace", "authNamespace"])
def test_namespaces_are_canonical(openbao: OpenBao, field: str) -> None:
    """A namespace goes into a header; it is held to the rules of paths."""
    with pytest.raises(KrmfnError) as caught:
        store(openbao, **{field: "a\r\nX: y"})
    assert caught.value.id == "path"


@pytest.mark.parametrize("kind", ["transit", "cubbyhole"])
def test_a_mount_that_is_not_kv(openbao: OpenBao, kind: str) -> None:
    """Another engine is refused before anything is read of it."""
    name = "cubbyhole"
    if kind != "cubbyhole":
        name = f"m{random.token_hex(6)}"
        openbao.mount(name, kind)
    error = refusal(store(openbao, path=name))
    assert (error.id, error.message) == ("mount-not-kv", f"the mount is of type {kind}")


def test_a_mount_that_is_not_there(openbao: OpenBao) -> None:
    """An unknown mount has its own error, with the way out."""
    error = refusal(store(openbao, path="nowhere"))
    assert (error.id, error.source) == ("mount-unknown", "main:nowhere")
    assert "set version" in error.remedy


# --- versions


def test_versions(openbao: OpenBao, mount: str) -> None:
    """A pin reads that version; a missing, deleted or destroyed one has its own error."""
    for number in range(1, 4):
        openbao.write(mount, "a", {"x": f"{CANARY}{number}"})
    of = store(openbao, path=mount)
    assert read(of, "a")["x"] == f"{CANARY}3"
    assert read(of, "a", 1)["x"] == f"{CANARY}1"
    assert refusal(of, "a", 9).id == "version-missing"
    openbao.request("POST", f"{mount}/delete/a", {"versions": [2]})
    assert refusal(of, "a", 2).id == "version-deleted"
    openbao.request("PUT", f"{mount}/destroy/a", {"versions": [1]})
    error = refusal(of, "a", 1)
    assert (error.id, error.message) == ("version-destroyed", "version 1 was destroyed")
    openbao.request("DELETE", f"{mount}/data/a")
    assert refusal(of, "a").id == "version-deleted"
    assert refusal(of, "b", 1).id == "not-found"


def test_version_one_keeps_no_versions(openbao: OpenBao) -> None:
    """A pin on KV 1 is an error, not ignored."""
    name = f"m{random.token_hex(6)}"
    openbao.mount(name, "kv", version="1")
    openbao.request("POST", f"{name}/a", {"x": "1"})
    assert refusal(store(openbao, path=name), "a", 1).id == "version-unsupported"


# --- tokens and policies


def test_denied(openbao: OpenBao, mount: str) -> None:
    """403 on a good token is about this path; 403 on a bad one about the token."""
    openbao.write(mount, "a", {"x": CANARY})
    policy = f'path "{mount}/data/other" {{ capabilities = ["read"] }}'
    allowed = server.OpenBao(openbao.address, openbao.token_for(policy))
    error = refusal(store(allowed, path=mount), "a")
    assert (error.id, error.source) == ("permission-denied", f"main:{mount}/a")
    unknown = server.OpenBao(openbao.address, f"s.{CANARY}")
    assert refusal(store(unknown, path=mount), "a").id == "login-failed"


def test_a_token_that_may_not_look_at_itself(openbao: OpenBao, mount: str) -> None:
    """Least privilege, without even the default policy, is not taken for a bad token."""
    policy = f'path "{mount}/data/other" {{ capabilities = ["read"] }}'
    token = openbao.token_for(policy, no_default_policy=True)
    allowed = server.OpenBao(openbao.address, token)
    assert refusal(store(allowed, path=mount), "a").id == "permission-denied"
    assert refusal(store(allowed, path="elsewhere"), "a").id == "mount-unknown"


@pytest.mark.parametrize("token", [f"{CANARY}\n{CANARY}", f"{CANARY} x", f"{CANARY}é"])
def test_what_is_no_token(openbao: OpenBao, token: str) -> None:
    """A token that no header can hold is refused, and not quoted."""
    error = refusal(store(openbao, environ={"T": token}, auth={"tokenRef": {"env": "T"}}))
    assert error.id == "credential-missing"


def test_no_token(openbao: OpenBao) -> None:
    """Without a token nothing is asked; the home's token file is not looked at."""
    access = Access({"VAULT_ADDR": openbao.address}, Deadline(30))
    of = VaultBackend("main", Vault.model_validate({"path": "secret"}), access)
    assert refusal(of).id == "credential-missing"


def test_two_tokens_that_differ(openbao: OpenBao) -> None:
    """VAULT_TOKEN and BAO_TOKEN must agree."""
    assert refusal(store(openbao, environ={"BAO_TOKEN": "another"})).id == "credential-missing"
    openbao.write("secret", "both", {"x": "1"})
    assert read(store(openbao, environ={"BAO_TOKEN": openbao.token}), "both") == {"x": "1"}


def test_a_given_token_is_not_revoked(openbao: OpenBao, mount: str, tmp_path: Path) -> None:
    """What somebody else made stays theirs; by variable or by file."""
    openbao.write(mount, "a", {"x": "1"})
    token = openbao.token_for(f'path "{mount}/*" {{ capabilities = ["read"] }}')
    (tmp_path / "token").write_text(f"{token}\n")
    for ref in ({"env": "MINE"}, {"file": "token"}, {"file": str(tmp_path / "token")}):
        of = store(openbao, tmp_path, path=mount, environ={"MINE": token}, auth={"tokenRef": ref})
        assert read(of, "a") == {"x": "1"}
        of.close()
    lookup = openbao.request("POST", "auth/token/lookup", {"token": token})
    assert lookup["data"]["id"] == token


# --- logins


def policy_for(openbao: OpenBao) -> str:
    """A policy that reads everything under secret, by name."""
    openbao.request(
        "PUT", "sys/policies/acl/reader", {"policy": 'path "secret/*" { capabilities = ["read"] }'}
    )
    return "reader"


def enable(openbao: OpenBao, kind: str) -> str:
    """A fresh auth mount."""
    name = f"{kind}{random.token_hex(4)}"
    openbao.request("POST", f"sys/auth/{name}", {"type": kind})
    return name


def tokens(openbao: OpenBao) -> int:
    """How many tokens there are."""
    return len(openbao.request("LIST", "auth/token/accessors")["data"]["keys"])


def check_login(
    openbao: OpenBao, auth: dict[str, Any], environ: dict[str, str], base: Path | None = None
) -> None:
    """The login reads, and leaves no token behind."""
    openbao.write("secret", "login", {"x": "1"})
    before = tokens(openbao)
    of = store(openbao, base, auth=auth, environ=environ)
    assert read(of, "login") == {"x": "1"}
    assert tokens(openbao) == before + 1
    of.close()
    assert tokens(openbao) == before
    assert of._access.warnings.found == []


def test_approle(openbao: OpenBao) -> None:
    """AppRole, with the role's id in the configuration or by reference."""
    name, policy = enable(openbao, "approle"), policy_for(openbao)
    openbao.request("POST", f"auth/{name}/role/r", {"token_policies": [policy]})
    role = openbao.request("GET", f"auth/{name}/role/r/role-id")["data"]["role_id"]
    secret = openbao.request("POST", f"auth/{name}/role/r/secret-id", {})["data"]["secret_id"]
    environ = {"SECRET_ID": secret, "ROLE_ID": role}
    for who in ({"roleId": role}, {"roleRef": {"env": "ROLE_ID"}}):
        auth = {"appRole": {"path": name, "secretRef": {"env": "SECRET_ID"}, **who}}
        check_login(openbao, auth, environ)


def test_a_refused_login_is_tried_once(openbao: OpenBao) -> None:
    """Many readers share one failed login, so that no account is locked; no credential is told."""
    name = enable(openbao, "approle")
    auth = {"appRole": {"path": name, "roleId": "r", "secretRef": {"env": "S"}}}
    of = store(openbao, auth=auth, environ={"S": CANARY})
    first, second = refusal(of), refusal(of)
    assert first is second
    assert (first.id, first.source) == ("login-failed", "main")


def test_userpass(openbao: OpenBao) -> None:
    """User name and password."""
    name, policy = enable(openbao, "userpass"), policy_for(openbao)
    body = {"password": CANARY, "token_policies": [policy]}
    openbao.request("POST", f"auth/{name}/users/ann", body)
    auth = {"userPass": {"path": name, "username": "ann", "secretRef": {"env": "PW"}}}
    check_login(openbao, auth, {"PW": CANARY})
    wrong = store(openbao, auth=auth, environ={"PW": f"{CANARY}x"})
    assert refusal(wrong).id == "login-failed"


def signed_jwt(key: ec.EllipticCurvePrivateKey, **claims: Any) -> str:
    """A JWT, ES256."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    now = int(time.time())
    claims = {"iat": now, "nbf": now - 5, "exp": now + 300, **claims}
    head = part(json.dumps({"alg": "ES256", "typ": "JWT"}).encode())
    body = f"{head}.{part(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(body.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{body}.{part(r.to_bytes(32) + s.to_bytes(32))}"


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """The public key."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def test_jwt(openbao: OpenBao, tmp_path: Path) -> None:
    """A JWT from a file, such as a CI job has."""
    name, policy = enable(openbao, "jwt"), policy_for(openbao)
    key = ec.generate_private_key(ec.SECP256R1())
    openbao.request("POST", f"auth/{name}/config", {"jwt_validation_pubkeys": [public_pem(key)]})
    role = {
        "role_type": "jwt",
        "bound_audiences": ["vault"],
        "user_claim": "sub",
        "token_policies": [policy],
    }
    openbao.request("POST", f"auth/{name}/role/r", role)
    token = signed_jwt(key, aud="vault", sub="ci")
    (tmp_path / "jwt").write_text(token)
    auth = {"jwt": {"path": name, "role": "r", "secretRef": {"file": "jwt"}}}
    check_login(openbao, auth, {}, tmp_path)


def test_kubernetes(openbao: OpenBao, tmp_path: Path) -> None:
    """A service account's token, checked by a TokenReview."""
    account = {
        "username": "system:serviceaccount:argocd:repo-server",
        "uid": "u",
        "groups": ["system:serviceaccounts"],
    }
    review = {"status": {"authenticated": True, "user": account}}
    name, policy = enable(openbao, "kubernetes"), policy_for(openbao)
    with serving(lambda *_: (201, review)) as api:
        config = {
            "kubernetes_host": api.address,
            "kubernetes_ca_cert": authority(tmp_path)[0].read_text(),
            "disable_local_ca_jwt": True,
        }
        openbao.request("POST", f"auth/{name}/config", config)
        role = {
            "bound_service_account_names": ["repo-server"],
            "bound_service_account_namespaces": ["argocd"],
            "token_policies": [policy],
        }
        openbao.request("POST", f"auth/{name}/role/r", role)
        key = ec.generate_private_key(ec.SECP256R1())
        bound = {"namespace": "argocd", "serviceaccount": {"name": "repo-server", "uid": "u"}}
        token = signed_jwt(key, sub=account["username"], **{"kubernetes.io": bound})
        auth = {"kubernetes": {"mountPath": name, "role": "r", "secretRef": {"env": "SA"}}}
        check_login(openbao, auth, {"SA": token})


def test_the_pods_token_is_the_default() -> None:
    """Kubernetes auth reads the token where a pod has it."""
    spec = Vault.model_validate({"path": "p", "auth": {"kubernetes": {"role": "r"}}})
    dumped = spec.model_dump(by_alias=True)["auth"]["kubernetes"]
    assert dumped["secretRef"]["file"] == "/var/run/secrets/kubernetes.io/serviceaccount/token"


def test_ldap() -> None:
    """LDAP goes to its own endpoint with name and password, and its token is revoked."""
    from tests.support.wire import healthy

    def answer(method: str, path: str, body: Any, before: int) -> tuple[int, Any]:
        if path == "auth/corp/login/ann":
            return 200, {"auth": {"client_token": "t"}}
        return healthy(method, path)

    with serving(answer) as wire:
        access = Access({"VAULT_ADDR": wire.address, "PW": CANARY}, Deadline(10))
        auth = {"ldap": {"path": "corp", "username": "ann", "secretRef": {"env": "PW"}}}
        of = VaultBackend("main", Vault.model_validate({"path": "secret", "auth": auth}), access)
        assert read(of, "a") == {"x": "1"}
        of.close()
    assert wire.asked[0] == ("POST", "auth/corp/login/ann")
    assert wire.bodies[0] == {"password": CANARY}
    assert wire.asked[-1] == ("POST", "auth/token/revoke-self")
    assert wire.tokens == [None, "t", "t", "t"]


@pytest.mark.parametrize("path", ["../x", "a%2fb", "a?b", "a//b"])
def test_auth_paths_are_canonical(openbao: OpenBao, path: str) -> None:
    """An auth mount's path is held to the same rules as a secret's."""
    auth = {"userPass": {"path": path, "username": "u", "secretRef": {"env": "PW"}}}
    with pytest.raises(KrmfnError) as caught:
        store(openbao, auth=auth, environ={"PW": "x"})
    assert caught.value.id == "path"


def test_a_missing_credential(openbao: OpenBao) -> None:
    """An unset variable or an absent file is named; nothing is sent."""
    for ref in ({"env": "UNSET"}, {"file": "absent"}):
        error = refusal(store(openbao, auth={"tokenRef": ref}))
        assert error.id == "credential-missing"
        assert next(iter(ref.values())) in error.message


# --- TLS


def authority(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, server and client alike, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    usage = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = directory / "tls.crt", directory / "tls.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def configured(directory: Path, tls: bool) -> tuple[Path, str]:
    """A server's configuration with a listener of its own, and its address."""
    port = server.free_port()
    listener: dict[str, Any] = {"address": f"127.0.0.1:{port}", "tls_disable": not tls}
    if tls:
        certificate, key = authority(directory)
        listener |= {"tls_cert_file": str(certificate), "tls_key_file": str(key)}
    config = {"storage": {"inmem": {}}, "listener": {"tcp": listener}, "disable_mlock": True}
    file = directory / "bao.json"
    file.write_text(json.dumps(config))
    return file, f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def tls_bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpenBao, Path]]:
    """A real server behind TLS, initialised and unsealed, and the directory of its files."""
    import urllib.error
    import urllib.request

    directory = tmp_path_factory.mktemp("tls")
    config, address = configured(directory, tls=True)
    context = ssl.create_default_context(cafile=str(directory / "tls.crt"))

    def ask(method: str, path: str, body: Any = None, token: str = "") -> Any:
        call = urllib.request.Request(
            f"{address}/v1/{path}",
            method=method,
            data=json.dumps(body).encode(),
            headers={"X-Vault-Token": token},
        )
        with urllib.request.urlopen(call, timeout=10, context=context) as answer:
            return json.loads(answer.read() or b"null")

    environ = {"HOME": str(directory), "PATH": os.environ["PATH"]}
    with server.running("-config", str(config), environ=environ) as process:
        for _ in range(600):
            assert process.poll() is None
            try:
                keys = ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        ask("PUT", "sys/unseal", {"key": keys["keys"][0]})
        token = keys["root_token"]
        for _ in range(600):
            try:
                ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, token)
                break
            except urllib.error.HTTPError:
                time.sleep(0.05)
        for _ in range(600):
            try:
                ask("POST", "secret/data/a", {"data": {"x": "1"}}, token)
                break
            except urllib.error.HTTPError:
                time.sleep(0.05)
        policy = 'path "secret/*" { capabilities = ["read"] }'
        ask("PUT", "sys/policies/acl/reader", {"policy": policy}, token)
        ask("POST", "sys/auth/cert", {"type": "cert"}, token)
        pem = (directory / "tls.crt").read_text()
        body = {"certificate": pem, "token_policies": ["reader"]}
        ask("POST", "auth/cert/certs/ci", body, token)
        yield server.OpenBao(address, token), directory


def test_tls_with_a_ca(tls_bao: tuple[OpenBao, Path]) -> None:
    """A CA as a file of the repository or in the configuration; without it nothing is sent."""
    bao, directory = tls_bao
    bundle = base64.b64encode((directory / "tls.crt").read_bytes()).decode()
    for ca in ({"caFile": "tls.crt"}, {"caBundle": bundle}):
        assert read(store(bao, directory, **ca), "a") == {"x": "1"}
    error = refusal(store(bao, directory), "a")
    assert (error.id, error.source) == ("tls", "main")


@pytest.mark.parametrize("name", ["ci", None])
def test_cert_login(tls_bao: tuple[OpenBao, Path], name: str | None) -> None:
    """A client certificate logs in, with and without the name of its role."""
    bao, directory = tls_bao
    files = {"clientCert": {"file": "tls.crt"}, "secretRef": {"file": "tls.key"}}
    auth = {"cert": files | ({"vaultRole": name} if name else {})}
    of = store(bao, directory, caFile="tls.crt", auth=auth)
    assert read(of, "a") == {"x": "1"}
    of.close()
    assert of._access.warnings.found == []


def test_client_tls(tls_bao: tuple[OpenBao, Path]) -> None:
    """A client certificate may be shown beside a token; files that are none are refused."""
    bao, directory = tls_bao
    tls = {"certRef": {"file": "tls.crt"}, "keyRef": {"file": "tls.key"}}
    assert read(store(bao, directory, caFile="tls.crt", tls=tls), "a") == {"x": "1"}
    tls = {"certRef": {"file": "tls.key"}, "keyRef": {"file": "tls.key"}}
    with pytest.raises(KrmfnError) as caught:
        store(bao, directory, caFile="tls.crt", tls=tls)
    assert caught.value.id == "tls"


def test_a_bundle_that_is_none(openbao: OpenBao) -> None:
    """A CA that is not base64 or not PEM is refused before a socket opens."""
    bao = server.OpenBao("https://127.0.0.1:1", "t")
    for bundle, id_ in (("***", "spec"), ("aGVsbG8=", "tls"), (" ", "tls")):
        with pytest.raises(KrmfnError) as caught:
            store(bao, caBundle=bundle)
        assert caught.value.id == id_


# --- transit


def test_transit_on_a_real_engine(openbao: OpenBao) -> None:
    """A key's version gives 64 bytes an input, of however many; another version or type does not."""
    name = f"m{random.token_hex(6)}"
    openbao.mount(name, "transit")
    openbao.request("POST", f"{name}/keys/seal", {"type": "hmac", "key_size": 64})
    openbao.request("POST", f"{name}/keys/other", {"type": "aes256-gcm96"})
    of = store(openbao)
    inputs = [bytes([n % 256, n // 256]) for n in range(300)]
    outputs = of.hmac(name, "seal", 1, inputs)
    assert {len(output) for output in outputs} == {64}
    assert len(set(outputs)) == 300
    assert of.hmac(name, "seal", 1, inputs[7:8]) == outputs[7:8]
    for key, version, id_ in (("seal", 2, "transit"), ("other", 1, "transit")):
        with pytest.raises(KrmfnError) as caught:
            of.hmac(name, key, version, inputs)
        assert caught.value.id == id_
    with pytest.raises(KrmfnError) as caught:
        of.hmac(name, "absent", 1, inputs)
    assert (caught.value.id, caught.value.source) == ("not-found", f"main:{name}/absent")


def test_transit_without_leave_to_look_at_the_key(openbao: OpenBao) -> None:
    """Leave to use the key is enough."""
    name = f"m{random.token_hex(6)}"
    openbao.mount(name, "transit")
    openbao.request("POST", f"{name}/keys/seal", {"type": "hmac", "key_size": 64})
    policy = f'path "{name}/hmac/seal/sha2-512" {{ capabilities = ["update"] }}'
    user = server.OpenBao(openbao.address, openbao.token_for(policy, no_default_policy=True))
    assert store(user).hmac(name, "seal", 1, [b"x"]) == store(openbao).hmac(name, "seal", 1, [b"x"])
    with pytest.raises(KrmfnError) as caught:
        store(user).hmac(name, "another", 1, [b"x"])
    assert caught.value.id == "permission-denied"


# --- a vault that cannot answer


def test_a_sealed_vault(tmp_path: Path) -> None:
    """A vault that is not initialised, or sealed, says so at once and is not asked again."""
    config, address = configured(tmp_path, tls=False)
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    with server.running("-config", str(config), environ=environ) as process:
        bao = server.OpenBao(address, "t")
        for _ in range(600):
            assert process.poll() is None
            try:
                bao.request("GET", "sys/seal-status")
                break
            except OSError:
                time.sleep(0.05)
        assert refusal(store(bao)).id == "vault-sealed"
        state = store(bao).health().state()
        assert (state.initialized, state.sealed) == (False, True)
        bao.request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        assert refusal(store(bao)).id == "vault-sealed"
        state = store(bao).health().state()
        assert (state.initialized, state.sealed) == (True, True)
        assert state.clock is not None
